"""What stays of a proof in a session: the claim's form, and the sessions that may have it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from locum.api.sts import AssumeRoleWithSAMLCommand, AssumeRoleWithWebIdentityCommand
from locum.core import issue
from locum.core.proof import FederatedIdentity
from locum.core.records import Role
from locum.core.session import MAXIMUM_LIFETIME, Federation, FederationKind, Session, SessionKind
from locum.core.token import KeyRing, Purpose, SealingKey, TokenNotIntact
from locum.errors import ExpiredTokenException
from locum.policy import Principal
from locum.secret import Secret

ACCOUNT: Final = "123456789012"
NOW: Final = 1_700_000_000
RING: Final = KeyRing([SealingKey("0000000a", NOW, bytes(32))])
PRINCIPALS: Final = {
    SessionKind.USER: "AIDAQ2DZ5KX7N3M4P6R8B",
    SessionKind.ROOT: ACCOUNT,
    SessionKind.ROLE: "AROAQ2DZ5KX7N3M4P6R8A",
    SessionKind.FEDERATED: "AIDAQ2DZ5KX7N3M4P6R8B",
    SessionKind.ROOT_TASK: ACCOUNT,
}
NAMED: Final = (SessionKind.ROLE, SessionKind.FEDERATED)
TASK: Final = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
ISSUER: Final = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com"
BY_TOKEN: Final = Federation(FederationKind.WEB_IDENTITY, ISSUER, (("idp.example.com:amr", ("a", "b")),))
ROLE: Final = Role(account=ACCOUNT, id=PRINCIPALS[SessionKind.ROLE], name="deploy", created=0, trust="")


def claims(kind: SessionKind, federation: Any) -> list[Any]:
    name = "build" if kind in NAMED else ""
    arns = [TASK] if kind is SessionKind.ROOT_TASK else []
    head = [int(kind), "ASIARZPUZDIK25DH6KSW", "x" * 40, ACCOUNT, PRINCIPALS[kind], name, NOW, NOW + 900]
    return [*head, None, arns, [], [], None, None, [], b"", federation]


def opened(array: list[Any]) -> Session:
    return RING.open_session(RING.seal(Purpose.SESSION_TOKEN, msgspec.msgpack.encode(array), bytes(12)))


def test_a_role_session_has_it() -> None:
    array = claims(SessionKind.ROLE, [1, ISSUER, [["idp.example.com:amr", ["a", "b"]]]])
    assert opened(array).federation == BY_TOKEN
    assert opened(claims(SessionKind.ROLE, None)).federation is None


@pytest.mark.facts("R16")
@pytest.mark.parametrize("kind", [each for each in SessionKind if each is not SessionKind.ROLE])
def test_no_other_session_has_it(kind: SessionKind) -> None:
    assert opened(claims(kind, None)).kind is kind
    with pytest.raises(TokenNotIntact, match=r"role session|another kind"):
        opened(claims(kind, [1, ISSUER, []]))


@pytest.mark.facts("R16")
@pytest.mark.parametrize(
    "federation",
    [
        *([], [1], [3, ISSUER, []], ["1", ISSUER, []], [1, None, []], [1, ISSUER, [["a"]]], [1, ISSUER, [["a", 1]]]),
        *([1, ISSUER, [["a", "b", "c"]]], [1, ISSUER, [], "more"], {"kind": 1, "provider": ISSUER}, ISSUER, True),
    ],
    ids=str,
)
def test_what_is_none_is_refused(federation: Any) -> None:
    with pytest.raises(TokenNotIntact):
        opened(claims(SessionKind.ROLE, federation))


def issued(identity: FederatedIdentity, **more: Any) -> Session:
    command = AssumeRoleWithWebIdentityCommand(
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/deploy", role_session_name="x", web_identity_token=Secret("x"), **more
    )
    return issue.assume_role_by_proof(command, identity, "build", ROLE, NOW + 0.9, bytes(35))


def test_only_the_keys_that_last_stay() -> None:
    identity = FederatedIdentity(
        principal=Principal.web_identity(ISSUER, ACCOUNT),
        issuer="https://idp.example.com",
        subject="s",
        audience="a",
        keys={"idp.example.com:sub": "s", "idp.example.com:email": "e"},
        lasting=("idp.example.com:sub", "idp.example.com:amr"),
    )
    session = issued(identity)
    assert session.federation == Federation(FederationKind.WEB_IDENTITY, ISSUER, (("idp.example.com:sub", "s"),))
    assert (session.name, session.issued, session.expires) == ("build", NOW, NOW + 3_600)
    assert session.lineage == ()
    assert RING.open_session(RING.seal_session(session, bytes(12))) == session


def saml(**more: Any) -> FederatedIdentity:
    provider = f"arn:aws:iam::{ACCOUNT}:saml-provider/Company"
    return FederatedIdentity(principal=Principal.saml(provider, ACCOUNT), issuer="i", subject="s", audience="a", **more)


@pytest.mark.facts("STS-SAML-020", "STS-SAML-022")
def test_an_assertion_bounds_the_session_and_must_leave_some_of_it() -> None:
    assert issued(saml(until=NOW + 5)).expires == NOW + 5
    assert issued(saml(until=NOW + 9_999, duration=1_000)).expires == NOW + 1_000
    kept = issued(saml()).federation
    assert kept is not None
    assert kept.kind is FederationKind.SAML
    for until in (NOW, NOW - 1):
        with pytest.raises(ExpiredTokenException, match="Response has expired"):
            issued(saml(until=until))


def test_no_session_outlives_its_kind() -> None:
    role = msgspec.structs.replace(ROLE, max_session_duration=99_999)
    command = AssumeRoleWithSAMLCommand(
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/deploy",
        principal_arn=f"arn:aws:iam::{ACCOUNT}:saml-provider/Company",
        saml_assertion=Secret("x"),
        duration_seconds=99_999,
    )
    session = issue.assume_role_by_proof(command, saml(), "build", role, NOW, bytes(35))
    assert session.expires - session.issued == MAXIMUM_LIFETIME[SessionKind.ROLE]
