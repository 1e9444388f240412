"""Which sessions a revocation hits, whoever asks and however many revocations there are."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.records import Revocation, decode, encode
from locum.core.revocation import EVERY_ACCOUNT, Revocations, Subject, lifetime_of
from locum.core.session import MAXIMUM_LIFETIME, Caller, CallerKind, Session, SessionKind
from locum.policy import Principal
from locum.secret import Secret

ACCOUNT = "111122223333"
ROLE = "arn:aws:iam::111122223333:role/A"
ISSUED = 1_767_323_045

OWN = {
    "key": "ASIAOWN",
    "role": "AROAA",
    "name": "s1",
    "identity": "alice",
    "parent": "ASIAPARENT",
    "first": "AIDAALICE",
}


def caller(issued: int = ISSUED, account: str = ACCOUNT, **changes: object) -> Caller:
    """Alice's session of role A, which she came to over a session of another role."""
    session = Session(
        SessionKind.ROLE,
        OWN["key"],
        Secret("secret"),
        account,
        OWN["role"],
        OWN["name"],
        issued,
        issued + 900,
        source_identity=OWN["identity"],
        lineage=("AKIAALICE", OWN["first"], OWN["parent"], "AROAPARENT"),
    )
    session = msgspec.structs.replace(session, **changes)
    return Caller(
        kind=CallerKind.ROLE_SESSION,
        partition="aws",
        account=account,
        arn="arn:aws:sts::111122223333:assumed-role/A/s1",
        user_id=f"{OWN['role']}:{OWN['name']}",
        principal_id=OWN["role"],
        principal_arn=ROLE,
        access_key_id=session.access_key_id,
        principal=Principal.role_session(
            "arn:aws:sts::111122223333:assumed-role/A/s1", account, ROLE, OWN["role"], OWN["name"]
        ),
        session=session,
    )


def revocation(subject: Subject, value: str, *, before: int = ISSUED + 1, account: str = ACCOUNT) -> Revocation:
    return Revocation(
        account=account,
        subject=subject.value,
        value=value,
        named=value,
        before=before,
        created=before,
        expires=before + 43_200,
    )


HIT = [
    (Subject.SESSION, "ASIAOWN"),
    (Subject.SESSION, "ASIAPARENT"),
    (Subject.SESSION, "AKIAALICE"),
    (Subject.PRINCIPAL, "AROAA"),
    (Subject.PRINCIPAL, "AROAA:s1"),
    (Subject.PRINCIPAL, "AROAPARENT"),
    (Subject.PRINCIPAL, "AIDAALICE"),
    (Subject.ISSUER, "AROAPARENT"),
    (Subject.ISSUER, "AIDAALICE"),
    (Subject.SOURCE_IDENTITY, "alice"),
]
MISSED = [
    (Subject.SESSION, "ASIAOTHER"),
    (Subject.SESSION, "alice"),
    (Subject.PRINCIPAL, "AROAB"),
    (Subject.PRINCIPAL, "AROAA:s2"),
    (Subject.ISSUER, "AROAA"),
    (Subject.ISSUER, "AROAA:s1"),
    (Subject.SOURCE_IDENTITY, "bob"),
    (Subject.SOURCE_IDENTITY, "Alice"),
    (Subject.SOURCE_IDENTITY, "AROAA"),
]


@pytest.mark.parametrize(("subject", "value"), HIT)
def test_a_session_is_hit_by_what_it_is_and_where_it_comes_from(subject: Subject, value: str) -> None:
    assert Revocations([revocation(subject, value)]).hit(caller())


@pytest.mark.parametrize(("subject", "value"), MISSED)
def test_a_session_is_not_hit_by_what_it_is_not(subject: Subject, value: str) -> None:
    assert not Revocations([revocation(subject, value)]).hit(caller())


@pytest.mark.parametrize(("subject", "value"), HIT)
def test_a_session_is_hit_only_if_it_was_issued_before_the_moment(subject: Subject, value: str) -> None:
    revocations = Revocations([revocation(subject, value, before=ISSUED)])
    assert revocations.hit(caller(ISSUED - 1))
    assert not revocations.hit(caller(ISSUED))
    assert not revocations.hit(caller(ISSUED + 1))


def test_a_source_identity_is_an_account_s_own_unless_every_account_is_meant() -> None:
    elsewhere = caller(account="444455556666")
    assert not Revocations([revocation(Subject.SOURCE_IDENTITY, "alice")]).hit(elsewhere)
    assert Revocations([revocation(Subject.SOURCE_IDENTITY, "alice", account=EVERY_ACCOUNT)]).hit(elsewhere)


def test_a_session_without_source_identity_or_lineage_is_looked_up_all_the_same() -> None:
    plain = caller(source_identity=None, lineage=())
    assert not Revocations([revocation(*each) for each in (HIT[1], HIT[2], *HIT[5:])]).hit(plain)
    assert Revocations([revocation(*HIT[0])]).hit(plain)


def test_nothing_is_revoked_where_nothing_was() -> None:
    assert Revocations([]).empty
    assert not Revocations([]).hit(caller())
    assert not Revocations([revocation(*HIT[0])]).empty


def test_a_long_term_key_is_no_session() -> None:
    key = msgspec.structs.replace(caller(), session=None)
    assert not Revocations([revocation(*each) for each in HIT]).hit(key)


@given(st.lists(st.tuples(st.sampled_from(HIT + MISSED), st.integers(ISSUED - 2, ISSUED + 2)), max_size=6))
def test_several_revocations_hit_what_any_of_them_hits(made: list[tuple[tuple[Subject, str], int]]) -> None:
    each = [revocation(*what, before=before) for what, before in made]
    alone = any(Revocations([one]).hit(caller()) for one in each)
    assert Revocations(each).hit(caller()) == Revocations(each[::-1]).hit(caller()) == alone


def test_a_revocation_lives_as_long_as_the_longest_session_that_it_can_hit() -> None:
    longest, role = max(MAXIMUM_LIFETIME.values()), MAXIMUM_LIFETIME[SessionKind.ROLE]
    assert role < longest
    assert {(each, of_role): lifetime_of(each, role=of_role) for each in Subject for of_role in (False, True)} == {
        (Subject.SESSION, False): longest,
        (Subject.SESSION, True): longest,
        (Subject.PRINCIPAL, False): longest,
        (Subject.PRINCIPAL, True): role,
        (Subject.ISSUER, False): longest,
        (Subject.ISSUER, True): role,
        (Subject.SOURCE_IDENTITY, False): role,
        (Subject.SOURCE_IDENTITY, True): role,
    }


def test_a_revocation_is_kept_as_it_is_under_what_it_names() -> None:
    record = revocation(Subject.SOURCE_IDENTITY, "alice")
    assert decode(encode(record), Revocation) == record
    assert record.key == ("", "revocation", f"{ACCOUNT}/source-identity/alice")


def test_the_words_that_records_keep_do_not_change() -> None:
    assert {each.name: each.value for each in Subject} == {
        "SESSION": "session",
        "PRINCIPAL": "principal",
        "ISSUER": "issuer",
        "SOURCE_IDENTITY": "source-identity",
    }
