"""What a signature must be and must be over (R35): signature wrapping, foreign forms, keys, and hostile XML."""

from __future__ import annotations

import base64
import copy
import logging
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from locum.core.saml import SamlRules, read_metadata
from locum.core.saml.document import METADATA, RESPONSE, DocumentError, parse
from locum.errors import ServiceException

from . import saml_idp as idp
from .saml_cases import BAD_SIGNATURE, MALFORMED, SUFFIX, identity, refusal, refusal_of, verified

INVALID: Final = "InvalidIdentityToken"
SHA1: Final = "http://www.w3.org/2000/09/xmldsig#sha1"
RSA_SHA1: Final = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
GOOD: Final = idp.respond()
BOTH_SIGNED: Final = idp.respond(response_form=idp.Form())

ASSERTION: Final = f"{idp.SAML}Assertion"
SIGNATURE: Final = f"{idp.DS}Signature"


# --- signature wrapping: "On Breaking SAML: Be Whoever You Want to Be" (USENIX Security 2012) names the eight


def _parts(text: str) -> tuple[etree._Element, etree._Element, etree._Element]:
    """The response, its signed assertion, and a forged copy of that which has no signature."""
    root = idp.parsed(text)
    assertion = root.find(ASSERTION)
    assert assertion is not None
    forged = copy.deepcopy(assertion)
    _forge(forged)
    return root, assertion, forged


def _forge(element: etree._Element) -> None:
    """Make it about mallory, and take its own signatures away."""
    for signature in list(element.iter(SIGNATURE)):
        parent = signature.getparent()
        if parent is not None:
            parent.remove(signature)
    for name in element.iter(f"{idp.SAML}NameID"):
        name.text = "mallory"


def _signature(element: etree._Element) -> etree._Element:
    signature = element.find(SIGNATURE)
    assert signature is not None
    return signature


def xsw1() -> etree._Element:
    """A forged response whose signature holds the original response."""
    original = idp.parsed(BOTH_SIGNED)
    forged = copy.deepcopy(original)
    signature = copy.deepcopy(_signature(original))
    _forge(forged)
    original.remove(_signature(original))
    signature.append(original)
    forged.insert(1, signature)
    return forged


def xsw2() -> etree._Element:
    """A forged response beside whose signature stands the original response."""
    forged = xsw1()
    signature = _signature(forged)
    forged.insert(1, signature[-1])
    return forged


def xsw3() -> etree._Element:
    """A forged assertion before the signed one."""
    root, assertion, forged = _parts(GOOD)
    root.insert(root.index(assertion), forged)
    return root


def xsw4() -> etree._Element:
    """A forged assertion around the signed one."""
    root, assertion, forged = _parts(GOOD)
    root.replace(assertion, forged)
    forged.append(assertion)
    return root


def xsw5() -> etree._Element:
    """The signed assertion is forged, and the original, without its signature, is at the end."""
    root, assertion, forged = _parts(GOOD)
    signature = _signature(assertion)
    assertion.remove(signature)
    root.replace(assertion, forged)
    forged.insert(1, signature)
    root.append(assertion)
    return root


def xsw6() -> etree._Element:
    """The signed assertion is forged, and the original is inside its signature."""
    root = xsw5()
    original = root[-1]
    _signature(root[-2]).append(original)
    return root


def xsw7() -> etree._Element:
    """A forged assertion in an extension of the response."""
    root, assertion, forged = _parts(GOOD)
    extensions = etree.Element(f"{idp.SAMLP}Extensions")
    extensions.append(forged)
    root.insert(root.index(assertion), extensions)
    return root


def xsw8() -> etree._Element:
    """The signed assertion is forged, and the original is in an object of its signature."""
    root = xsw6()
    signature = _signature(root[-1])
    content = etree.SubElement(signature, f"{idp.DS}Object")
    content.append(signature[-2])
    return root


WRAPPED: Final[list[Callable[[], etree._Element]]] = [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8]


@pytest.mark.facts("R35")
@pytest.mark.parametrize("other_id", [False, True], ids=["same ID", "another ID"])
@pytest.mark.parametrize("wrapped", WRAPPED, ids=lambda wrapped: wrapped.__name__)
def test_a_wrapped_signature_proves_nothing(wrapped: Callable[[], etree._Element], other_id: bool) -> None:
    root = wrapped()
    names = [name.text for name in root.iter(f"{idp.SAML}NameID")]
    assert sorted({str(name) for name in names}) == ["alice-4711", "mallory"]
    if other_id:
        if next(root.iterdescendants(f"{idp.SAMLP}Response"), None) is not None:
            root.set("ID", "_forged_response")
        for name in root.iter(f"{idp.SAML}NameID"):
            forged = next(each for each in name.iterancestors() if each.tag == ASSERTION)
            if name.text == "mallory":
                forged.set("ID", "_forged")
    code, _ = refusal(idp.written(root))
    assert code == INVALID


@pytest.mark.facts("R35")
def test_the_parts_of_the_wrapped_responses_are_good_by_themselves() -> None:
    """So that none of them is refused for a mistake of the forger."""
    root, assertion, forged = _parts(GOOD)
    root.replace(assertion, idp.parsed(idp.written(assertion)))
    assert identity(idp.written(root)).subject == "alice-4711"
    root.replace(root[-1], forged)
    idp.sign(forged)
    assert identity(idp.written(root)).subject == "mallory"


@pytest.mark.facts("R35", "STS-SAML-T15")
@pytest.mark.parametrize("where", ["assertion", "signed assertion", "encrypted assertion", "other namespace", "advice"])
def test_there_is_exactly_one_assertion(where: str) -> None:
    root, _, second = _parts(GOOD)
    second.set("ID", "_second")
    if where == "assertion":
        root.append(second)
    elif where == "signed assertion":
        idp.sign(second)
        root.append(second)
    elif where == "encrypted assertion":
        root.append(idp.encrypt(second, idp.Encryption()))
    elif where == "other namespace":
        etree.SubElement(root, "{urn:oasis:names:tc:SAML:1.0:assertion}Assertion")
    else:
        text = idp.respond((idp.STATEMENT, f"{idp.STATEMENT}<saml:Advice>{idp.ASSERTION}</saml:Advice>"))
        root = idp.parsed(text.replace("_assertion", "_other", 1))
    assert refusal(idp.written(root), private_keys=(idp.SERVICE,)) == (INVALID, MALFORMED)


@pytest.mark.facts("R35")
@pytest.mark.parametrize("attribute", ["ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id"])
def test_no_two_elements_have_the_same_id(attribute: str) -> None:
    root = idp.parsed(GOOD)
    status = root.find(f"{idp.SAMLP}Status")
    assert status is not None
    status.set(attribute, "_other")
    assert refusal(idp.written(root)) == ("", "")
    status.set(attribute, "_assertion")
    assert refusal(idp.written(root)) == (INVALID, MALFORMED)


@pytest.mark.facts("R35")
def test_an_id_in_a_namespace_is_ambiguous_too() -> None:
    subject = "<saml:Subject>"
    text = idp.respond((subject, '<saml:Subject saml:ID="_assertion">'))
    assert refusal(text) == (INVALID, BAD_SIGNATURE)


# --- the form of a signature


def transforms(*algorithms: str) -> str:
    return "".join(f'<ds:Transform Algorithm="{algorithm}"/>' for algorithm in algorithms)


FOREIGN: Final = {
    "XSLT": transforms(idp.ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116", idp.EXCLUSIVE),
    "XSLT instead": transforms(idp.ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
    "XPath": transforms("http://www.w3.org/TR/1999/REC-xpath-19991116", idp.EXCLUSIVE),
    "XPath filter": transforms(idp.ENVELOPED, "http://www.w3.org/2002/06/xmldsig-filter2"),
    "base64": transforms("http://www.w3.org/2000/09/xmldsig#base64", idp.EXCLUSIVE),
    "inclusive": transforms(idp.ENVELOPED, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    "inclusive 1.1": transforms(idp.ENVELOPED, "http://www.w3.org/2006/12/xml-c14n11"),
    "decryption": transforms(idp.ENVELOPED, "http://www.w3.org/2002/07/decrypt#XML"),
    "none": "",
    "only enveloped": transforms(idp.ENVELOPED),
    "only exclusive": transforms(idp.EXCLUSIVE),
    "other order": transforms(idp.EXCLUSIVE, idp.ENVELOPED),
    "twice": transforms(idp.ENVELOPED, idp.EXCLUSIVE, idp.EXCLUSIVE),
    "with content": f'<ds:Transform Algorithm="{idp.ENVELOPED}"><ds:XPath>//*</ds:XPath></ds:Transform>'
    + transforms(idp.EXCLUSIVE),
    "other parameters": transforms(idp.ENVELOPED)
    + f'<ds:Transform Algorithm="{idp.EXCLUSIVE}"><ds:XPath>//*</ds:XPath></ds:Transform>',
    "no list": transforms(idp.ENVELOPED)
    + f'<ds:Transform Algorithm="{idp.EXCLUSIVE}"><InclusiveNamespaces xmlns="{idp.EXCLUSIVE}"/></ds:Transform>',
    "an unreadable list": transforms(idp.ENVELOPED)
    + f'<ds:Transform Algorithm="{idp.EXCLUSIVE}"><InclusiveNamespaces xmlns="{idp.EXCLUSIVE}" PrefixList=" xs"/>'
    "</ds:Transform>",
    "an endless list": transforms(idp.ENVELOPED)
    + f'<ds:Transform Algorithm="{idp.EXCLUSIVE}"><InclusiveNamespaces xmlns="{idp.EXCLUSIVE}" '
    f'PrefixList="{" ".join(["xs"] * 17)}"/></ds:Transform>',
}


@pytest.mark.facts("R35", "STS-SAML-T11")
@pytest.mark.parametrize("chain", [pytest.param(chain, id=name) for name, chain in FOREIGN.items()])
def test_other_transforms_than_samls_two_are_refused(chain: str) -> None:
    assert refusal(idp.respond(form=idp.Form(transforms=chain))) == (INVALID, BAD_SIGNATURE)


FORMS: Final = {
    "no URI content": idp.Form(uri=""),
    "another ID": idp.Form(uri="#_response"),
    "two hashes": idp.Form(uri="##_assertion"),
    "XPointer": idp.Form(uri="#xpointer(id('_assertion'))"),
    "outside": idp.Form(uri="https://idp.example.com/assertion"),
    "a file": idp.Form(uri="file:///etc/passwd"),
    "two references": idp.Form(references=2),
    "no reference": idp.Form(references=0),
    "inclusive canonicalization": idp.Form(
        canonicalization='<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
    ),
    "an object": idp.Form(extra="<ds:Object/>"),
    "two KeyInfos": idp.Form(extra="<ds:KeyInfo/>"),
    "DSA": idp.Form(method="http://www.w3.org/2009/xmldsig11#dsa-sha256"),
    "SHA-1": idp.Form(method=RSA_SHA1, digest=SHA1),
    "SHA-1 signature": idp.Form(method=RSA_SHA1),
    "SHA-1 digest": idp.Form(digest=SHA1),
}


@pytest.mark.facts("R35", "STS-SAML-T11")
@pytest.mark.parametrize("form", [pytest.param(form, id=name) for name, form in FORMS.items()])
def test_other_forms_of_signature_are_refused(form: idp.Form) -> None:
    assert refusal(idp.respond(form=form)) == (INVALID, BAD_SIGNATURE)


@pytest.mark.parametrize("part", ["SignatureValue", "DigestValue", "SignatureMethod", "DigestMethod", "Transforms"])
def test_a_signature_without_one_of_its_parts_is_refused(part: str) -> None:
    root = idp.parsed(GOOD)
    element = next(root.iter(f"{idp.DS}{part}"))
    parent = element.getparent()
    assert parent is not None
    element.text = ""
    if part.endswith("Value"):
        assert refusal(idp.written(root)) == (INVALID, BAD_SIGNATURE)
    parent.remove(element)
    assert refusal(idp.written(root)) == (INVALID, BAD_SIGNATURE)


@pytest.mark.facts("R35")
def test_sha_1_is_for_those_who_allow_it_and_never_dsa_or_hmac() -> None:
    allowed = SamlRules(allow_sha1=True)
    for name in ("SHA-1", "SHA-1 signature", "SHA-1 digest"):
        assert refusal(idp.respond(form=FORMS[name]), allowed) == ("", "")
    assert refusal(idp.respond(form=FORMS["DSA"]), allowed) == (INVALID, BAD_SIGNATURE)


@pytest.mark.facts("R35")
@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", idp.IDP.der),
        ("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", idp.IDP.text.encode()),
        ("http://www.w3.org/2000/09/xmldsig#hmac-sha1", idp.IDP.der),
    ],
)
@pytest.mark.parametrize("rules", [SamlRules(), SamlRules(allow_sha1=True, lax=True)], ids=["strict", "all allowed"])
def test_a_public_certificate_is_no_hmac_key(method: str, key: bytes, rules: SamlRules) -> None:
    assert refusal(idp.respond(form=idp.Form(method=method, hmac_key=key)), rules) == (INVALID, BAD_SIGNATURE)


@pytest.mark.parametrize("position", [0, 2, 3])
def test_a_second_signature_of_the_assertion_is_refused(position: int) -> None:
    root = idp.parsed(GOOD)
    root[-1].insert(position, copy.deepcopy(_signature(root[-1])))
    assert refusal(idp.written(root)) == (INVALID, BAD_SIGNATURE)


@pytest.mark.facts("R35")
@pytest.mark.parametrize("path", [f"{idp.SAML}Subject", f"{idp.SAML}Conditions", f"{idp.SAML}AuthnStatement"])
def test_a_signature_elsewhere_is_refused(path: str) -> None:
    root = idp.parsed(GOOD)
    element = root[-1].find(path)
    assert element is not None
    element.append(_signature(root[-1]))
    assert refusal(idp.written(root)) == (INVALID, MALFORMED)


def test_an_id_is_a_plain_name() -> None:
    for name in ("", "a b", "é", "_" * 257, "1"):
        text = idp.respond(('ID="_assertion"', f'ID="{name}"'))
        assert refusal(text) == (INVALID, BAD_SIGNATURE)


# --- keys


@pytest.mark.facts("R35", "STS-SAML-002", "STS-SAML-T11")
@pytest.mark.parametrize(
    "info", [None, "", f"<ds:X509Data><ds:X509Certificate>{idp.IDP.text}</ds:X509Certificate></ds:X509Data>"]
)
def test_only_the_metadatas_certificates_verify_whatever_the_response_carries(info: str | None) -> None:
    forged = idp.Form(by=idp.STRANGER, key_info=info)
    assert refusal(idp.respond(form=forged)) == (INVALID, BAD_SIGNATURE)
    assert refusal(idp.respond(form=forged), metadata=read_metadata(idp.metadata(idp.STRANGER))) == ("", "")


@pytest.mark.facts("R35")
@pytest.mark.parametrize(
    "info",
    [
        f"<ds:X509Data><ds:X509Certificate>{idp.STRANGER.text}</ds:X509Certificate></ds:X509Data>",
        "<ds:KeyName>x</ds:KeyName>",
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
        "</ds:KeyValue>",
        "<ds:KeyValue>nonsense</ds:KeyValue>",
        '<x:Anything xmlns:x="urn:x"/>',
    ],
)
def test_the_key_info_is_never_read(info: str) -> None:
    assert identity(idp.respond(form=idp.Form(key_info=info))).subject == "alice-4711"


@pytest.mark.facts("STS-SAML-009")
def test_any_certificate_of_the_metadata_verifies_whatever_its_dates() -> None:
    rotating = read_metadata(idp.metadata(idp.IDP, idp.IDP_NEXT, idp.IDP_EC))
    for pair, method in ((idp.IDP, "rsa"), (idp.IDP_NEXT, "rsa"), (idp.IDP_EC, "ecdsa")):
        form = idp.Form(by=pair, method=f"http://www.w3.org/2001/04/xmldsig-more#{method}-sha256")
        assert refusal(idp.respond(form=form), metadata=rotating) == ("", "")
    assert refusal(idp.respond(form=idp.Form(by=idp.STRANGER)), metadata=rotating) == (INVALID, BAD_SIGNATURE)
    assert idp.IDP.certificate.not_valid_after_utc.timestamp() < idp.NOW - 20 * 365 * 86_400


def test_a_method_of_another_kind_of_key_is_refused() -> None:
    form = idp.Form(by=idp.IDP, method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
    ecdsa = idp.respond(form=form).replace("#rsa-sha256", "#ecdsa-sha256")
    assert refusal(ecdsa) == (INVALID, BAD_SIGNATURE)
    assert refusal(idp.respond(), metadata=read_metadata(idp.metadata(idp.IDP_EC))) == (INVALID, BAD_SIGNATURE)


# --- the response's own signature


@pytest.mark.facts("STS-SAML-007", "STS-SAML-T11")
def test_a_signature_of_the_response_must_be_valid_if_it_is_there() -> None:
    assert refusal(BOTH_SIGNED) == ("", "")
    for text in (
        BOTH_SIGNED.replace('ID="_response"', 'ID="_response" Consent="urn:x"'),
        BOTH_SIGNED.replace(idp.ISSUER, "<saml:Issuer>urn:x</saml:Issuer>", 1),
        idp.respond(response_form=idp.Form(by=idp.STRANGER)),
        idp.respond(response_form=idp.Form(digest=SHA1)),
        idp.respond(response_form=idp.Form(uri="#_assertion")),
    ):
        assert refusal(text) == (INVALID, BAD_SIGNATURE)


@pytest.mark.facts("STS-SAML-007", "STS-SAML-T12")
def test_a_signature_of_the_response_does_not_stand_for_the_assertions() -> None:
    message = f"Response (with optional signature) must contain an assertion with a mandatory signature {SUFFIX}"
    assert refusal(idp.respond(form=None, response_form=idp.Form())) == (INVALID, message)


# --- hostile XML: every text is otherwise a good response

DTD: Final = "<!DOCTYPE samlp:Response [{}]>"
HOSTILE: Final = {
    "DTD": (DTD.format(""), GOOD),
    "entity": (DTD.format('<!ENTITY name "alice-4711">'), GOOD.replace(">alice-4711<", ">&name;<")),
    "external entity": (DTD.format('<!ENTITY name SYSTEM "file:///etc/passwd">'), GOOD.replace("alice-4711", "&name;")),
    "parameter entity": (DTD.format('<!ENTITY % name SYSTEM "http://127.0.0.1:9/x">%name;'), GOOD),
    "external DTD": ('<!DOCTYPE samlp:Response SYSTEM "http://127.0.0.1:9/x">', GOOD),
    "a billion laughs": (
        DTD.format('<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))),
        GOOD.replace("alice-4711", "&l9;"),
    ),
    "default attribute": (DTD.format('<!ATTLIST saml:Assertion ID CDATA "_assertion">'), GOOD),
    "undeclared entity": ("", GOOD.replace("alice-4711", "&name;")),
    "comment in the NameID": ("", GOOD.replace("alice-4711", "alice<!---->-4711")),
    "comment before the end": ("", GOOD.replace("alice-4711", "alice-4711<!-- .example.com -->")),
    "comment in the envelope": ("", GOOD.replace(idp.STATUS, f"<!-- -->{idp.STATUS}")),
    "comment at the end": ("", f"{GOOD}<!-- -->"),
    "CDATA": ("", GOOD.replace("alice-4711", "<![CDATA[alice-4711]]>")),
    "instruction": ("", GOOD.replace("alice-4711", "alice<?x?>-4711")),
    "style sheet": ('<?xml-stylesheet href="http://127.0.0.1:9/x"?>', GOOD),
    "another encoding": ('<?xml version="1.0" encoding="ISO-8859-1"?>', GOOD),
    "UTF-7": ('<?xml version="1.0" encoding="UTF-7"?>', GOOD),
    "XML 1.1": ('<?xml version="1.1"?>', GOOD),
    "byte order mark": ("\ufeff", GOOD),
    "two declarations": ('<?xml version="1.0"?><?xml version="1.0"?>', GOOD),
    "control character": ("", GOOD.replace("alice-4711", "alice&#0;")),
    "deep nesting": ("", GOOD.replace(idp.STATUS, f"{idp.STATUS[:-15]}{'<a>' * 40}{'</a>' * 40}</samlp:Status>")),
    "very deep nesting": (
        "",
        GOOD.replace(idp.STATUS, f"{idp.STATUS[:-15]}{'<a>' * 900}{'</a>' * 900}</samlp:Status>"),
    ),
    "many elements": ("", GOOD.replace(idp.STATUS, f"{idp.STATUS[:-15]}{'<a/>' * 4000}</samlp:Status>")),
    "many attributes": (
        "",
        GOOD.replace("<samlp:Status>", "<samlp:Status {}>".format(" ".join(f'a{n}=""' for n in range(4000)))),
    ),
    "huge attribute": ("", GOOD.replace("<samlp:Status>", f'<samlp:Status a="{"x" * 75_000}">')),
    "the same attribute twice": ("", GOOD.replace('Version="2.0"', 'Version="2.0" Version="2.0"', 1)),
    "undeclared prefix": ("", GOOD.replace("<samlp:Status>", '<samlp:Status x:a="">')),
}


@pytest.mark.facts("R35", "STS-SAML-T15")
@pytest.mark.parametrize("text", [pytest.param("".join(parts), id=name) for name, parts in HOSTILE.items()])
def test_hostile_xml_is_refused_before_anything_is_believed(text: str) -> None:
    assert text != GOOD
    assert refusal(text) == (INVALID, MALFORMED)


@pytest.mark.parametrize(
    "start",
    [
        '<?xml version="1.0"?>',
        "<?xml version='1.0' encoding='utf-8' standalone='no' ?>\n",
        '<?xml version="1.0" encoding="UTF-8"?>\r\n\r\n',
        "\n",
    ],
)
def test_usual_beginnings_are_accepted(start: str) -> None:
    assert refusal(start + GOOD) == ("", "")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_only_utf_8_is_read(encoding: str) -> None:
    data = GOOD.replace("alice-4711", "älice").encode(encoding)
    assert refusal_of(base64.b64encode(data).decode()) == (INVALID, MALFORMED)


@pytest.mark.facts("R35")
def test_a_text_is_whole_where_a_reader_of_the_first_part_would_cut_it() -> None:
    """A provider signs ``alice@company.example<!---->.attacker.example`` for an account that the attacker may name."""
    cut = "alice@company.example<!-- -->.attacker.example"
    assert refusal(idp.respond(("alice-4711", cut))) == (INVALID, MALFORMED)
    whole = "alice@company.example.attacker.example"
    assert identity(idp.respond(("alice-4711", whole))).subject == whole


@pytest.mark.facts("R38")
def test_no_part_of_an_assertion_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        verified(BOTH_SIGNED)
    assert "alice" not in caplog.text


# --- properties


@given(st.one_of(st.binary(max_size=400).map(lambda data: base64.b64encode(data).decode()), st.text(max_size=80)))
def test_any_text_is_refused_with_a_declared_error(text: str) -> None:
    assert refusal_of(text) == (INVALID, MALFORMED)


@st.composite
def flips(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from([GOOD, BOTH_SIGNED])).encode())
    place = draw(st.integers(0, len(data) - 1))
    data[place] ^= draw(st.integers(1, 255))
    return bytes(data)


@pytest.mark.facts("R35", "STS-SAML-T11")
@given(flips())
def test_a_changed_byte_is_refused_or_changes_nothing(data: bytes) -> None:
    try:
        found = verified(data.decode("latin-1").encode("latin-1").decode("utf-8"))
    except UnicodeDecodeError:
        assert refusal_of(base64.b64encode(data).decode()) == (INVALID, MALFORMED)
    except ServiceException as error:
        assert error.code in (INVALID, "IDPRejectedClaim")  # noqa: PT017 - either outcome is right
    else:
        assert found == verified(GOOD)


@given(st.binary(max_size=300), st.sampled_from([RESPONSE, METADATA]))
def test_a_document_is_parsed_or_refused(data: bytes, bounds: object) -> None:
    assert bounds in (RESPONSE, METADATA)
    for wrapped in (data, b"<a>" + data + b"</a>", b'<a b="' + data + b'"/>'):
        try:
            root = parse(wrapped, RESPONSE if bounds == RESPONSE else METADATA)
        except DocumentError as problem:
            assert str(problem).startswith("it")  # noqa: PT017
        else:
            assert isinstance(root.tag, str)
