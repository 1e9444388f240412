"""The decision table of AssumeRole (STS-AR-T01…T21) and the interplay of its policies, seen through boto3.

T14 needs a service control policy, T17…T19 need session tags and source identity: they come with those.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from tests.interop.clients import Refused, credentials_in
from tests.interop.world import (
    ASSUME,
    Account,
    Person,
    Role,
    Session,
    Statement,
    World,
    allow,
    denied,
    deny,
    distrusts,
    policy,
    told,
    trusts,
)

pytestmark = pytest.mark.xdist_group("interop-decision-table")

MAY: Statement = allow(ASSUME)
IDLE: Statement = allow("iam:ListUsers")
"""A policy that says nothing about assuming roles."""


class Row(NamedTuple):
    """One row: which principal the role trusts, and what the caller's side says.

    ``trust`` is ``user``, ``role``, ``session``, ``account``, ``root``, ``anyone`` or ``nobody``; a caller of kind
    ``role`` is a session of role A, with a session policy of ``session`` where that is given.
    """

    trust: str
    allowed: bool
    caller: str = "user"
    identity: tuple[Statement, ...] = ()
    boundary: Statement | None = None
    session: Statement | None = None
    across: bool = False
    when: dict[str, Any] | None = None
    denies: bool = False
    external_id: str = ""


def row(id: str, given: Row, *facts: str) -> Any:
    return pytest.param(given, id=id, marks=pytest.mark.facts(*facts))


ASKS = {"StringEquals": {"sts:ExternalId": "xyz"}}
AS_ROLE = Row("role", True, "role")
ROWS = [
    row("T01", Row("root", True, identity=(MAY,)), "STS-AR-T01", "STS-AR-006", "POL-TR-012"),
    row("T01-bare-id", Row("account", True, identity=(MAY,)), "STS-AR-T01", "STS-AR-006", "POL-PR-004"),
    row("T02", Row("root", False), "STS-AR-T02", "STS-AR-006", "POL-TR-012", "POL-PR-005", "POL-EV-041"),
    row("T02-bare-id", Row("account", False), "STS-AR-T02", "STS-AR-006", "POL-TR-012"),
    row("T03", Row("root", False, identity=(MAY,), boundary=IDLE), "STS-AR-T03", "POL-EV-006", "POL-IT-007"),
    row("T04", Row("user", True), "STS-AR-T04", "STS-AR-006", "STS-AR-010", "POL-TR-010"),
    row("T04-anyone", Row("anyone", True), "STS-AR-006", "POL-TR-010"),
    row("T05", Row("user", False, identity=(deny(ASSUME),)), "STS-AR-T05", "STS-AR-009", "POL-TR-015", "POL-IT-020"),
    row("T06", Row("user", False, boundary=IDLE), "STS-AR-T06", "STS-AR-010", "POL-IT-023", "POL-TR-010"),
    row("T06-boundary-allows", Row("user", True, boundary=MAY), "STS-AR-T06", "POL-EV-008"),
    row("boundary-alone", Row("root", False, boundary=MAY), "POL-EV-008"),
    row("boundary-denies", Row("user", False, boundary=deny(ASSUME)), "STS-AR-009", "POL-TR-015", "POL-IT-020"),
    row("T07", AS_ROLE, "STS-AR-T07", "STS-AR-006", "POL-TR-011", "POL-IT-021", "POL-PR-007"),
    row("T08", AS_ROLE._replace(allowed=False, session=IDLE), "STS-AR-T08", "STS-AR-010", "POL-TR-011", "POL-IT-002"),
    row("T08-session-allows", AS_ROLE._replace(session=MAY), "STS-AR-T08", "POL-IT-002"),
    row("T08-boundary", AS_ROLE._replace(allowed=False, boundary=IDLE), "STS-AR-010", "POL-TR-011", "POL-IT-002"),
    row(
        "T09",
        Row("session", True, "role", session=IDLE, boundary=IDLE),
        *("STS-AR-T09", "STS-AR-006", "STS-AR-010", "STS-SP-005", "POL-TR-010", "POL-IT-003", "POL-SS-005"),
    ),
    row(
        "session-policy-denies",
        Row("session", False, "role", session=deny(ASSUME)),
        *("STS-AR-009", "POL-TR-015", "POL-IT-020", "POL-SS-004"),
    ),
    row("session-at-account", Row("root", False, "role", identity=(MAY,), session=IDLE), "POL-IT-007", "STS-SP-003"),
    row(
        "T10",
        Row("nobody", False, identity=(allow("*"),)),
        *("STS-AR-T10", "STS-AR-007", "POL-TR-001", "POL-TR-013", "POL-EV-030", "STS-E-003"),
    ),
    row("T11", Row("root", False, identity=(MAY,), denies=True), "STS-AR-T11", "STS-AR-009", "POL-TR-015"),
    row("T11-named", Row("user", False, identity=(MAY,), denies=True), "STS-AR-T11", "POL-EV-002"),
    row("T12-user", Row("user", False, across=True), "STS-AR-T12", "STS-AR-008", "POL-TR-014"),
    row("T12-account", Row("root", False, across=True), "STS-AR-T12", "STS-AR-008", "POL-TR-014"),
    row("T12-anyone", Row("anyone", False, across=True), "STS-AR-T12", "STS-AR-008", "POL-TR-014"),
    row("T13-user", Row("user", True, identity=(MAY,), across=True), "STS-AR-T13", "STS-AR-008", "POL-TR-014"),
    row("T13-account", Row("account", True, identity=(MAY,), across=True), "STS-AR-T13", "STS-AR-008", "POL-TR-014"),
    row("T13-anyone", Row("anyone", True, identity=(MAY,), across=True), "STS-AR-008", "POL-TR-014"),
    row("cross-nobody", Row("nobody", False, identity=(MAY,), across=True), "STS-AR-007", "STS-AR-008", "POL-TR-014"),
    row("cross-boundary", Row("user", False, identity=(MAY,), boundary=IDLE, across=True), "POL-TR-014"),
    row("T15", AS_ROLE._replace(identity=(MAY,), across=True), "STS-AR-T15", "STS-AR-008", "POL-TR-014"),
    row("T15-silent", AS_ROLE._replace(allowed=False, across=True), "STS-AR-T15", "STS-AR-008", "POL-TR-014"),
    row("T16-absent", Row("root", False, identity=(MAY,), when=ASKS), "STS-AR-T16", "STS-AR-026", "POL-TR-018"),
    row(
        "T16-wrong",
        Row("root", False, identity=(MAY,), when=ASKS, external_id="xyy"),
        *("STS-AR-T16", "STS-AR-026", "POL-TR-018", "POL-EV-020"),
    ),
    row("T16-cross", Row("user", False, identity=(MAY,), across=True, when=ASKS), "STS-AR-T16", "POL-TR-018"),
    row("T16-met", Row("root", True, identity=(MAY,), when=ASKS, external_id="xyz"), "STS-AR-T16", "STS-AR-025"),
    row("T16-not-asked-for", Row("user", True, external_id="xyz"), "STS-AR-025"),
]


def caller_of(given: Row, account: Account) -> Person | tuple[Role, Session]:
    if given.caller == "user":
        return account.user(*given.identity, boundary=given.boundary)
    helper = account.user()
    boundary = {} if given.boundary is None else {"boundary": given.boundary}
    role = account.role(trusts(helper.arn), may=given.identity, Path="/callers/", **boundary)
    session = {} if given.session is None else {"Policy": policy(given.session)}
    return role, account.assume(helper.key, role, "caller", **session)


@pytest.mark.parametrize("given", ROWS)
def test_a_role_is_assumed_where_both_sides_say_so(world: World, given: Row) -> None:
    home = world.account()
    target = world.account() if given.across else home
    caller = caller_of(given, home)
    if isinstance(caller, Person):
        names = {"user": caller.arn}
        own_arn, key = caller.arn, caller.key
    else:
        role, session = caller
        names = {"role": role.arn, "session": session.arn}
        own_arn, key = session.arn, session.key
    names |= {"account": home.id, "root": f"arn:aws:iam::{home.id}:root", "anyone": "*"}
    stranger = home.user()
    statements = [trusts(names.get(given.trust, stranger.arn), when=given.when)]
    if given.denies:
        statements.append(distrusts("*", when={"ArnEquals": {"aws:PrincipalArn": own_arn}}))
    role_t = target.role(*statements, Path="/targets/")
    asked = {"ExternalId": given.external_id} if given.external_id else {}
    if given.allowed:
        made = target.assume(key, role_t, "made", **asked)
        assert made.arn == f"arn:aws:sts::{target.id}:assumed-role/{role_t.name}/made"
    else:
        with pytest.raises(Refused) as refused:
            target.assume(key, role_t, "made", **asked)
        assert told(refused.value) == denied(own_arn, role_t)


@pytest.mark.facts("STS-AR-T20", "STS-AR-002", "STS-E-012", "POL-EV-053", "STS-CALL-T09")
@pytest.mark.parametrize("kind", ["key", "session"])
def test_root_assumes_no_role_whatever_trusts_it(account: Account, kind: str) -> None:
    role = account.role(trusts("*"), trusts(account.id))
    key = account.root
    if kind == "session":
        key = credentials_in(account.sts(key, "GetSessionToken"), account.id)
    with pytest.raises(Refused) as refused:
        account.assume(key, role)
    assert told(refused.value) == ("AccessDenied", "Roles may not be assumed by root accounts.", 403)


@pytest.mark.facts("STS-AR-T21", "STS-E-017", "POL-MSG-007")
@pytest.mark.parametrize("identity", [(), (MAY,)], ids=["not-permitted", "permitted"])
def test_a_role_that_does_not_exist_is_refused_in_the_plain_words(
    account: Account, identity: tuple[Statement, ...]
) -> None:
    user = account.user(*identity)
    missing = f"arn:aws:iam::{account.id}:role/nothing"
    with pytest.raises(Refused) as refused:
        account.assume(user.key, missing)
    assert told(refused.value) == denied(user.arn, missing)
