"""The set-up of a client: what is said in code, in the environment, in the profile, and what is said wrongly."""

from __future__ import annotations

from typing import Any, Final

import botocore.session
import pytest

from locum.client import STSClient
from locum.client.failures import ConfigurationFailure
from locum.client.options import SETTINGS, ClientOptions
from locum.client.proxies import Proxies, environment_proxies, given_proxies
from locum.client.retry import MODES

from .far_end import settings

HERE: Final = {"AWS_REGION": "eu-west-1"}

VALUES: Final[dict[str, list[tuple[str, Any]]]] = {
    # option: two texts as they stand outside, and what they mean
    "region": [("eu-west-1", "eu-west-1"), ("us-gov-west-1", "us-gov-west-1")],
    "use_fips_endpoint": [("true", True), ("False", False)],
    "use_dualstack_endpoint": [("TRUE", True), ("false", False)],
    "use_global_endpoint": [("legacy", True), ("regional", False)],
    "retry_mode": [("adaptive", "adaptive"), ("legacy", "legacy")],
    "max_attempts": [("7", 7), ("1", 1)],
    "ca_bundle": [("/a.pem", "/a.pem"), ("/b.pem", "/b.pem")],
    "app_id": [("one", "one"), ("two", "two")],
}


def seen(option: str, environment: dict[str, str], files: str, **options: Any) -> Any:
    found = settings({"AWS_REGION": "eu-west-1"} | environment if option != "region" else environment, files, **options)
    if option == "retry_mode":
        return next(name for name, mode in MODES.items() if mode is found.mode)
    if option == "app_id":
        return found.user_agent.partition("app/")[2]
    return getattr(found, option)


@pytest.mark.facts("STS-CL-033")
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.option)
def test_code_comes_before_the_environment_and_that_before_the_profile(setting: Any) -> None:
    (first, first_value), (second, second_value) = VALUES[setting.option]
    name = setting.setting
    assert seen(setting.option, {}, f"[default]\n{name} = {first}") == first_value
    for variable in setting.variables:
        assert seen(setting.option, {variable: second}, f"[default]\n{name} = {first}") == second_value
        assert seen(setting.option, {variable: ""}, f"[default]\n{name} = {first}") == first_value
        given = {setting.option: first_value}
        assert seen(setting.option, {variable: second}, f"[default]\n{name} = {second}", **given) == first_value
        given = {setting.option: None}
        assert seen(setting.option, {variable: second}, "", **given) == second_value
    variables = dict(zip(setting.variables, [first, second], strict=False))
    assert seen(setting.option, variables, "") == first_value


def test_every_setting_has_values_to_try() -> None:
    assert set(VALUES) == {setting.option for setting in SETTINGS} <= set(ClientOptions.__annotations__)


FILES: Final = """
[default]
region = eu-west-1
endpoint_url = https://all.example.com
services = here

[profile quiet]
region = eu-west-1
endpoint_url = https://quiet.example.com
ignore_configured_endpoint_urls = true

[profile plain]
region = eu-west-1
endpoint_url = https://plain.example.com

[services here]
sts =
  endpoint_url = https://sts-only.example.com
"""


@pytest.mark.facts("STS-CL-033")
@pytest.mark.parametrize(
    ("environment", "options", "url"),
    [
        ({}, {}, "https://sts-only.example.com"),
        ({"AWS_ENDPOINT_URL": "https://env.example.com"}, {}, "https://env.example.com"),
        (
            {"AWS_ENDPOINT_URL": "https://env.example.com", "AWS_ENDPOINT_URL_STS": "https://sts.example.com"},
            {},
            "https://sts.example.com",
        ),
        (
            {"AWS_ENDPOINT_URL_STS": "https://sts.example.com"},
            {"endpoint_url": "https://code.example.com"},
            "https://code.example.com",
        ),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, {}, "https://sts.eu-west-1.amazonaws.com"),
        (
            {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "https://env.example.com"},
            {},
            "https://sts.eu-west-1.amazonaws.com",
        ),
        (
            {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            {"endpoint_url": "https://code.example.com"},
            "https://code.example.com",
        ),
        ({"AWS_PROFILE": "plain"}, {}, "https://plain.example.com"),
        ({"AWS_PROFILE": "quiet"}, {}, "https://sts.eu-west-1.amazonaws.com"),
        ({"AWS_PROFILE": "plain"}, {"profile": "quiet"}, "https://sts.eu-west-1.amazonaws.com"),
    ],
)
def test_where_the_endpoint_is_said(
    environment: dict[str, str],
    options: dict[str, Any],
    url: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings(environment, FILES, **options).endpoint().url == url
    # botocore reads the same files and says the same.
    (tmp_path / "config").write_text(FILES)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (environment | {"AWS_CONFIG_FILE": str(tmp_path / "config")}).items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session(profile=options.get("profile"))
    client = session.create_client(
        "sts",
        endpoint_url=options.get("endpoint_url"),
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    assert client.meta.endpoint_url == url


@pytest.mark.facts("STS-EP-012")
@pytest.mark.parametrize(
    ("environment", "files", "url"),
    [
        ({}, "", "https://sts.eu-west-1.amazonaws.com"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, "", "https://sts.amazonaws.com"),
        ({}, "[default]\nsts_regional_endpoints = legacy", "https://sts.amazonaws.com"),
        (
            {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_REGION": "me-south-1"},
            "",
            "https://sts.me-south-1.amazonaws.com",
        ),
    ],
)
def test_an_old_region_has_its_own_endpoint_unless_the_global_one_is_asked_for(
    environment: dict[str, str], files: str, url: str
) -> None:
    assert settings(HERE | environment, files).endpoint().url == url


@pytest.mark.parametrize("region", ["fips-us-gov-west-1", "us-gov-west-1-fips", "fips-eu-west-1", "eu-west-1-fips"])
def test_a_region_of_old_that_says_fips_is_read_as_botocore_reads_it(region: str) -> None:
    theirs = botocore.session.Session().create_client(
        "sts", region_name=region, aws_access_key_id="AKIA", aws_secret_access_key="x"
    )
    for ours in (settings({"AWS_REGION": region}).endpoint(), settings(HERE).endpoint(region)):
        assert (ours.url, ours.signing_region) == (theirs.meta.endpoint_url, theirs.meta.region_name)


@pytest.mark.parametrize(
    ("environment", "files", "options", "said"),
    [
        ({}, "", {}, "Missing Region; give region="),
        (HERE | {"AWS_USE_FIPS_ENDPOINT": "yes"}, "", {}, "AWS_USE_FIPS_ENDPOINT: 'yes': write true or false"),
        (HERE, "[default]\nuse_fips_endpoint = on", {}, "/nowhere/.aws/config, line 2: 'on': write true or false"),
        (HERE | {"AWS_MAX_ATTEMPTS": "0"}, "", {}, "AWS_MAX_ATTEMPTS: '0': write a number"),
        (HERE | {"AWS_MAX_ATTEMPTS": "many"}, "", {}, "AWS_MAX_ATTEMPTS: 'many': write a number"),
        (HERE | {"AWS_RETRY_MODE": "eager"}, "", {}, "AWS_RETRY_MODE: 'eager': write legacy or standard or adaptive"),
        (HERE, "", {"retry_mode": "eager"}, "retry_mode: 'eager' is not one of"),
        (HERE, "", {"max_attempts": -1}, "max_attempts: -1 is not a number from 1 on"),
        (HERE, "", {"max_attempts": 0}, "max_attempts: 0 is not a number from 1 on"),
        (HERE, "", {"max_attempts": "3"}, "max_attempts: '3' is not a number from 1 on"),
        (HERE, "", {"read_timeout": 0}, "read_timeout: 0 is not a number of seconds above zero"),
        (HERE, "", {"timeout": "5"}, "timeout: '5' is not a number"),
        (HERE, "", {"proxies": {"ftp": "http://p"}}, "proxies: 'ftp' is not one of http, https"),
        (HERE, "", {"profile": "nobody"}, "there is no profile 'nobody'"),
        (HERE | {"AWS_PROFILE": "nobody"}, "", {}, "there is no profile 'nobody'"),
        (HERE, "", {"user_agent_extra": "a\r\nb: c"}, "only printable ASCII"),
        (HERE, "", {"app_id": "ö"}, "only printable ASCII"),
        (HERE, "", {"endpoint_url": "ftp://x"}, "the endpoint 'ftp://x' is not a URL"),
        (
            HERE | {"AWS_USE_FIPS_ENDPOINT": "true"},
            "",
            {"endpoint_url": "https://x.example.com"},
            "FIPS and custom endpoint are not supported",
        ),
    ],
)
def test_what_is_said_wrongly_is_named(
    environment: dict[str, str], files: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationFailure) as raised:
        settings(environment, files, **options)
    assert said in str(raised.value)


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown option 'regoin'; the options are region"):
        STSClient(regoin="x", environment={})  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("environment", "origin", "proxy"),
    [
        ({}, "https://sts.example.com", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://sts.example.com", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://sts.example.com", None),
        ({"https_proxy": "http://q:2", "HTTPS_PROXY": "http://p:1"}, "https://sts.example.com", "http://q:2"),
        ({"https_proxy": "p:1"}, "https://sts.example.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "https://sts.example.com", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "http://sts.example.com", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "http://sts.example.com", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, "http://sts.example.com", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://sts.example.com", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, "https://sts.example.com", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "a, .example.com"}, "https://sts.example.com", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "ample.com"}, "https://sts.example.com", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "sts.example.com:443"}, "https://sts.example.com", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "sts.example.com:8443"}, "https://sts.example.com", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "[::1]:443,::2"}, "https://[::1]", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "::2"}, "https://[::2]:99", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": ",,"}, "https://sts.example.com", "http://p:1"),
    ],
)
def test_proxies_of_the_environment(environment: dict[str, str], origin: str, proxy: str | None) -> None:
    assert environment_proxies(environment).for_origin(origin) == proxy


@pytest.mark.facts("R38")
def test_proxies_in_code_hold_for_every_host_and_do_not_print() -> None:
    proxies = given_proxies({"https": "http://me:hidden@p:1"})
    assert proxies.for_origin("https://localhost") == "http://me:hidden@p:1"
    assert "hidden" not in repr(proxies)
    with pytest.raises(ConfigurationFailure) as raised:
        given_proxies({"https": "//me:hidden@p:port"})
    assert "hidden" not in str(raised.value)
    assert Proxies().for_origin("https://x") is None


def test_the_user_agent_says_who_asks() -> None:
    agent = settings(HERE, user_agent_extra="tool/1", app_id="billing").user_agent
    assert agent.startswith("locum/0.1.0 os/")
    assert agent.endswith("cfg/retry-mode#standard app/billing tool/1")
