"""What a decision needs to know, read through the facts: keys, holders with their compiled policies, the key ring.

A :class:`Directory` is one request's view.  Everything in it is live: a policy that was changed, a role that was
deleted or a key that was switched off counts in the very next request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final, TypeVar

import msgspec

from locum import arn
from locum.arn import Arn
from locum.core.organization import FULL_ACCESS, KINDS_OF_POLICY, UNDER_RESOURCE_CONTROL, OrgFacts, facts_of
from locum.core.organization_records import Organization, OrgPolicy
from locum.core.outbound import Issuer, open_issuer
from locum.core.records import (
    AccessKey,
    Account,
    Group,
    OidcProvider,
    OutboundIssuer,
    Revocation,
    RingKey,
    Role,
    SamlProvider,
    SigningKey,
    User,
)
from locum.core.revocation import Revocations
from locum.core.sealing import Vault
from locum.core.session import Caller, CallerKind, Session
from locum.core.token import KeyRing, open_ring
from locum.policy import (
    Ask,
    CompiledPolicy,
    Decision,
    Layer,
    Policies,
    PolicyKind,
    Principal,
    decide,
    load,
)
from locum.secret import Secret
from locum.store.facts import Reader, View
from locum.store.organizations import units_above
from locum.store.records import Records

__all__ = ["CallerPolicies", "Directory", "Holder", "LongTermKey"]

ProviderType = TypeVar("ProviderType", OidcProvider, SamlProvider)

_NO_TAGS: Final[Mapping[str, str]] = {}
_KEPT_POLICIES: Final = 4_096


@lru_cache(maxsize=_KEPT_POLICIES)
def _compiled(text: str, kind: PolicyKind, name: str) -> CompiledPolicy:
    """A document ready for decisions; one that cannot be read denies everything (R28)."""
    return load(text, kind, name)


class LongTermKey(msgspec.Struct, frozen=True, gc=False):
    """A long-term access key, opened, and the caller that whoever signs with it is."""

    active: bool
    secret: Secret
    caller: Caller


class Holder(msgspec.Struct, frozen=True, gc=False):
    """A user or role as decisions see it: identity policies and boundary compiled, a role's trust policy too."""

    record: User | Role
    arn: str
    identity: tuple[CompiledPolicy, ...]
    boundary: CompiledPolicy | None
    trust: CompiledPolicy | None

    @property
    def account(self) -> str:
        """The account that it belongs to."""
        return self.record.account

    @property
    def id(self) -> str:
        """Its unique id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name, without path."""
        return self.record.name

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags, as they were written."""
        return self.record.tags


class CallerPolicies(msgspec.Struct, frozen=True, gc=False):
    """The policies of one caller, ready for any number of questions.

    ``organization`` is the caller's, whose service control policies limit it.  ``rcps`` are the resource control
    policies of whose resource it is about (:meth:`over`).
    """

    principal: Principal
    identity: tuple[CompiledPolicy, ...]
    boundary: CompiledPolicy | None
    session: tuple[CompiledPolicy, ...] | None
    tags: Mapping[str, str]
    organization: OrgFacts | None = None
    rcps: tuple[tuple[CompiledPolicy, ...], ...] | None = None

    def over(self, owner: OrgFacts | None, service: str) -> CallerPolicies:
        """The same towards a resource of ``service`` in an account with this place in an organization (POL-OR-020)."""
        if owner is None or owner.rcps is None or service not in UNDER_RESOURCE_CONTROL:
            return self
        return msgspec.structs.replace(self, rcps=owner.rcps)

    @property
    def _scps(self) -> tuple[tuple[CompiledPolicy, ...], ...] | None:
        return None if self.organization is None else self.organization.scps

    def decide(
        self,
        action: str,
        resource: str,
        resource_account: str,
        context: Mapping[str, str | tuple[str, ...]],
    ) -> Decision:
        """Whether the caller may do ``action`` to a resource that has no policy of its own."""
        return decide(Ask(self.principal, action, resource, resource_account, context), self.alone())

    def may_assume(
        self,
        action: str,
        role_arn: str,
        role_account: str,
        trust: CompiledPolicy | None,
        context: Mapping[str, str | tuple[str, ...]],
    ) -> Decision:
        """Whether the caller may do ``action`` to a role, whose trust policy must allow it too (POL-TR-001)."""
        return decide(Ask(self.principal, action, role_arn, role_account, context), self.beside(trust))

    def alone(self) -> Policies:
        """All that decides about a resource without a policy of its own."""
        return Policies(
            identity=self.identity, boundary=self.boundary, session=self.session, scps=self._scps, rcps=self.rcps
        )

    def beside(self, trust: CompiledPolicy | None) -> Policies:
        """All that decides about a role with this trust policy."""
        return Policies(
            identity=self.identity,
            boundary=self.boundary,
            session=self.session,
            resource=trust,
            resource_layer=Layer.TRUST,
            resource_policy_required=True,
            scps=self._scps,
            rcps=self.rcps,
        )


class Directory:
    """One request's view of accounts, keys, holders and policies."""

    __slots__ = ("_partition", "_vault", "_view")

    def __init__(self, view: View, vault: Vault, partition: str) -> None:
        self._view = view
        self._vault = vault
        self._partition = partition

    def ring(self) -> KeyRing:
        """The keys that seal and open tokens."""
        return self._view.get(("ring",), self._load_ring)

    def _load_ring(self, reader: Reader) -> KeyRing:
        return open_ring((stored.record for stored in Records(reader).each(RingKey, "")), self._vault)

    def revocations(self) -> Revocations:
        """The sessions that were revoked before their end."""
        return self._view.get(("revocations",), _read_revocations)

    def issuer(self, account: str) -> Issuer | None:
        """The issuer that an account is to others, with its keys opened; None before it was made."""
        return self._view.get((OutboundIssuer.kind, account), lambda reader: self._load_issuer(reader, account))

    def _load_issuer(self, reader: Reader, account: str) -> Issuer | None:
        records = Records(reader)
        stored = records.get(OutboundIssuer, account, OutboundIssuer.kind)
        if stored is None:
            return None
        return open_issuer(stored.record, [each.record for each in records.each(SigningKey, account)], self._vault)

    def issuer_by_id(self, id: str) -> Issuer | None:
        """An account's issuer by the id in its URL; that there is none is not kept, since anybody may ask."""
        try:
            account = self._view.get(("issuer-id", id), lambda reader: _find_issuer(reader, id))
        except LookupError:
            return None
        return self.issuer(account)

    def account(self, account: str) -> Account | None:
        """An account by its id."""
        return self._view.get(("account", account), lambda reader: _read_account(reader, account))

    def organization_of(self, account: str) -> OrgFacts | None:
        """An account's place in its organization with the policies that limit it; None for an account in none."""
        return self._view.get(("organization-of", account), lambda reader: _load_organization(reader, account))

    def access_key(self, key_id: str) -> LongTermKey | None:
        """A long-term access key whose owner exists."""
        return self._view.get(("access-key", key_id), lambda reader: self._load_access_key(reader, key_id))

    def _load_access_key(self, reader: Reader, key_id: str) -> LongTermKey | None:
        if not key_id.isalnum() or not key_id.isascii() or len(key_id) > 128:
            return None
        stored = Records(reader).get(AccessKey, "", key_id)
        if stored is None:
            return None
        key = stored.record
        account, partition = key.account, self._partition
        if _read_account(reader, account) is None or _is_closed(reader, account):
            return None
        if key.owner == account:
            caller = Caller.root(account, key_id, partition=partition)
        else:
            owner = Records(reader).by_id(key.owner)
            user = None if owner is None else owner.record
            if not isinstance(user, User) or user.account != account:
                return None
            user_arn = user.arn(partition)
            caller = Caller(
                kind=CallerKind.USER,
                partition=partition,
                account=account,
                arn=user_arn,
                user_id=user.id,
                principal_id=user.id,
                principal_arn=user_arn,
                access_key_id=key_id,
                principal=Principal.user(user_arn, account, user.id, partition=partition),
                user_name=user.name,
            )
        secret = self._vault.unwrap(key.secret, purpose=AccessKey.kind, name=key_id)
        return LongTermKey(key.active, Secret(secret.decode()), caller)

    def holder(self, unique_id: str) -> Holder | None:
        """A user or role by its unique id; those of a closed account are not there."""
        return self._view.get(("holder", unique_id), lambda reader: self._load_holder(reader, unique_id))

    def role(self, role: Arn) -> Holder | None:
        """A role by its ARN; partition, path and the case of its name must be right (STS-AR-031, STS-AR-032)."""
        unique_id = self._view.get(("role", role), lambda reader: _find_role(reader, role, self._partition))
        return None if unique_id is None else self.holder(unique_id)

    def oidc_provider(self, provider_arn: str) -> OidcProvider | None:
        """An OIDC provider of any account by exactly its ARN."""
        return self._view.get(
            (OidcProvider.kind, provider_arn), lambda reader: self._find_provider(reader, OidcProvider, provider_arn)
        )

    def saml_provider(self, provider_arn: str) -> SamlProvider | None:
        """A SAML provider of any account by exactly its ARN."""
        return self._view.get(
            (SamlProvider.kind, provider_arn), lambda reader: self._find_provider(reader, SamlProvider, provider_arn)
        )

    def _find_provider(self, reader: Reader, kind: type[ProviderType], provider_arn: str) -> ProviderType | None:
        stored = Records(reader).provider(kind, provider_arn, self._partition)
        return None if stored is None else stored.record

    def _load_holder(self, reader: Reader, unique_id: str) -> Holder | None:
        stored = Records(reader).by_id(unique_id)
        if stored is None or _is_closed(reader, stored.record.account):
            return None
        return self._compiled_holder(reader, stored.record)

    def _compiled_holder(self, reader: Reader, record: User | Role) -> Holder:
        account = record.account
        identity = [_compiled(text, PolicyKind.INLINE, name) for name, text in record.inline.items()]
        identity += [self._load_managed(reader, policy, account) for policy in record.attached]
        for group in record.groups if isinstance(record, User) else ():
            identity += reader.fact(("group", group), partial(self._load_group, unique_id=group))
        return Holder(
            record,
            record.arn(self._partition),
            tuple({policy.name: policy for policy in identity}.values()),
            None if record.boundary is None else self._load_managed(reader, record.boundary, account),
            _compiled(record.trust, PolicyKind.TRUST, record.arn(self._partition))
            if isinstance(record, Role)
            else None,
        )

    def _load_group(self, reader: Reader, unique_id: str) -> tuple[CompiledPolicy, ...]:
        """The policies that a group lends to its members (POL-EV-010); one that is not there denies everything (R28).

        An inline policy is called by the group's name too: a member may have one of the same name.
        """
        stored = Records(reader).group(unique_id)
        if stored is None:
            return (_compiled("", PolicyKind.INLINE, unique_id),)
        group = stored.record
        inline = [
            _compiled(text, PolicyKind.INLINE, f"{Group.kind}/{group.name}/{name}")
            for name, text in group.inline.items()
        ]
        return (*inline, *(self._load_managed(reader, policy, group.account) for policy in group.attached))

    def managed_policy(self, policy_arn: str, account: str) -> CompiledPolicy | None:
        """A managed policy of the account or of AWS in its default version, or None (POL-XA-008)."""
        return self._view.get(
            ("policy", policy_arn, account), lambda reader: self._find_managed(reader, policy_arn, account)
        )

    def _find_managed(self, reader: Reader, policy_arn: str, account: str) -> CompiledPolicy | None:
        stored = Records(reader).managed_policy(policy_arn, account, self._partition)
        return None if stored is None else _compiled(stored.record.document, PolicyKind.MANAGED, policy_arn)

    def _load_managed(self, reader: Reader, policy_arn: str, account: str) -> CompiledPolicy:
        """A policy that is in force by its ARN; one that is not there denies everything (R28)."""
        return self._find_managed(reader, policy_arn, account) or _compiled("", PolicyKind.MANAGED, policy_arn)

    def policies_of(self, caller: Caller) -> CallerPolicies:
        """Everything that limits or allows what a caller does (policy.md §10.2).

        A session's tags come over those of its user or role (STS-TAG-010, STS-TAG-011).  Root has no policies but
        those of its account's organization, and the task policy of an AssumeRoot session (POL-RT-004).
        """
        organization = self.organization_of(caller.account)
        if caller.is_root:
            task = self._session_policies(caller)
            return CallerPolicies(caller.principal, (), None, task, _NO_TAGS, organization)
        session = caller.session
        if caller.principal_id == caller.account:
            return CallerPolicies(
                caller.principal,
                (),
                None,
                self._session_policies(caller),
                _principal_tags(_NO_TAGS, session),
                organization,
            )
        holder = self.holder(caller.principal_id)
        if holder is None:
            raise LookupError("the caller was authenticated under an id that is not there")
        return CallerPolicies(
            caller.principal,
            holder.identity,
            holder.boundary,
            self._session_policies(caller) if session is not None else None,
            _principal_tags(holder.tags, session),
            organization,
        )

    def _session_policies(self, caller: Caller) -> tuple[CompiledPolicy, ...] | None:
        session = caller.session
        if session is None or (session.policy is None and not session.policy_arns):
            return None
        policies = [
            self.managed_policy(each, session.account) or _compiled("", PolicyKind.MANAGED, each)
            for each in session.policy_arns
        ]
        if session.policy is not None:
            policies.append(_compiled(session.policy, PolicyKind.SESSION, ""))
        return tuple(policies)


def _principal_tags(own: Mapping[str, str], session: Session | None) -> Mapping[str, str]:
    """The tags of a principal, with a session's over its own whatever the case of their keys (POL-CK-004)."""
    if session is None or not (session.tags or session.transitive_tags):
        return own
    tags = {key.lower(): value for key, value in own.items()}
    for key, value in (*session.transitive_tags, *session.tags):
        tags[key.lower()] = value
    return tags


def _read_revocations(reader: Reader) -> Revocations:
    return Revocations(stored.record for stored in Records(reader).each(Revocation, ""))


def _find_issuer(reader: Reader, id: str) -> str:
    for key in Records(reader).found(OutboundIssuer.kind, id, limit=1):
        return key.account
    raise LookupError(id)


def _read_account(reader: Reader, account: str) -> Account | None:
    stored = Records(reader).get(Account, "", account)
    return None if stored is None else stored.record


def _is_closed(reader: Reader, account: str) -> bool:
    found = _read_account(reader, account)
    return found is not None and found.closed > 0


def _load_organization(reader: Reader, account: str) -> OrgFacts | None:
    """An account's organization; LookupError where a record of it is missing: then nothing is decided (R28)."""
    member = _read_account(reader, account)
    if member is None or member.organization is None:
        return None
    records = Records(reader)
    organization = records.get(Organization, "", member.organization)
    if organization is None:
        raise LookupError("an account is in an organization that is not there")
    units = units_above(records, organization.record, member.parent)

    def load(type: str, policy: str) -> CompiledPolicy:
        full = FULL_ACCESS[type]
        stored = None if policy == full.id else records.get(OrgPolicy, "", policy)
        found = full if policy == full.id else None if stored is None else stored.record
        return _compiled("" if found is None else found.content, KINDS_OF_POLICY[type], policy)

    return facts_of(member, organization.record, units, load)


def _find_role(reader: Reader, role: Arn, partition: str) -> str | None:
    _, name = role.path_and_name
    if not arn.is_account_id(role.account) or not name or len(name) > 128:
        return None
    stored = Records(reader).get(Role, role.account, name)
    return stored.record.id if stored is not None and stored.record.arn(partition) == str(role) else None
