"""Metadata: what a provider's document says, what is refused of it, and what this server says of itself."""

from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from locum.core import saml
from locum.core.saml import Metadata, MetadataError, read_metadata, sp_metadata
from locum.core.saml.instants import epoch
from locum.core.saml.metadata import MAX_CERTIFICATES, MAX_CHARACTERS, MAX_ENTITIES

from . import saml_idp as idp

MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
SSO: Final = ("https://idp.example.com/sso",)
PLAIN: Final = idp.metadata()
ENTITY: Final = PLAIN.partition("\n")[2]


def several(*documents: str) -> str:
    """A document of several providers."""
    inner = "".join(document.partition("\n")[2] for document in documents)
    return f'<md:EntitiesDescriptor xmlns:md="{MD}">{inner}</md:EntitiesDescriptor>'


def reason(text: str) -> str:
    """Why a document is refused."""
    with pytest.raises(MetadataError) as caught:
        read_metadata(text)
    return str(caught.value)


@pytest.mark.facts("IAM-SML-007", "STS-SAML-009")
def test_a_document_says_who_and_with_which_certificates() -> None:
    assert read_metadata(PLAIN) == Metadata(idp.ENTITY, (idp.IDP.der,), None, SSO)
    pairs = (idp.IDP, idp.IDP_NEXT, idp.IDP_EC)
    assert read_metadata(idp.metadata(*pairs)).certificates == tuple(pair.der for pair in pairs)


@pytest.mark.facts("IAM-SML-008")
def test_a_document_may_say_until_when_it_is_valid() -> None:
    until = idp.metadata(until=' validUntil="2036-01-02T03:04:05Z"')
    end = int(datetime(2036, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    assert read_metadata(until).valid_until == end
    role = until.replace("<md:IDPSSODescriptor", '<md:IDPSSODescriptor validUntil="2030-01-02T03:04:05Z"')
    assert read_metadata(role).valid_until == int(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    assert "validUntil" in reason(idp.metadata(until=' validUntil="soon"'))


def test_what_does_not_matter_is_let_pass() -> None:
    encryption = (
        '<md:KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></md:KeyDescriptor>'
        "<md:NameIDFormat>urn:x</md:NameIDFormat>"
    )
    text = idp.metadata(more=encryption).replace("<md:IDPSSO", '<!-- a comment --><x:y xmlns:x="urn:x"/><md:IDPSSO', 1)
    assert read_metadata(text) == read_metadata(PLAIN)
    assert read_metadata(PLAIN.replace(' use="signing"', "")) == read_metadata(PLAIN)
    wrapped = PLAIN.replace(idp.IDP.text, "\n".join(["", *(idp.IDP.text[at : at + 64] for at in range(0, 2000, 64))]))
    assert read_metadata(wrapped) == read_metadata(PLAIN)
    assert read_metadata(ENTITY) == read_metadata(PLAIN)


@pytest.mark.parametrize("comment", ["<!-- -->", "<!---->"])
def test_a_comment_does_not_cut_a_certificate(comment: str) -> None:
    half = len(idp.IDP.text) // 2
    text = PLAIN.replace(idp.IDP.text, f"{idp.IDP.text[:half]}{comment}{idp.IDP.text[half:]}")
    assert read_metadata(text).certificates == (idp.IDP.der,)


@pytest.mark.facts("STS-SAML-033")
def test_several_providers_in_a_document_keep_their_own_certificates() -> None:
    found = read_metadata(several(PLAIN, idp.metadata(idp.IDP_NEXT, entity="urn:second")))
    assert found.entity_id == idp.ENTITY
    second = found.issuer("urn:second")
    assert second is not None
    assert second.certificates == (idp.IDP_NEXT.der,)
    assert found.issuer(idp.ENTITY) is found
    assert found.issuer("urn:third") is None


RSA_768: Final = (
    "MIIB4zCCAW2gAwIBAgIUcaPm2/WrD54w0DHBloPCdiO3AeYwDQYJKoZIhvcNAQELBQAwJTEjMCEGA1UEAwwabG9jdW0gdGVzdHMg"
    "b25seTogNzY4IGJpdHMwIBcNMjYxMTIyMDEyMTMzWhgPMjEyNjEwMjkwMTIxMzNaMCUxIzAhBgNVBAMMGmxvY3VtIHRlc3RzIG9u"
    "bHk6IDc2OCBiaXRzMHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAOaJkh96q83IrvNjcCw3ll1EpdcPgnj+C7uTYBy5cUyZmhqAq5bS"
    "Iwz5qyjJD1ZkVvFJeWOxDr8KSe2cTGj+XzgD86uUn2yIL8LJh6QPfWBkuxawjb7o770ek2W67RaRswIDAQABo1MwUTAdBgNVHQ4E"
    "FgQUwY6d4SKMWf6YESI7a/Ro+i8axTgwHwYDVR0jBBgwFoAUwY6d4SKMWf6YESI7a/Ro+i8axTgwDwYDVR0TAQH/BAUwAwEB/zAN"
    "BgkqhkiG9w0BAQsFAANhALLEsj/a3ITmbeNJP5jzcvnGNAyLKixUsXpXWpOjvIZ+s0E5tGrMF0pWPTH4HZgfJdf8p/b3dxI/1Sc4"
    "rN71Etz8dCr9veurExwhZzcbLc8J0HeQrvNwz0b+8scRgCVxPQ=="
)
"""A certificate with a key of 768 bits, made with OpenSSL for this file; its key was not kept."""

SERVICE: Final = f'\n<md:EntityDescriptor xmlns:md="{MD}" entityID="urn:{{}}"/>'


@pytest.mark.facts("STS-SAML-033")
def test_a_document_has_ten_entities_and_ten_keys_at_most() -> None:
    others = [SERVICE.format(number) for number in range(MAX_ENTITIES)]
    assert read_metadata(several(PLAIN, *others[1:])).entity_id == idp.ENTITY
    assert f"more than {MAX_ENTITIES} entity" in reason(several(PLAIN, *others))
    one = ENTITY[ENTITY.index("<ds:X509Data>") : ENTITY.index("</ds:KeyInfo>")]
    pairs = [made(number) for number in range(MAX_CERTIFICATES + 1)]
    for count, good in ((MAX_CERTIFICATES, True), (MAX_CERTIFICATES + 1, False)):
        text = PLAIN.replace(one, "".join(one.replace(idp.IDP.text, each) for each in pairs[:count]))
        if good:
            assert len(read_metadata(text).certificates) == MAX_CERTIFICATES
        else:
            assert f"more than {MAX_CERTIFICATES} signing" in reason(text)
    split = several(
        idp.metadata(*[idp.IDP] * 9, idp.IDP_NEXT),
        PLAIN.replace(idp.ENTITY, "urn:second").replace(
            one, "".join(one.replace(idp.IDP.text, each) for each in pairs[:9])
        ),
    )
    assert f"more than {MAX_CERTIFICATES} signing" in reason(split)


def made(number: int, *extensions: x509.ExtensionType, key: rsa.RSAPrivateKey | None = None) -> str:
    """A certificate, in base64, of the provider's key or another."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"locum tests only: {number}")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key((key or idp.IDP.key).public_key())
        .serial_number(number + 1)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return base64.b64encode(builder.sign(idp.IDP.key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def with_certificate(text: str) -> str:
    return PLAIN.replace(idp.IDP.text, text)


@pytest.mark.facts("STS-SAML-009")
def test_an_rsa_key_has_at_least_1024_bits() -> None:
    enough = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert len(read_metadata(with_certificate(made(1, key=enough))).certificates) == 1
    short = x509.load_der_x509_certificate(base64.b64decode(RSA_768))
    assert isinstance(public := short.public_key(), rsa.RSAPublicKey)
    assert public.key_size < 1024
    assert "768 bits" in reason(with_certificate(RSA_768))


@pytest.mark.facts("STS-SAML-009")
def test_a_certificate_repeats_no_extension() -> None:
    """Two key usages in one certificate: the second was another extension until its identifier was overwritten."""
    usage = x509.KeyUsage(True, *[False] * 8)
    other = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.99"), b"\x05\x00")
    once = base64.b64decode(made(1, usage, other))
    twice = once.replace(b"\x06\x03\x55\x1d\x63", b"\x06\x03\x55\x1d\x0f")
    assert twice != once
    assert len(read_metadata(with_certificate(base64.b64encode(once).decode())).certificates) == 1
    assert "repeats an extension" in reason(with_certificate(base64.b64encode(twice).decode()))


def ed25519_certificate() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime(2025, 1, 1)).not_valid_after(datetime(2045, 1, 1))
    return base64.b64encode(builder.sign(key, None).public_bytes(Encoding.DER)).decode()


REFUSED: Final = {
    "no XML": "metadata",
    "another root": PLAIN.replace("EntityDescriptor", "EntityDescription"),
    "another namespace": PLAIN.replace(MD, "urn:oasis:names:tc:SAML:1.0:metadata"),
    "no identity provider": PLAIN.replace("IDPSSODescriptor", "SPSSODescriptor"),
    "SAML 1.1 only": PLAIN.replace("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.1:protocol"),
    "no entityID": PLAIN.replace("entityID", "entityid"),
    "empty entityID": PLAIN.replace(idp.ENTITY, ""),
    "endless entityID": PLAIN.replace(idp.ENTITY, "u" * 1025),
    "the same entityID twice": several(PLAIN, PLAIN),
    "no certificate": PLAIN.replace("X509Certificate>", "X509CRL>"),
    "only an encryption certificate": PLAIN.replace('"signing"', '"encryption"'),
    "a broken certificate": PLAIN.replace(idp.IDP.text, idp.IDP.text[:-8]),
    "an empty certificate": PLAIN.replace(idp.IDP.text, ""),
    "no base64": PLAIN.replace(idp.IDP.text, "!"),
    "another kind of key": PLAIN.replace(idp.IDP.text, ed25519_certificate()),
    "DTD": PLAIN.replace("\n", "<!DOCTYPE x>\n", 1),
    "entity": PLAIN.replace("\n", '<!DOCTYPE x [<!ENTITY y "z">]>\n', 1).replace(idp.ENTITY, "&y;"),
    "DTD after a comment": PLAIN.replace("\n", "<!-- --><!DOCTYPE x>\n", 1),
    "instruction": PLAIN.replace("\n", "<?x y?>\n", 1),
    "another encoding": PLAIN.replace("UTF-8", "UTF-16"),
    "byte order mark": f"\ufeff{PLAIN}",
    "half a character": PLAIN.replace(idp.ENTITY, "\ud800"),
    "deep nesting": PLAIN.replace("<md:IDPSSO", "<x>" * 40 + "</x>" * 40 + "<md:IDPSSO", 1),
    "many elements": PLAIN.replace("<md:IDPSSO", "<x/>" * 40_001 + "<md:IDPSSO", 1),
    "too long": f"{PLAIN}{' ' * MAX_CHARACTERS}",
}


@pytest.mark.facts("IAM-SML-007", "STS-SAML-033")
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in REFUSED.items()])
def test_other_documents_are_refused_with_a_reason(text: str) -> None:
    assert text != PLAIN
    assert 20 < len(reason(text)) < 200


@given(st.text(max_size=300), st.integers(0, len(PLAIN)), st.integers(0, 60))
def test_any_text_is_read_or_refused(text: str, start: int, length: int) -> None:
    for candidate in (text, PLAIN[:start] + text + PLAIN[start + length :]):
        try:
            found = read_metadata(candidate)
        except MetadataError as problem:
            assert str(problem)  # noqa: PT017
        else:
            assert found.certificates


# --- moments


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-02T03:04:05Z", idp.NOW),
        ("2026-01-02T03:04:05.25Z", idp.NOW + 0.25),
        ("2026-01-02T05:04:05+02:00", idp.NOW),
    ],
)
def test_a_moment_is_read(text: str, seconds: float) -> None:
    assert epoch(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02T03:04Z", "2026-1-2T03:04:05Z"),
        *("2026-01-02T03:04:60Z", "2026-01-02T24:00:00Z", "2026-02-30T03:04:05Z", "0000-01-01T00:00:00Z"),
        *("2026-01-02T03:04:05z", "2026-01-02T03:04:05+25:00", "2026-01-02T03:04:05.Z", " 2026-01-02T03:04:05Z"),
        *("٢٠٢٦-01-02T03:04:05Z", "2026-01-02T03:04:05Z\n", "-2026-01-02T03:04:05Z", "1767323045"),
    ],
)
def test_other_text_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        epoch(text)


# --- this server as a service provider


def test_our_own_metadata_says_what_a_provider_needs() -> None:
    root = etree.fromstring(sp_metadata("urn:locum:test", "https://sts.example.com/saml/acs?a=1&b=2"))
    assert (root.tag, root.get("entityID")) == (f"{{{MD}}}EntityDescriptor", "urn:locum:test")
    role = root[0]
    assert role.tag == f"{{{MD}}}SPSSODescriptor"
    assert role.get("WantAssertionsSigned") == "true"
    assert role.get("protocolSupportEnumeration") == "urn:oasis:names:tc:SAML:2.0:protocol"
    service = role.find(f"{{{MD}}}AssertionConsumerService")
    assert service is not None
    assert service.get("Location") == "https://sts.example.com/saml/acs?a=1&b=2"
    assert service.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    wanted = {element.get("Name") for element in role.iter(f"{{{MD}}}RequestedAttribute")}
    assert wanted == {f"{idp.ATTRIBUTES}Role", f"{idp.ATTRIBUTES}RoleSessionName"}


def test_our_own_metadata_is_valid_for_another_reader() -> None:
    """pysaml2 reads it as a service provider's."""
    from saml2.md import entity_descriptor_from_string

    entity = entity_descriptor_from_string(sp_metadata("urn:locum:test", "https://sts.example.com/saml/acs"))
    assert entity.verify()
    (service,) = entity.spsso_descriptor[0].assertion_consumer_service
    assert service.location == "https://sts.example.com/saml/acs"


def test_our_own_metadata_cannot_hold_what_xml_cannot() -> None:
    with pytest.raises(ValueError, match="XML"):
        sp_metadata("urn:\x00", "https://sts.example.com/saml/acs")


def test_the_package_has_the_names_that_it_lists() -> None:
    assert all(getattr(saml, name) for name in saml.__all__)
    with pytest.raises(AttributeError):
        _ = saml.nothing


@given(st.integers(0, len(idp.IDP.der) - 1), st.integers(1, 255))
def test_a_certificate_with_another_byte_is_read_or_refused(place: int, change: int) -> None:
    der = bytearray(idp.IDP.der)
    der[place] ^= change
    text = PLAIN.replace(base64.b64encode(idp.IDP.der).decode(), base64.b64encode(der).decode())
    assert text != PLAIN
    with contextlib.suppress(MetadataError):
        read_metadata(text)


def test_a_certificate_of_an_unknown_version_is_refused() -> None:
    der = idp.IDP.der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020131"), 1)
    text = PLAIN.replace(base64.b64encode(idp.IDP.der).decode(), base64.b64encode(der).decode())
    assert reason(text) == "a certificate cannot be read"
