"""The request context: condition keys, their types, and how a caller's values become what policies are tested with.

A :data:`Context` is a plain mapping with keys in lower case, since names of condition keys are compared without
regard to case, the tag key inside them included (POL-CO-005).  A single value is a ``str``, the values of a
multivalued key are a ``tuple``; a key without a value is absent.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

__all__ = ["KEYS", "KEY_FAMILIES", "Context", "Key", "KeyType", "context", "key_of"]

Context: TypeAlias = Mapping[str, str | tuple[str, ...]]
"""Condition key in lower case → its value, or a tuple of the values of a multivalued key."""


class KeyType(enum.Enum):
    """What the values of a condition key are; the words of the policy simulator (POL-SM-006)."""

    STRING = "string"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    IP = "ip"
    ARN = "arn"


class Key(NamedTuple):
    """A condition key: the name as it is documented, its type, and whether it holds several values."""

    name: str
    type: KeyType = KeyType.STRING
    multivalued: bool = False


def _table(keys: Iterable[Key]) -> dict[str, Key]:
    return {key.name.lower(): key for key in keys}


KEYS: Final = _table(
    [
        Key("aws:AssumedRoot", KeyType.BOOLEAN),
        Key("aws:CalledVia", multivalued=True),
        Key("aws:CurrentTime", KeyType.DATE),
        Key("aws:EpochTime", KeyType.DATE),
        Key("aws:FederatedProvider"),
        Key("aws:MultiFactorAuthAge", KeyType.NUMERIC),
        Key("aws:MultiFactorAuthPresent", KeyType.BOOLEAN),
        Key("aws:PrincipalAccount"),
        Key("aws:PrincipalArn", KeyType.ARN),
        Key("aws:PrincipalIsAWSService", KeyType.BOOLEAN),
        Key("aws:PrincipalOrgID"),
        Key("aws:PrincipalOrgPaths", multivalued=True),
        Key("aws:PrincipalServiceName"),
        Key("aws:PrincipalServiceNamesList", multivalued=True),
        Key("aws:PrincipalType"),
        Key("aws:RequestedRegion"),
        Key("aws:ResourceAccount"),
        Key("aws:ResourceOrgID"),
        Key("aws:ResourceOrgPaths", multivalued=True),
        Key("aws:SecureTransport", KeyType.BOOLEAN),
        Key("aws:SourceAccount"),
        Key("aws:SourceArn", KeyType.ARN),
        Key("aws:SourceIdentity"),
        Key("aws:SourceIp", KeyType.IP),
        Key("aws:SourceOrgID"),
        Key("aws:SourceOrgPaths", multivalued=True),
        Key("aws:TagKeys", multivalued=True),
        Key("aws:TokenIssueTime", KeyType.DATE),
        Key("aws:UserAgent"),
        Key("aws:ViaAWSService", KeyType.BOOLEAN),
        Key("aws:referer"),
        Key("aws:userid"),
        Key("aws:username"),
        Key("iam:AWSServiceName"),
        Key("iam:AssociatedResourceArn", KeyType.ARN),
        Key("iam:DelegationDuration", KeyType.NUMERIC),
        Key("iam:DelegationRequestOwner", KeyType.ARN),
        Key("iam:NotificationChannel"),
        Key("iam:OrganizationsPolicyId"),
        Key("iam:PassedToService"),
        Key("iam:PermissionsBoundary", KeyType.ARN),
        Key("iam:PolicyARN", KeyType.ARN),
        Key("iam:TemplateArn", KeyType.ARN),
        Key("sts:AWSServiceName"),
        Key("sts:DurationSeconds", KeyType.NUMERIC),
        Key("sts:ExternalId"),
        Key("sts:IdentityTokenAudience", multivalued=True),
        Key("sts:RequestContextProviders", KeyType.ARN, multivalued=True),
        Key("sts:RoleAuthorizedByIdp", KeyType.BOOLEAN),
        Key("sts:RoleSessionName"),
        Key("sts:SigningAlgorithm"),
        Key("sts:SourceIdentity"),
        Key("sts:TaskPolicyArn", KeyType.ARN),
        Key("sts:TransitiveTagKeys", multivalued=True),
        *(
            Key(f"saml:{name}", multivalued=True)
            for name in (
                "cn",
                "edupersonaffiliation",
                "edupersonassurance",
                "edupersonentitlement",
                "edupersonnickname",
                "edupersonorgunitdn",
                "edupersonscopedaffiliation",
                "edupersontargetedid",
                "eduorghomepageuri",
                "eduorgidentityauthnpolicyuri",
                "eduorglegalname",
                "eduorgsuperioruri",
                "eduorgwhitepagesuri",
            )
        ),
    ]
)
"""The condition keys with a type of their own (POL-CK-001…029), by name in lower case."""

KEY_FAMILIES: Final = _table(
    [
        Key("aws:PrincipalTag/"),
        Key("aws:RequestTag/"),
        Key("aws:ResourceTag/"),
        Key("iam:ResourceTag/"),
        Key("sts:RequestContext/"),
    ]
)
"""Keys that end in a name of the user's choice, by their beginning in lower case."""


def key_of(name: str) -> Key:
    """What is known of a condition key; an unknown one holds a single string, ``<issuer>:amr`` several (POL-CK-026)."""
    lowered = name.lower()
    if (known := KEYS.get(lowered)) is not None:
        return known
    family, slash, _ = lowered.partition("/")
    if slash and (known := KEY_FAMILIES.get(family + slash)) is not None:
        return Key(known.name + name[len(known.name) :], known.type)
    return Key(name, multivalued=lowered.endswith(":amr"))


def context(values: Mapping[str, str | bool | int | Iterable[str]]) -> dict[str, str | tuple[str, ...]]:
    """A context from values as they are written by hand: keys in any case, several values as any iterable.

    A single value of a key that is known to be multivalued becomes a set of one, so that it is tested as the policy's
    author expects; booleans and numbers become their JSON text.
    """
    made: dict[str, str | tuple[str, ...]] = {}
    for name, value in values.items():
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int):
            value = str(value)
        if isinstance(value, str):
            made[name.lower()] = (value,) if key_of(name).multivalued else value
        else:
            made[name.lower()] = tuple(value)
    return made
