"""The handlers of STS.  Each is the few lines between an authorized call and its answer; the rules are in the core."""

from __future__ import annotations

import datetime
import functools
from typing import Any, Final

from locum import arn
from locum.api import sts
from locum.core import issue
from locum.core.packing import packed_percentage
from locum.core.records import Role
from locum.core.session import Session
from locum.core.token import MAXIMUM_TOKEN, TokenTooLarge
from locum.errors import MalformedPolicyDocumentException, PackedPolicyTooLargeException, ValidationError
from locum.policy import PolicyKind, validate
from locum.secret import Secret
from locum.server import denials
from locum.server.handlers import Call, handles
from locum.server.mfa import verify

__all__ = [
    "assume_role",
    "decode_authorization_message",
    "get_access_key_info",
    "get_caller_identity",
    "get_federation_token",
    "get_session_token",
]

_NONCE_BYTES: Final = 12
_SESSION_POLICY_ARNS: Final = 10
_SESSION_POLICY_CHARACTERS: Final = 2_048


def _credentials(call: Call[Any], session: Session) -> sts.Credentials:
    """The session, sealed; PackedPolicyTooLarge where it does not fit into a token (STS-E-T51)."""
    try:
        token = call.ring.seal_session(session, call.random(_NONCE_BYTES))
        least = call.command.minimum_session_token_size
        if least is not None and len(token) < least:
            longer = issue.padded(session, len(token), least)
            token = call.ring.seal_session(longer, call.random(_NONCE_BYTES))
    except TokenTooLarge:
        raise PackedPolicyTooLargeException("Serialized token too large for session") from None
    return sts.Credentials(
        access_key_id=session.access_key_id,
        secret_access_key=session.secret,
        session_token=Secret(token),
        expiration=datetime.datetime.fromtimestamp(session.expires, datetime.UTC),
    )


def _utilization(size: int) -> int:
    """The size of a token in percent of the largest there can be, rounded up (STS-SP-019)."""
    return -(-size * 100 // MAXIMUM_TOKEN)


@handles(sts.GetCallerIdentityCommand, cached=True)
def get_caller_identity(call: Call[sts.GetCallerIdentityCommand]) -> sts.GetCallerIdentityResponse:
    """Who the verified caller is (STS-GCI-T01…T03)."""
    caller = call.caller
    return sts.GetCallerIdentityResponse(arn=caller.arn, user_id=caller.user_id, account=caller.account)


@handles(sts.GetAccessKeyInfoCommand, cached=True)
def get_access_key_info(call: Call[sts.GetAccessKeyInfoCommand]) -> sts.GetAccessKeyInfoResponse:
    """The account of an access key: of a key in the store, else the one that the id encodes (STS-AKI-004)."""
    key_id = call.command.access_key_id
    key = call.directory.access_key(key_id)
    account = key.caller.account if key is not None else arn.account_of_access_key(key_id)
    if account is None:
        raise ValidationError(f"{key_id} is not a valid access key id: it encodes no account")
    return sts.GetAccessKeyInfoResponse(account=account)


@handles(sts.DecodeAuthorizationMessageCommand, cached=True)
def decode_authorization_message(
    call: Call[sts.DecodeAuthorizationMessageCommand],
) -> sts.DecodeAuthorizationMessageResponse:
    """Why a call of the caller's own account was refused (area DAM)."""
    text = denials.decode(call.ring, call.command.encoded_message, call.account, call.now)
    return sts.DecodeAuthorizationMessageResponse(decoded_message=text)


@functools.lru_cache(maxsize=1_024)
def _check_session_policy(policy: str) -> None:
    """MalformedPolicyDocument for what is no session policy; a text that passed once is not read again."""
    validate(policy, PolicyKind.SESSION)


def _check_session_policies(call: Call[Any], session: Session) -> None:
    """Refuse session policies that are too many, too long, malformed or out of reach (STS-SP-001, SP-002, SP-008)."""
    policy, arns = session.policy, session.policy_arns
    if policy is None and not arns:
        return
    if len(arns) > _SESSION_POLICY_ARNS:
        raise ValidationError(f"At most {_SESSION_POLICY_ARNS} PolicyArns can be passed, not {len(arns)}")
    size = len(policy or "") + sum(map(len, arns))
    if size > _SESSION_POLICY_CHARACTERS:
        raise ValidationError(
            f"Policy and PolicyArns together have {size} characters; at most {_SESSION_POLICY_CHARACTERS} are allowed"
        )
    for each in arns:
        if call.directory.managed_policy(each, session.account) is None:
            raise MalformedPolicyDocumentException(f"The managed policy {each} does not exist or cannot be used")
    if policy is not None:
        _check_session_policy(policy)


def _assumable(call: Call[sts.AssumeRoleCommand]) -> None:
    issue.role_named(call.command.role_arn)


@handles(sts.AssumeRoleCommand, cached=True, before=_assumable)
def assume_role(call: Call[sts.AssumeRoleCommand]) -> sts.AssumeRoleResponse:
    """A session of the role, which the trust policy has allowed (area AR)."""
    command = call.command
    stored = call.found(Role)
    if stored is None:
        raise TypeError("authorization lets nobody assume a role that does not exist")
    role = stored.record
    issue.refuse_contexts(command.provided_contexts, call.partition)
    session = issue.assume_role(command, call.caller, role, call.now, call.random(issue.RANDOM_BYTES))
    _check_session_policies(call, session)
    packed = packed_percentage(session.policy, session.policy_arns, session.transitive_tags + session.tags)
    credentials = _credentials(call, session)
    size = len(credentials.session_token)
    return sts.AssumeRoleResponse(
        assumed_role_user=sts.AssumedRoleUser(
            assumed_role_id=f"{role.id}:{session.name}",
            arn=arn.assumed_role(call.partition, role.account, role.name, session.name),
        ),
        credentials=credentials,
        packed_policy_size=packed,
        source_identity=session.source_identity,
        session_token_utilization=_utilization(size),
        session_token_size=size,
    )


@handles(sts.GetFederationTokenCommand, cached=True)
def get_federation_token(call: Call[sts.GetFederationTokenCommand]) -> sts.GetFederationTokenResponse:
    """Temporary credentials for whom the calling user, or root, vouches (area GFT)."""
    caller = call.caller
    session = issue.get_federation_token(call.command, caller, call.now, call.random(issue.RANDOM_BYTES))
    _check_session_policies(call, session)
    packed = packed_percentage(session.policy, session.policy_arns, session.tags)
    credentials = _credentials(call, session)
    size = len(credentials.session_token)
    return sts.GetFederationTokenResponse(
        credentials=credentials,
        federated_user=sts.FederatedUser(
            federated_user_id=f"{caller.account}:{session.name}",
            arn=arn.federated_user(call.partition, caller.account, session.name),
        ),
        packed_policy_size=packed or 0,
        session_token_utilization=_utilization(size),
        session_token_size=size,
    )


@handles(sts.GetSessionTokenCommand, cached=True)
def get_session_token(call: Call[sts.GetSessionTokenCommand]) -> sts.GetSessionTokenResponse:
    """Temporary credentials of the caller itself, marked with MFA where a one-time code was right (area GST)."""
    command = call.command
    mfa = None
    if command.serial_number is not None or command.token_code is not None:
        mfa = verify(call, command.serial_number, command.token_code)
    session = issue.get_session_token(command, call.caller, call.now, call.random(issue.RANDOM_BYTES), mfa=mfa)
    credentials = _credentials(call, session)
    size = len(credentials.session_token)
    return sts.GetSessionTokenResponse(
        credentials=credentials, session_token_utilization=_utilization(size), session_token_size=size
    )
