"""The handlers of STS.  Each is the few lines between an authorized call and its answer; the rules are in the core."""

from __future__ import annotations

from locum import arn
from locum.api import sts
from locum.core import issue
from locum.core.packing import packed_percentage
from locum.core.records import Role
from locum.errors import ValidationError
from locum.server import denials
from locum.server.handlers import Call, handles
from locum.server.issuing import check_session_policies, credentials_of, utilization
from locum.server.mfa import verify

__all__ = [
    "assume_role",
    "decode_authorization_message",
    "get_access_key_info",
    "get_caller_identity",
    "get_federation_token",
    "get_session_token",
]


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
    check_session_policies(call, session)
    packed = packed_percentage(session.policy, session.policy_arns, session.transitive_tags + session.tags)
    credentials = credentials_of(call, session)
    size = len(credentials.session_token)
    return sts.AssumeRoleResponse(
        assumed_role_user=sts.AssumedRoleUser(
            assumed_role_id=f"{role.id}:{session.name}",
            arn=arn.assumed_role(call.partition, role.account, role.name, session.name),
        ),
        credentials=credentials,
        packed_policy_size=packed,
        source_identity=session.source_identity,
        session_token_utilization=utilization(size),
        session_token_size=size,
    )


@handles(sts.GetFederationTokenCommand, cached=True)
def get_federation_token(call: Call[sts.GetFederationTokenCommand]) -> sts.GetFederationTokenResponse:
    """Temporary credentials for whom the calling user, or root, vouches (area GFT)."""
    caller = call.caller
    session = issue.get_federation_token(call.command, caller, call.now, call.random(issue.RANDOM_BYTES))
    check_session_policies(call, session)
    packed = packed_percentage(session.policy, session.policy_arns, session.tags)
    credentials = credentials_of(call, session)
    size = len(credentials.session_token)
    return sts.GetFederationTokenResponse(
        credentials=credentials,
        federated_user=sts.FederatedUser(
            federated_user_id=f"{caller.account}:{session.name}",
            arn=arn.federated_user(call.partition, caller.account, session.name),
        ),
        packed_policy_size=packed or 0,
        session_token_utilization=utilization(size),
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
    credentials = credentials_of(call, session)
    size = len(credentials.session_token)
    return sts.GetSessionTokenResponse(
        credentials=credentials, session_token_utilization=utilization(size), session_token_size=size
    )
