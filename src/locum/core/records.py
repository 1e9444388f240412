"""The records that the store keeps: accounts, users, groups, roles, policies, keys, devices, profiles, providers.

A record knows its key and its index rows; the store sees only bytes.  Names that are unique without regard to case
(POL-LM-010) are lower-cased in the key and keep their case in the record.  Times are whole seconds since the epoch.
Principals are referred to by unique id, never by name, so that a re-created entity is another one (POL-PR-010).
"""

from __future__ import annotations

from typing import ClassVar, Final, TypeVar

import msgspec

from locum import arn
from locum.core.account_records import (
    AccessReport,
    AccountAlias,
    AccountSettings,
    CredentialReport,
    LoginProfile,
    RoleDeletion,
)
from locum.core.delegation_records import DelegationRequest
from locum.core.organization_records import AccountCreation, Organization, OrgPolicy, OrgUnit, attachments
from locum.core.record import AccountRecord, InstallationRecord, NamedRecord, Record
from locum.policy.managed import ROOT_TASKS

__all__ = [
    "KINDS",
    "AccessKey",
    "Account",
    "Group",
    "InstanceProfile",
    "ManagedPolicy",
    "MfaCodes",
    "MfaDevice",
    "OidcProvider",
    "OutboundIssuer",
    "PolicyVersion",
    "Record",
    "Revocation",
    "RingKey",
    "Role",
    "SamlKey",
    "SamlProvider",
    "SigningKey",
    "SpentAssertion",
    "Use",
    "User",
    "decode",
    "encode",
]


class Account(InstallationRecord, frozen=True, kw_only=True):
    """An account; ``limits`` holds those of its quotas that differ from the default (:mod:`locum.core.limits`).

    ``organization`` is the id of the one that it is in, ``parent`` its root or unit there, ``joined`` since when, and
    ``invited`` tells that it was there before.  ``scps`` and ``rcps`` are as :class:`OrgUnit` has them, ``tags`` those
    that Organizations keeps.  ``closed`` is the time at which it was closed for good, 0 for an open account.
    """

    kind: ClassVar[str] = "account"
    name: str
    created: int
    limits: dict[str, int] = {}
    email: str = ""
    closed: int = 0
    organization: str | None = None
    parent: str = ""
    joined: int = 0
    invited: bool = False
    tags: dict[str, str] = {}
    scps: tuple[str, ...] | None = None
    rcps: tuple[str, ...] = ()

    @property
    def indexes(self) -> list[tuple[str, str]]:
        rows = [("account-email", self.email.lower())] if self.email else []
        if self.organization is not None:
            rows += [("org-account", self.organization), ("account-parent", self.parent)]
            rows += attachments(self.organization, self.scps, self.rcps)
        return rows


class AccessKey(InstallationRecord, frozen=True, kw_only=True):
    """A long-term access key of a user or of an account's root user.

    ``owner`` is the user's unique id, or the account id for root.  ``secret`` is sealed for rest (R44) with the key id
    as associated data.
    """

    kind: ClassVar[str] = "access-key"
    account: str
    owner: str
    created: int
    secret: bytes
    active: bool = True

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [("key-owner", self.owner)]


class RingKey(InstallationRecord, frozen=True, kw_only=True):
    """One sealing key of the ring; ``secret`` is sealed for rest with the id as associated data."""

    kind: ClassVar[str] = "ring-key"
    created: int
    secret: bytes
    active: bool = True


class _Entity(NamedRecord, frozen=True, kw_only=True):
    created: int
    path: str = "/"
    tags: dict[str, str] = {}

    def arn(self, partition: str) -> str:
        """The entity's ARN, path included."""
        return arn.iam(partition, self.account, self.kind, self.path, self.name)


class _PolicyHolder(_Entity, frozen=True, kw_only=True):
    id: str
    inline: dict[str, str] = {}
    attached: tuple[str, ...] = ()

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [("id", self.id), *(("attached", policy) for policy in self.attached)]


class _Bounded(_PolicyHolder, frozen=True, kw_only=True):
    boundary: str | None = None

    @property
    def indexes(self) -> list[tuple[str, str]]:
        rows = super().indexes
        if self.boundary is not None:
            rows.append(("boundary", self.boundary))
        return rows


class User(_Bounded, frozen=True, kw_only=True):
    """A user: ``inline`` maps policy names to documents, ``attached`` and ``boundary`` name managed policies by ARN.

    ``groups`` are the unique ids of the groups that it is in, in the order in which it came into them.
    """

    kind: ClassVar[str] = "user"
    groups: tuple[str, ...] = ()

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [*super().indexes, *(("member", group) for group in self.groups)]


class Group(_PolicyHolder, frozen=True, kw_only=True):
    """A group: its policies are its members' too (POL-GR-031), who name it; it has neither tags nor a boundary."""

    kind: ClassVar[str] = "group"


class InstanceProfile(_Entity, frozen=True, kw_only=True):
    """An instance profile: the name under which a machine is given a role, which ``role`` names by its unique id."""

    kind: ClassVar[str] = "instance-profile"
    id: str
    role: str | None = None

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [] if self.role is None else [("profile-role", self.role)]


class Role(_Bounded, frozen=True, kw_only=True):
    """A role; ``trust`` is its trust policy with user and role ARNs replaced by unique ids (POL-PR-010)."""

    kind: ClassVar[str] = "role"
    trust: str
    description: str | None = None
    max_session_duration: int = 3600


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version of a managed policy; numbers are never used again (IAM-POL-004)."""

    number: int
    document: str
    created: int

    @property
    def id(self) -> str:
        """The version's name on the wire, such as ``v3``."""
        return f"v{self.number}"


class ManagedPolicy(_Entity, frozen=True, kw_only=True):
    """A customer managed policy with its versions, oldest first, and the number of the default one."""

    kind: ClassVar[str] = "policy"
    id: str
    versions: tuple[PolicyVersion, ...]
    default: int
    last_number: int
    updated: int
    description: str | None = None

    @property
    def is_attachable(self) -> bool:
        """Whether it can be attached and be a boundary: all can but those of root tasks (POL-RT-005)."""
        return self.account != "aws" or self.path != ROOT_TASKS

    @property
    def document(self) -> str:
        """The document of the default version, the one that is in force."""
        return next(each.document for each in self.versions if each.number == self.default)


class Revocation(Record, frozen=True, kw_only=True):
    """Sessions that ended before their time: those of ``subject`` and ``value`` that were issued before ``before``.

    :class:`~locum.core.revocation.Subject` says what there is; ``value`` is an access key id, a unique id (with the
    session's name for one name's sessions) or a source identity, and ``named`` what the sessions were called by whoever
    revoked them.  ``account`` is the one whose sessions these are.  After ``expires`` nothing is left that this hits.
    """

    kind: ClassVar[str] = "revocation"
    account: str
    subject: str
    value: str
    named: str
    before: int
    created: int
    expires: int

    @property
    def key(self) -> tuple[str, str, str]:
        return "", self.kind, f"{self.account}/{self.subject}/{self.value}"


RecordType = TypeVar("RecordType", bound=Record)


class Use(InstallationRecord, frozen=True, kw_only=True):
    """The last use of an access key, by its id, or of a role's sessions, by the role's unique id."""

    kind: ClassVar[str] = "use"
    used: int
    service: str
    region: str


class MfaDevice(_Entity, frozen=True, kw_only=True):
    """A virtual MFA device; its serial number is its ARN (IAM-MFA-001).

    ``seed`` is the TOTP key, sealed for rest (R44) with the account and the folded name as associated data.  ``owner``
    is the unique id of the user that it is assigned to, the account id for root, None for nobody; ``enabled`` is since
    when, and ``drift`` how many 30-second steps its clock is ahead of ours (STS-MFA-011).  ``paired`` is the later
    step of the last pair of codes that enabled or resynchronized it, 0 where none did.
    """

    kind: ClassVar[str] = "mfa"
    seed: bytes
    owner: str | None = None
    enabled: int = 0
    drift: int = 0
    paired: int = 0

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [] if self.owner is None else [("mfa-owner", self.owner)]


class OidcProvider(Record, frozen=True, kw_only=True):
    """An OpenID Connect provider: an issuer that an account's roles may trust (iam_api.md section 7).

    ``url`` is the issuer without ``https://``, as it was given.  Two providers of an account differ in more than the
    case of the host (IAM-OID-001), while an issuer or an ARN must be written exactly so (STS-WI-006, STS-WI-025).
    ``client_ids`` are the audiences; ``thumbprints`` are SHA-1 in 40 lower-case hexadecimal digits (STS-WI-027).
    """

    kind: ClassVar[str] = "oidc-provider"
    account: str
    url: str
    created: int
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, self.folded(self.url)

    @classmethod
    def folded(cls, name: str) -> str:
        host, slash, path = name.partition("/")
        return f"{host.lower()}{slash}{path}"

    def arn(self, partition: str) -> str:
        """The ARN, with the URL as it was given."""
        return arn.iam(partition, self.account, self.kind, "/", self.url)


class SamlKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A private key that decrypts a provider's assertions: PKCS #8 (DER), sealed for rest (R44).

    Purpose and name of the seal: ``saml-key`` and ``account/provider/id``.
    """

    id: str
    created: int
    secret: bytes


class SamlProvider(NamedRecord, frozen=True, kw_only=True):
    """A SAML provider with its metadata as they were given (iam_api.md section 8).

    ``uuid`` is a new one for each provider that is created; nothing binds a trust policy to it (STS-SAML-027).
    ``valid_until`` comes from the metadata (IAM-SML-008); ``encryption_mode`` is ``Allowed`` or ``Required``.
    """

    kind: ClassVar[str] = "saml-provider"
    uuid: str
    created: int
    metadata: str
    valid_until: int
    tags: dict[str, str] = {}
    encryption_mode: str = "Allowed"
    private_keys: tuple[SamlKey, ...] = ()

    def arn(self, partition: str) -> str:
        """The ARN."""
        return arn.iam(partition, self.account, self.kind, "/", self.name)


class OutboundIssuer(Record, frozen=True, kw_only=True):
    """The OpenID Connect issuer that an account is to others (area GWT); made once, and never another one.

    ``id`` is the part of its URL that names it.  ``enabled``: tokens are issued; its keys stay published when not.
    """

    kind: ClassVar[str] = "outbound-issuer"
    account: str
    id: str
    created: int
    enabled: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, self.kind

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [(self.kind, self.id)]


class SigningKey(AccountRecord, frozen=True, kw_only=True):
    """A key of an account's issuer: it signs from ``signs`` on, until a later one of its algorithm does.

    ``jwk`` is the public half.  ``secret`` is the private one in PKCS #8 (DER), sealed for rest (R44) with the account
    and the id as associated data.
    """

    kind: ClassVar[str] = "signing-key"
    algorithm: str
    created: int
    signs: int
    jwk: dict[str, str]
    secret: bytes

    @property
    def order(self) -> tuple[int, int, str]:
        """What sorts the keys of an algorithm by the time at which they begin to sign."""
        return self.signs, self.created, self.id


class SpentAssertion(Record, frozen=True, kw_only=True):
    """A SAML assertion that opened its one session; written quietly, never kept as a fact.

    ``digest`` tells the assertions of all providers apart, in hexadecimal digits.  After ``expires`` nobody accepts the
    assertion any more, and the record may go.
    """

    kind: ClassVar[str] = "spent-assertion"
    digest: str
    expires: int

    @property
    def key(self) -> tuple[str, str, str]:
        return "", self.kind, self.digest


class MfaCodes(NamedRecord, frozen=True, kw_only=True):
    """What was tried and spent of an MFA device, under its account and name; written quietly, never kept as a fact.

    ``tries`` counts the verifications (STS-MFA-009) and ``pairs`` the pairs of codes for enabling or resynchronizing in
    the time window number ``window``; ``spent`` are the steps whose codes were used, as far back as any drift reaches.
    ``retired``: the device was deleted, and what was tried counts for the next of its name until the window is over.
    """

    kind: ClassVar[str] = "mfa-codes"
    window: int = 0
    tries: int = 0
    pairs: int = 0
    spent: tuple[int, ...] = ()
    retired: bool = False

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [("mfa-retired", self.account)] if self.retired else []


KINDS: Final[dict[str, type[Record]]] = {
    each.kind: each
    for each in (
        AccessKey,
        AccessReport,
        Account,
        AccountAlias,
        AccountCreation,
        AccountSettings,
        CredentialReport,
        DelegationRequest,
        Group,
        InstanceProfile,
        LoginProfile,
        ManagedPolicy,
        MfaCodes,
        MfaDevice,
        OrgPolicy,
        OrgUnit,
        Organization,
        Revocation,
        RingKey,
        Role,
        RoleDeletion,
        OidcProvider,
        OutboundIssuer,
        SamlProvider,
        SigningKey,
        SpentAssertion,
        Use,
        User,
    )
}
"""Kind of a key → type of its record."""

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type[Record], msgspec.msgpack.Decoder[Record]] = {
    each: msgspec.msgpack.Decoder(each) for each in KINDS.values()
}


def encode(record: Record) -> bytes:
    """The bytes that the store keeps for a record."""
    return _encoder.encode(record)


def decode(data: bytes, kind: type[RecordType]) -> RecordType:
    """The record in stored bytes; msgspec.DecodeError where they are damaged."""
    return _decoders[kind].decode(data)  # type: ignore[return-value]
