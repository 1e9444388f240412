"""AssumeRoleWithWebIdentity and AssumeRoleWithSAML: what an identity provider vouches for, and the session it opens.

Nobody signs these calls (R43).  The pipeline has the proof verified by the functions here, asks the role's trust policy
for the identity that the proof speaks of, and runs the handler.
"""

from __future__ import annotations

import functools
import hashlib
from types import ModuleType
from typing import Any, Final

from locum import arn
from locum.api import sts
from locum.core import issue, oidc
from locum.core.packing import packed_percentage
from locum.core.proof import FederatedIdentity, Trail
from locum.core.records import Role, SamlProvider, SpentAssertion, encode
from locum.core.session import Session
from locum.errors import (
    AccessDenied,
    IDPRejectedClaimException,
    InvalidAction,
    InvalidIdentityTokenException,
    ServiceUnavailable,
)
from locum.secret import Secret
from locum.server.handlers import Call, Proof, handles
from locum.server.issuing import check_session_policies, credentials_of, utilization
from locum.server.providers import Providers
from locum.server.saml_keys import open_keys
from locum.store import Conflict, Key, Locked, Store
from locum.store.records import Records

__all__ = [
    "SPENT",
    "assume_role_with_saml",
    "assume_role_with_web_identity",
    "forget_spent",
    "prove_assertion",
    "prove_token",
    "service_provider",
    "session_by_proof",
]

_NOT_WEB_IDENTITY: Final = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
_AMAZON: Final = "www.amazon.com"
_FACEBOOK: Final = "graph.facebook.com"
_RESERVED_HOSTS: Final = frozenset({"aws", "iam", "saml", "sts"})
"""What begins the condition keys of others: no provider of such a URL can be told from them (R25)."""
_RESERVED_URLS: Final = frozenset(each.name for each in oidc.BUILT_IN)
"""Nor one whose URL is a built-in issuer's but for case, which condition keys do not tell apart."""
_NO_SAML: Final = "AssumeRoleWithSAML is not available: this server needs the extra, pip install 'locum[saml]'"
SPENT: Final = "The assertion was used before, and this provider's open one session each"
"""The refusal of an assertion that opened its one session."""
_METADATA_KEPT: Final = 64
_QUICK_ASSERTION: Final = 20_000
"""Characters of an assertion that is verified on the event loop, in about a millisecond: the way to a thread and back
costs as much, and the thread would hold the interpreter meanwhile all the same."""


def _assumable(call: Call[Any]) -> None:
    issue.role_named(call.command.role_arn)


# Web identity


def _web_identity(call: Call[sts.AssumeRoleWithWebIdentityCommand]) -> Proof:
    """Verify the token: its issuer must be built in, or a provider in the account of the role (STS-WI-004).

    Raises what :func:`locum.core.oidc.verify` does, and KeysNeeded where the issuer must be asked first.
    """
    command = call.command
    if command.provider_id is not None:
        raise _of_legacy_provider(command.provider_id)
    role = issue.role_named(command.role_arn)
    identity = prove_token(call, command.web_identity_token, role.partition, role.account, command.role_arn)
    return Proof(identity, command.role_session_name)


def prove_token(
    call: Call[Any], token: Secret, partition: str, account: str, role_arn: str | None, trail: Trail | None = None
) -> FederatedIdentity:
    """Whom a token speaks of to a role of this account: the one verification, for bearers and for diagnoses.

    Raises what :func:`locum.core.oidc.verify` does, and KeysNeeded where the issuer must be asked first.  Without a
    role nobody is asked whether the token may be used for it.
    """
    hints = oidc.hints(token.reveal(), trail)
    issuer = hints.issuer
    known = oidc.built_in(issuer)
    thumbprints: tuple[str, ...] = ()
    if known is not None:
        provider, prefix, issuer, client_ids = known.name, known.name, known.issuer, known.client_ids
    else:
        provider = oidc.provider_arn(partition, account, issuer)
        record = call.directory.oidc_provider(provider)
        if record is None or _is_reserved(record.url.lower()):
            if trail is not None:
                trail.note("provider", False, expected=provider, found="no such provider")
            raise oidc.unknown_provider(issuer)
        prefix, client_ids, thumbprints = record.url, record.client_ids, record.thumbprints
    if trail is not None:
        trail.note("provider", True, expected=provider, found=provider)
    claims = call.providers.verify(
        hints,
        provider,
        account=account if known is None else "",
        issuer=issuer,
        client_ids=client_ids,
        thumbprints=thumbprints,
        now=call.now,
        trail=trail,
    )
    return oidc.identity(claims, provider=provider, account=account, prefix=prefix, role_arn=role_arn, trail=trail)


def _is_reserved(url: str) -> bool:
    """Whether condition keys that begin with this URL would be somebody else's; in lower case, without the scheme."""
    return url in _RESERVED_URLS or url.partition("/")[0].partition(":")[0] in _RESERVED_HOSTS


def _of_legacy_provider(name: str) -> Exception:
    """The refusal of a ``ProviderId``: opaque tokens are verified by nobody but their two issuers (STS-WI-003)."""
    if name == _AMAZON:
        return InvalidIdentityTokenException(f"The token is not one of {name}, whose tokens this server cannot verify")
    if name == _FACEBOOK:
        return IDPRejectedClaimException(f"{name}: this server cannot verify tokens of {name}")
    return AccessDenied(_NOT_WEB_IDENTITY)


@handles(sts.AssumeRoleWithWebIdentityCommand, cached=True, before=_assumable, proof=_web_identity)
def assume_role_with_web_identity(
    call: Call[sts.AssumeRoleWithWebIdentityCommand],
) -> sts.AssumeRoleWithWebIdentityResponse:
    """A session of the role for the bearer of a token (area WI)."""
    session, user, credentials, packed = _issued(call)
    identity = call.proof.identity
    size = len(credentials.session_token)
    return sts.AssumeRoleWithWebIdentityResponse(
        audience=identity.audience,
        assumed_role_user=user,
        provider=identity.principal.name,
        credentials=credentials,
        subject_from_web_identity_token=identity.subject,
        packed_policy_size=packed,
        source_identity=session.source_identity,
        session_token_utilization=utilization(size),
        session_token_size=size,
    )


# SAML


def _saml() -> ModuleType:
    """The package that verifies responses; InvalidAction where what it needs is not installed."""
    try:
        from locum.core import saml

        _ = saml.verify
    except ImportError:
        raise InvalidAction(_NO_SAML) from None
    return saml


@functools.lru_cache(maxsize=_METADATA_KEPT)
def _metadata(text: str) -> Any:
    return _saml().read_metadata(text)


def _assertion(call: Call[sts.AssumeRoleWithSAMLCommand]) -> Proof:
    """Verify the assertion against the metadata of a provider in the account of the role (STS-SAML-002, STS-SAML-003).

    Raises what :func:`locum.core.saml.verify` does.
    """
    command = call.command
    account = issue.role_named(command.role_arn).account
    return prove_assertion(call, command.saml_assertion, command.principal_arn, account, command.role_arn)


def prove_assertion(
    call: Call[Any],
    assertion: Secret,
    provider_arn: str,
    account: str,
    role_arn: str | None,
    trail: Trail | None = None,
) -> Proof:
    """What an assertion of a provider of this account proves to a role: the one verification, as for tokens."""
    saml, providers = _saml(), call.providers
    provider: SamlProvider | None = call.directory.saml_provider(provider_arn)
    known = provider is not None and provider.account == account
    if trail is not None:
        trail.note("provider", known, expected=provider_arn, found=provider_arn if known else "no such provider")
    if provider is None or not known:
        raise saml.provider_unknown(call.request_id)
    rules = providers.saml(provider_arn)
    if len(assertion) > _QUICK_ASSERTION or provider.private_keys or rules.single_use:
        call.off_the_loop()
    verified = saml.verify(
        assertion.reveal(),
        saml.Expected(
            provider_arn=provider_arn,
            account=provider.account,
            provider_name=provider.name,
            provider_id=provider.uuid,
            role_arn=role_arn,
            metadata=_metadata(provider.metadata),
            entity_ids=(providers.entity_id,),
            recipients=(providers.acs_url,),
            private_keys=open_keys(call.vault, provider),
            encryption_required=provider.encryption_mode == "Required",
            rules=rules,
        ),
        call.now,
        trail,
        request_id=call.request_id,
    )
    identity, id = verified.identity, verified.assertion_id
    spent = None
    if rules.single_use:
        digest = hashlib.sha256(f"{provider_arn}\n{identity.issuer}\n{id}".encode()).hexdigest()
        spent = SpentAssertion(digest=digest, expires=verified.expires)
    return Proof(identity, identity.session_name or "", id, spent)


@handles(sts.AssumeRoleWithSAMLCommand, cached=True, before=_assumable, proof=_assertion)
def assume_role_with_saml(call: Call[sts.AssumeRoleWithSAMLCommand]) -> sts.AssumeRoleWithSAMLResponse:
    """A session of the role for the subject of an assertion (area SAML)."""
    session, user, credentials, packed = _issued(call)
    if call.proof.spent is not None:
        _spend(call.store, call.proof.spent)
    identity = call.proof.identity
    size = len(credentials.session_token)
    return sts.AssumeRoleWithSAMLResponse(
        assumed_role_user=user,
        credentials=credentials,
        packed_policy_size=packed,
        subject=identity.subject,
        subject_type=identity.subject_type,
        issuer=identity.issuer,
        audience=identity.audience,
        name_qualifier=identity.name_qualifier,
        source_identity=session.source_identity,
        session_token_utilization=utilization(size),
        session_token_size=size,
    )


def _spend(store: Store, spent: SpentAssertion) -> None:
    """Write down that the assertion opened its session; InvalidIdentityToken where it had done so before.

    One conditional write: of two requests at the same time one finds the other's.
    """
    try:
        with store.transaction() as transaction:
            transaction.put(Key(*spent.key), encode(spent), expect=0, quiet=True)
    except Conflict:
        raise InvalidIdentityTokenException(SPENT) from None
    except Locked:
        raise ServiceUnavailable("The store is busy with other changes. Try again.") from None


def forget_spent(store: Store, now: float) -> None:
    """Forget the assertions that nobody would accept any more; writes only where there are some."""
    with store.snapshot() as rows:
        old = [stored.record.key for stored in Records(rows).each(SpentAssertion, "") if stored.record.expires <= now]
    if old:
        with store.transaction() as transaction:
            for key in old:
                transaction.delete(Key(*key), expect=None, quiet=True)


def service_provider(providers: Providers) -> bytes | None:
    """This server's own SAML metadata; None where the extra is not installed."""
    try:
        saml = _saml()
    except InvalidAction:
        return None
    document: bytes = saml.sp_metadata(providers.entity_id, providers.acs_url)
    return document


# Both


def _issued(call: Call[Any]) -> tuple[Session, sts.AssumedRoleUser, sts.Credentials, int | None]:
    role, session, packed = session_by_proof(call)
    user = sts.AssumedRoleUser(
        assumed_role_id=f"{role.id}:{session.name}",
        arn=arn.assumed_role(call.partition, role.account, role.name, session.name),
    )
    return session, user, credentials_of(call, session), packed


def session_by_proof(call: Call[Any]) -> tuple[Role, Session, int | None]:
    """The session of an authorized call with its role and packed size; an error where its rules allow none."""
    stored = call.found(Role)
    if stored is None:
        raise TypeError("authorization lets nobody assume a role that does not exist")
    role, proof = stored.record, call.proof
    session = issue.assume_role_by_proof(
        call.command, proof.identity, proof.session_name, role, call.now, call.random(issue.RANDOM_BYTES)
    )
    check_session_policies(call, session)
    packed = packed_percentage(session.policy, session.policy_arns, session.transitive_tags + session.tags)
    return role, session, packed
