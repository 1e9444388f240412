"""What holds of every decision: limits only take away, a Deny only takes away, and no order matters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from locum.policy import CompiledPolicy, Decision, Policies, PolicyKind, compile_policy, decide, parse

from . import cases
from . import random_cases as scene

Case = dict[str, Any]
T = TypeVar("T")


def decided(case: Case, policies: Policies | None = None) -> Decision:
    decision = decide(cases.ask_of(case["request"]), policies or cases.policies_of(case))
    assert isinstance(decision, Decision)
    return decision


# R11: session policies and federation


@pytest.mark.facts("R11", "POL-SS-002", "POL-SS-005", "STS-SP-003")
@given(scene.requests(), st.lists(scene.documents("identity"), min_size=1, max_size=2))
def test_a_session_policy_only_takes_away(case: Case, session: list[dict[str, Any]]) -> None:
    """Whatever the resource's policy grants, to the session's own ARN included: both sessions are one principal."""
    case["request"]["principal"] = scene.SESSION
    case["session_policies"] = []
    without = decided(case)
    case["session_policies"] = session
    assert without.allowed or not decided(case).allowed


@pytest.mark.facts("R11", "POL-SS-002", "POL-SS-004", "STS-SP-003")
@given(scene.requests(), st.lists(scene.documents("identity"), min_size=1, max_size=2))
def test_a_session_may_do_exactly_what_its_role_and_its_session_policies_both_allow(
    case: Case, session: list[dict[str, Any]]
) -> None:
    """For every action, with nothing granted by a resource: its grants to the session's own ARN come on top."""
    case["request"]["principal"] = scene.SESSION
    case["request"]["resource_account"] = scene.ACCOUNT
    case["request"]["resource_policy_required"] = False
    case["resource_policy"] = None
    case["session_policies"] = []
    role = decided(case)
    case["session_policies"] = session
    both = decided(case)
    ceiling = decided({**case, "identity_policies": session, "session_policies": []} | dict.fromkeys(LIMITS))
    assert both.allowed == (role.allowed and ceiling.allowed)


LIMITS = ("permissions_boundary", "scps", "rcps")


def names(value: object, name: str) -> bool:
    """Whether a JSON value holds a text."""
    if isinstance(value, dict):
        return any(names(each, name) for each in value.values())
    return name in value if isinstance(value, list) else value == name


def without_statements_about(document: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    if document is None:
        return None
    rest = [statement for statement in document["Statement"] if not names(statement, name)]
    return {**document, "Statement": rest} if rest else None


TRUSTED_BY_ALL: Case = {
    "identity_policies": [],
    "resource_policy": {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]},
    "permissions_boundary": {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]},
    "session_policies": [],
    "scps": None,
    "rcps": None,
    "request": {
        "principal": scene.FEDERATED,
        "action": "sts:AssumeRole",
        "resource": scene.SESSION["role_arn"],
        "resource_account": scene.ACCOUNT,
        "context": {},
        "resource_policy_required": True,
    },
}


@pytest.mark.facts("R11", "R33", "POL-EV-013", "POL-SS-003")
@given(scene.requests(), st.lists(scene.documents("identity"), max_size=2), st.sampled_from([scene.ALICE, scene.ROOT]))
@example(TRUSTED_BY_ALL, [], scene.ALICE)
def test_a_federated_user_may_do_a_subset_of_what_its_issuer_may(
    case: Case, session: list[dict[str, Any]], issuer: dict[str, Any]
) -> None:
    """Grants to its own ARN aside, whatever the resource's policy says of others, of its issuer, of everyone."""
    policy = without_statements_about(case["resource_policy"], scene.FEDERATED["arn"])
    case = {**case, "resource_policy": policy, "request": {**case["request"]}}
    case["request"]["principal"] = {**scene.FEDERATED, "user_arn": issuer["arn"]}
    case["session_policies"] = session
    federated = decided(case)
    case["request"]["principal"] = issuer
    case["session_policies"] = []
    assert decided(case).allowed or not federated.allowed
    if policy is None:
        assert session or not federated.allowed


# Every policy of a case, one after the other


def every(policies: Policies) -> list[CompiledPolicy]:
    """All policies that apply, in a fixed order."""
    found: list[CompiledPolicy] = []

    def note(policy: CompiledPolicy) -> CompiledPolicy:
        found.append(policy)
        return policy

    changed(policies, note)
    return found


def changed(policies: Policies, change: Callable[[CompiledPolicy], CompiledPolicy]) -> Policies:
    """The same policies, each replaced by what ``change`` makes of it."""

    def several(given: tuple[CompiledPolicy, ...]) -> tuple[CompiledPolicy, ...]:
        return tuple(change(policy) for policy in given)

    def maybe(given: CompiledPolicy | None) -> CompiledPolicy | None:
        return None if given is None else change(given)

    def levels(given: tuple[tuple[CompiledPolicy, ...], ...] | None) -> tuple[tuple[CompiledPolicy, ...], ...] | None:
        return None if given is None else tuple(map(several, given))

    return msgspec.structs.replace(
        policies,
        identity=several(policies.identity),
        boundary=maybe(policies.boundary),
        session=None if policies.session is None else several(policies.session),
        resource=maybe(policies.resource),
        scps=levels(policies.scps),
        rcps=levels(policies.rcps),
    )


def with_statements(policy: CompiledPolicy, order: Callable[[list[Any]], list[Any]]) -> CompiledPolicy:
    """The policy compiled again from changed statements."""
    assert policy.source is not None
    assert policy.kind is not None
    statements = tuple(order(list(policy.source.statements)))
    return compile_policy(msgspec.structs.replace(policy.source, statements=statements), policy.kind, policy.name)


_FORMS = {
    PolicyKind.TRUST: "trust",
    PolicyKind.RESOURCE: "resource",
    PolicyKind.RESOURCE_CONTROL: "rcp",
}


@st.composite
def denies(draw: st.DrawFn, kind: PolicyKind) -> Any:
    """A statement that denies, of a document that may be used as ``kind``."""
    document = draw(scene.documents(_FORMS.get(kind, "identity")))
    statement = {**document["Statement"][0], "Effect": "Deny"}
    return parse(json.dumps({**document, "Statement": statement})).statements[0]


@given(scene.requests(), st.data())
def test_one_more_deny_never_allows_more(case: Case, data: st.DataObject) -> None:
    policies = cases.policies_of(case)
    held = every(policies)
    assume(held)
    target = data.draw(st.sampled_from(range(len(held))))
    kind = held[target].kind
    assert kind is not None
    statement = data.draw(denies(kind))
    place = data.draw(st.integers(0, 3))
    denying = with_statements(held[target], lambda listed: [*listed[:place], statement, *listed[place:]])
    before = decided(case, policies)
    after = decided(case, changed(policies, lambda policy: denying if policy is held[target] else policy))
    assert before.allowed or not after.allowed


@given(scene.requests(), st.data())
def test_one_allow_less_never_allows_more(case: Case, data: st.DataObject) -> None:
    policies = cases.policies_of(case)
    allows = [
        (policy, number)
        for policy in every(policies)
        for number, statement in enumerate(policy.statements)
        if not statement.deny
    ]
    assume(allows)
    target, number = data.draw(st.sampled_from(allows))
    lessened = with_statements(target, lambda listed: [*listed[:number], *listed[number + 1 :]])
    before = decided(case, policies)
    after = decided(case, changed(policies, lambda policy: lessened if policy is target else policy))
    assert before.allowed or not after.allowed


@given(
    scene.requests(),
    st.sampled_from(["identity_policies", "session_policies"]),
    st.lists(scene.documents("identity"), min_size=2, max_size=3),
)
def test_one_policy_less_that_only_allows_never_allows_more(
    case: Case, group: str, documents: list[dict[str, Any]]
) -> None:
    if case["request"]["principal"] not in (scene.ALICE, scene.SESSION, scene.FEDERATED):
        case["request"]["principal"] = scene.SESSION
    for statement in documents[0]["Statement"]:
        statement["Effect"] = "Allow"
    before = decided({**case, group: documents})
    after = decided({**case, group: documents[1:]})
    assert before.allowed or not after.allowed


@given(scene.requests(), st.randoms(use_true_random=False))
def test_no_order_of_statements_policies_or_levels_changes_the_answer(case: Case, random: Any) -> None:
    def mixed(given: Iterable[T]) -> list[T]:
        listed = list(given)
        random.shuffle(listed)
        return listed

    policies = changed(cases.policies_of(case), lambda policy: with_statements(policy, mixed))
    stages = {
        stage: tuple(tuple(mixed(level)) for level in mixed(levels))
        for stage in ("scps", "rcps")
        if (levels := getattr(policies, stage)) is not None
    }
    turned = msgspec.structs.replace(
        policies,
        identity=tuple(mixed(policies.identity)),
        session=None if policies.session is None else tuple(mixed(policies.session)),
        **stages,
    )
    before, after = decided(case), decided(case, turned)
    assert (after.effect, after.layer, after.cross_account) == (before.effect, before.layer, before.cross_account)
