"""The issuer that an account is to others: the claims of its tokens, its keys over time, what it publishes (area GWT).

Pure: time and random values are arguments, keys come opened.  What a key does follows from the time alone, so that
every process agrees on it and no job has to run: a new key is published for :data:`AHEAD` seconds before it signs, and
an old one until the last token that it signed is out of time.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from locum.api.sts import GetWebIdentityTokenCommand, Tag
from locum.core.jose import SIGNING_ALGORITHMS, PrivateKey, read_private_key, sign
from locum.core.organization import OrgFacts
from locum.core.records import OutboundIssuer, SigningKey
from locum.core.sealing import Vault
from locum.core.session import Caller, Session
from locum.errors import (
    InvalidParameterValue,
    JWTPayloadSizeExceededException,
    SessionDurationEscalationException,
    ValidationError,
)

__all__ = [
    "AHEAD",
    "BEHIND",
    "DISCOVERY",
    "FRESH",
    "JWKS",
    "MAXIMUM_KEYS",
    "MAXIMUM_PAYLOAD",
    "PATH",
    "Issuer",
    "State",
    "check",
    "claims",
    "discovery",
    "expiry",
    "issuer_url",
    "jwks",
    "lifetime",
    "open_issuer",
    "payload",
    "sealed_name",
    "signing",
    "states",
    "token_id",
]

PATH: Final = "/issuer/"
"""Under the public URL: where the issuers' own URLs begin."""
DISCOVERY: Final = "/.well-known/openid-configuration"
"""Under an issuer's URL: its discovery document (OpenID Connect Discovery 1.0 section 4)."""
JWKS: Final = "/.well-known/jwks.json"
"""Under an issuer's URL: its public keys (RFC 7517 section 5)."""

MAXIMUM_PAYLOAD: Final = 14_984
"""Bytes of the claims in UTF-8 (STS-GWT-008)."""
MAXIMUM_KEYS: Final = 8
"""Keys of one algorithm that an issuer has at most; each is used or published for two hours at least."""

FRESH: Final = 300
"""Seconds for which others may keep what is published."""
AHEAD: Final = 3_600
"""Seconds for which a key is published before it signs; more than :data:`FRESH`."""
BEHIND: Final = 3_600 + 300
"""Seconds for which a key stays published after it has signed for the last time: the longest life of a token
(STS-CALL-T28), and as much as clocks commonly differ."""

_DEFAULT_SECONDS: Final = 300
_NAMESPACE: Final = "https://sts.amazonaws.com/"

State = Literal["announced", "signing", "published", "withdrawn"]
"""What a key of an issuer is: published but not signing yet, signing, published but no longer signing, or over."""


def issuer_url(url: str, id: str) -> str:
    """The issuer's identifier, the claim ``iss``: under the server's public URL, one for each account."""
    return f"{url}{PATH}{id}"


# Keys


def signing(keys: Iterable[SigningKey], algorithm: str, now: float) -> SigningKey | None:
    """The key that signs: the latest whose time has come; where the clock went back behind all of them the oldest."""
    ordered = sorted((each for each in keys if each.algorithm == algorithm), key=lambda each: each.order)
    begun = [each for each in ordered if each.signs <= now]
    return begun[-1] if begun else ordered[0] if ordered else None


def states(keys: Sequence[SigningKey], now: float) -> list[tuple[SigningKey, State]]:
    """Every key with what it is at a time in epoch seconds, by algorithm and in the order in which they sign."""
    found: list[tuple[SigningKey, State]] = []
    for algorithm in SIGNING_ALGORITHMS:
        ordered = sorted((each for each in keys if each.algorithm == algorithm), key=lambda each: each.order)
        signer = signing(ordered, algorithm, now)
        for each, successor in zip(ordered, [*ordered[1:], None], strict=False):
            state: State = "published"
            if each is signer:
                state = "signing"
            elif each.signs > now:
                state = "announced"
            elif successor is not None and successor.signs + BEHIND <= now:
                state = "withdrawn"
            found.append((each, state))
    return found


class Issuer(msgspec.Struct, frozen=True, gc=False):
    """An account's issuer with its keys, the private halves opened."""

    record: OutboundIssuer
    keys: tuple[SigningKey, ...]
    opened: Mapping[str, PrivateKey]

    def token(self, algorithm: str, payload: bytes, now: float) -> str:
        """A payload, signed with the key that signs at a time in epoch seconds; LookupError where there is none."""
        key = signing(self.keys, algorithm, now)
        if key is None:
            raise LookupError(f"the issuer of account {self.record.account} has no key for {algorithm}")
        return sign({"alg": algorithm, "kid": key.id, "typ": "JWT"}, payload, self.opened[key.id])


def sealed_name(account: str, id: str) -> str:
    """The name under which the private half of a key is sealed; its purpose is the record's kind."""
    return f"{account}/{id}"


def open_issuer(record: OutboundIssuer, keys: Sequence[SigningKey], vault: Vault) -> Issuer:
    """The issuer of an account's records; CannotOpen where the wrapping key is another one, ValueError for damage."""
    opened = {
        each.id: read_private_key(
            vault.unwrap(each.secret, purpose=each.kind, name=sealed_name(each.account, each.id)), each.algorithm
        )
        for each in keys
    }
    return Issuer(record, tuple(keys), opened)


# What is published


def discovery(url: str) -> bytes:
    """The discovery document of an issuer.

    There is no flow by which users sign in here, hence no authorization endpoint; whoever verifies tokens needs the
    issuer and the place of its keys.
    """
    return msgspec.json.encode({
        "issuer": url,
        "jwks_uri": url + JWKS,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "jti", _NAMESPACE],
    })  # fmt: skip


def jwks(keys: Sequence[SigningKey], now: float) -> bytes:
    """The public keys that verify tokens which are in force, or will be soon."""
    return msgspec.json.encode({"keys": [each.jwk for each, state in states(keys, now) if state != "withdrawn"]})


# Tokens


def check(command: GetWebIdentityTokenCommand) -> None:
    """ValidationError for another algorithm (STS-GWT-005), InvalidParameterValue for a tag key twice (STS-GWT-009)."""
    if command.signing_algorithm not in SIGNING_ALGORITHMS:
        raise ValidationError(
            "Requested SigningAlgorithm is not supported. "
            "See the GetWebIdentityToken documentation for supported algorithms"
        )
    if len({tag.key.lower() for tag in command.tags}) != len(command.tags):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")


def lifetime(command: GetWebIdentityTokenCommand) -> int:
    """The seconds that the token lives: as asked, else 300 (STS-CALL-T28)."""
    return command.duration_seconds if command.duration_seconds is not None else _DEFAULT_SECONDS


def expiry(command: GetWebIdentityTokenCommand, session: Session | None, now: float) -> int:
    """When the token expires, in epoch seconds; SessionDurationEscalation beyond the caller's session (STS-GWT-007)."""
    expires = int(now) + lifetime(command)
    if session is not None and expires > session.expires:
        raise SessionDurationEscalationException(
            "Requested token expiry time must be before the original session's expiry time."
        )
    return expires


def claims(
    command: GetWebIdentityTokenCommand,
    caller: Caller,
    *,
    issuer: str,
    region: str,
    tags: Mapping[str, str],
    issued: int,
    expires: int,
    id: str,
    organization: OrgFacts | None = None,
) -> dict[str, Any]:
    """The claims of a token (STS-GWT-011…014).

    ``tags`` are the own tags of the caller's user or role, ``issued`` and ``expires`` epoch seconds, ``id`` the token's
    UUID.  The subject is the user or the role, path included, and never the session.  ``organization`` is that of the
    caller's account.
    """
    audience = command.audience
    about: dict[str, Any] = {
        "aws_account": caller.account,
        "source_region": region,
        "principal_id": caller.principal_arn,
    }
    if organization is not None:
        about["org_id"] = organization.id
        about["ou_path"] = [organization.path]
    session = caller.session
    if principal_tags := _principal_tags(tags, session):
        about["principal_tags"] = principal_tags
    if command.tags:
        about["request_tags"] = _pairs(command.tags)
    if session is not None:
        about["original_session_exp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.expires))
        if session.source_identity is not None:
            about["source_identity"] = session.source_identity
        if session.federation is not None:
            about["federated_provider"] = session.federation.provider
    return {
        "iss": issuer,
        "sub": caller.principal_arn,
        "aud": audience[0] if len(audience) == 1 else audience,
        "iat": issued,
        "exp": expires,
        "jti": id,
        _NAMESPACE: about,
    }


def payload(claims: Mapping[str, Any]) -> bytes:
    """The claims as they are signed; JWTPayloadSizeExceeded beyond :data:`MAXIMUM_PAYLOAD` bytes."""
    encoded = msgspec.json.encode(claims)
    if len(encoded) > MAXIMUM_PAYLOAD:
        raise JWTPayloadSizeExceededException("JWT payload exceeds maximum allowed size")
    return encoded


def _pairs(tags: Iterable[Tag]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}


def _principal_tags(own: Mapping[str, str], session: Session | None) -> dict[str, str]:
    """The principal's tags, a session's over its own whatever the case of their keys (STS-TAG-010)."""
    given = () if session is None else (*session.transitive_tags, *session.tags)
    replaced = {key.lower() for key, _ in given}
    return {key: value for key, value in own.items() if key.lower() not in replaced} | dict(given)


class _Identified(msgspec.Struct):
    jti: str


_identified: Final = msgspec.json.Decoder(_Identified)


def token_id(token: str) -> str:
    """The claim ``jti`` of a token of our own, which records name it by (STS-GWT-016)."""
    body = token.split(".")[1]
    return _identified.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))).jti
