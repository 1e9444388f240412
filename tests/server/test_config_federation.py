"""The tables on identity providers in the configuration file: what they say, what is refused, which one counts."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from locum.core.oidc import EXTRA_ALGORITHMS, IssuerRules
from locum.core.saml import SamlRules
from locum.server import federation_settings
from locum.server.config import ConfigError, Settings, load_settings
from locum.server.federation_settings import FederationSettings, OidcTable, SamlTable, reference
from locum.server.providers import Providers
from locum.testing import running_server

from .bearers import Issuer

PROVIDER: Final = "arn:aws:iam::111122223333:oidc-provider/idp.internal"
COMPANY: Final = "arn:aws:iam::111122223333:saml-provider/Company"


def settings(folder: Path, text: str) -> Settings:
    file = folder / "locum.toml"
    file.write_text(text)
    return load_settings({}, {}, config=str(file))


def problems(folder: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        settings(folder, text)
    return [(each.text.replace(str(folder / "locum.toml"), "FILE"), each.hint) for each in caught.value.problems]


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_without_tables_the_defaults_hold() -> None:
    providers = Providers(load_settings({}, {}).federation)
    assert providers.issuer(PROVIDER) == IssuerRules()
    assert providers.saml(COMPANY) == SamlRules()
    assert load_settings({}, {}).federation.warnings() == []


def test_tables_become_the_rules_of_whom_they_name(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(authority := certificate())
    (tmp_path / "keys.json").write_text(keys := Issuer().key_set().decode())
    read = settings(
        tmp_path,
        """
        [[oidc]]
        provider = "arn:aws:iam::*:oidc-provider/idp.internal"
        ca-file = "ca.pem"
        networks = ["10.1.0.0/16", "fd00::1"]
        extra-algorithms = ["PS256", "EdDSA"]

        [[oidc]]
        provider = "*/static.example.com"
        jwks-file = "keys.json"

        [[oidc]]
        provider = "*"
        loopback-http = true

        [[saml]]
        provider = "arn:aws:iam::111122223333:saml-provider/Compan?"
        audiences = ["urn:one", "urn:two"]
        recipients = ["https://one.example.com/acs"]
        allow-cbc = true
        allow-sha1 = true
        single-use = true
        lax = true
        """,
    )
    providers = Providers(read.federation)
    assert providers.issuer(PROVIDER) == IssuerRules(
        ca=authority,
        networks=(ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::1")),
        extra_algorithms=("PS256", "EdDSA"),
    )
    assert providers.issuer("arn:aws:iam::1:oidc-provider/static.example.com") == IssuerRules(jwks=keys)
    assert providers.issuer("accounts.google.com") == IssuerRules(loopback_http=True)
    assert providers.saml(COMPANY) == SamlRules(
        audiences=("urn:one", "urn:two"),
        recipients=("https://one.example.com/acs",),
        allow_cbc=True,
        allow_sha1=True,
        single_use=True,
        lax=True,
    )
    assert providers.saml(COMPANY.replace("Company", "company")) == SamlRules()


def test_the_first_table_that_fits_counts_alone() -> None:
    tables = FederationSettings(
        oidc=(
            OidcTable(provider="*:oidc-provider/a*", extra_algorithms=("PS256",)),
            OidcTable(provider="*:oidc-provider/abc", loopback_http=True),
        )
    )
    assert tables.oidc("arn:aws:iam::1:oidc-provider/abc").extra_algorithms == ("PS256",)
    assert not tables.oidc("arn:aws:iam::1:oidc-provider/abc").loopback_http


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[]")
    (tmp_path / "bad.pem").write_text("nothing")
    (tmp_path / "big.json").write_bytes(b" " * 300_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    found = problems(
        tmp_path,
        """
        prot = 1

        [[oidc]]
        network = ["10.0.0.0/8"]
        extra-algorithms = ["HS256"]
        jwks-file = "bad.json"
        ca-file = "missing.pem"

        [[oidc]]
        provider = 5
        ca-file = "bad.pem"
        networks = ["0.0.0.0/0"]
        loopback-http = "yes"

        [[oidc]]
        provider = "*"
        jwks-file = "big.json"

        [[saml]]
        provider = ""
        audiences = "urn:one"
        single-use = 1

        [[saml]]
        provider = "*"
        recipients = ["a", 2]
        colour = "red"
        """,
    )
    texts = [text.replace(str(tmp_path), "DIR") for text, _ in found]
    assert texts == [
        "network of [[oidc]] number 1 in FILE is not a setting",
        "extra-algorithms of [[oidc]] number 1 in FILE must be one of PS256, PS384, PS512, EdDSA, not 'HS256'",
        "jwks-file of [[oidc]] number 1 in FILE is no JSON web key set that can be used: it has no list of keys",
        "ca-file of [[oidc]] number 1 in FILE names DIR/missing.pem, which cannot be read: No such file or directory",
        "provider of [[oidc]] number 1 in FILE is missing",
        "jwks-file and ca-file of [[oidc]] number 1 in FILE exclude each other",
        "provider of [[oidc]] number 2 in FILE must be one text",
        "ca-file of [[oidc]] number 2 in FILE holds no certificates in PEM form",
        "networks of [[oidc]] number 2 in FILE covers every address, not '0.0.0.0/0'",
        "loopback-http of [[oidc]] number 2 in FILE must be true or false",
        "jwks-file of [[oidc]] number 3 in FILE names DIR/big.json, which has more than 262144 bytes",
        "provider of [[saml]] number 1 in FILE must be 1 to 2048 printable characters, not ''",
        "audiences of [[saml]] number 1 in FILE must be a list of texts",
        "single-use of [[saml]] number 1 in FILE must be true or false",
        "recipients of [[saml]] number 2 in FILE must be a list of texts",
        "colour of [[saml]] number 2 in FILE is not a setting",
        "prot in FILE is not a setting",
    ]
    hints = dict(zip(texts, (hint for _, hint in found), strict=True))
    assert hints[texts[0]] == "did you mean networks?"
    assert hints[texts[-2]].startswith("there are provider, audiences, ")
    assert all(hints.values())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("oidc = 5", "oidc in FILE must be tables"),
        ('oidc = "x"', "oidc in FILE must be tables"),
        ("[oidc]\nprovider = 'x'", "oidc in FILE must be tables"),
        ("saml = [1]", "saml in FILE must be tables"),
        ("[[saml]]\nprovider = 'x'\n" * 257, "FILE has more than 256 tables [[saml]]"),
        (f"[[saml]]\nprovider = 'x'\naudiences = {['x'] * 257}", "must be a list of at most 256 texts"),
    ],
)
def test_what_are_no_tables_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    ((found, hint),) = problems(tmp_path, text)
    assert problem in found
    assert hint


def test_a_text_file_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    ((found, _),) = problems(tmp_path, "[[oidc]]\nprovider = '*'\njwks-file = 'binary'")
    assert found.endswith("which is not text")


@pytest.mark.facts("R36")
def test_what_weakens_a_provider_is_said_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(
        tmp_path,
        """
        [[oidc]]
        provider = "*"
        loopback-http = true
        [[saml]]
        provider = "*:saml-provider/Old"
        lax = true
        allow-sha1 = true
        allow-cbc = true
        [[saml]]
        provider = "*"
        single-use = true
        """,
    )
    warnings = read.federation.warnings()
    words = [re.sub(r".*(HTTP|laxly|SHA-1|CBC).*", r"\1", each) for each in warnings]
    assert words == ["HTTP", "laxly", "SHA-1", "CBC"]
    assert all("Old" in each for each in warnings[1:])
    monkeypatch.setattr(federation_settings, "find_spec", lambda name: None)
    assert "pip install 'locum[saml]'" in read.federation.warnings()[-1]


@pytest.mark.facts("R36")
def test_locum_serve_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from locum.server import serve as serving

    def announced(_settings: Settings, _factory: Any, _sockets: Any, ready: Callable[[], None]) -> int:
        ready()
        return 0

    monkeypatch.setattr(serving, "_run", announced)
    file = tmp_path / "locum.toml"
    file.write_text('ephemeral = true\nport = 0\n[[saml]]\nprovider = "*:saml-provider/Old"\nlax = true\n')
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert serving.serve(load_settings({}, {}, config=str(file), serving=True)) == 0
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert "SAML providers that *:saml-provider/Old names are trusted as laxly as AWS does" in capsys.readouterr().err


def test_the_settings_are_those_that_the_verifiers_know() -> None:
    fields = set(IssuerRules.__struct_fields__)
    assert fields == {*OidcTable.__struct_fields__} - {"provider"}
    assert set(SamlRules.__struct_fields__) == {*SamlTable.__struct_fields__} - {"provider"}
    assert set(federation_settings._ALGORITHMS) == EXTRA_ALGORITHMS


def test_no_setting_of_these_comes_from_the_environment() -> None:
    with pytest.raises(ConfigError):
        load_settings({}, {"LOCUM_FEDERATION": "x"})
    with pytest.raises(ConfigError):
        load_settings({}, {"LOCUM_SAML": "lax"})


def test_a_server_under_test_takes_the_tables_as_values() -> None:
    tables: list[dict[str, Any]] = [{"provider": "*", "loopback-http": True}]
    with running_server(oidc=tables, saml=[{"provider": "*", "lax": True}]) as server:
        assert server._settings.federation.oidc("x").loopback_http
        assert server._settings.federation.saml("x").lax
    with pytest.raises(ConfigError, match=r"colour of .* number 1 in the tables"), running_server(saml=[{"colour": 1}]):
        raise AssertionError("it started")


def test_the_documentation_holds_the_table_of_keys() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    table = page.partition("federation_settings.reference() -->\n")[2].partition("<!-- end of tables -->")[0]
    assert table == reference()


def test_settings_compare_by_what_they_say() -> None:
    one = FederationSettings(saml=(SamlTable(provider="*"),))
    assert one == FederationSettings(saml=(SamlTable(provider="*"),))
    assert one != FederationSettings()
    assert len({one, FederationSettings(saml=(SamlTable(provider="*"),))}) == 1
    assert repr(one) == "FederationSettings(oidc=0, saml=1)"
    assert json.loads(Issuer().key_set())["keys"]
