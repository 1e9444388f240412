"""Explanations: they point at the mistake, say why, and what they advise helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from locum.policy import (
    Ask,
    CompiledPolicy,
    Effect,
    Explanation,
    Layer,
    Policies,
    PolicyKind,
    Principal,
    StatementReport,
    Verdict,
    context,
    decide,
    explain,
    load,
)
from locum.policy.explanation import (
    IMPOSSIBLE,
    MAX_EXAMINED,
    MAX_JSON,
    MAX_POLICIES,
    MAX_STATEMENTS,
    MAX_TEXT,
    MAX_VALUES,
)
from locum.policy.remedy import remedies

from . import cases

VECTORS = Path(__file__).parents[1] / "vectors" / "nearest_miss.jsonl"
MISSES = [json.loads(line) for line in VECTORS.read_text().splitlines()]


ACCOUNT, OTHER = "111122223333", "444455556666"
ALICE = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "AIDAALICEALICEALICE00")
SESSION = Principal.role_session(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1",
    ACCOUNT,
    f"arn:aws:iam::{ACCOUNT}:role/app",
    "AROAAPPAPPAPPAPPAPP00",
    "s1",
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"


def policy(kind: PolicyKind, name: str, *statements: dict[str, Any]) -> CompiledPolicy:
    return load(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), kind, name)


def allow(action: str | list[str] = "*", resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def ask(action: str = "s3:GetObject", resource: str = "arn:aws:s3:::ledger/a", **given: Any) -> Ask:
    return Ask(given.pop("who", ALICE), action, resource, given.pop("owner", ACCOUNT), context(given.pop("keys", {})))


def question(miss: dict[str, Any]) -> tuple[Ask, Policies]:
    """A line of the vectors as values."""
    given = miss["policies"]

    def compiled(documents: dict[str, Any], kind: PolicyKind) -> tuple[CompiledPolicy, ...]:
        return tuple(load(json.dumps(document), kind, name) for name, document in documents.items())

    def single(member: str, kind: PolicyKind) -> CompiledPolicy | None:
        return next(iter(compiled(given.get(member, {}), kind)), None)

    trust = "trust" in given
    asked = Ask(
        cases.principal_of(miss["principal"]),
        miss["action"],
        miss["resource"],
        miss["resource_account"],
        context(miss["context"]),
    )
    return asked, Policies(
        identity=compiled(given.get("identity", {}), PolicyKind.INLINE),
        boundary=single("boundary", PolicyKind.MANAGED),
        session=compiled(given["session"], PolicyKind.SESSION) if "session" in given else None,
        resource=single("trust", PolicyKind.TRUST),
        resource_layer=Layer.TRUST if trust else Layer.RESOURCE,
        resource_policy_required=trust,
        scps=tuple(compiled(level, PolicyKind.SERVICE_CONTROL) for level in given["scps"]) if "scps" in given else None,
    )


def deciding(explanation: Explanation, name: str) -> StatementReport:
    """The matched Deny, or else the nearest miss, of a policy in the deciding layer."""
    for layer in explanation.layers:
        for each in layer.policies:
            if layer.layer is explanation.decision.layer and each.name == name:
                denies = [statement for statement in each.matched if statement.effect == "Deny"]
                statement = denies[0] if denies else each.nearest
                assert statement is not None
                return statement
    raise AssertionError(name)


@pytest.mark.parametrize("miss", [pytest.param(miss, id=miss["name"]) for miss in MISSES])
def test_a_realistic_mistake_is_named_with_both_values_and_what_would_have_allowed_it(miss: dict[str, Any]) -> None:
    explanation = explain(*question(miss))
    expected = miss["expected"]
    assert explanation.decision.effect.value == expected["effect"]
    assert explanation.decision.layer is not None
    assert explanation.decision.layer.value == expected["layer"]
    assert explanation.would_allow == expected["would_allow"]
    if "statement" in expected:
        statement = deciding(explanation, expected["policy"])
        assert (statement.sid or statement.index + 1) == expected["statement"]
        checks = [check for check in statement.checks if check.hint] if statement.effect == "Deny" else statement.failed
        assert [
            {
                "element": " ".join(filter(None, (check.element, check.operator, check.key))),
                "policy": list(check.resolved or check.wanted),
                "request": list(check.given),
                "hint": check.hint,
            }
            for check in checks
        ] == expected["checks"]


@pytest.mark.parametrize("miss", [pytest.param(miss, id=miss["name"]) for miss in MISSES])
def test_the_advice_on_a_realistic_mistake_is_tried(miss: dict[str, Any]) -> None:
    steps, complete = remedies(*question(miss))
    assert complete == (IMPOSSIBLE not in miss["expected"]["would_allow"])
    if complete:
        assert decide(steps[-1].ask, steps[-1].policies).allowed
        assert not any(decide(step.ask, step.policies).allowed for step in steps[:-1])


# --- single behaviours


def test_an_allowed_request_needs_no_fix() -> None:
    explanation = explain(ask(), Policies(identity=(policy(PolicyKind.INLINE, "readers", allow()),)))
    assert explanation.decision.allowed
    assert (explanation.fixes, explanation.would_allow, explanation.complete) == ((), "", True)


def test_an_action_that_needs_no_permission_is_not_explained_by_policies() -> None:
    explanation = explain(ask("sts:GetCallerIdentity", "*"), Policies())
    assert explanation.decision.allowed
    assert explanation.layers == ()


def test_an_unreadable_policy_is_named_with_its_problem() -> None:
    broken = load("{", PolicyKind.INLINE, "broken")
    explanation = explain(ask(), Policies(identity=(policy(PolicyKind.INLINE, "readers", allow()), broken)))
    (identity,) = explanation.layers
    assert identity.verdict is Verdict.DENIES
    assert identity.policies[1].problem
    assert explanation.would_allow == "the policy broken cannot be read and denies everything: mend it"
    assert explanation.complete


def test_several_obstacles_are_told_in_the_order_of_evaluation() -> None:
    policies = Policies(
        identity=(policy(PolicyKind.INLINE, "i", allow("ec2:*")),),
        boundary=policy(PolicyKind.MANAGED, "b", allow("ec2:*")),
        session=(policy(PolicyKind.SESSION, "", allow("ec2:*")),),
        scps=((policy(PolicyKind.SERVICE_CONTROL, "s", allow("ec2:*")),),),
    )
    explanation = explain(ask(who=SESSION), policies)
    assert [fix.layer for fix in explanation.fixes] == [
        Layer.SERVICE_CONTROL,
        Layer.IDENTITY,
        Layer.BOUNDARY,
        Layer.SESSION,
    ]
    assert explanation.complete
    assert explanation.would_allow.count("; and ") == 3


def test_a_fix_that_undoes_another_is_not_advised() -> None:
    """One Deny asks for a value that another refuses: the second is then to be removed, not the value changed back."""

    def guard(name: str, value: str) -> CompiledPolicy:
        condition = {"StringNotEquals": {"aws:RequestedRegion": value}}
        return policy(PolicyKind.INLINE, name, allow(), allow(Condition=condition) | {"Effect": "Deny"})

    explanation = explain(ask(), Policies(identity=(guard("one", "a"), guard("two", "b"))))
    assert explanation.complete
    assert [fix.text for fix in explanation.fixes] == [
        "add aws:RequestedRegion = a: statement 2 of the policy one denies s3:GetObject otherwise",
        "statement 2 of the policy two denies s3:GetObject: remove it, or leave this request out of it",
    ]


DENIALS = [
    ({"StringEquals": {"a:b": "x"}}, {"a:b": "x"}, "leave out a:b"),
    ({"StringNotEquals": {"a:b": ["x", "y"]}}, {"a:b": "z"}, "change a:b from z to x or y"),
    ({"Bool": {"a:b": "false"}}, {"a:b": "false"}, "change a:b from false to true"),
    ({"NumericGreaterThan": {"a:b": "900"}}, {"a:b": "3600"}, "change a:b from 3600 to one at most 900"),
    ({"DateGreaterThan": {"a:b": "2026-01-01T00:00:00Z"}}, {"a:b": "2027-01-01T00:00:00Z"}, "change a:b from 2027-01-"),
    ({"NotIpAddress": {"a:b": "10.0.0.0/8"}}, {"a:b": "192.0.2.1"}, "change a:b from 192.0.2.1 to one within 10.0"),
    ({"Null": {"a:b": "true"}}, {}, "add a:b"),
    ({"Null": {"a:b": "false"}}, {"a:b": "x"}, "leave out a:b"),
    ({"StringEqualsIfExists": {"a:b": "x"}}, {}, "give a:b a value other than x"),
]


@pytest.mark.parametrize(("condition", "keys", "text"), DENIALS)
def test_a_value_that_keeps_a_deny_from_applying_is_named(
    condition: dict[str, Any], keys: dict[str, Any], text: str
) -> None:
    deny = policy(PolicyKind.INLINE, "p", allow(), allow(Condition=condition) | {"Effect": "Deny"})
    asked, policies = ask(keys=keys), Policies(identity=(deny,))
    steps, complete = remedies(asked, policies)
    assert complete
    assert len(steps) == 1
    assert steps[0].fix.text.startswith(text)
    assert steps[0].policies is policies


GRANTS = [
    ({"StringLike": {"a:b": "home/*"}}, {"a:b": "x"}, "change a:b from x to one like home/*"),
    ({"NumericLessThan": {"a:b": "300"}}, {"a:b": "900"}, "change a:b from 900 to one less than 300"),
    ({"NumericLessThan": {"a:b": "300"}}, {}, "add a:b less than 300"),
    ({"DateLessThan": {"a:b": "2026-01-01T00:00:00Z"}}, {}, "add a:b before 2026-01-01T00:00:00Z"),
    ({"StringNotEquals": {"a:b": ["x", "y"]}}, {"a:b": "x"}, "leave out a:b"),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}, {}, "add aws:TagKeys = team"),
    ({"Null": {"a:b": "false"}}, {}, "add a:b"),
    ({"ArnLike": {"a:b": "arn:aws:sns:*:*:t"}}, {"a:b": "x"}, "change a:b from x to one like arn:aws:sns:*:*:t"),
    ({"StringEquals": {"a:b": "x", "a:c": "y"}}, {"a:c": "z"}, "add a:b = x and change a:c from z to y"),
    ({"BinaryEquals": {"a:b": "QUJD"}}, {}, "add a:b = QUJD"),
]


@pytest.mark.parametrize(("condition", "keys", "text"), GRANTS)
def test_a_value_that_makes_an_allow_apply_is_named(condition: dict[str, Any], keys: dict[str, Any], text: str) -> None:
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", allow(Condition=condition)),))
    steps, complete = remedies(ask(keys=keys), policies)
    assert complete
    assert [step.fix.text for step in steps] == [text]
    assert steps[0].policies is policies


HINTS = [
    ({"StringEquals": {"a:b": "x "}}, {"a:b": "x"}, "the values differ only by white space at an end"),
    ({"StringEquals": {"a:b": "true"}}, {"a:b": "True"}, "the values differ only by case"),
    ({"NumericEquals": {"a:b": "1"}}, {"a:b": "one"}, "the request's value is no number"),
    ({"DateLessThan": {"a:b": "2026-01-01"}}, {"a:b": "soon"}, "the request's value is no date"),
    ({"IpAddress": {"a:b": "10.0.0.0/8"}}, {"a:b": "here"}, "the request's value is no address"),
    ({"Null": {"a:b": "true"}}, {"a:b": "x"}, "the key is present"),
    ({"Null": {"a:b": "false"}}, {}, "the key is absent"),
    ({"StringNotEquals": {"a:b": "x"}}, {"a:b": "x"}, "the value is one of those that the condition leaves out"),
    (
        {"ArnEquals": {"a:b": "arn:aws:sns:us-east-1:111122223333:t"}},
        {"a:b": "arn:aws:sns:eu-west-1:444455556666:t"},
        "the ARN differs in its region and account: us-east-1 111122223333 in the policy, "
        "eu-west-1 444455556666 in the request",
    ),
    (
        {"StringEquals": {"a:b": "${aws:username}"}},
        {"a:b": "x"},
        "${aws:username} has no value in this request, so nothing equals it",
    ),
    (
        {"ForAllValues:StringNotEquals": {"aws:TagKeys": "x"}},
        {"aws:TagKeys": ["x", "y"]},
        "among the policy's values: x",
    ),
]


@pytest.mark.parametrize(("condition", "keys", "hint"), HINTS)
def test_a_condition_that_fails_says_why(condition: dict[str, Any], keys: dict[str, Any], hint: str) -> None:
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", allow(Condition=condition)),))
    (check,) = deciding(explain(ask(keys=keys), policies), "p").failed
    assert check.hint == hint


SURPRISES = [
    ({"StringNotLike": {"a:b": "x*"}}, {}, "the key is absent: a negated operator matches then"),
    ({"StringEqualsIfExists": {"a:b": "x"}}, {}, "the key is absent: IfExists matches then"),
    (
        {"StringNotEquals": {"a:b": "x*"}},
        {"a:b": "xy"},
        "the pattern has a wildcard, but StringNotEquals compares it literally: use StringNotLike",
    ),
    ({"StringNotEquals": {"a:b": "Prod"}}, {"a:b": "prod"}, "the values differ only by case"),
]


@pytest.mark.parametrize(("condition", "keys", "hint"), SURPRISES)
def test_a_deny_that_applies_by_surprise_says_why(condition: dict[str, Any], keys: dict[str, Any], hint: str) -> None:
    deny = policy(PolicyKind.INLINE, "p", allow(), allow(Condition=condition) | {"Effect": "Deny"})
    statement = deciding(explain(ask(keys=keys), Policies(identity=(deny,))), "p")
    assert [check.hint for check in statement.checks if check.element == "Condition"] == [hint]


PRINCIPALS = [
    ({"AWS": OTHER}, f"names account {OTHER}, the caller is of account {ACCOUNT}"),
    (
        {"AWS": [OTHER, "999988887777"]},
        f"names accounts {OTHER} and 999988887777, the caller is of account {ACCOUNT}",
    ),
    ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/App"}, "the values differ only by case"),
    (
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/x/app"},
        f"the paths differ: arn:aws:iam::{ACCOUNT}:role/x/app in the policy, "
        f"arn:aws:iam::{ACCOUNT}:role/app in the request",
    ),
    (
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/web"},
        f"names arn:aws:iam::{ACCOUNT}:role/web, the caller is arn:aws:iam::{ACCOUNT}:role/app",
    ),
    ({"Service": "ec2.amazonaws.com"}, f"names ec2.amazonaws.com, the caller is of account {ACCOUNT}"),
]


@pytest.mark.parametrize(("named", "hint"), PRINCIPALS)
def test_a_principal_that_is_not_the_caller_says_why(named: dict[str, Any], hint: str) -> None:
    trust = policy(
        PolicyKind.TRUST, ROLE, {"Effect": "Allow", "Principal": named, "Action": "sts:AssumeRole", "Sid": "T"}
    )
    policies = Policies(resource=trust, resource_layer=Layer.TRUST, resource_policy_required=True)
    explanation = explain(ask("sts:AssumeRole", ROLE, who=SESSION), policies)
    (check,) = deciding(explanation, ROLE).failed
    assert (check.element, check.hint) == ("Principal", hint)
    assert explanation.complete


@pytest.mark.parametrize(
    ("caller", "named", "hint"),
    [
        (
            Principal.service("ec2.amazonaws.com"),
            {"Service": "lambda.amazonaws.com"},
            "names lambda.amazonaws.com, the caller is the service ec2.amazonaws.com",
        ),
        (
            Principal.web_identity("accounts.google.com"),
            {"AWS": "*"},
            "* does not stand for the bearer of a provider's token: name the provider as Federated",
        ),
        (
            Principal.saml("arn:aws:iam::111122223333:saml-provider/corp"),
            {"Federated": "www.amazon.com"},
            "names www.amazon.com, the caller was vouched for by arn:aws:iam::111122223333:saml-provider/corp",
        ),
        (Principal.anonymous(), {"AWS": ACCOUNT}, "the caller is anonymous, whom only * names"),
    ],
)
def test_a_principal_that_is_another_kind_of_caller_says_why(caller: Principal, named: Any, hint: str) -> None:
    trust = policy(PolicyKind.TRUST, ROLE, {"Effect": "Allow", "Principal": named, "Action": "sts:*"})
    policies = Policies(resource=trust, resource_layer=Layer.TRUST, resource_policy_required=True)
    explanation = explain(ask("sts:TagSession", ROLE, who=caller), policies)
    (check,) = deciding(explanation, ROLE).failed
    assert check.hint == hint
    assert explanation.complete


@pytest.mark.parametrize(
    ("statement", "asked", "hint"),
    [
        (allow("S3:GetObject", "arn:aws:s3:::Ledger/a"), ask(), "the values differ only by case"),
        (
            allow(resource="arn:aws:s3:::ledger/*"),
            ask(resource="arn:aws:s3:::ledger"),
            "the policy names what is below",
        ),
        (allow(resource="arn:aws:s3:::x"), ask(resource="*"), "the action is asked for without a resource"),
        (allow(resource="arn:aws:s3:::b/c"), ask(), "the ARN differs in its resource: b/c in the policy, ledger/a in"),
        (allow("sqs:GetObject"), ask(), "the services differ: sqs in the policy, s3 in the request"),
        (allow("s*:GetObject"), ask(), "s*:GetObject allows nothing: the service has a wildcard"),
        (allow("?*"), ask(), "?* allows nothing: it names no service"),
        (
            {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::ledger/*"},
            ask(),
            "NotResource leaves it out",
        ),
    ],
)
def test_an_action_or_a_resource_that_is_not_the_requests_says_why(
    statement: dict[str, Any], asked: Ask, hint: str
) -> None:
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", statement),))
    (check,) = deciding(explain(asked, policies), "p").failed
    assert check.hint.startswith(hint)


def test_the_nearest_miss_is_the_statement_with_the_least_to_mend() -> None:
    region = "arn:aws:s3:::ledger/b"
    statements = [
        allow("ec2:*"),
        allow("s3:PutObject"),
        allow("s3:GetObject", region, Condition={"StringEquals": {"a:b": "x"}}, Sid="Two"),
        allow("s3:GetObject", Condition={"StringEquals": {"a:b": "X"}}, Sid="Case"),
        allow("s3:GetObject", Condition={"StringEquals": {"a:b": "other"}}, Sid="Value"),
    ]
    for kept, nearest in ((5, 3), (3, 2), (2, 1), (1, 0)):
        policies = Policies(identity=(policy(PolicyKind.INLINE, "p", *statements[:kept]),))
        assert deciding(explain(ask(keys={"a:b": "x"}), policies), "p").index == nearest


def test_variables_are_shown_as_written_and_with_their_values() -> None:
    home = allow(resource="arn:aws:s3:::home/${aws:username}/${s3:prefix, 'all'}/${*}")
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", home),))
    (check,) = deciding(explain(ask(keys={"aws:username": "alice"}), policies), "p").failed
    assert check.wanted == ("arn:aws:s3:::home/${aws:username}/${s3:prefix, 'all'}/${*}",)
    assert check.resolved == ("arn:aws:s3:::home/alice/all/*",)


def test_context_keys_are_spelled_as_the_policies_spell_them() -> None:
    condition = {"StringEquals": {"ec2:InstanceType": "t3.nano"}}
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", allow(Condition=condition)),))
    explanation = explain(ask(keys={"EC2:INSTANCETYPE": "x", "AWS:SOURCEIP": "192.0.2.1"}), policies)
    assert [entry.key for entry in explanation.asked.context] == ["aws:SourceIp", "ec2:InstanceType"]


def test_across_accounts_a_reader_sees_its_own_side_only() -> None:
    trust = policy(
        PolicyKind.TRUST, ROLE, {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:*", "Sid": "Hidden"}
    )
    policies = Policies(
        identity=(policy(PolicyKind.INLINE, "operators", allow()),),
        resource=trust,
        resource_layer=Layer.TRUST,
        resource_policy_required=True,
    )
    foreign = Principal.user(f"arn:aws:iam::{OTHER}:user/bob", OTHER, "AIDABOBBOBBOBBOBBOB00")
    keys = {"aws:ResourceTag/team": "hidden", "aws:SecureTransport": True}
    explanation = explain(ask("sts:AssumeRole", ROLE, who=foreign, keys=keys), policies)
    assert explanation.decision.effect is Effect.EXPLICIT_DENY
    caller = explanation.seen_from(OTHER)
    assert [layer.layer for layer in caller.layers] == [Layer.IDENTITY]
    assert (caller.decision.effect, caller.decision.layer, caller.decision.statements) == (
        Effect.IMPLICIT_DENY,
        None,
        (),
    )
    assert "idden" not in caller.to_json()
    assert caller.fixes == ()
    assert not caller.complete
    owner = explanation.seen_from(ACCOUNT)
    assert [layer.layer for layer in owner.layers] == [Layer.TRUST]
    assert owner.decision == explanation.decision
    assert "operators" not in owner.to_json()
    unseen = explanation.seen_from("999988887777")
    assert (unseen.layers, unseen.fixes) == ((), ())
    same_account = explain(ask("sts:AssumeRole", ROLE), policies)
    assert same_account.seen_from(ACCOUNT) is same_account


def test_what_is_left_out_of_a_long_explanation_is_counted() -> None:
    long = "x" * 100_000
    many = [f"arn:aws:s3:::b{n}" for n in range(1_000)]
    statements = [allow("s3:GetObject", many, Sid="Many")] + [allow("s3:PutObject")] * 100
    policies = Policies(
        identity=(
            policy(PolicyKind.INLINE, "long", allow(Condition={"StringEquals": {"a:b": long}})),
            policy(PolicyKind.INLINE, "many", *statements),
            policy(PolicyKind.INLINE, "allowing", *[allow(Sid=f"S{n}") for n in range(500)]),
            *(policy(PolicyKind.INLINE, f"p{n}", allow()) for n in range(100)),
        )
    )
    keys = {f"k:{n}": "v" * 5_000 for n in range(300)} | {"a:b": [long] * 50}
    explanation = explain(ask(keys=keys), policies)
    (identity,) = explanation.layers
    assert len(identity.policies) == MAX_POLICIES
    assert identity.cut == 103 - MAX_POLICIES
    assert explanation.asked.cut > 0
    allowing = next(each for each in identity.policies if each.name == "allowing")
    assert (len(allowing.matched), allowing.cut) == (MAX_STATEMENTS, 500 - MAX_STATEMENTS)
    silent = explain(ask(keys=keys), Policies(identity=policies.identity[:2]))
    (check,) = deciding(silent, "long").failed
    assert check.wanted == ("x" * (MAX_TEXT - 1) + "…",)
    assert check.cut == 50 - MAX_VALUES
    (check,) = deciding(silent, "many").failed
    assert check.cut == 1_000 - MAX_VALUES
    assert len(silent.to_json()) < 400_000
    assert Explanation.from_json(silent.to_json()) == silent


def test_the_deciding_statement_is_listed_however_many_others_apply() -> None:
    deny = {**allow(), "Effect": "Deny", "Sid": "Last"}
    policies = Policies(
        identity=(
            *(policy(PolicyKind.INLINE, f"p{n}", allow()) for n in range(MAX_POLICIES + 5)),
            policy(PolicyKind.INLINE, "last", *[allow()] * 30, deny),
        )
    )
    explanation = explain(ask(), policies)
    assert deciding(explanation, "last").sid == "Last"


def test_the_work_on_nearest_misses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from locum.policy import trace
    from locum.policy.compile import elements_of

    looked_at: list[object] = []

    def counting(statement: Any, *, variables: bool) -> Any:
        looked_at.append(statement)
        return elements_of(statement, variables=variables)

    monkeypatch.setattr(trace, "elements_of", counting)
    failing = [allow(Condition={"StringEquals": {"a:b": str(n)}}) for n in range(500)]
    policies = Policies(identity=tuple(policy(PolicyKind.INLINE, f"p{n}", *failing) for n in range(4)))
    explanation = explain(ask(keys={"a:b": "x"}), policies)
    assert [each.nearest is not None for each in explanation.layers[0].policies] == [True] * 4
    assert explanation.complete
    assert len(looked_at) < 2 * MAX_EXAMINED


def test_the_value_that_came_closest_is_found_among_many() -> None:
    values = [f"team-{n}" for n in range(400)]
    condition = {"StringEquals": {"aws:PrincipalTag/team": values}}
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", allow(Condition=condition)),))
    (check,) = deciding(explain(ask(keys={"aws:PrincipalTag/team": "Team-387"}), policies), "p").failed
    assert check.hint == "the values differ only by case"
    resources = [f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs-{n}" for n in range(400)]
    policies = Policies(identity=(policy(PolicyKind.INLINE, "p", allow(resource=resources)),))
    asked = ask(resource=f"arn:aws:sqs:eu-west-1:{OTHER}:jobs-387")
    (check,) = deciding(explain(asked, policies), "p").failed
    assert check.hint.startswith("the ARN differs in its account")


def test_the_detail_of_all_statements_together_is_bounded() -> None:
    values = [f"{n}-{'x' * 1_000}" for n in range(12)]
    statement = allow(Condition={f"ForAllValues:StringEqual{'s'}": {f"k:{n}": values for n in range(8)}})
    policies = Policies(
        scps=tuple(
            tuple(policy(PolicyKind.SERVICE_CONTROL, f"{level}-{n}", statement) for n in range(10))
            for level in range(5)
        )
    )
    explanation = explain(ask(), policies)
    assert len(explanation.to_json()) < 4_000_000
    assert any(
        statement.cut and not statement.checks
        for layer in explanation.layers
        for each in layer.policies
        for statement in each.matched
    )


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"decision": 1}', '{"decision":{"effect":"Maybe"},"asked":{}}', b"\xff"]
)
def test_text_that_is_no_explanation_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Explanation.from_json(text)


def test_an_explanation_of_boundless_length_is_not_read() -> None:
    with pytest.raises(ValueError, match="not that long"):
        Explanation.from_json(" " * (MAX_JSON + 1))
