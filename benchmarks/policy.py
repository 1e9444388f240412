"""Decisions: the compiled engine beside the tests' plain evaluator and beside iam-simulate, and what its index saves.

iam-simulate (the npm package ``@cloud-copilot/iam-simulate``) runs in a Node process of its own that measures itself.
It is installed into ``build/bench-node`` from ``benchmarks/node/package-lock.json`` when it is first needed.
"""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.subjects import NotInstalled
from benchmarks.timing import Pair, Program

__all__ = ["DECISIONS"]

_ROOT: Final = Path(__file__).parents[1]
_NODE: Final = Path(__file__).parent / "node"
_INSTALLED: Final = _ROOT / "build" / "bench-node"
_ACCOUNT: Final = "111122223333"
_USER: Final = f"arn:aws:iam::{_ACCOUNT}:user/builder"
_USER_ID: Final = "AIDABENCHBENCHBENCHBE"

Document = dict[str, Any]


def _oracle() -> Any:
    """The plain evaluator that the tests hold the compiled one against."""
    path = _ROOT / "tests" / "policy" / "oracle.py"
    spec = importlib.util.spec_from_file_location("policy_oracle", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# A role's trust policy


_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": _USER}, "Action": "sts:TagSession"},
        {
            "Effect": "Allow",
            "Principal": {"AWS": [_USER, f"arn:aws:iam::{_ACCOUNT}:user/other"]},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"sts:ExternalId": ["red-7731", "blue-1187"]},
                "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]},
            },
        },
    ],
}
_TRUST_CONTEXT: Final = {
    "aws:securetransport": "true",
    "sts:externalid": "blue-1187",
    "aws:sourceip": "192.0.2.7",
    "aws:currenttime": "2027-01-01T00:00:00Z",
    "aws:principalarn": _USER,
    "aws:username": "builder",
}


def _trust_policy() -> Pair:
    from locum.policy import Ask, Layer, Policies, PolicyKind, Principal, load

    compiled = load(json.dumps(_TRUST), PolicyKind.TRUST, "trust")
    policies = Policies(resource=compiled, resource_layer=Layer.TRUST, resource_policy_required=True)
    role = f"arn:aws:iam::{_ACCOUNT}:role/builder-1"
    ask = Ask(Principal.user(_USER, _ACCOUNT, _USER_ID), "sts:AssumeRole", role, _ACCOUNT, _TRUST_CONTEXT)
    return _beside_the_oracle(
        "decide on a trust policy of 5 statements and 3 conditions",
        ask,
        policies,
        resource_policy=_TRUST,
        required=True,
        trust=True,
    )


def _beside_the_oracle(title: str, ask: Any, policies: Any, **held: Any) -> Pair:
    from locum.policy import decide

    oracle = _oracle()
    question = oracle.Question(
        principal={"type": "IAMUser", "arn": _USER, "account": _ACCOUNT, "id": _USER_ID},
        action=ask.action,
        resource=ask.resource,
        resource_account=ask.resource_account,
        context=ask.context,
        **held,
    )
    if not decide(ask, policies).allowed or oracle.evaluate(question) != "Allow":
        raise AssertionError("the caller is allowed, and an evaluator says otherwise")
    return Pair(title, lambda: decide(ask, policies), "the tests' plain evaluator", lambda: oracle.evaluate(question))


# A typical request: 10 attached policies, 60 statements, 5 conditions


def _statement(effect: str, actions: str | list[str], resources: str | list[str] = "*", **condition: Any) -> Document:
    made: Document = {"Effect": effect, "Action": actions, "Resource": resources}
    return {**made, "Condition": condition} if condition else made


def _service(name: str, read: Sequence[str], write: Sequence[str], kind: str) -> list[Document]:
    """What a policy for one service says: six statements, as teams write them."""
    own, shared = (f"arn:aws:{name}:eu-west-1:{_ACCOUNT}:{kind}{each}" for each in ("blue-*", "shared/*"))
    first, *others = write
    return [
        _statement("Allow", [f"{name}:{action}" for action in read]),
        _statement("Allow", [f"{name}:{first}", f"{name}:Tag*"], own),
        _statement("Allow", [f"{name}:{action}" for action in others], own),
        _statement("Allow", f"{name}:{first}", shared),
        _statement("Deny", [f"{name}:Untag*", f"{name}:{others[-1]}"], shared),
        _statement("Deny", f"{name}:*Policy"),
    ]


def _typical_policies() -> list[Document]:
    """The policies of a developer; three of the conditions are on statements that reading an object can reach."""
    bucket = "arn:aws:s3:::blue-ledger"
    guards = [
        _statement("Deny", "*", Bool={"aws:SecureTransport": "false"}),
        _statement("Deny", "s3:*", NotIpAddress={"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}),
        _statement("Deny", ["organizations:*", "account:*", "aws-portal:*"]),
        _statement("Deny", ["iam:CreateUser", "iam:CreateAccessKey", "iam:*LoginProfile"]),
        _statement("Deny", ["s3:DeleteBucket*", "s3:PutBucketPolicy", "s3:PutBucketAcl"]),
        _statement("Deny", ["kms:ScheduleKeyDeletion", "kms:DisableKey"]),
    ]
    iam = [
        _statement("Allow", ["iam:Get*", "iam:List*"]),
        _statement("Allow", "iam:ChangePassword", "arn:aws:iam::*:user/${aws:username}"),
        _statement("Allow", ["iam:CreateAccessKey", "iam:DeleteAccessKey"], "arn:aws:iam::*:user/${aws:username}"),
        _statement(
            "Allow",
            "iam:PassRole",
            f"arn:aws:iam::{_ACCOUNT}:role/blue-*",
            StringEquals={"iam:PassedToService": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]},
        ),
        _statement("Allow", "sts:AssumeRole", f"arn:aws:iam::{_ACCOUNT}:role/blue-*"),
        _statement("Allow", ["sts:GetCallerIdentity", "sts:GetSessionToken"]),
    ]
    s3 = [
        _statement("Allow", ["s3:ListAllMyBuckets", "s3:GetBucketLocation"]),
        _statement("Allow", "s3:ListBucket", bucket, StringLike={"s3:prefix": ["2026/*", "2027/*"]}),
        _statement("Allow", ["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::shared-*/public/*"),
        _statement("Allow", ["s3:PutObject", "s3:AbortMultipartUpload"], f"{bucket}/incoming/${{aws:username}}/*"),
        _statement(
            "Allow", "s3:Get*", [f"{bucket}/2026/*", f"{bucket}/2027/*"], StringEquals={"aws:PrincipalTag/team": "blue"}
        ),
        _statement("Allow", "s3:DeleteObject", f"{bucket}/incoming/*"),
    ]
    services = [
        _service("ec2", ["Describe*", "Get*"], ["RunInstances", "StartInstances", "TerminateInstances"], "instance/"),
        _service("sqs", ["List*", "Get*"], ["SendMessage", "ReceiveMessage", "PurgeQueue"], ""),
        _service("sns", ["List*", "Get*"], ["Publish", "Subscribe", "DeleteTopic"], ""),
        _service("dynamodb", ["List*", "Describe*"], ["GetItem", "PutItem", "DeleteTable"], "table/"),
        _service("lambda", ["List*", "Get*"], ["InvokeFunction", "UpdateFunctionCode", "DeleteFunction"], "function:"),
        _service("logs", ["Describe*", "Get*"], ["CreateLogStream", "PutLogEvents", "DeleteLogGroup"], "log-group:"),
        _service("kms", ["List*", "Describe*"], ["Decrypt", "Encrypt", "PutKeyPolicy"], "key/"),
    ]
    return [{"Version": "2012-10-17", "Statement": statements} for statements in (guards, iam, *services, s3)]


_OBJECT: Final = "arn:aws:s3:::blue-ledger/2026/11/orders.csv"
_TYPICAL_CONTEXT: Final = {
    "aws:SecureTransport": "true",
    "aws:SourceIp": "192.0.2.7",
    "aws:CurrentTime": "2027-01-01T00:00:00Z",
    "aws:PrincipalArn": _USER,
    "aws:PrincipalAccount": _ACCOUNT,
    "aws:PrincipalTag/team": "blue",
    "aws:PrincipalType": "User",
    "aws:username": "builder",
    "aws:userid": _USER_ID,
}


def _typical() -> tuple[Any, Any]:
    from locum.policy import Ask, Policies, PolicyKind, Principal, context, load

    documents = _typical_policies()
    statements = [statement for document in documents for statement in document["Statement"]]
    conditions = sum(len(keys) for statement in statements for keys in statement.get("Condition", {}).values())
    if (len(documents), len(statements), conditions) != (10, 60, 5):
        raise AssertionError("a typical request has 10 attached policies, 60 statements and 5 conditions")
    attached = tuple(
        load(json.dumps(document), PolicyKind.MANAGED, f"policy-{number}") for number, document in enumerate(documents)
    )
    caller = Principal.user(_USER, _ACCOUNT, _USER_ID)
    return Ask(caller, "s3:GetObject", _OBJECT, _ACCOUNT, context(_TYPICAL_CONTEXT)), Policies(identity=attached)


_TYPICAL: Final = "decide with 10 policies of 60 statements and 5 conditions"


def _policies() -> Pair:
    ask, policies = _typical()
    return _beside_the_oracle(_TYPICAL, ask, policies, identity=_typical_policies())


def _policies_and_simulator() -> Pair:
    from locum.policy import decide

    ask, policies = _typical()
    scene = {
        "policies": _typical_policies(),
        "principal": _USER,
        "action": ask.action,
        "resource": ask.resource,
        "account": ask.resource_account,
        "context": _TYPICAL_CONTEXT,
    }
    return Pair(_TYPICAL, lambda: decide(ask, policies), "iam-simulate", Simulator(scene))


class Simulator(Program):
    """A Node process in which iam-simulate decides on one scene; NotInstalled where there is no Node."""

    def __init__(self, scene: Mapping[str, object]) -> None:
        node = _installed()
        command = [node, str(_NODE / "simulate.mjs")]
        self._process = subprocess.Popen(
            command, cwd=_INSTALLED, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        told = self._told(json.dumps(scene))
        if told != "Allowed":
            self.close()
            raise AssertionError(f"the caller is allowed, and iam-simulate says {told!r}")

    def loop(self, count: int) -> float:
        """CPU µs of one decision, the mean of ``count``: user and system time of the whole process."""
        return float(self._told(str(count)))

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)

    def _told(self, line: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the process has no pipes")
        stdin.write(f"{line}\n")
        stdin.flush()
        return stdout.readline().strip()


def _installed() -> str:
    """The path of ``node``, with the packages of the lock beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstalled("iam-simulate needs node and npm, version 20 or later (Debian: apt-get install nodejs npm)")
    lock, installed = _NODE / "package-lock.json", _INSTALLED / "package-lock.json"
    done = _INSTALLED / ".done"
    if not done.exists() or installed.read_bytes() != lock.read_bytes():
        done.unlink(missing_ok=True)
        _INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(_NODE / name, _INSTALLED / name)
        run = subprocess.run([npm, "ci"], cwd=_INSTALLED, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise NotInstalled(f"npm ci failed: {run.stderr.strip()[-400:]}")
        done.touch()
    return node


# The index by action


def _large(policies: int, statements: int, reachable: Callable[[int], int]) -> tuple[Any, Any]:
    """A denied request, which looks at everything that it cannot rule out, with all statements and with those alone.

    ``reachable`` tells how many statements of a policy, by its number, can match the request's action.
    """
    from locum.policy import Ask, Policies, PolicyKind, Principal, context, load

    shuffled = random.Random(7).shuffle
    whole, alone = [], []
    for policy in range(policies):
        count = reachable(policy)
        matching = [
            _statement("Allow", ["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::bucket-{policy}-{each}/*")
            for each in range(count)
        ]
        others = [
            _statement("Allow", [f"iam:Get{each}*", f"ec2:Describe{each}*"], f"arn:aws:iam::{_ACCOUNT}:role/r{each}")
            for each in range(statements - count)
        ]
        together = matching + others
        shuffled(together)
        whole.append(together)
        if matching:
            alone.append(matching)

    def held(listed: Sequence[Sequence[Document]]) -> Any:
        documents = [json.dumps({"Version": "2012-10-17", "Statement": each}) for each in listed]
        return Policies(identity=tuple(load(text, PolicyKind.MANAGED, f"p{n}") for n, text in enumerate(documents)))

    caller = Principal.user(_USER, _ACCOUNT, _USER_ID)
    ask = Ask(caller, "s3:GetObject", "arn:aws:s3:::elsewhere/a.csv", _ACCOUNT, context(_TYPICAL_CONTEXT))
    return ask, (held(whole), held(alone))


def _index(title: str, against: str, reachable: Callable[[int], int]) -> Pair:
    from locum.policy import decide

    ask, (whole, alone) = _large(20, 100, reachable)
    if decide(ask, whole).allowed or decide(ask, alone).allowed:
        raise AssertionError("the caller is denied, and the engine says otherwise")
    return Pair(title, lambda: decide(ask, whole), against, lambda: decide(ask, alone))


def _ten_of_each() -> Pair:
    title = "deny with 20 policies of 100 statements, of each of which 10 can match"
    return _index(title, "those 10 of each alone", lambda _: 10)


def _ten_in_all() -> Pair:
    title = "deny with 20 policies of 100 statements, of all of which 10 can match"
    return _index(title, "those 10 alone, in their policies", lambda policy: 1 if policy % 2 else 0)


DECISIONS: Final[dict[str, Callable[[], Pair]]] = {
    "trust-policy": _trust_policy,
    "policies": _policies,
    "policies-simulator": _policies_and_simulator,
    "policies-index": _ten_of_each,
    "policies-index-few": _ten_in_all,
}
"""Name → what is timed."""
