"""The declaration of the settings: sources, checks, documentation."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.secret import Secret
from locum.server.config import SETTINGS, ConfigError, Settings, is_loopback, load_settings, reference

KEY_ID = "AKIAIRANDOMLOOKINGID"
SECRET = "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"


def problems(
    options: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    config: Path | None = None,
    serving: bool = False,
) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_settings(options or {}, environ or {}, config=None if config is None else str(config), serving=serving)
    return [(each.text, each.hint) for each in caught.value.problems]


def test_the_defaults_serve_on_loopback() -> None:
    settings = load_settings({}, {}, serving=True)
    assert settings == Settings()
    assert (settings.host, settings.port, settings.region, settings.partition) == (
        "127.0.0.1",
        8380,
        "us-east-1",
        "aws",
    )
    assert settings.url == "http://127.0.0.1:8380"
    assert settings.audit_path == Path("locum-data/audit.jsonl")


def test_every_setting_has_one_name_everywhere() -> None:
    for name, setting in SETTINGS.items():
        assert setting.variable == "LOCUM_" + name.upper()
        assert setting.key == name.replace("_", "-")
        assert setting.option == (None if setting.secret else f"--{setting.key}")
        assert setting.help.endswith(".")


def test_command_line_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "locum.toml"
    file.write_text('port = 1\nworkers = 2\nregion = "file-1"\n')
    environ = {"LOCUM_PORT": "3", "LOCUM_WORKERS": "4", "PATH": "x"}
    settings = load_settings({"port": "5", "workers": None}, environ, config=str(file))
    assert (settings.port, settings.workers, settings.region, settings.partition) == (5, 4, "file-1", "aws")


def test_the_environment_names_the_file_unless_the_command_line_does(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("port = 1")
    (tmp_path / "b").write_text("port = 2")
    environ = {"LOCUM_CONFIG": str(tmp_path / "a")}
    assert load_settings({}, environ).port == 1
    assert load_settings({}, environ, config=str(tmp_path / "b")).port == 2


def test_an_empty_variable_counts_as_absent() -> None:
    assert load_settings({}, {"LOCUM_PORT": "", "LOCUM_CONFIG": ""}).port == 8380


def test_relative_paths_of_a_file_start_at_its_directory(tmp_path: Path) -> None:
    file = tmp_path / "locum.toml"
    file.write_text('data = "state"\naudit-file = "/var/log/audit.jsonl"\n')
    settings = load_settings({}, {}, config=str(file))
    assert settings.data == tmp_path / "state"
    assert settings.audit_file == Path("/var/log/audit.jsonl")


@pytest.mark.parametrize(
    ("source", "value"),
    [("option", ["a.example", "b.example:8443"]), ("environ", "a.example, b.example:8443"), ("file", None)],
)
def test_a_list_comes_from_every_source(source: str, value: Any, tmp_path: Path) -> None:
    file = tmp_path / "locum.toml"
    file.write_text('allowed-host = ["a.example", "b.example:8443"]' if source == "file" else "")
    settings = load_settings(
        {"allowed_host": value} if source == "option" else {},
        {"LOCUM_ALLOWED_HOST": value} if source == "environ" else {},
        config=str(file),
    )
    assert settings.allowed_host == ("a.example", "b.example:8443")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "LOCALHOST", "localhost"),
        ("host", "[::1]", "::1"),
        ("port", "0", 0),
        ("tls_terminated", "Yes", True),
        ("ephemeral", "off", False),
        ("region", "us-gov-west-1", "us-gov-west-1"),
        ("partition", "aws-cn", "aws-cn"),
        ("public_url", "https://STS.example.com/", "https://sts.example.com"),
        ("public_url", "http://[::1]:8380", "http://[::1]:8380"),
        ("allowed_host", "STS.example.com:443", ("sts.example.com:443",)),
        ("allowed_host", "[fd00::1]:443", ("[fd00::1]:443",)),
        ("allowed_host", "fd00::1", ("[fd00::1]",)),
        ("trusted_proxy", "10.0.0.0/8,::1", (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))),
        ("wrapping_key_command", "kms 'open it'", "kms 'open it'"),
        ("wrapping_key", "abc", Secret("abc")),
        ("account_id", "012345678901", "012345678901"),
    ],
)
def test_text_becomes_a_value(name: str, text: str, value: object) -> None:
    assert getattr(load_settings({}, {SETTINGS[name].variable: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("host", "a b"),
        ("host", "[localhost]"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "８３８０"),
        ("workers", "0"),
        ("workers", "65"),
        ("ephemeral", "maybe"),
        ("region", "US-EAST-1"),
        ("region", "us-east-1-"),
        ("partition", "amazon"),
        ("public_url", "sts.example.com"),
        ("public_url", "ftp://sts.example.com"),
        ("public_url", "https://u:p@sts.example.com"),
        ("public_url", "https://sts.example.com/sts"),
        ("public_url", "https://sts.example.com?x=1"),
        ("public_url", "https://[::1"),
        ("allowed_host", "https://sts.example.com"),
        ("allowed_host", "sts.example.com:0"),
        ("allowed_host", "a,,b"),
        ("trusted_proxy", "0.0.0.0/0"),
        ("trusted_proxy", "::/0"),
        ("trusted_proxy", "10.0.0.1/8"),
        ("trusted_proxy", "proxy.example"),
        ("wrapping_key_command", "'open"),
        ("wrapping_key_command", "  "),
        ("log_level", "trace"),
        ("log_format", "xml"),
        ("max_body", "1"),
        ("account_id", "12345678901"),
        ("account_id", "１２３４５６７８９０１２"),
        ("root_access_key_id", "ASIAIRANDOMLOOKINGID"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(name: str, text: str) -> None:
    ((problem, _),) = problems({}, {SETTINGS[name].variable: text})
    assert problem.startswith(f"{SETTINGS[name].variable} ")


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "locum.toml"
    file.write_text("prot = 1\nregion = 7.5\n")
    found = problems({"port": "x"}, {"LOCUM_REGOIN": "x", "LOCUM_WORKERS": "many"}, config=file)
    assert found == [
        ("--port must be a whole number from 0 to 65535, not 'x'", "Port to listen on; 0 takes a free one."),
        ("the environment variable LOCUM_REGOIN is not a setting", "did you mean LOCUM_REGION?"),
        ("LOCUM_WORKERS must be a whole number from 1 to 64, not 'many'", "Processes that answer requests."),
        (f"prot in {file} is not a setting", "did you mean port?"),
        (f"region in {file} must be one text, number or boolean", SETTINGS["region"].help),
    ]


def test_a_name_like_none_points_to_the_documentation() -> None:
    assert problems({}, {"LOCUM_ZZZZZZZZ": "x"})[0][1] == "docs/configuration.md lists every setting"


@pytest.mark.parametrize("variable", ["LOCUM_SERVICE_HOST", "LOCUM_PORT_8380_TCP", "LOCUM_PORT"])
def test_what_kubernetes_injects_for_a_service_of_our_name_is_explained(variable: str) -> None:
    assert "enableServiceLinks" in problems({}, {variable: "tcp://10.0.0.1:8380"})[0][1]


@pytest.mark.parametrize("content", [b"port = ", b"\xff", b"a" * 70_000, b"a = " + b"[" * 5_000, None])
def test_a_file_that_cannot_be_read_is_one_problem(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "locum.toml"
    if content is not None:
        file.write_bytes(content)
    ((problem, _),) = problems(config=file)
    assert problem.startswith(f"the configuration file {file} cannot be read: ")


@given(st.binary(max_size=300))
def test_an_arbitrary_file_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "locum.toml"
        file.write_bytes(content)
        with suppress(ConfigError):
            load_settings({}, {}, config=str(file))


@given(st.sampled_from(sorted(SETTINGS)), st.text(min_size=1, max_size=60))
def test_arbitrary_text_is_a_value_or_a_problem(name: str, text: str) -> None:
    with suppress(ConfigError):
        assert load_settings({}, {SETTINGS[name].variable: text}, serving=True) is not None


@pytest.mark.parametrize("name", ["wrapping_key", "root_secret_access_key"])
@pytest.mark.facts("R38")
def test_a_secret_has_no_option_no_file_key_and_no_text(name: str, tmp_path: Path) -> None:
    setting = SETTINGS[name]
    file = tmp_path / "locum.toml"
    file.write_text(f'{setting.key} = "hushhush"\n')
    ((problem, hint),) = problems(config=file)
    assert setting.option is None
    assert "hushhush" not in problem + hint
    assert setting.variable in hint
    settings = load_settings({}, {setting.variable: "hushhush"})
    assert "hushhush" not in repr(settings) + str(settings)
    assert getattr(settings, name).reveal() == "hushhush"


@pytest.mark.facts("R38")
def test_a_refused_secret_is_not_quoted() -> None:
    environ = {"LOCUM_ROOT_ACCESS_KEY_ID": KEY_ID, "LOCUM_ROOT_SECRET_ACCESS_KEY": "hushhush"}
    assert "hushhush" not in str(problems({}, environ, serving=True))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "sts.example.com", "fd00::1"])
@pytest.mark.facts("R45")
def test_a_bind_beyond_loopback_needs_tls_or_the_statement(host: str) -> None:
    ((problem, hint),) = problems({"host": host}, serving=True)
    assert problem.startswith(f"listening on {host} without TLS")
    assert "--tls-cert" in hint
    assert "--tls-terminated" in hint
    assert load_settings({"host": host, "tls_terminated": "true"}, {}, serving=True).host == host
    assert load_settings({"host": host, "tls_cert": "c", "tls_key": "k"}, {}, serving=True).tls
    assert load_settings({"host": host}, {}).host == host


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
    ],
)
@pytest.mark.facts("R45")
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("name", ["tls_cert", "tls_key"])
def test_certificate_and_key_come_together(name: str) -> None:
    ((problem, _),) = problems({name: "x"})
    assert problem == ("tls-key is missing" if name == "tls_cert" else "tls-cert is missing")


def test_two_wrapping_keys_contradict_each_other() -> None:
    assert problems({"wrapping_key_command": "kms"}, {"LOCUM_WRAPPING_KEY": "x"})[0][0].startswith("wrapping-key and")


def test_ephemeral_and_data_contradict_each_other_in_one_source_only() -> None:
    assert "exclude each other" in problems({"ephemeral": "true", "data": "x"})[0][0]
    assert load_settings({"ephemeral": "true"}, {"LOCUM_DATA": "x"}).ephemeral


@pytest.mark.parametrize(
    ("key_id", "secret", "what"),
    [
        ("AKIAIOSFODNN7EXAMPLE", SECRET, "KEY_ID is a well-known example"),
        (KEY_ID, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "SECRET_ACCESS_KEY is a well-known example"),
        (KEY_ID, "minioadmin", "SECRET_ACCESS_KEY is a well-known example"),
        (KEY_ID, "test", "must have 32 to 128 printable characters"),
        (KEY_ID, SECRET[:31], "must have 32 to 128 printable characters"),
        (KEY_ID, "x" + SECRET * 4, "must have 32 to 128 printable characters"),
        (KEY_ID, SECRET + " ", "must have 32 to 128 printable characters"),
        (KEY_ID, "test" * 10, "is easily guessed"),
        (KEY_ID, "a" * 40, "is easily guessed"),
        (KEY_ID, KEY_ID * 2, "is easily guessed"),
    ],
)
@pytest.mark.facts("R39")
def test_a_root_key_that_anybody_could_know_is_refused(key_id: str, secret: str, what: str) -> None:
    environ = {"LOCUM_ROOT_ACCESS_KEY_ID": key_id, "LOCUM_ROOT_SECRET_ACCESS_KEY": secret}
    ((problem, hint),) = problems({}, environ, serving=True)
    assert what in problem
    assert "openssl rand" in hint


def test_a_root_key_is_set_as_a_whole() -> None:
    ((problem, _),) = problems({}, {"LOCUM_ROOT_ACCESS_KEY_ID": KEY_ID}, serving=True)
    assert problem == "LOCUM_ROOT_SECRET_ACCESS_KEY is missing"
    ((problem, _),) = problems({}, {"LOCUM_ROOT_SECRET_ACCESS_KEY": SECRET}, serving=True)
    assert problem == "LOCUM_ROOT_ACCESS_KEY_ID is missing"
    environ = {"LOCUM_ROOT_ACCESS_KEY_ID": KEY_ID, "LOCUM_ROOT_SECRET_ACCESS_KEY": SECRET}
    assert load_settings({}, environ, serving=True).root_access_key_id == KEY_ID


def test_a_root_key_id_that_encodes_an_account_belongs_to_that_account() -> None:
    environ = {"LOCUM_ROOT_ACCESS_KEY_ID": "AKIAY34FZKBOKMUTVV7A", "LOCUM_ROOT_SECRET_ACCESS_KEY": SECRET}
    ((problem, hint),) = problems({}, environ, serving=True)
    assert problem.endswith("encodes the account 609629065308")
    assert "LOCUM_ACCOUNT_ID=609629065308" in hint
    settings = load_settings({}, {**environ, "LOCUM_ACCOUNT_ID": "609629065308"}, serving=True)
    assert settings.account_id == "609629065308"


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "http://127.0.0.1:8380"),
        ({"host": "::1", "port": "9"}, "http://[::1]:9"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8380"),
        ({"tls_cert": "c", "tls_key": "k"}, "https://127.0.0.1:8380"),
        ({"public_url": "https://sts.example.com"}, "https://sts.example.com"),
    ],
)
def test_the_url_is_one_that_clients_can_use(options: dict[str, str], url: str) -> None:
    assert load_settings(options, {}).url == url


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]
    assert msgspec.structs.replace(Settings(), port=1).port == 1


def test_the_documentation_holds_the_table_that_the_declaration_gives() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    table = page.partition("reference() -->\n")[2].partition("<!-- end of settings -->")[0]
    assert table == reference()


def test_the_table_shows_every_setting_and_its_default() -> None:
    lines = reference().splitlines()[2:]
    assert len(lines) == len(SETTINGS)
    for line, setting in zip(lines, SETTINGS.values(), strict=True):
        assert f"`{setting.variable}`" in line
        assert setting.shown_default in line
        assert ("environment only" in line) == setting.secret


def test_a_declaration_says_how_its_default_is_shown() -> None:
    switch = SETTINGS["ephemeral"]
    assert switch.flag
    assert switch.shown_default == "off"
    assert SETTINGS["tls_cert"].shown_default == ""
