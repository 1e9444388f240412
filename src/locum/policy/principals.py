"""Principals: who asks, what names they answer to, and the names inside stored policies.

A stored policy holds unique ids in place of the ARNs of users and roles, so that an entity made anew under an old
name does not inherit what the old one was trusted with (POL-PR-010).  :func:`store_principals` and
:func:`render_principals` change only the principal strings of a document and leave every other character as it is
(IAM-GEN-021).
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from .. import arn as arns
from ..errors import MalformedPolicyDocumentException
from .document import Policy, Principals

__all__ = [
    "Principal",
    "PrincipalKind",
    "invalid_principal",
    "is_entity_arn",
    "named_entities",
    "principal_context",
    "render_principals",
    "store_principals",
]

_ENTITY: Final = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:(?:user|role)/[^*?]+\Z")
_PRINCIPAL_PATHS: Final = (["Statement", "Principal", "AWS"], ["Statement", "NotPrincipal", "AWS"])
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


class PrincipalKind(enum.StrEnum):
    """The kinds of caller (policy.md §2.2)."""

    USER = "IAMUser"
    ROLE_SESSION = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    ROOT = "Root"
    ROOT_SESSION = "RootSession"
    SERVICE = "Service"
    ANONYMOUS = "Anonymous"
    WEB_IDENTITY = "WebIdentity"
    SAML = "SAML"


class Principal(msgspec.Struct, frozen=True, gc=False):
    """A caller as policies see it.  Made by the class methods, which fill in the names it answers to.

    ``arn`` is the caller's own ARN: the session's for role sessions (POL-PR-021).  ``unique_id`` is ``AIDA…`` or
    ``AROA…``.  A principal in a policy that is one of ``direct`` grants by itself, one of ``limited`` grants within
    the boundary and the session policies, one of ``accounts`` leaves it to the identity policies (policy.md §11).
    """

    kind: PrincipalKind
    arn: str = ""
    account: str = ""
    partition: str = "aws"
    unique_id: str = ""
    role_arn: str = ""
    name: str = ""
    direct: tuple[str, ...] = ("*",)
    limited: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    issued_by_root: bool = False
    service_linked: bool = False
    scp_exempt: bool = False

    @classmethod
    def user(
        cls, arn: str, account: str, unique_id: str, *, partition: str = "aws", scp_exempt: bool = False
    ) -> Principal:
        """An IAM user with long-term keys or a GetSessionToken session (POL-PR-006)."""
        return cls(
            PrincipalKind.USER,
            arn,
            account,
            partition,
            unique_id,
            name=arn.rpartition("/")[2],
            direct=("*", arn, unique_id),
            accounts=(account, f"arn:{partition}:iam::{account}:root"),
            scp_exempt=scp_exempt,
        )

    @classmethod
    def role_session(
        cls,
        arn: str,
        account: str,
        role_arn: str,
        unique_id: str,
        session_name: str,
        *,
        partition: str = "aws",
        service_linked: bool = False,
        scp_exempt: bool = False,
    ) -> Principal:
        """A session of a role (POL-PR-007, POL-PR-008); ``role_arn`` has the role's path, ``arn`` has not."""
        return cls(
            PrincipalKind.ROLE_SESSION,
            arn,
            account,
            partition,
            unique_id,
            role_arn,
            session_name,
            ("*", arn),
            (role_arn, unique_id),
            (account, f"arn:{partition}:iam::{account}:root"),
            False,
            service_linked,
            scp_exempt,
        )

    @classmethod
    def federated_user(
        cls,
        arn: str,
        account: str,
        name: str,
        issuer_arn: str,
        issuer_id: str,
        *,
        partition: str = "aws",
        scp_exempt: bool = False,
    ) -> Principal:
        """A GetFederationToken session; the issuer is the IAM user, or the account root, who called (POL-PR-009)."""
        root = f"arn:{partition}:iam::{account}:root"
        issued_by_root = issuer_arn == root
        return cls(
            PrincipalKind.FEDERATED_USER,
            arn,
            account,
            partition,
            name=name,
            direct=("*", arn),
            limited=() if issued_by_root else (issuer_arn, issuer_id),
            accounts=(account, root),
            issued_by_root=issued_by_root,
            scp_exempt=scp_exempt,
        )

    @classmethod
    def root(
        cls, account: str, *, partition: str = "aws", session: bool = False, scp_exempt: bool = False
    ) -> Principal:
        """The root user of an account, or (``session``) an AssumeRoot session (POL-PR-020)."""
        root = f"arn:{partition}:iam::{account}:root"
        kind = PrincipalKind.ROOT_SESSION if session else PrincipalKind.ROOT
        return cls(kind, root, account, partition, accounts=(account, root), scp_exempt=scp_exempt)

    @classmethod
    def service(cls, name: str) -> Principal:
        """A service such as ``ec2.amazonaws.com`` that acts for itself (POL-PR-012)."""
        return cls(PrincipalKind.SERVICE, name=name, direct=("*", f"service/{name}"))

    @classmethod
    def anonymous(cls) -> Principal:
        """A caller without credentials (POL-EV-061)."""
        return cls(PrincipalKind.ANONYMOUS)

    @classmethod
    def web_identity(cls, provider: str, account: str = "") -> Principal:
        """The bearer of an OIDC provider's token; ``provider`` is the provider's ARN or built-in name (POL-PR-013)."""
        return cls._federated(PrincipalKind.WEB_IDENTITY, provider, account)

    @classmethod
    def saml(cls, provider: str, account: str = "") -> Principal:
        """The bearer of a SAML provider's assertion; ``provider`` is the provider's ARN."""
        return cls._federated(PrincipalKind.SAML, provider, account)

    @classmethod
    def _federated(cls, kind: PrincipalKind, provider: str, account: str) -> Principal:
        return cls(kind, account=account, name=provider, direct=("anyone", f"federated/{provider}"))


def names_of(principals: Principals, *, deny: bool) -> frozenset[str]:
    """The names of a ``Principal`` element in the form in which a :class:`Principal` knows its own.

    ``*`` does not stand for a web-identity or SAML caller (POL-PR-002), except where it denies.
    """
    names = {*principals.aws, *(f"service/{name}" for name in principals.service)}
    names.update(f"federated/{provider}" for provider in principals.federated)
    if principals.anyone or "*" in names:
        names.add("*")
        if deny:
            names.add("anyone")
    names.discard("")
    return frozenset(names)


def spares(names: frozenset[str], principal: Principal) -> bool:
    """Whether a ``NotPrincipal`` list exempts a caller: it names the entity and its account (POL-PR-031)."""
    if "*" in names:
        return True
    own = principal.direct[1:]
    if not own and not principal.accounts:
        return False
    if own and names.isdisjoint(own):
        return False
    if principal.accounts and names.isdisjoint(principal.accounts):
        return False
    return principal.kind is not PrincipalKind.ROLE_SESSION or not names.isdisjoint(principal.limited)


_TYPES: Final = {
    PrincipalKind.USER: "User",
    PrincipalKind.ROLE_SESSION: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.ROOT: "Account",
    PrincipalKind.ROOT_SESSION: "Account",
    PrincipalKind.ANONYMOUS: "Anonymous",
    PrincipalKind.WEB_IDENTITY: "User",
    PrincipalKind.SAML: "User",
}


def principal_context(principal: Principal) -> dict[str, str | tuple[str, ...]]:
    """The context keys that follow from the caller alone (POL-VR-010, POL-CK-001…003, STS-WI-031)."""
    kind = principal.kind
    if kind is PrincipalKind.SERVICE:
        return {"aws:principalisawsservice": "true", "aws:principalservicename": principal.name}
    keys: dict[str, str | tuple[str, ...]] = {
        "aws:principaltype": _TYPES[kind],
        "aws:principalisawsservice": "false",
        "aws:principalaccount": principal.account or "anonymous",
    }
    if kind is PrincipalKind.ROLE_SESSION:
        keys["aws:principalarn"] = principal.role_arn
        keys["aws:userid"] = f"{principal.unique_id}:{principal.name}"
    elif kind is PrincipalKind.USER:
        keys["aws:principalarn"] = principal.arn
        keys["aws:userid"] = principal.unique_id
        keys["aws:username"] = principal.name
    elif kind is PrincipalKind.FEDERATED_USER:
        keys["aws:principalarn"] = principal.arn
        keys["aws:userid"] = f"{principal.account}:{principal.name}"
    elif kind is PrincipalKind.ANONYMOUS:
        keys["aws:userid"] = "anonymous"
    elif kind in (PrincipalKind.WEB_IDENTITY, PrincipalKind.SAML):
        keys["aws:userid"] = principal.name
    else:
        keys["aws:principalarn"] = principal.arn
        keys["aws:userid"] = principal.account
    return keys


def is_entity_arn(text: str) -> bool:
    """Whether a principal is the ARN of a user or a role, which is stored as its unique id (POL-PR-010)."""
    return _ENTITY.match(text) is not None


def named_entities(policy: Policy) -> frozenset[str]:
    """The users and roles that ``Principal`` and ``NotPrincipal`` name, by ARN or by unique id; all must exist."""
    return frozenset(
        name
        for statement in policy.statements
        if statement.principals is not None
        for name in statement.principals.aws
        if is_entity_arn(name) or arns.is_unique_id(name)
    )


def invalid_principal(kind: str, name: str) -> MalformedPolicyDocumentException:
    """The refusal of a principal that does not exist or is malformed (POL-VA-040); ``kind`` as ``AWS``, ``SERVICE``."""
    return MalformedPolicyDocumentException(f'Invalid principal in policy: "{kind}":"{name}"')


def store_principals(text: str, ids: Mapping[str, str], partition: str) -> str:
    """A document as it is stored: ARNs of users and roles as unique ids, bare account ids as root ARNs (POL-PR-004).

    ``ids`` maps ARN to unique id; MalformedPolicyDocumentException for an ARN that it lacks (POL-PR-011).  ``text``
    has been read by :func:`locum.policy.parse`.
    """

    def stored(name: str) -> str:
        if arns.is_account_id(name):
            return arns.account_root(partition, name)
        if not is_entity_arn(name):
            return name
        if name not in ids:
            raise invalid_principal("AWS", name)
        return ids[name]

    return _rewritten(text, stored)


def render_principals(text: str, entity_arn: Callable[[str], str | None]) -> str:
    """A stored document as it is shown: unique ids as ARNs; the id of a deleted entity stays (POL-PR-010).

    ``entity_arn`` is asked for the ARN of each unique id in turn, and answers None for a deleted entity.
    """
    return _rewritten(text, lambda name: (entity_arn(name) if arns.is_unique_id(name) else None) or name)


def _rewritten(text: str, change: Callable[[str], str]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in _principal_strings(text):
        name = json.loads(text[start:end])
        changed = change(name)
        if changed != name:
            pieces += text[position:start], json.dumps(changed)
            position = end
    return "".join([*pieces, text[position:]])


def _principal_strings(text: str) -> Iterator[tuple[int, int]]:
    """Where the strings of ``Principal.AWS`` and ``NotPrincipal.AWS`` stand in a document's text."""
    keys: list[str | None] = []  # of each open container: the key being read in an object, None in a list
    expects_key = False
    for token in _TOKEN.finditer(text):
        symbol = token.group()
        if symbol == "{":
            keys.append("")
            expects_key = True
        elif symbol == "[":
            keys.append(None)
            expects_key = False
        elif symbol in "]}":
            keys.pop()
            expects_key = False
        elif symbol == ",":
            expects_key = keys[-1] is not None
        elif symbol[0] == '"':
            if expects_key:
                keys[-1] = json.loads(symbol)
                expects_key = False
            elif [key for key in keys if key is not None] in _PRINCIPAL_PATHS:
                yield token.start(), token.end()
