"""What goes into a session: tags, lineage, lifetimes, padding; pure functions of caller, command, time and bytes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.core import issue
from locum.core.records import Role
from locum.core.session import MAXIMUM_LIFETIME, Caller, CallerKind, Session, SessionKind, Tags
from locum.core.token import KeyRing, SealingKey, TokenNotIntact
from locum.policy import Principal
from locum.secret import Secret

ACCOUNT: Final = "123456789012"
USER_ARN: Final = f"arn:aws:iam::{ACCOUNT}:user/alice"
USER_ID: Final = "AIDAQ2DZ5KX7N3M4P6R8B"
ROLE_ID: Final = "AROAQ2DZ5KX7N3M4P6R8A"
NOW: Final = 1_700_000_000.9
RANDOM: Final = bytes(range(issue.RANDOM_BYTES))
RING: Final = KeyRing([SealingKey("0000000a", 1, bytes(32))])
ROLE: Final = Role(account=ACCOUNT, id=ROLE_ID, name="deploy", created=1, trust="{}", max_session_duration=43_200)

LONG_TERM: Final = Caller(
    kind=CallerKind.USER,
    partition="aws",
    account=ACCOUNT,
    arn=USER_ARN,
    user_id=USER_ID,
    principal_id=USER_ID,
    principal_arn=USER_ARN,
    access_key_id="AKIARZPUZDIKMEHJUTSD",
    principal=Principal.user(USER_ARN, ACCOUNT, USER_ID),
    user_name="alice",
)
ROOT: Final = Caller.root(ACCOUNT, "AKIARZPUZDIKOHT6FEOS", partition="aws")


def using(session: Session) -> Caller:
    """The caller that a role session makes."""
    own = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/{session.name}"
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    return Caller(
        kind=CallerKind.ROLE_SESSION,
        partition="aws",
        account=ACCOUNT,
        arn=own,
        user_id=f"{session.principal_id}:{session.name}",
        principal_id=session.principal_id,
        principal_arn=role_arn,
        access_key_id=session.access_key_id,
        principal=Principal.role_session(own, ACCOUNT, role_arn, session.principal_id, session.name),
        session=session,
    )


def assumed(caller: Caller = LONG_TERM, **asked: Any) -> Session:
    command = sts.AssumeRoleCommand(role_arn=f"arn:aws:iam::{ACCOUNT}:role/deploy", role_session_name="s1", **asked)
    return issue.assume_role(command, caller, ROLE, NOW, RANDOM)


def tags(**pairs: str) -> tuple[sts.Tag, ...]:
    return tuple(sts.Tag(key=key, value=value) for key, value in pairs.items())


# Session tags

keys = st.text("abAB", min_size=1, max_size=2)
given_tags = st.lists(st.builds(sts.Tag, key=keys, value=st.text("xy", max_size=2)), max_size=4).map(tuple)
inherited_tags = st.dictionaries(st.text("abcC", min_size=1, max_size=1), st.just("old"), max_size=3).map(
    lambda found: tuple({key.lower(): (key, value) for key, value in found.items()}.values())
)


@pytest.mark.facts("STS-TAG-003", "STS-TAG-004", "STS-TAG-005", "STS-TAG-006", "STS-TAG-007")
@given(given_tags, st.lists(keys, max_size=3).map(tuple), inherited_tags)
def test_tags_are_accepted_by_the_rules_and_none_is_lost(
    asked: tuple[sts.Tag, ...], transitive: tuple[str, ...], inherited: Tags
) -> None:
    names = [tag.key.lower() for tag in asked]
    lasting, carried = {key.lower() for key in transitive}, {key.lower() for key, _ in inherited}
    good = len(set(names)) == len(names) and lasting <= set(names) and not carried & set(names)
    try:
        staying, passed_on = issue.session_tags(asked, transitive, inherited)
    except errors.InvalidParameterValue:
        assert not good
        return
    assert good
    assert passed_on[: len(inherited)] == inherited
    assert {*staying, *passed_on} == {*inherited, *((tag.key, tag.value) for tag in asked)}
    assert {key.lower() for key, _ in passed_on} == carried | lasting
    assert len(staying) + len(passed_on) == len(asked) + len(inherited)


@pytest.mark.parametrize(
    ("asked", "transitive", "text"),
    [
        pytest.param(
            tags(Team="a", team="b"),
            ("none",),
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            marks=pytest.mark.facts("STS-TAG-004", "STS-E-T45"),
            id="duplicates come first",
        ),
        pytest.param(
            tags(Team="a", Old="b"),
            ("none",),
            "The specified transitive tag key must be included in the requested tags.",
            marks=pytest.mark.facts("STS-TAG-005", "STS-E-T46"),
            id="then transitive keys that are no tags",
        ),
        pytest.param(
            tags(OLD="same"),
            (),
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
            marks=pytest.mark.facts("STS-TAG-007", "STS-E-T47"),
            id="then conflicts, even with the same value",
        ),
        pytest.param(
            tags(**{"AWS:Team": "a"}),
            (),
            "aws: prefixed tag key names are not allowed for external use.",
            marks=pytest.mark.facts("STS-TAG-018"),
            id="then reserved keys",
        ),
    ],
)
def test_each_broken_rule_of_tags_has_its_text(asked: tuple[sts.Tag, ...], transitive: Any, text: str) -> None:
    with pytest.raises(errors.InvalidParameterValue) as refused:
        issue.session_tags(asked, transitive, (("Old", "same"),))
    assert refused.value.message == text


def test_a_transitive_key_without_any_tags_is_refused() -> None:
    with pytest.raises(errors.InvalidParameterValue):
        issue.session_tags((), ("Team",), ())


@pytest.mark.facts("STS-TAG-006", "STS-TAG-008")
def test_a_chained_session_inherits_what_is_transitive_and_nothing_else() -> None:
    first = assumed(tags=tags(Star="1", Moon="2"), transitive_tag_keys=("STAR",))
    assert (first.tags, first.transitive_tags) == ((("Moon", "2"),), (("Star", "1"),))
    second = assumed(using(first), tags=tags(Moon="3"))
    assert (second.tags, second.transitive_tags) == ((("Moon", "3"),), (("Star", "1"),))
    assert assumed(using(second)).transitive_tags == (("Star", "1"),)


# Lineage, source identity, MFA


def test_the_lineage_names_every_credential_of_a_chain_the_first_person_first() -> None:
    first = assumed()
    assert first.lineage == (LONG_TERM.access_key_id, USER_ID)
    second = assumed(using(first))
    assert second.lineage == (LONG_TERM.access_key_id, USER_ID, first.access_key_id, ROLE_ID)
    command = sts.GetSessionTokenCommand()
    assert issue.get_session_token(command, ROOT, NOW, RANDOM).lineage == (ROOT.access_key_id, ACCOUNT)


@pytest.mark.facts("STS-SI-004")
def test_a_source_identity_once_set_stays() -> None:
    first = assumed(source_identity="alice")
    assert assumed(using(first)).source_identity == "alice"
    assert assumed(using(first), source_identity="mallory").source_identity == "alice"


@pytest.mark.facts("STS-AR-028", "R41")
def test_no_command_puts_a_mark_of_mfa_into_a_role_session() -> None:
    given: dict[str, Any] = {"serial_number": "GAHT12345678", "token_code": Secret("123456")}
    assert assumed(**given).mfa is None


@pytest.mark.facts("STS-MFA-015")
def test_a_session_token_remembers_when_mfa_was_verified() -> None:
    command = sts.GetSessionTokenCommand()
    assert issue.get_session_token(command, LONG_TERM, NOW, RANDOM, mfa=int(NOW)).mfa == int(NOW)
    assert issue.get_session_token(command, LONG_TERM, NOW, RANDOM).mfa is None


# Lifetimes


@pytest.mark.parametrize(
    ("caller", "asked", "seconds"),
    [
        (LONG_TERM, None, 43_200),
        (LONG_TERM, 900, 900),
        (LONG_TERM, 129_600, 129_600),
        (ROOT, None, 3_600),
        (ROOT, 900, 900),
        (ROOT, 129_600, 3_600),
    ],
)
@pytest.mark.facts("STS-CALL-T24", "STS-CALL-T25", "STS-CALL-T26", "STS-CALL-T27", "STS-CALL-009")
def test_users_get_half_a_day_and_root_an_hour(caller: Caller, asked: int | None, seconds: int) -> None:
    federated = sts.GetFederationTokenCommand(name="bob", duration_seconds=asked)
    for session in (
        issue.get_federation_token(federated, caller, NOW, RANDOM),
        issue.get_session_token(sts.GetSessionTokenCommand(duration_seconds=asked), caller, NOW, RANDOM),
    ):
        assert (session.issued, session.expires) == (int(NOW), int(NOW) + seconds)
        assert RING.open_session(RING.seal_session(session, bytes(12))) == session


# Padding


@pytest.mark.facts("STS-SP-020")
@given(st.integers(0, 4_096), st.integers(0, 40))
def test_a_token_is_padded_to_what_is_asked_for_and_opens(least: int, length: int) -> None:
    session = assumed(of_lineage(length))
    size = len(RING.seal_session(session, bytes(12)))
    longer = issue.padded(session, size, least) if size < least else session
    token = RING.seal_session(longer, bytes(12))
    assert max(size, least) <= len(token) <= max(size, least + 8)
    opened = RING.open_session(token)
    assert opened == longer
    assert opened.expires == session.expires


def of_lineage(length: int) -> Caller:
    """A caller whose lineage makes tokens of different sizes."""
    return using(msgspec.structs.replace(assumed(), lineage=("x" * length,)))


# What does not fit to the kind of a session is no session (R16)

FEDERATED: Final = issue.get_federation_token(sts.GetFederationTokenCommand(name="bob"), LONG_TERM, NOW, RANDOM)
OF_ROOT: Final = issue.get_federation_token(sts.GetFederationTokenCommand(name="bob"), ROOT, NOW, RANDOM)
OF_USER: Final = issue.get_session_token(sts.GetSessionTokenCommand(), LONG_TERM, NOW, RANDOM)


@pytest.mark.facts("R16", "R41")
@pytest.mark.parametrize(
    ("session", "changed"),
    [
        pytest.param(assumed(), {"mfa": int(NOW)}, id="a role session with MFA"),
        pytest.param(FEDERATED, {"mfa": int(NOW)}, id="a federated user with MFA"),
        pytest.param(FEDERATED, {"name": ""}, id="a federated user without a name"),
        pytest.param(FEDERATED, {"principal_id": ROLE_ID}, id="a federated user of a role"),
        pytest.param(FEDERATED, {"principal_id": "210987654321"}, id="a federated user of another root"),
        pytest.param(FEDERATED, {"transitive_tags": (("a", "b"),)}, id="a federated user with transitive tags"),
        pytest.param(FEDERATED, {"source_identity": "x"}, id="a federated user with a source identity"),
        pytest.param(FEDERATED, {"expires": int(NOW) + 129_601}, id="a federated user for too long"),
        pytest.param(OF_ROOT, {"expires": int(NOW) + 3_601}, id="a federated user of root for too long"),
        pytest.param(OF_USER, {"tags": (("a", "b"),)}, id="a user session with tags"),
        pytest.param(OF_USER, {"transitive_tags": (("a", "b"),)}, id="a user session with transitive tags"),
        pytest.param(OF_USER, {"source_identity": "x"}, id="a user session with a source identity"),
        pytest.param(OF_USER, {"mfa": int(NOW) + 1}, id="MFA after the session began"),
        pytest.param(OF_USER, {"mfa": -1}, id="MFA before all time"),
    ],
)
def test_claims_that_a_kind_of_session_never_has_are_refused(session: Session, changed: dict[str, Any]) -> None:
    assert RING.open_session(RING.seal_session(session, bytes(12))) == session
    wrong = msgspec.structs.replace(session, **changed)
    with pytest.raises(TokenNotIntact):
        RING.open_session(RING.seal_session(wrong, bytes(12)))


@pytest.mark.facts("STS-CALL-T24", "STS-CALL-T25")
def test_federated_users_have_a_longest_lifetime() -> None:
    assert MAXIMUM_LIFETIME[SessionKind.FEDERATED] == 129_600
    longest = sts.GetFederationTokenCommand(name="bob", duration_seconds=129_600)
    session = issue.get_federation_token(longest, LONG_TERM, NOW, RANDOM)
    assert RING.open_session(RING.seal_session(session, bytes(12))).expires == int(NOW) + 129_600
