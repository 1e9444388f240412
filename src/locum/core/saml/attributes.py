"""The attributes of an assertion: AWS's own, which shape the session, and those that become condition keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from lxml import etree

from locum.api.shapes import violations
from locum.api.sts import Tag
from locum.core.saml import refusals
from locum.core.saml.names import ATTRIBUTES, saml
from locum.core.saml.refusals import Examination
from locum.policy.context import key_of

__all__ = ["Attributes", "condition_keys", "duration", "grants", "session_name", "source_identity", "tags"]

Attributes = Mapping[str, tuple[str | None, ...]]
"""Attribute name → its values in their order, None for one that is not plain text."""

ROLE: Final = f"{ATTRIBUTES}Role"
ROLE_SESSION_NAME: Final = f"{ATTRIBUTES}RoleSessionName"
SESSION_DURATION: Final = f"{ATTRIBUTES}SessionDuration"
PRINCIPAL_TAG: Final = f"{ATTRIBUTES}PrincipalTag:"
TRANSITIVE_TAG_KEYS: Final = f"{ATTRIBUTES}TransitiveTagKeys"
SOURCE_IDENTITY: Final = f"{ATTRIBUTES}SourceIdentity"

MAX_TAGS: Final = 50
"""Session tags of a session (STS-TAG-002)."""

_STATEMENT: Final = saml("AttributeStatement")
_ATTRIBUTE: Final = saml("Attribute")
_VALUE: Final = saml("AttributeValue")

_LONGEST_KEY: Final = 128

_NAME: Final = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")
_SECONDS: Final = re.compile(r"[0-9]{3,5}")
_DURATIONS: Final = range(900, 43201)

_PERSON: Final = (
    *("eduPersonAffiliation", "eduPersonNickname", "eduPersonOrgDN", "eduPersonOrgUnitDN"),
    *("eduPersonPrimaryAffiliation", "eduPersonPrincipalName", "eduPersonEntitlement", "eduPersonPrimaryOrgUnitDN"),
    *("eduPersonScopedAffiliation", "eduPersonTargetedID", "eduPersonAssurance"),
)
_ORGANIZATION: Final = (
    *("eduOrgHomePageURI", "eduOrgIdentityAuthNPolicyURI", "eduOrgLegalName", "eduOrgSuperiorURI"),
    "eduOrgWhitePagesURI",
)
_CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(f"saml:{key.lower()}" for key in keys)
    for name, *keys in (
        *((f"urn:oid:1.3.6.1.4.1.5923.1.1.1.{number}", key) for number, key in enumerate(_PERSON, 1)),
        *((f"urn:oid:1.3.6.1.4.1.5923.1.2.1.{number}", key) for number, key in enumerate(_ORGANIZATION, 2)),
        ("urn:oid:2.5.4.3", "cn"),
        (f"{_CLAIMS}name", "name"),
        (f"{_CLAIMS}givenname", "givenName"),
        (f"{_CLAIMS}surname", "surname"),
        (f"{_CLAIMS}emailaddress", "mail"),
        ("http://schemas.xmlsoap.org/claims/CommonName", "commonName"),
        ("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "uid", "primaryGroupSID"),
        ("2.5.4.3", "commonName"),
        ("2.5.4.4", "surname"),
        ("2.4.5.42", "givenName"),
        ("2.5.4.45", "x500UniqueIdentifier"),
        ("0.9.2342.19200300100.1.1", "uid"),
        ("0.9.2342.19200300100.1.3", "mail"),
        ("0.9.2342.19200300.100.1.45", "organizationStatus"),
    )
}
"""Attribute name → the condition keys that it fills, in lower case (STS-SAML-T28…T35)."""


def collect(assertion: etree._Element) -> Attributes:
    """The attributes that mean something here, by their exact names (STS-SAML-016).

    One that is stated twice has the values of both.
    """
    found: dict[str, tuple[str | None, ...]] = {}
    for statement in assertion.iterchildren(_STATEMENT):
        for attribute in statement.iterchildren(_ATTRIBUTE):
            name = attribute.get("Name", "")
            # Providers send whole lists of groups that nobody here asks for.
            if name.startswith(ATTRIBUTES) or name in KEYS:
                values = [None if len(value) else value.text or "" for value in attribute.iterchildren(_VALUE)]
                found[name] = (*found[name], *values) if name in found else tuple(values)
    return found


def condition_keys(attributes: Attributes) -> dict[str, str | tuple[str, ...]]:
    """The condition keys that attributes fill; of two attributes for one key the first counts (STS-SAML-017).

    A key for one string that has several values keeps them all: no plain operator of an Allow matches it then.
    """
    keys: dict[str, str | tuple[str, ...]] = {}
    for name in filter(KEYS.__contains__, attributes):
        values = tuple(value for value in attributes[name] if value is not None)
        for key in KEYS[name] if values else ():
            keys.setdefault(key, values[0] if len(values) == 1 and not key_of(key).multivalued else values)
    return keys


def grants(attributes: Attributes, role_arn: str | None, provider_arn: str) -> bool:
    """Whether the Role attribute has the pair of role and provider, in either order (STS-SAML-T01).

    Without a role any pair of two with the provider counts.
    """
    pairs = [
        sorted(part.strip() for part in value.split(",")) for value in attributes.get(ROLE, ()) if value is not None
    ]
    if role_arn is None:
        return any(len(pair) == 2 and provider_arn in pair for pair in pairs)
    return sorted((role_arn, provider_arn)) in pairs


def session_name(attributes: Attributes, examination: Examination) -> str:
    """The RoleSessionName attribute (STS-SAML-T02)."""
    values = attributes.get(ROLE_SESSION_NAME, ())
    examination.check("RoleSessionName is there", len(values) > 0, refusals.NO_SESSION_NAME, expected="one value")
    return _named("RoleSessionName", values, True, refusals.BAD_SESSION_NAME, examination)


def source_identity(attributes: Attributes, examination: Examination) -> str | None:
    """The SourceIdentity attribute, if it is there (STS-SAML-T06, STS-SI-003)."""
    if not (values := attributes.get(SOURCE_IDENTITY, ())):
        return None
    plain = not (values[0] or "").lower().startswith("aws:")
    return _named("SourceIdentity", values, plain, refusals.BAD_SOURCE_IDENTITY, examination)


def _named(
    name: str, values: tuple[str | None, ...], plain: bool, refusal: refusals.Refusal, examination: Examination
) -> str:
    value = values[0] if len(values) == 1 else None
    passed = plain and value is not None and _NAME.fullmatch(value) is not None
    found = value if value is not None else f"{len(values)} values"
    examination.check(name, passed, refusal, expected=_NAME.pattern, found=found)
    return value or ""


def duration(attributes: Attributes, examination: Examination) -> int | None:
    """The seconds of the SessionDuration attribute, if it is there (STS-SAML-T03)."""
    if not (values := attributes.get(SESSION_DURATION, ())):
        return None
    value = values[0] if len(values) == 1 and values[0] is not None else ""
    passed = _SECONDS.fullmatch(value) is not None and int(value) in _DURATIONS
    examination.check("SessionDuration", passed, refusals.BAD_DURATION, expected="900 to 43200", found=value)
    return int(value)


def tags(attributes: Attributes, examination: Examination) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """The session tags and the keys of the transitive ones (STS-TAG-020), each within its declared limits."""
    found = [tag for name, values in attributes.items() if (tag := _tag(name, values)) is not None]
    stated = attributes.get(TRANSITIVE_TAG_KEYS, ())
    if not found and not stated:
        return (), ()
    keys = tuple(key for key in stated if key is not None and len(key) <= _LONGEST_KEY)
    bad = len(keys) != len(stated) or max(len(found), len(keys)) > MAX_TAGS or not all(map(_is_legal, found))
    examination.check("tags", not bad, refusals.BAD_TAGS, expected="one value each", found=f"{len(found)} tags")
    return tuple(found), keys


@lru_cache(maxsize=1024)
def _is_legal(tag: Tag) -> bool:
    """Whether a tag is within its declared limits; the same few come with every login."""
    return not violations(tag)


def _tag(name: str, values: tuple[str | None, ...]) -> Tag | None:
    """The tag that an attribute gives, if it gives one; unless it is one text, a key that no tag may have."""
    if not name.startswith(PRINCIPAL_TAG):
        return None
    if len(values) != 1 or values[0] is None:
        return Tag(key="", value="")
    return Tag(key=name.removeprefix(PRINCIPAL_TAG), value=values[0])
