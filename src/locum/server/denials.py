"""What a refusal by policy leaves behind for those who may know why: sealed messages (area DAM).

A denied request is explained once more with the very question and policies that were decided upon (R30).  Two messages
come of it, sealed with a purpose key of their own (R14): one goes to the caller in the header :data:`HEADER` and opens
for callers of the same account who are allowed ``sts:DecodeAuthorizationMessage``; the other goes into the audit line
and opens for the administrator of the server alone.  Across accounts the caller's message is made without ever looking
at what the other account's policies and tags say, so that nothing in it follows from them (POL-MSG-008).

A message is a token of :mod:`locum.core.token` in the URL alphabet without padding (STS-DAM-002).  What is sealed is,
byte by byte: the format, 1; the raw deflate (RFC 1951) of a :class:`Message` in msgpack, with :data:`_DICTIONARY`;
zeros.  A caller's message always has the same length: compressed text would tell by its length what it holds.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from locum.core.token import KeyRing, Purpose, TokenNotIntact
from locum.errors import InvalidAuthorizationMessageException
from locum.guard.directory import CallerPolicies
from locum.policy import Ask, CompiledPolicy, Decision, Effect, Layer, Policies, PolicyKind, load
from locum.policy.explain import explain
from locum.policy.explanation import Explanation, Fix, LayerReport
from locum.policy.message import authorization_message

__all__ = [
    "HEADER",
    "HEADER_CHARACTERS",
    "LIFETIME",
    "Denial",
    "Denied",
    "Disagreement",
    "Message",
    "decode",
    "denied",
    "document",
    "explained",
    "open_message",
]

HEADER: Final = "x-locum-authorization-message"
"""The header of a refusal by policy that carries the caller's message; no SDK looks at it."""

HEADER_CHARACTERS: Final = 3_072
"""Length of every caller's message: with the other headers it fits into the 4 KiB that proxies keep for them."""

LIFETIME: Final = 7 * 86_400
"""Seconds for which DecodeAuthorizationMessage opens a message; AWS's figure is not known (STS-DAM-003)."""

_NOT_VALID: Final = "Message is not valid"
_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TOKEN_BYTES: Final = 34
"""Bytes of a token beside what is sealed: version, type, key id, nonce, tag."""
_HEADER_BYTES: Final = HEADER_CHARACTERS // 4 * 3 - _TOKEN_BYTES
_RECORD_BYTES: Final = 6_000
"""Bytes sealed into an audit line's message at most."""
_RECORD_TEXT: Final = 1_024
"""Characters of a name in an audit line."""
_INFLATED_BYTES: Final = 131_072
"""Bytes that a message may have before it is deflated, and so when it is opened."""
_TEXT: Final = re.compile(r"[A-Za-z0-9_-]{1,10240}\Z")
_TO_URL: Final = str.maketrans("+/", "-_", "=")
_FROM_URL: Final = str.maketrans("-_", "+/")
_CHOSEN_POLICIES: Final = 3
_CHOSEN_KEYS: Final = 24

# Part of format 1: a change would make every message of that format unreadable.
_DICTIONARY: Final = (
    b"organizations:secretsmanager:kms:ec2:lambda:dynamodb:s3:GetObjectListBucketDescribeDeleteCreateUpdatePut"
    b"\xabservice control policy\xb7resource control policy\xb5resource-based policy\xabsession policy"
    b"\xb4permissions boundary\xb1role trust policy\xb5identity-based policy\xaenearest\xa7matched\xa7problem"
    b"\xabForAnyValue:\xacForAllValues:IfExists\xa8ArnLike\xaaStringLike\xafStringNotEquals\xacStringEquals\xa4Bool"
    b"\xa6hint\xa8operator\xa8resolved\xa6absent\xc3\xa9Condition\xa9NotAction\xabNotResource\xacNotPrincipal"
    b"aws:SourceVpceaws:RequestTag/aws:TagKeysiam:PermissionsBoundaryiam:ResourceTag/aws:ResourceTag/"
    b"aws:ResourceAccountaws:PrincipalTag/sts:ExternalIdsts:RoleSessionNameaws:MultiFactorAuthPresent"
    b"aws:TokenIssueTimeaws:UserAgentaws:RequestedRegionaws:ViaAWSServiceaws:SourceIpaws:SecureTransport"
    b"aws:PrincipalIsAWSServiceaws:PrincipalTypeaws:PrincipalAccountaws:PrincipalArnaws:EpochTimeaws:CurrentTime"
    b"aws:useridaws:usernameIAMUserAssumedRoleFederatedUserRootUser eu-central-1us-east-1falsetrue"
    b"iam:Deleteiam:CreateUseriam:ListUsersiam:GetUsersts:TagSessionsts:SetSourceIdentitysts:AssumeRole"
    b":assumed-role/arn:aws:sts:::user/arn:aws:iam:::role/arn:aws:iam::aws:policy/:policy/arn:aws:iam::"
    b"\xa8decision\xa6effect\xacImplicitDeny\xacExplicitDeny\xa5layer\xaastatements\xadcross_account\xc2"
    b"\xa5asked\xa4kind\xa6action\xa8resource\xb0resource_account\xa3arn\xa7account\xa2id\xa9unique_id\xa4name"
    b"\xa7context\x92\x82\xa3key\xa6values\x91\xa6layers\x91\x84\xa5layer\xa7verdict\xaedoes not allow\xa6allows"
    b"\xa6denies\xa8policies\x91\x83\xa4name\xaastatements\x01\xa7nearest\x83\xa5index\x00\xa6effect\xa5Allow\xa4Deny"
    b"\xa3sid\xa6checks\x93\x85\xa7element\xa9Principal\xa6Action\xa4held\xc3\x83\xa7element\xa8Resource\xa4held\xc2"
    b"\xa6wanted\x91\xa5given\x91\xa5fixes\x91\x82\xa5layer\xa4text\xa8complete\xc2"
)


class Denied(msgspec.Struct, frozen=True):
    """A refusal by policy: the decision, and the question and the policies that it followed from."""

    decision: Decision
    ask: Ask
    policies: Policies


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed, in this order; new members go to the end.

    ``reader`` is the account whose callers may decode it, empty for none; ``time`` epoch seconds; ``shortened`` tells
    that parts of the explanation were left out to fit.
    """

    reader: str
    time: int
    request_id: str
    account: str
    resource_account: str
    shortened: bool
    explanation: Explanation


class Denial(msgspec.Struct, frozen=True, gc=False):
    """What a refusal by policy hands out: the caller's message, and the object for the audit line.

    Either is empty where no message could be made.
    """

    message: str
    record: dict[str, Any]


class Disagreement(Exception):
    """Explaining came to another decision than the one that was enforced."""


def denied(
    decision: Decision,
    caller: CallerPolicies,
    action: str,
    resource: str,
    resource_account: str,
    context: Mapping[str, str | tuple[str, ...]],
    *,
    trust: CompiledPolicy | None = None,
    role: bool = False,
) -> Denied:
    """A decision with what it was made of; ``role`` for one of :meth:`CallerPolicies.may_assume`, with ``trust``."""
    policies = caller.beside(trust) if role else caller.alone()
    return Denied(decision, Ask(caller.principal, action, resource, resource_account, dict(context)), policies)


def explained(denied: Denied, ring: KeyRing, *, request_id: str, now: float, random: Callable[[int], bytes]) -> Denial:
    """The messages of a refusal; ``random`` gives bytes, ``now`` is epoch seconds.

    :class:`Disagreement` where the explanation does not confirm the decision: such a message would mislead.
    """
    ask = denied.ask
    account, owner = ask.principal.account, ask.resource_account
    whole = explain(ask, denied.policies)
    if whole.decision != denied.decision:
        raise Disagreement(f"{ask.action}: enforced {denied.decision.effect}, explained {whole.decision.effect}")
    own = whole if account == owner else _own_side(denied)

    def sealed(explanation: Explanation, reader: str, room: int, *, padded: bool) -> str:
        for shortened, each in enumerate(_ever_shorter(explanation)):
            message = Message(reader, int(now), request_id, account, owner, shortened > 0, each)
            encoded = _encode(message)
            if len(encoded) > _INFLATED_BYTES:
                continue
            plaintext = _FORMAT + _deflated(encoded)
            if len(plaintext) <= room:
                nonce = random(_NONCE_BYTES)
                plaintext = plaintext.ljust(room, b"\0") if padded else plaintext
                return ring.seal(Purpose.AUTHORIZATION_MESSAGE, plaintext, nonce).translate(_TO_URL)
        return ""

    return Denial(
        sealed(own, account, _HEADER_BYTES, padded=True) if account else "",
        _record(own.decision, sealed(whole, "", _RECORD_BYTES, padded=False)),
    )


def open_message(ring: KeyRing, text: str) -> Message:
    """What a message holds; TokenNotIntact for every text that this ring did not seal as one, or no longer opens."""
    if _TEXT.match(text) is None:
        raise TokenNotIntact("the message has characters that none has")
    token = text.translate(_FROM_URL) + "=" * (-len(text) % 4)
    plaintext = ring.open(Purpose.AUTHORIZATION_MESSAGE, token)
    if plaintext[:1] != _FORMAT:
        raise TokenNotIntact("the message has an unknown format")
    inflater = zlib.decompressobj(-15, zdict=_DICTIONARY)
    try:
        message = _decode(inflater.decompress(plaintext[1:], _INFLATED_BYTES))
    except (zlib.error, msgspec.DecodeError):
        raise TokenNotIntact("the message is not well formed") from None
    if not inflater.eof:
        raise TokenNotIntact("the message is too large")
    return message


def decode(ring: KeyRing, text: str, account: str, now: float) -> str:
    """The JSON document of a message for a caller of ``account`` (STS-DAM-004).

    InvalidAuthorizationMessage for every text that is none, is older than :data:`LIFETIME`, or is not for this account
    (STS-DAM-003); the cause is not told.
    """
    try:
        message = open_message(ring, text)
    except TokenNotIntact:
        raise InvalidAuthorizationMessageException(_NOT_VALID) from None
    if message.reader != account or now - message.time >= LIFETIME:
        raise InvalidAuthorizationMessageException(_NOT_VALID)
    # ASCII alone: what a caller put into a header must not be what XML cannot carry.
    return json.dumps(document(message), separators=(",", ":"))


def document(message: Message) -> dict[str, Any]:
    """AWS's layout (STS-DAM-005), then two members of ours: the request, and the whole explanation."""
    return {
        **authorization_message(message.explanation),
        "request": {
            "id": message.request_id,
            "time": message.time,
            "account": message.account,
            "resourceAccount": message.resource_account,
            "shortened": message.shortened,
        },
        "explanation": json.loads(message.explanation.to_json()),
    }


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode

_ANYBODY: Final = {
    Layer.TRUST: load(
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}', PolicyKind.TRUST
    ),
    Layer.RESOURCE: load(
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}',
        PolicyKind.RESOURCE,
    ),
}
"""Stands in for a policy that the caller must not see."""
_OF_RESOURCE: Final = ("aws:resourcetag/", "iam:resourcetag/", "aws:resourceorg")


def _own_side(denied: Denied) -> Explanation:
    """The refusal as the caller's account may see it: what its own policies say, were the owner to allow everything."""
    ask, layer = denied.ask, denied.policies.resource_layer
    context = {key: value for key, value in ask.context.items() if not key.startswith(_OF_RESOURCE)}
    found = explain(
        msgspec.structs.replace(ask, context=context),
        msgspec.structs.replace(denied.policies, resource=_ANYBODY[layer], rcps=None),
    ).seen_from(ask.principal.account)
    decision = found.decision
    if decision.allowed:
        decision = msgspec.structs.replace(decision, effect=Effect.IMPLICIT_DENY, layer=None, statements=())
    unseen = Fix(
        layer,
        f"the owner of the resource, account {ask.resource_account}, must allow it too: "
        f"what its policies say is not shown to other accounts",
    )
    return msgspec.structs.replace(found, decision=decision, fixes=(*found.fixes, unseen))


def _ever_shorter(explanation: Explanation) -> Iterator[Explanation]:
    """The explanation, and less and less of it: first what did not decide goes, last the names of the policies."""
    replace = msgspec.structs.replace
    yield explanation
    decision, asked = explanation.decision, explanation.asked
    decided = {reference.policy for reference in decision.statements}

    def bare(report: LayerReport) -> LayerReport:
        return replace(report, policies=(), cut=report.cut + len(report.policies))

    def chosen(report: LayerReport) -> LayerReport:
        kept = sorted(report.policies, key=lambda each: (each.name not in decided, each.nearest is None))
        return replace(
            report,
            policies=tuple(kept[:_CHOSEN_POLICIES]),
            cut=report.cut + max(0, len(kept) - _CHOSEN_POLICIES),
        )

    layers = tuple(each if each.layer is decision.layer else bare(each) for each in explanation.layers)
    yield replace(explanation, layers=layers)
    layers = tuple(chosen(each) if each.layer is decision.layer else each for each in layers)
    keys = replace(
        asked, context=asked.context[:_CHOSEN_KEYS], cut=asked.cut + max(0, len(asked.context) - _CHOSEN_KEYS)
    )
    yield replace(explanation, layers=layers, asked=keys)
    keys = replace(asked, context=(), cut=asked.cut + len(asked.context))
    yield replace(explanation, layers=layers, asked=keys)
    yield replace(explanation, layers=tuple(map(bare, layers)), asked=keys)
    yield replace(explanation, layers=(), fixes=explanation.fixes[:1], complete=False, asked=keys)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    return packer.compress(data) + packer.flush()


def _record(decision: Decision, message: str) -> dict[str, Any]:
    """The audit line's object; the line is the caller's account's, so the decision is as that account may see it."""
    shown: dict[str, Any] = {"effect": decision.effect.value}
    if decision.layer is not None:
        shown["layer"] = decision.layer.value
    shown["statements"] = [
        {"policy": each.policy[:_RECORD_TEXT], "sid": each.sid[:_RECORD_TEXT], "index": each.index}
        for each in decision.statements
    ]
    if message:
        shown["message"] = message
    return shown
