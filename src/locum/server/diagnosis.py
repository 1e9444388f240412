"""Why a token or an assertion opens no session: the very verification of the two operations, with every check told.

There is no second verifier: :mod:`locum.server.federation` verifies for bearers and for whoever diagnoses, and
:mod:`locum.server.authorization` asks the trust policy (R4, R30).  What is left out is the session itself.  It is told
to callers of the provider's own account alone (R12), and to whoever has the data directory.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from locum.api import extensions, sts
from locum.api.extensions import OK, DiagnosisCheck
from locum.arn import Arn
from locum.core import issue, oidc
from locum.core.proof import Check, Trail
from locum.core.records import SpentAssertion
from locum.errors import (
    AccessDenied,
    ExpiredTokenException,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
    InvalidParameterValue,
    NoSuchEntityException,
    PackedPolicyTooLargeException,
    ServiceException,
    ValidationError,
)
from locum.http import Request
from locum.policy import Effect
from locum.policy.explain import explain
from locum.policy.explanation import Explanation
from locum.server.authorization import authorize_by_proof
from locum.server.denials import Denied
from locum.server.federation import SPENT, prove_assertion, prove_token, session_by_proof
from locum.server.handlers import Call, Proof, handles
from locum.server.jwks import KeysNeeded

__all__ = [
    "MAX_TEXT",
    "SESSION_NAME",
    "Outcome",
    "diagnose_saml_assertion",
    "diagnose_web_identity_token",
    "of_assertion",
    "of_token",
]

MAX_TEXT: Final = 1_024
"""Characters of a value that a check shows."""

SESSION_NAME: Final = "doctor"
"""The session name that a trust policy sees where the caller gives none."""

_REFUSALS: Final = (
    ExpiredTokenException,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
)
_NO_SESSION: Final = (
    ExpiredTokenException,
    InvalidParameterValue,
    PackedPolicyTooLargeException,
    ValidationError,
)
_FROM_ENCRYPTED: Final = frozenset({"decryption", "encrypted content", "assertion is signed", "assertion signature"})
_ENCRYPTED: Final = "decryption and signature"


class Outcome(NamedTuple):
    """The checks in their order, the error that STS would answer, and why a trust policy refuses."""

    checks: tuple[Check, ...]
    error: ServiceException | None = None
    explanation: Explanation | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing stands in the way of a session."""
        return self.error is None and all(each.passed for each in self.checks)


def of_token(
    call: Call[extensions.DiagnoseWebIdentityTokenCommand], account: str, *, fetched: Sequence[Check] = ()
) -> Outcome:
    """How a token fares in an account; ``fetched`` are the checks of fetching its issuer's keys, where there are some.

    KeysNeeded where keys must be fetched, and may be.  NoSuchEntity for ARNs of another account (R12).
    """
    command, trail = call.command, Trail()
    role = _role(command.role_arn, account)
    partition = role.partition if role is not None else call.partition
    _own(command.open_id_connect_provider_arn, account)
    try:
        if _is_of_another_provider(call, partition, account, trail):
            raise oidc.unknown_provider(oidc.hints(command.web_identity_token.reveal()).issuer)
        identity = prove_token(call, command.web_identity_token, partition, account, command.role_arn, trail)
    except KeysNeeded as need:
        if call.may_fetch:
            raise
        return _refused(call, need.refusal(), trail, fetched)
    except _REFUSALS as error:
        return _refused(call, error, trail, fetched)
    checks = _with_fetched(trail.checks, fetched)
    if role is None:
        return Outcome(checks)
    name = command.role_session_name or SESSION_NAME
    asked = sts.AssumeRoleWithWebIdentityCommand(
        role_arn=str(role),
        role_session_name=name,
        web_identity_token=command.web_identity_token,
        duration_seconds=command.duration_seconds,
    )
    return _session(call, asked, Proof(identity, name), checks)


def of_assertion(call: Call[extensions.DiagnoseSAMLAssertionCommand], account: str) -> Outcome:
    """How a SAML response fares in an account.  NoSuchEntity for ARNs of another account (R12)."""
    command, trail = call.command, Trail()
    role = _role(command.role_arn, account)
    _own(command.principal_arn, account)
    try:
        proof = prove_assertion(call, command.saml_assertion, command.principal_arn, account, command.role_arn, trail)
    except _REFUSALS as error:
        return Outcome(_shown(trail.checks), error)
    outcome = Outcome(_shown(trail.checks))
    if role is not None:
        outcome = _session(call, _asked_with(command, role), proof, outcome.checks)
    if proof.spent is None or outcome.error is not None:
        return outcome
    # Only looked at: a diagnosis does not use it up.
    before = call.records.get(SpentAssertion, "", proof.spent.digest) is not None
    check = Check("single use", not before, "not used before", "used before" if before else "not used before")
    return Outcome((*outcome.checks, check), InvalidIdentityTokenException(SPENT) if before else None)


def _asked_with(command: extensions.DiagnoseSAMLAssertionCommand, role: Arn) -> sts.AssumeRoleWithSAMLCommand:
    return sts.AssumeRoleWithSAMLCommand(
        role_arn=str(role),
        principal_arn=command.principal_arn,
        saml_assertion=command.saml_assertion,
        duration_seconds=command.duration_seconds,
    )


def _role(text: str | None, account: str) -> Arn | None:
    if text is None:
        return None
    _own(text, account)
    return issue.role_named(text)


def _own(text: str | None, account: str) -> None:
    """NoSuchEntity for an ARN that is not the account's: of others nothing is told, not even that they are there."""
    if text is None:
        return
    try:
        ours = Arn.parse(text).account == account
    except ValueError:
        ours = False
    if not ours:
        raise NoSuchEntityException(f"There is no {text} in account {account}.")


def _is_of_another_provider(
    call: Call[extensions.DiagnoseWebIdentityTokenCommand], partition: str, account: str, trail: Trail
) -> bool:
    """Whether a provider is named that tokens of this issuer are not for; permission was asked for that one alone."""
    command = call.command
    named = command.open_id_connect_provider_arn
    if named is None:
        return False
    issuer = oidc.hints(command.web_identity_token.reveal(), trail).issuer
    if oidc.built_in(issuer) is None and oidc.provider_arn(partition, account, issuer) == named:
        trail.checks.clear()
        return False
    stored = call.directory.oidc_provider(named)
    expected = named if stored is None else f"https://{stored.url}"
    trail.note("provider", False, expected=expected, found=issuer)
    return True


def _refused(
    call: Call[extensions.DiagnoseWebIdentityTokenCommand],
    error: ServiceException,
    trail: Trail,
    fetched: Sequence[Check],
) -> Outcome:
    """The outcome of a token that was refused; what no check tells is about its issuer's keys."""
    if all(each.passed for each in (*trail.checks, *fetched)):
        if call.providers.keys.is_own(oidc.hints(call.command.web_identity_token.reveal()).issuer):
            trail.note("issuer", False, expected="somebody else", found="this server itself")
        else:
            notes = "; ".join(getattr(error, "__notes__", ()))
            trail.note("keys", False, expected="the issuer's keys", found=notes or "asked too often, or asked just now")
    return Outcome(_with_fetched(trail.checks, fetched), error)


def _with_fetched(checks: Sequence[Check], fetched: Sequence[Check]) -> tuple[Check, ...]:
    """The checks of a token with those of fetching keys where they belong: after its provider was found."""
    place = next((number for number, each in enumerate(checks, 1) if each.name == "provider"), len(checks))
    return _shown([*checks[:place], *fetched, *checks[place:]])


def _session(call: Call[Any], command: Any, proof: Proof, checks: tuple[Check, ...]) -> Outcome:
    """What the trust policy and the rules of sessions say to a proof that is good."""
    asked: Call[Any] = copy.copy(call)
    asked.command, asked.proof = command, proof
    trail = Trail()
    holder = call.directory.role(issue.role_named(command.role_arn))
    found = command.role_arn if holder is not None else "no such role"
    trail.note("role", holder is not None, expected=command.role_arn, found=found)
    try:
        authorize_by_proof(asked, _request(call), call.region)
    except AccessDenied as error:
        refusal = error.decision if holder is not None else None
        explanation = None
        if isinstance(refusal, Denied):
            explanation = explain(refusal.ask, refusal.policies)
            denies = refusal.decision.effect is Effect.EXPLICIT_DENY
            found = "denies it" if denies else "does not allow it"
            trail.note("trust policy", False, expected=f"allows {refusal.ask.action}", found=found)
        elif holder is not None:
            trail.note("trust policy", False, expected="a role for identity providers", found="a reserved name")
        return Outcome((*checks, *_shown(trail.checks)), error, explanation)
    trail.note("trust policy", True, expected=f"allows {command.operation.action}", found="allows it")
    try:
        _, session, _ = session_by_proof(asked)
    except _NO_SESSION as error:
        trail.note("session", False, expected="a session that the role allows", found=error.message)
        return Outcome((*checks, *_shown(trail.checks)), error)
    trail.note("session", True, found=f"{session.expires - session.issued} seconds, as {session.name}")
    return Outcome((*checks, *_shown(trail.checks)))


def _request(call: Call[Any]) -> Request:
    """The bearer's request as far as it is known: from the caller's address, to the server's public URL."""
    return Request("POST", "/", "", (), b"", call.peer, call.url.startswith("https://"))


# What is told


def _shown(checks: Sequence[Check]) -> tuple[Check, ...]:
    return tuple(Check(each.name, each.passed, _text(each.expected), _text(each.found)) for each in checks)


def _text(value: str) -> str:
    """A value of bounded length, without what no answer can carry and what a terminal would obey."""
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value[: MAX_TEXT + 1])
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _veiled(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks of an assertion as callers of the API may know them.

    Whether something decrypts, and to what, is one check with its signature: told apart, they would decrypt any
    assertion for whoever asks often enough, where AES-CBC is allowed.
    """
    inner = [each for each in checks if each.name in _FROM_ENCRYPTED]
    if all(each.name != "decryption" for each in inner):
        return tuple(checks)
    passed = all(each.passed for each in inner)
    expected = "an assertion encrypted for this provider's private keys, and signed by the provider"
    merged = Check(_ENCRYPTED, passed, expected, expected if passed else "")
    place = checks.index(inner[0])
    rest = [each for each in checks if each.name not in _FROM_ENCRYPTED]
    return (*rest[:place], merged, *rest[place:])


def _members(checks: Sequence[Check], outcome: Outcome) -> dict[str, Any]:
    error, explanation = outcome.error, outcome.explanation
    return {
        "checks": tuple(
            DiagnosisCheck(name=each.name, passed=each.passed, expected=each.expected or None, found=each.found or None)
            for each in checks
        ),
        "outcome": OK if error is None else error.code,
        "message": None if error is None else error.message,
        # ASCII alone: what a bearer put into a claim must not be what XML cannot carry.
        "explanation": None if explanation is None else json.dumps(json.loads(explanation.to_json())),
    }


@handles(extensions.DiagnoseWebIdentityTokenCommand)
def diagnose_web_identity_token(
    call: Call[extensions.DiagnoseWebIdentityTokenCommand],
) -> extensions.DiagnoseWebIdentityTokenResponse:
    """How a token fares in the caller's account."""
    outcome = of_token(call, call.account)
    return extensions.DiagnoseWebIdentityTokenResponse(**_members(outcome.checks, outcome))


@handles(extensions.DiagnoseSAMLAssertionCommand)
def diagnose_saml_assertion(
    call: Call[extensions.DiagnoseSAMLAssertionCommand],
) -> extensions.DiagnoseSAMLAssertionResponse:
    """How an assertion fares in the caller's account."""
    outcome = of_assertion(call, call.account)
    return extensions.DiagnoseSAMLAssertionResponse(**_members(_veiled(outcome.checks), outcome))
