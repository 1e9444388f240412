"""What a verified assertion says: the subject, how long it counts, for whom, and its attributes (sts.md, 11.2).

Everything here reads the element that the signature was over, never the response around it.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from lxml import etree

from locum.core.proof import FederatedIdentity
from locum.core.saml import attributes, refusals
from locum.core.saml.instants import epoch
from locum.core.saml.names import saml
from locum.core.saml.refusals import Examination
from locum.core.saml.shapes import Expected, Metadata, Verified
from locum.policy import Principal

__all__ = ["AUDIENCES", "MAX_AGE", "SKEW", "accepts_recipient", "name_qualifier", "read"]

SKEW: Final = 300
"""Seconds that the provider's clock and ours may be apart for NotBefore and NotOnOrAfter (R36)."""

_NOT_EARLIER: Final = f"at most +{SKEW} s"
_NOT_LATER: Final = f"after -{SKEW} s"

MAX_AGE: Final = 300
"""Seconds in which a response is redeemed, counted from its issuance (STS-SAML-005)."""

AUDIENCES: Final = (
    "urn:amazon:webservices",
    "https://signin.aws.amazon.com/saml",
    "urn:amazon:webservices:cn-north-1",
    "urn:amazon:webservices:govcloud",
)
"""AWS's own names as a service provider, in its three public partitions; its addresses are audiences too."""

_RECIPIENT: Final = re.compile(
    r"https://(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)?signin\.(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)"
    r"/saml(?:/acs/(?P<provider>[A-Za-z0-9-]{1,64}))?"
    r"|https://signin\.aws\.amazon\.com/static/saml"
)
"""AWS's own addresses (STS-SAML-012), with a provider's id as where assertions are encrypted, and of its partitions."""

_FORMATS: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_ISSUER: Final = saml("Issuer")
_SUBJECT: Final = saml("Subject")
_NAME_ID: Final = saml("NameID")
_CONFIRMATION: Final = saml("SubjectConfirmation")
_CONFIRMATION_DATA: Final = saml("SubjectConfirmationData")
_CONDITIONS: Final = saml("Conditions")
_AUTHN_STATEMENT: Final = saml("AuthnStatement")
_AUDIENCE: Final = saml("Audience")
_RESTRICTION: Final = saml("AudienceRestriction")
_KNOWN_CONDITIONS: Final = frozenset({_RESTRICTION, saml("OneTimeUse"), saml("ProxyRestriction")})
_LASTING: Final = ("saml:namequalifier", "saml:sub", "saml:sub_type")

_MAX_NAME: Final = 1024
_NAME: Final = re.compile(rf"(?=.*\S)[^\x00-\x1f\x7f-\x9f]{{1,{_MAX_NAME}}}")
"""A name or address: some visible text, and no control characters."""


@lru_cache(maxsize=256)
def name_qualifier(issuer: str, account: str, provider_name: str) -> str:
    """What tells apart equal subjects of different providers (STS-SAML-031)."""
    digest = hashlib.sha1(f"{issuer}{account}/{provider_name}".encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def accepts_recipient(recipient: str, expected: Expected) -> bool:
    """Whether a response may be meant for this address: AWS's, this server's, or a configured one (R36)."""
    return (
        _is_address(recipient, expected) or recipient in expected.recipients or recipient in expected.rules.recipients
    )


def _is_address(text: str, expected: Expected) -> bool:
    """Whether this is one of AWS's addresses, and not that of another provider."""
    found = _RECIPIENT.fullmatch(text)
    return found is not None and found["provider"] in (None, expected.provider_id)


def read(
    assertion: etree._Element, issuer: Metadata, expected: Expected, now: float, examination: Examination
) -> Verified:
    """Who a verified assertion of ``issuer`` is about, if it is for us, for this role and for now."""
    check, lax = examination.check, expected.rules.lax
    check("version", assertion.get("Version") == "2.0", refusals.MALFORMED, expected="2.0")
    children = _by_tag(assertion)
    named = _text(_only(children, _ISSUER))
    check("issuer", named == issuer.entity_id, refusals.OTHER_ISSUER, expected=issuer.entity_id, found=named)

    subject = _only(children, _SUBJECT)
    about = {} if subject is None else _by_tag(subject)
    name = _only(about, _NAME_ID)
    sub, sub_format = _text(name), "" if name is None else name.get("Format", "")
    check("NameID", _NAME.fullmatch(sub) is not None, refusals.MALFORMED, expected="a name", found=sub)
    passed = _NAME.fullmatch(sub_format) is not None
    check("NameID Format", passed, refusals.MALFORMED, expected="a format", found=sub_format)

    recipient, times = _confirmation(about, examination)
    passed = lax or accepts_recipient(recipient, expected)
    wanted = ", ".join((AUDIENCES[1], *expected.recipients, *expected.rules.recipients))
    check("Recipient", passed, refusals.OTHER_AUDIENCE, expected=wanted, found=recipient)

    conditions = _only(children, _CONDITIONS)
    known = conditions is not None and _KNOWN_CONDITIONS.issuperset([child.tag for child in conditions])
    check("Conditions", known, refusals.MALFORMED, expected="one, of known conditions")
    assert conditions is not None
    times += _bounds(conditions, "Conditions", examination)
    expires = _check_times(times, now, lax, examination)
    _check_audience(conditions, expected, examination)

    issued = _moment(assertion, "IssueInstant", examination)
    check("IssueInstant", lax or issued < now + SKEW, refusals.TOO_EARLY, expected=_NOT_EARLIER, found=issued - now)
    check("age", now < issued + MAX_AGE, refusals.TOO_OLD, expected=f"after -{MAX_AGE} s", found=issued - now)

    statements = children.get(_AUTHN_STATEMENT, [])
    check("AuthnStatement", len(statements) > 0, refusals.MALFORMED, expected="at least one")
    ends = [
        _moment(each, "SessionNotOnOrAfter", examination)
        for each in statements
        if each.get("SessionNotOnOrAfter") is not None
    ]
    until = min(ends, default=math.inf)
    check("SessionNotOnOrAfter", now < until, refusals.EXPIRED, expected="later than now")

    stated = attributes.collect(assertion)
    pair = f"{expected.role_arn or 'a role'},{expected.provider_arn}"
    granted = attributes.grants(stated, expected.role_arn, expected.provider_arn)
    offered = "; ".join(filter(None, stated.get(attributes.ROLE, ())))
    check("Role", granted, refusals.OTHER_ROLE, expected=pair, found=offered)
    session_name = attributes.session_name(stated, examination)
    source_identity = attributes.source_identity(stated, examination)
    duration = attributes.duration(stated, examination)
    tags, transitive = attributes.tags(stated, examination)

    qualifier = name_qualifier(issuer.entity_id, expected.account, expected.provider_name)
    sub_type = sub_format.removeprefix(_FORMATS)
    identity = FederatedIdentity(
        principal=Principal.saml(expected.provider_arn, expected.account),
        issuer=issuer.entity_id,
        subject=sub,
        audience=recipient,
        keys={
            **attributes.condition_keys(stated),
            "saml:aud": recipient,
            "saml:iss": issuer.entity_id,
            "saml:doc": f"{expected.account}/{expected.provider_name}",
            "saml:namequalifier": qualifier,
            "saml:sub": sub,
            "saml:sub_type": sub_type,
        },
        lasting=_LASTING,
        tags=tags,
        transitive_tag_keys=transitive,
        source_identity=source_identity,
        session_name=session_name,
        subject_type=sub_type,
        name_qualifier=qualifier,
        until=None if until == math.inf else math.floor(until),
        duration=duration,
    )
    return Verified(identity, assertion.get("ID", ""), math.ceil(min(expires, issued + MAX_AGE, until)))


_Children = Mapping[str, Sequence[etree._Element]]
"""Tag → the children with it."""


def _by_tag(element: etree._Element) -> _Children:
    children: dict[str, list[etree._Element]] = {}
    for child in element:
        children.setdefault(child.tag, []).append(child)
    return children


def _only(children: _Children, tag: str) -> etree._Element | None:
    """The one child with this tag; None if there is none, or several."""
    found = children.get(tag, ())
    return found[0] if len(found) == 1 else None


def _text(element: etree._Element | None) -> str:
    """The text of an element that holds nothing else; empty if it does, or is not there."""
    return "" if element is None or len(element) else element.text or ""


def _moment(element: etree._Element, name: str, examination: Examination) -> float:
    text = element.get(name, "")
    try:
        return epoch(text)
    except ValueError:
        examination.check(name, False, refusals.MALFORMED, expected="a date and time in UTC", found=text)
        raise


def _bounds(element: etree._Element, whose: str, examination: Examination) -> list[tuple[str, float]]:
    """The moments between which an element counts, those of the two that are stated."""
    return [
        (f"{whose} {name}", _moment(element, name, examination))
        for name in ("NotBefore", "NotOnOrAfter")
        if element.get(name) is not None
    ]


def _confirmation(about: _Children, examination: Examination) -> tuple[str, list[tuple[str, float]]]:
    """The Recipient of the one bearer confirmation, and its times (STS-SAML-011)."""
    check = examination.check
    confirmation = _only(about, _CONFIRMATION)
    passed = confirmation is not None and confirmation.get("Method") == _BEARER
    check("SubjectConfirmation", passed, refusals.MALFORMED, expected="exactly one, of a bearer")
    data = None if confirmation is None else _only(_by_tag(confirmation), _CONFIRMATION_DATA)
    recipient, end = (None, None) if data is None else (data.get("Recipient"), data.get("NotOnOrAfter"))
    passed = recipient is not None or end is not None
    check("SubjectConfirmationData", passed, refusals.NO_CONFIRMATION, expected="Recipient and NotOnOrAfter")
    passed = recipient is not None and end is not None and _NAME.fullmatch(recipient) is not None
    check("SubjectConfirmationData is whole", passed, refusals.MALFORMED, expected="Recipient and NotOnOrAfter")
    assert data is not None
    assert recipient is not None
    return recipient, _bounds(data, "Subject", examination)


def _check_times(times: list[tuple[str, float]], now: float, lax: bool, examination: Examination) -> float:
    """Both elements' times, with the skew; returns from when on one of them is over."""
    check = examination.check
    for name, moment in times:
        if name.endswith("NotBefore"):
            passed = lax or now >= moment - SKEW
            check(name, passed, refusals.TOO_EARLY, expected=_NOT_EARLIER, found=moment - now)
        else:
            check(name, now < moment + SKEW, refusals.EXPIRED, expected=_NOT_LATER, found=moment - now)
    return min(moment + SKEW for name, moment in times if not name.endswith("NotBefore"))


@lru_cache(maxsize=256)
def _accepted(entity_ids: tuple[str, ...], audiences: tuple[str, ...]) -> tuple[frozenset[str], str]:
    """The audiences that are us, and how they are told."""
    accepted = frozenset((*AUDIENCES, *entity_ids, *audiences))
    return accepted, ", ".join(sorted(accepted))


def _check_audience(conditions: etree._Element, expected: Expected, examination: Examination) -> None:
    """Each restriction of the audience names us, and there is one (R36); nothing of it where the rules are lax."""
    accepted, wanted = _accepted(expected.entity_ids, expected.rules.audiences)
    stated = [
        [_text(audience) for audience in restriction.iterchildren(_AUDIENCE)]
        for restriction in conditions.iterchildren(_RESTRICTION)
    ]
    ours = [any(each in accepted or _is_address(each, expected) for each in restriction) for restriction in stated]
    passed = expected.rules.lax or (bool(stated) and all(ours))
    found = ", ".join(chain.from_iterable(stated))
    examination.check("Audience", passed, refusals.OTHER_AUDIENCE, expected=wanted, found=found)
