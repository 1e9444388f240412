"""The claims of an account's identity tokens: pure functions of command, caller and time (area GWT)."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.core import outbound
from locum.core.session import Caller, CallerKind, Federation, FederationKind, Session, SessionKind
from locum.policy import Principal
from locum.secret import Secret

ACCOUNT: Final = "123456789012"
ISSUER: Final = "https://sts.example.org/issuer/0a1b2c3d-0000-4000-8000-00000000000a"
ID: Final = "3f2c8f6e-4bb5-4bd5-9d0a-0d1b8ac1d55e"
NOW: Final = 1_767_323_045.9
STS: Final = "https://sts.amazonaws.com/"
USER: Final = Caller(
    kind=CallerKind.USER,
    partition="aws",
    account=ACCOUNT,
    arn=f"arn:aws:iam::{ACCOUNT}:user/team/alice",
    user_id="AIDAQ2DZ5KX7N3M4P6R8B",
    principal_id="AIDAQ2DZ5KX7N3M4P6R8B",
    principal_arn=f"arn:aws:iam::{ACCOUNT}:user/team/alice",
    access_key_id="AKIARZPUZDIKMEHJUTSD",
    principal=Principal.user(f"arn:aws:iam::{ACCOUNT}:user/team/alice", ACCOUNT, "AIDAQ2DZ5KX7N3M4P6R8B"),
    user_name="alice",
)
SESSION: Final = Session(
    SessionKind.ROLE,
    "ASIARZPUZDIKMEHJUTSD",
    Secret("s" * 40),
    ACCOUNT,
    "AROAQ2DZ5KX7N3M4P6R8A",
    "s1",
    int(NOW) - 100,
    int(NOW) + 3_500,
)


def in_session(session: Session) -> Caller:
    """Whoever uses a session of the role ``/path/deploy``."""
    own, role = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s1", f"arn:aws:iam::{ACCOUNT}:role/path/deploy"
    return Caller(
        kind=CallerKind.ROLE_SESSION,
        partition="aws",
        account=ACCOUNT,
        arn=own,
        user_id=f"{session.principal_id}:s1",
        principal_id=session.principal_id,
        principal_arn=role,
        access_key_id=session.access_key_id,
        principal=Principal.role_session(own, ACCOUNT, role, session.principal_id, "s1"),
        session=session,
    )


def asking(**asked: Any) -> sts.GetWebIdentityTokenCommand:
    return sts.GetWebIdentityTokenCommand(**{"audience": ("api",), "signing_algorithm": "RS256", **asked})


def tags(**pairs: str) -> tuple[sts.Tag, ...]:
    return tuple(sts.Tag(key=key, value=value) for key, value in pairs.items())


def claims(
    command: sts.GetWebIdentityTokenCommand, caller: Caller = USER, own: dict[str, str] | None = None
) -> dict[str, Any]:
    """The claims as whoever verifies the token reads them."""
    expires = outbound.expiry(command, caller.session, NOW)
    made = outbound.claims(
        command,
        caller,
        issuer=ISSUER,
        region="eu-central-1",
        tags=own or {},
        issued=int(NOW),
        expires=expires,
        id=ID,
    )
    read: dict[str, Any] = json.loads(outbound.payload(made))
    return read


@pytest.mark.facts("STS-GWT-011", "STS-GWT-012", "STS-GWT-013", "STS-GWT-014", "IAM-OUT-004", "STS-CALL-T28")
def test_the_claims_of_a_user_without_tags_are_these_and_no_others() -> None:
    assert claims(asking()) == {
        "iss": ISSUER,
        "sub": f"arn:aws:iam::{ACCOUNT}:user/team/alice",
        "aud": "api",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "jti": ID,
        STS: {
            "aws_account": ACCOUNT,
            "source_region": "eu-central-1",
            "principal_id": f"arn:aws:iam::{ACCOUNT}:user/team/alice",
        },
    }


@pytest.mark.facts("STS-GWT-012", "STS-GWT-014", "IAM-OUT-004")
def test_a_session_speaks_for_its_role_and_tells_where_it_comes_from() -> None:
    session = msgspec.structs.replace(
        SESSION,
        tags=(("Team", "Blue"), ("Ticket", "42")),
        transitive_tags=(("Project", "Atlas"),),
        source_identity="alice",
        federation=Federation(FederationKind.WEB_IDENTITY, f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example"),
    )
    read = claims(asking(tags=tags(Purpose="deploy")), in_session(session), {"team": "Red", "Tier": "1"})
    assert read["sub"] == f"arn:aws:iam::{ACCOUNT}:role/path/deploy"
    assert read[STS] == {
        "aws_account": ACCOUNT,
        "source_region": "eu-central-1",
        "principal_id": f"arn:aws:iam::{ACCOUNT}:role/path/deploy",
        "principal_tags": {"Tier": "1", "Project": "Atlas", "Team": "Blue", "Ticket": "42"},
        "request_tags": {"Purpose": "deploy"},
        "original_session_exp": "2026-01-02T04:02:25Z",
        "source_identity": "alice",
        "federated_provider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example",
    }


@pytest.mark.facts("STS-GWT-006", "STS-GWT-013")
@pytest.mark.parametrize(
    ("audience", "claim"),
    [
        (("a",), "a"),
        (("b", "a"), ["b", "a"]),
        (("a", "a"), ["a", "a"]),
        ((" ",), " "),
        (("Ä \U0001f600", "x" * 1_000), ["Ä \U0001f600", "x" * 1_000]),
    ],
)
def test_audiences_are_claimed_as_they_were_given(audience: tuple[str, ...], claim: object) -> None:
    assert claims(asking(audience=audience))["aud"] == claim


@pytest.mark.facts("STS-GWT-005", "STS-E-T44")
@pytest.mark.parametrize("algorithm", ["PS256", "HS256", "ES256", "rs256", "EdDSA", " NONE"])
def test_two_algorithms_are_supported(algorithm: str) -> None:
    with pytest.raises(errors.ValidationError) as refused:
        outbound.check(asking(signing_algorithm=algorithm))
    assert refused.value.message == (
        "Requested SigningAlgorithm is not supported. "
        "See the GetWebIdentityToken documentation for supported algorithms"
    )


@pytest.mark.facts("STS-GWT-005")
@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_the_two_that_are_supported_pass(algorithm: str) -> None:
    outbound.check(asking(signing_algorithm=algorithm))


@pytest.mark.facts("STS-GWT-009")
@pytest.mark.parametrize("second", ["Team", "team"])
def test_a_tag_key_comes_once(second: str) -> None:
    twice = (sts.Tag(key="Team", value="a"), sts.Tag(key=second, value="b"))
    with pytest.raises(errors.InvalidParameterValue):
        outbound.check(asking(tags=twice))


@pytest.mark.facts("STS-GWT-009")
def test_reserved_tag_keys_pass_and_become_claims() -> None:
    command = asking(tags=(sts.Tag(key="aws:team", value="a"),))
    outbound.check(command)
    assert claims(command)[STS]["request_tags"] == {"aws:team": "a"}


@pytest.mark.facts("STS-GWT-007", "STS-E-T58", "STS-CALL-T28")
@pytest.mark.parametrize(
    ("left", "asked", "refused"), [(300, None, False), (299, None, True), (60, 60, False), (59, 60, True)]
)
def test_a_token_does_not_outlive_the_session(left: int, asked: int | None, refused: bool) -> None:
    session = msgspec.structs.replace(SESSION, expires=int(NOW) + left)
    command = asking(duration_seconds=asked)
    if not refused:
        assert outbound.expiry(command, session, NOW) == int(NOW) + (asked or 300)
        return
    with pytest.raises(errors.SessionDurationEscalationException) as raised:
        outbound.expiry(command, session, NOW)
    assert raised.value.message == "Requested token expiry time must be before the original session's expiry time."


@pytest.mark.facts("STS-GWT-008")
@pytest.mark.parametrize("filling", ["x", "ä", "\U0001f600"])
def test_the_claims_have_a_size_in_bytes(filling: str) -> None:
    width = len(filling.encode())
    room = outbound.MAXIMUM_PAYLOAD - len(outbound.payload({"a": ""}))
    fits = {"a": filling * (room // width) + "y" * (room % width)}
    assert len(outbound.payload(fits)) == outbound.MAXIMUM_PAYLOAD == 14_984
    with pytest.raises(errors.JWTPayloadSizeExceededException):
        outbound.payload({"a": fits["a"] + "y"})


TEXTS: Final = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(st.lists(TEXTS, min_size=1, max_size=10), st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_any_text_is_claimed_as_it_is(audience: list[str], pairs: dict[str, str]) -> None:
    command = asking(audience=tuple(audience), tags=tuple(sts.Tag(key=key, value=pairs[key]) for key in pairs))
    read = claims(command)
    assert read["aud"] == (audience if len(audience) > 1 else audience[0])
    assert read[STS].get("request_tags", {}) == pairs


@given(TEXTS)
def test_a_token_is_known_by_its_id(signature: str) -> None:
    body = base64.urlsafe_b64encode(outbound.payload({"aud": signature, "jti": ID})).rstrip(b"=").decode()
    assert outbound.token_id(f"e30.{body}.c2ln") == ID
