"""Random policies and requests, in the shape of the cases of tests/vectors/policy_cases.jsonl."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ACCOUNT, OTHER = "111122223333", "444455556666"
ALICE = {
    "type": "IAMUser",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "account": ACCOUNT,
    "id": "AIDAALICEALICEALICE00",
}
SESSION = {
    "type": "AssumedRole",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1",
    "account": ACCOUNT,
    "role_arn": f"arn:aws:iam::{ACCOUNT}:role/app",
    "id": "AROAAPPAPPAPPAPPAPP00",
    "session_name": "s1",
}
FEDERATED = {
    "type": "FederatedUser",
    "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
    "account": ACCOUNT,
    "id": "",
    "user_arn": ALICE["arn"],
}
ROOT = {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "account": ACCOUNT, "id": ACCOUNT}
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.net"
CALLERS: list[dict[str, Any]] = [
    ALICE,
    SESSION,
    FEDERATED,
    ROOT,
    {**FEDERATED, "user_arn": ROOT["arn"]},
    {**ALICE, "arn": f"arn:aws:iam::{OTHER}:user/alice", "account": OTHER},
    {**SESSION, "service_linked": True},
    {"type": "RootSession", "arn": ROOT["arn"], "account": ACCOUNT, "id": ACCOUNT},
    {"type": "Service", "service": "ec2.amazonaws.com"},
    {"type": "Anonymous"},
    {"type": "WebIdentity", "provider": PROVIDER},
    {"type": "SAML", "provider": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"},
]
ACTIONS = [
    "s3:GetObject",
    "S3:PutObject",
    "iam:CreateUser",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoot",
]
ACTION_PATTERNS = [
    "*",
    "s3:*",
    "s3:Get*",
    "S3:?utObject",
    "iam:Create*",
    "sts:*",
    "sts:AssumeRole",
    "sts:Assume*Identity",
    "*:GetObject",
]
RESOURCES = [
    "*",
    "arn:aws:s3:::ledger/a",
    "arn:aws:s3:::ledger/a:b/c",
    "arn:aws:sqs:eu-west-1:111122223333:jobs",
    f"arn:aws:iam::{ACCOUNT}:role/app",
    "arn:aws-cn:s3:::ledger/a",
]
RESOURCE_PATTERNS = [
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::led*/?",
    "arn:aws:s3:::led*/c",
    "arn:aws:s3:*:*:ledger/a",
    "arn:aws:sqs:*:jobs",
    "arn:aws:sqs:*-west-?:111122223333:jobs",
    "arn:aws:s*:::ledger/a",
    "arn:aws:s3:::ledger/${aws:username}",
    "arn:aws:s3:::${s3:prefix, 'ledger'}/*",
    "arn:aws:iam::${aws:PrincipalAccount}:role/app",
    "arn:aws:sqs",
]
TEXTS = ["a", "b", "A", "a*", "a?c", "abc", "${aws:username}", "${s3:prefix, 'a'}", "${*}", ""]
NUMBERS = ["1", "2", "10", "10.0", "-1"]
DATES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00", "1767225600", "2027-01-01T00:00:00Z"]
RANGES = ["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "2001:db8::1"]
ARNS = [
    "arn:aws:sns:us-east-1:111122223333:topic",
    "arn:aws:sns:*:111122223333:*",
    "arn:aws:sns:us-*:?:to?ic",
    "arn:*",
    "topic",
    "arn:aws:sns:us-east-1:${aws:PrincipalAccount}:${s3:prefix}",
]
FAMILIES: list[tuple[str, list[str], list[str]]] = [
    (
        "StringEquals StringNotEquals StringLike StringNotLike StringEqualsIgnoreCase StringNotEqualsIgnoreCase",
        TEXTS,
        ["a", "b", "A", "abc", "*", ""],
    ),
    (
        "NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan "
        "NumericGreaterThanEquals",
        NUMBERS,
        [*NUMBERS, "x"],
    ),
    (
        "DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals",
        DATES,
        [*DATES, "x"],
    ),
    ("IpAddress NotIpAddress", RANGES, ["10.1.2.3", "192.0.2.1", "2001:db8::1", "x"]),
    ("ArnEquals ArnLike ArnNotEquals ArnNotLike", ARNS, [ARNS[0], "arn:aws:sns:us-east-1:1:b:c", "topic"]),
    ("Bool", ["true", "false", "True"], ["true", "false", "TRUE"]),
    ("BinaryEquals", ["QUJD", "QQ=="], ["QUJD", "?"]),
]


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for _ in range(draw(st.integers(0, 2))):
        index = draw(st.integers(0, len(FAMILIES) - 1))
        names, values, _ = FAMILIES[index]
        operator = draw(st.sampled_from(["", "ForAllValues:", "ForAnyValue:"])) + draw(st.sampled_from(names.split()))
        operator += draw(st.sampled_from(["", "IfExists"]))
        block[operator] = {f"k:{index}": draw(st.lists(st.sampled_from(values), max_size=2))}
    if draw(st.booleans()) and draw(st.booleans()):
        block["Null"] = {"k:0": draw(st.sampled_from(["true", "false"]))}
    return block


@st.composite
def contexts(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for index, (_, _, values) in enumerate(FAMILIES):
        values = [value for value in values if value]
        made[f"k:{index}"] = draw(st.none() | st.sampled_from(values) | st.lists(st.sampled_from(values), max_size=3))
    made["aws:username"] = draw(st.none() | st.sampled_from(["a", "b*"]))
    made["s3:prefix"] = draw(st.none() | st.sampled_from(["topic", "a", "led:ger"]) | st.just(["a"]))
    made["aws:PrincipalAccount"] = ACCOUNT
    return {key: value for key, value in made.items() if value is not None}


PRINCIPALS = [
    "*",
    {"AWS": "*"},
    {"AWS": ACCOUNT},
    {"AWS": f"arn:aws:iam::{OTHER}:root"},
    {"AWS": [ALICE["arn"], SESSION["role_arn"]]},
    {"AWS": [SESSION["id"], FEDERATED["arn"]]},
    {"AWS": SESSION["arn"], "Service": "ec2.amazonaws.com"},
    {"Federated": PROVIDER},
]


@st.composite
def documents(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    statements = []
    for _ in range(draw(st.integers(1, 3))):
        effect = "Deny" if kind == "rcp" else draw(st.sampled_from(["Allow", "Allow", "Deny"]))
        statement: dict[str, Any] = {"Effect": effect}
        action = "NotAction" if draw(st.integers(0, 4)) == 0 else "Action"
        statement[action] = draw(st.lists(st.sampled_from(ACTION_PATTERNS), min_size=1, max_size=2))
        if kind != "trust":
            resource = "NotResource" if draw(st.integers(0, 4)) == 0 else "Resource"
            statement[resource] = draw(st.lists(st.sampled_from(RESOURCE_PATTERNS), min_size=1, max_size=2))
        if kind == "rcp":
            statement["Principal"] = "*"
        elif kind in ("trust", "resource"):
            negate = kind == "resource" and effect == "Deny" and draw(st.integers(0, 3)) == 0
            statement["NotPrincipal" if negate else "Principal"] = draw(st.sampled_from(PRINCIPALS))
        statement["Condition"] = draw(conditions())
        statements.append(statement)
    version = draw(st.sampled_from([{"Version": "2012-10-17"}, {"Version": "2012-10-17"}, {}]))
    return {**version, "Statement": statements}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A random case in the shape of the cases file."""
    action = draw(st.sampled_from(ACTIONS))
    guard = documents("trust" if action.startswith("sts:") else "resource")
    principal = draw(st.sampled_from(CALLERS))
    without_identity = principal["type"] in ("Service", "Anonymous", "WebIdentity", "SAML", "Root", "RootSession")
    own = st.just([]) if without_identity else st.lists(documents("identity"), max_size=2)
    levels = st.none() | st.lists(st.lists(documents("scp"), max_size=2), max_size=2)
    return {
        "identity_policies": draw(own),
        "resource_policy": draw(st.none() | guard),
        "permissions_boundary": None if without_identity else draw(st.none() | documents("identity")),
        "session_policies": [] if without_identity else draw(st.just([]) | st.lists(documents("identity"), max_size=2)),
        "scps": draw(st.none() | levels),
        "rcps": draw(st.none() | st.lists(st.lists(documents("rcp"), max_size=1), max_size=1)),
        "request": {
            "principal": principal,
            "action": action,
            "resource": draw(st.sampled_from(RESOURCES)),
            "resource_account": draw(st.sampled_from([ACCOUNT, ACCOUNT, OTHER])),
            "context": draw(contexts()),
            "resource_policy_required": draw(st.booleans()),
        },
    }
