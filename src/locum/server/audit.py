"""One audit line for every request, in CloudTrail's shape, written before the answer leaves.

A line never holds a secret: members of type :class:`~locum.secret.Secret` are left out by their type, and session
tokens too, where AWS prints them (divergence from STS-CT-007).  The actor is the verified caller or nobody (R24).
"""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from locum.api import sts
from locum.api.shapes import Command, Kind, Member, Shape, members
from locum.core.outbound import token_id
from locum.core.proof import FederatedIdentity
from locum.core.session import Caller, CallerKind, Federation, FederationKind, SessionKind
from locum.errors import ERRORS, ServiceException
from locum.policy import PrincipalKind

__all__ = ["Event", "asked_by_proof", "asked_of", "bearer_of", "identity_of", "lines_of", "parameters_of"]

_EVENT_VERSION: Final = "1.11"
_MAXIMUM_TEXT: Final = 1_024
"""Characters of a client-chosen header value that a line keeps."""

_encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What happened in one request.  ``now`` is epoch seconds; ``new_id`` draws the UUIDs of the records."""

    now: float
    event_source: str
    name: str
    region: str
    request_id: str
    new_id: Callable[[], str]
    peer: str
    host: str
    user_agent: str
    secure: bool
    read_only: bool
    caller: Caller | None
    error: ServiceException | None = None
    parameters: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    resources: tuple[dict[str, str], ...] = ()
    owner: str = ""
    """The account of the resource where it is not the caller's: it gets a record of its own (STS-CT-011)."""
    authorization: dict[str, Any] | None = None
    """What :mod:`locum.server.denials` records of a refusal by policy."""
    bearer: FederatedIdentity | None = None
    """For whom an identity provider vouched, of a request that nobody signed."""


class _Attributes(msgspec.Struct, rename="camel", gc=False):
    creation_date: str
    mfa_authenticated: str


class _Issuer(msgspec.Struct, rename="camel", gc=False):
    type: str
    principal_id: str
    arn: str
    account_id: str
    user_name: str | msgspec.UnsetType = msgspec.UNSET


class _SessionContext(msgspec.Struct, rename="camel", gc=False):
    session_issuer: _Issuer | msgspec.UnsetType
    web_id_federation_data: dict[str, Any] | msgspec.UnsetType
    attributes: _Attributes
    source_identity: str | msgspec.UnsetType
    assumed_root: str | msgspec.UnsetType = msgspec.UNSET


class _Identity(msgspec.Struct, rename="camel", gc=False):
    type: str
    principal_id: str
    arn: str
    account_id: str
    access_key_id: str
    user_name: str | msgspec.UnsetType = msgspec.UNSET
    session_context: _SessionContext | msgspec.UnsetType = msgspec.UNSET


class _Bearer(msgspec.Struct, rename="camel", gc=False):
    type: str
    principal_id: str
    user_name: str
    identity_provider: str


_SPELLED: Final = {"source_ip_address": "sourceIPAddress", "request_id": "requestID", "event_id": "eventID"} | {
    "shared_event_id": "sharedEventID"
}


class _Record(
    msgspec.Struct,
    gc=False,
    rename=lambda name: _SPELLED.get(name, name[0] + name.title().replace("_", "")[1:]),
):
    """A record of CloudTrail, its members in the order in which native records have them (STS-CT-001)."""

    event_version: str
    user_identity: msgspec.Raw
    event_time: str
    event_source: str
    event_name: str
    aws_region: str
    source_ip_address: str
    user_agent: str
    error_code: str | msgspec.UnsetType
    error_message: str | msgspec.UnsetType
    request_parameters: dict[str, Any] | None
    response_elements: dict[str, Any] | None
    additional_event_data: msgspec.Raw
    request_id: str
    event_id: str
    read_only: bool
    resources: tuple[dict[str, str], ...] | msgspec.UnsetType
    event_type: str
    management_event: bool
    recipient_account_id: str | None
    shared_event_id: str | msgspec.UnsetType
    event_category: str
    tls_details: dict[str, str] | msgspec.UnsetType


_NOBODY: Final = msgspec.Raw(b'{"type":"Unknown"}')


@functools.lru_cache(maxsize=256)
def _instant(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _spoken(moment: datetime.datetime) -> str:
    """A date as CloudTrail prints it in parameters: ``Oct 25, 2024, 9:07:11 PM`` (STS-CT-007)."""
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"
    return f"{month} {moment.day}, {moment.year}, {hour}:{moment.minute:02d}:{moment.second:02d} {half}"


def _writer(member: Member) -> Callable[[Any], Any] | None:
    """How a value of a member is shown; None where it is shown as it is."""
    if member.kind is Kind.STRUCTURE:
        return parameters_of
    if member.kind is Kind.TIMESTAMP:
        return _spoken
    if member.kind is Kind.LIST and member.element is not None:
        write = _writer(member.element)
        return list if write is None else lambda value: [write(each) for each in value]
    return None


_FIRST: Final[dict[type[Shape], tuple[str, ...]]] = {
    sts.AssumeRoleCommand: (
        "tags",
        "transitive_tag_keys",
        "role_arn",
        "role_session_name",
        "source_identity",
        "duration_seconds",
        "external_id",
        "serial_number",
        "policy",
        "policy_arns",
    ),
    sts.AssumeRoleWithSAMLCommand: ("role_arn", "principal_arn", "duration_seconds"),
    sts.AssumeRoleWithSAMLResponse: (
        *("subject", "subject_type", "issuer", "name_qualifier", "audience"),
        *("credentials", "assumed_role_user", "source_identity"),
    ),
    sts.AssumeRoleWithWebIdentityCommand: ("role_arn", "role_session_name", "duration_seconds"),
    sts.AssumeRoleWithWebIdentityResponse: (
        *("provider", "subject_from_web_identity_token", "audience"),
        *("credentials", "assumed_role_user", "source_identity"),
    ),
    sts.AssumeRoleResponse: ("credentials", "assumed_role_user", "packed_policy_size", "source_identity"),
    sts.AssumeRootCommand: ("target_principal", "task_policy_arn", "duration_seconds"),
    sts.GetFederationTokenCommand: ("name", "duration_seconds", "policy", "policy_arns", "tags"),
    sts.GetFederationTokenResponse: ("credentials", "federated_user", "packed_policy_size"),
    sts.GetWebIdentityTokenCommand: ("audience", "signing_algorithm", "duration_seconds", "tags"),
    sts.GetWebIdentityTokenResponse: ("web_identity_token", "expiration"),
}
"""The members that native records begin with, in their order (STS-CT-T01…T03, T05); others follow as declared."""
_PROVED: Final = {
    "AssumeRoleWithSAML": (
        *("sAMLAssertionID", "roleSessionName", "roleArn", "principalArn", "durationSeconds"),
        *("principalTags", "transitiveTagKeys", "sourceIdentity"),
    ),
    "AssumeRoleWithWebIdentity": (
        *("roleArn", "roleSessionName", "durationSeconds", "principalTags", "transitiveTagKeys", "sourceIdentity"),
    ),
}
"""The parameters of the operations that bring a proof, in their order, what the proof says among them."""
_SIZES: Final = frozenset({"session_token_size", "session_token_utilization"})
"""Members that no native record has (STS-CT-T01, STS-CT-T05, STS-CT-T06)."""
_IDENTIFIED: Final[dict[type[Shape], tuple[tuple[str, str, Callable[[Any], Any]], ...]]] = {
    sts.GetWebIdentityTokenResponse: (
        ("web_identity_token", "webIdentityTokenId", lambda token: token_id(token.reveal())),
    )
}
"""Secret members of which records show an id that is in them: attribute, name in the line, how it is read."""


@functools.cache
def _fields(shape: type[Shape]) -> tuple[tuple[str, str, Callable[[Any], Any] | None], ...]:
    """What of a shape may be shown: attribute, name in the line, writer.  Secrets and binary data are not in it."""
    shown = {
        member.attribute: (member.attribute, member.path, _writer(member))
        for member in members(shape)
        if not member.limits.secret and member.kind is not Kind.BLOB and member.attribute not in _SIZES
    }
    shown |= {each[0]: each for each in _IDENTIFIED.get(shape, ())}
    first = _FIRST.get(shape, ())
    return (*(shown[name] for name in first), *(each for name, each in shown.items() if name not in first))


def parameters_of(shape: Shape) -> dict[str, Any] | None:
    """The members of a command or an answer in lower camel case (STS-CT-008), secrets and absent ones left out."""
    shown = {}
    for attribute, name, write in _fields(type(shape)):
        value = getattr(shape, attribute)
        if value is not None and value != ():
            shown[name] = value if write is None else write(value)
    return shown or None


def asked_of(command: Command[Any], caller: Caller | None) -> dict[str, Any] | None:
    """The parameters of a request, with what the caller's session passes on to a role: its transitive tags and its
    source identity (STS-CT-009, STS-CT-010)."""
    session = None if caller is None else caller.session
    if session is None or not isinstance(command, sts.AssumeRoleCommand):
        return parameters_of(command)
    if session.source_identity is not None:
        command = msgspec.structs.replace(command, source_identity=session.source_identity)
    shown = parameters_of(command)
    if session.transitive_tags and shown is not None:
        return {"incomingTransitiveTags": dict(session.transitive_tags), **shown}
    return shown


def asked_by_proof(
    command: Command[Any], identity: FederatedIdentity, session_name: str, assertion_id: str
) -> dict[str, Any]:
    """The parameters of a request that nobody signed, with what its proof asks for (STS-CT-008, STS-CT-009)."""
    shown = {**(parameters_of(command) or {}), "roleSessionName": session_name}
    if assertion_id:
        shown["sAMLAssertionID"] = assertion_id
    if identity.tags:
        shown["principalTags"] = {tag.key: tag.value for tag in identity.tags}
    if identity.transitive_tag_keys:
        shown["transitiveTagKeys"] = list(identity.transitive_tag_keys)
    if identity.source_identity is not None:
        shown["sourceIdentity"] = identity.source_identity
    return {name: shown[name] for name in _PROVED[command.operation.name] if name in shown} | shown


def bearer_of(identity: FederatedIdentity) -> msgspec.Raw:
    """CloudTrail's ``userIdentity`` of whom an identity provider vouched for, as JSON (STS-CT-020, STS-CT-021)."""
    subject, provider = identity.subject[:_MAXIMUM_TEXT], identity.name_qualifier
    if identity.principal.kind is PrincipalKind.SAML:
        return msgspec.Raw(_encoder.encode(_Bearer("SAMLUser", f"{provider}:{subject}", subject, provider)))
    provider = identity.principal.name
    principal_id = f"{provider}:{identity.audience[:_MAXIMUM_TEXT]}:{subject}"
    return msgspec.Raw(_encoder.encode(_Bearer("WebIdentityUser", principal_id, subject, provider)))


def identity_of(caller: Caller | None) -> msgspec.Raw:
    """CloudTrail's ``userIdentity`` of a caller (STS-CT-015…019 and the shapes of section 25.2), as JSON."""
    if caller is None:
        return _NOBODY
    own = (_TYPES[caller.kind], caller.user_id, caller.arn, caller.account, caller.access_key_id, caller.user_name)
    session = caller.session
    if session is None:
        return _long_term_identity(*own)
    issuer: _Issuer | msgspec.UnsetType = msgspec.UNSET
    if session.kind is SessionKind.ROLE:
        role = caller.principal_arn
        issuer = _Issuer("Role", caller.principal_id, role, caller.account, role.rpartition("/")[2])
    elif session.kind is SessionKind.FEDERATED:
        issuer = _federating(caller)
    context = _SessionContext(
        issuer,
        _web_id_data(session.federation),
        _Attributes(_instant(session.issued), "false" if session.mfa is None else "true"),
        session.source_identity or msgspec.UNSET,
        "true" if session.kind is SessionKind.ROOT_TASK else msgspec.UNSET,
    )
    return msgspec.Raw(_encoder.encode(_Identity(*own[:5], caller.user_name or msgspec.UNSET, context)))


_TYPES: Final = {
    CallerKind.USER: "IAMUser",
    CallerKind.USER_SESSION: "IAMUser",
    CallerKind.ROOT: "Root",
    CallerKind.ROOT_SESSION: "Root",
    CallerKind.ROLE_SESSION: "AssumedRole",
    CallerKind.FEDERATED_USER: "FederatedUser",
    CallerKind.ASSUMED_ROOT: "Root",
}


def _web_id_data(federation: Federation | None) -> dict[str, Any] | msgspec.UnsetType:
    """Where a session of web identity comes from (STS-CT-016)."""
    if federation is None or federation.kind is not FederationKind.WEB_IDENTITY:
        return msgspec.UNSET
    attributes = {key: value for key, value in federation.keys if isinstance(value, str)}
    return {"federatedProvider": federation.provider, "attributes": attributes}


def _federating(caller: Caller) -> _Issuer:
    """Who vouched for a federated user: a user, or the account's root user (STS-CT-017)."""
    account, made_by = caller.account, caller.issuer_arn
    if caller.principal_id == account:
        return _Issuer("Root", account, made_by, account)
    return _Issuer("IAMUser", caller.principal_id, made_by, account, made_by.rpartition("/")[2])


@functools.lru_cache(maxsize=4_096)
def _long_term_identity(kind: str, user_id: str, arn: str, account: str, key_id: str, user_name: str) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(_Identity(kind, user_id, arn, account, key_id, user_name or msgspec.UNSET)))


@functools.lru_cache(maxsize=256)
def _details(region: str) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(_request_details(region)))


def _request_details(region: str) -> dict[str, Any]:
    return {"RequestDetails": {"awsServingRegion": region, "endpointType": "regional"}}


def _additional(event: Event) -> msgspec.Raw:
    if event.authorization is None:
        return _details(event.region)
    return msgspec.Raw(_encoder.encode(_request_details(event.region) | {"authorization": event.authorization}))


def _record(event: Event, identity: msgspec.Raw, recipient: str | None, shared: str) -> bytes:
    error = event.error
    return _encoder.encode(
        _Record(
            _EVENT_VERSION,
            identity,
            _instant(int(event.now)),
            event.event_source,
            event.name,
            event.region,
            event.peer,
            event.user_agent[:_MAXIMUM_TEXT],
            # The class name where it differs from the wire code for modelled errors (STS-CT-006).
            msgspec.UNSET if error is None else ERRORS.get(error.code, type(error)).__name__,
            msgspec.UNSET if error is None else error.message,
            event.parameters,
            event.answer,
            _additional(event),
            event.request_id,
            event.new_id(),
            event.read_only,
            event.resources or msgspec.UNSET,
            "AwsApiCall",
            True,
            recipient,
            shared or msgspec.UNSET,
            "Management",
            {"clientProvidedHostHeader": event.host[:_MAXIMUM_TEXT]} if event.secure else msgspec.UNSET,
        )
    )


def lines_of(event: Event) -> list[bytes]:
    """The records of an event: one, or two that share an id where the resource is another account's (STS-CT-011)."""
    caller = event.caller
    if event.bearer is not None:
        # In the role's account alone (STS-CT-013).
        return [_record(event, bearer_of(event.bearer), event.bearer.principal.account, "")]
    if caller is None:
        return [_record(event, _NOBODY, None, "")]
    if not event.owner:
        return [_record(event, identity_of(caller), caller.account, "")]
    shared = event.new_id()
    stranger = {"type": "AWSAccount", "principalId": caller.user_id, "accountId": caller.account}
    return [
        _record(event, identity_of(caller), caller.account, shared),
        _record(event, msgspec.Raw(_encoder.encode(stranger)), event.owner, shared),
    ]
