"""One scene for every real client: set up, assume, be refused, use what was given, lose it again.

A step is a call with what it must answer.  ``<name>`` in a parameter, an expectation or a refusal stands for what an
earlier step kept under that name; a policy is written as a value and sent as JSON.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from tests.interop.clients import Client, Refused, credentials_in, instant
from tests.interop.world import ASSUME, Statement, allow, policy, trusts

from locum.testing import Clock, Credentials

LIFE: Final = 900
"""Seconds of the shortest session."""
TIME_LEFT: Final = 10
"""Seconds of it that are left by the wall clock when it was issued with the server's clock turned back."""

_PLACE: Final = re.compile(r"<(\w+)>")


class Step(NamedTuple):
    """One call.

    ``answer`` maps dotted paths in the answer to what they must hold, ``keep`` names to the path whose value they keep;
    ``credentials`` is the name under which the answer's credentials can call.  ``turn`` turns the server's clock first.
    """

    title: str
    who: str
    operation: str
    parameters: dict[str, Any] = {}  # noqa: RUF012 - never written to
    answer: dict[str, Any] = {}  # noqa: RUF012
    keep: dict[str, str] = {}  # noqa: RUF012
    credentials: str = ""
    refused: tuple[str, str] | None = None
    turn: float = 0


def _document(*statements: Statement) -> tuple[Statement, ...]:
    return statements


NOT_ASSUMED: Final = (
    "AccessDenied",
    "User: <alice> is not authorized to perform: sts:AssumeRole on resource: <deploy>",
)
INVALID_KEY: Final = ("InvalidClientTokenId", "The security token included in the request is invalid.")
INVALID_TOKEN: Final = ("InvalidClientTokenId", "The security token included in the request is invalid")
EXPIRED: Final = ("ExpiredToken", "The security token included in the request is expired")
GOOD: Final = {"RoleArn": "<deploy>", "RoleSessionName": "alice-ci", "ExternalId": "xyz-42"}
CONDITIONS: Final = {
    "StringEquals": {"sts:ExternalId": "xyz-42", "aws:PrincipalTag/team": "blue"},
    "StringLike": {"sts:RoleSessionName": "${aws:username}-*"},
    "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
    "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
}
TRUST: Final = _document(trusts("<alice>", when=CONDITIONS))


def _trust(title: str, *trust: Statement) -> Step:
    document = {"RoleName": "deploy", "PolicyDocument": trust}
    return Step(title, "root", "iam.UpdateAssumeRolePolicy", document)


def _conditions(**changed: dict[str, str]) -> tuple[Statement, ...]:
    return _document(trusts("<alice>", when=CONDITIONS | changed))


SET_UP: Final = (
    Step(
        "root creates a user with a path and a tag",
        "root",
        "iam.CreateUser",
        {"UserName": "alice", "Path": "/staff/", "Tags": [{"Key": "team", "Value": "blue"}]},
        {"User.Arn": "arn:aws:iam::<account>:user/staff/alice", "User.Path": "/staff/", "User.Tags.0.Value": "blue"},
        {"alice": "User.Arn"},
    ),
    Step("root gives it a key", "root", "iam.CreateAccessKey", {"UserName": "alice"}, credentials="alice_key"),
    Step("and another user", "root", "iam.CreateUser", {"UserName": "bob"}, keep={"bob": "User.Arn"}),
    Step("with a key", "root", "iam.CreateAccessKey", {"UserName": "bob"}, credentials="bob_key"),
    Step(
        "root creates a role that asks for much",
        "root",
        "iam.CreateRole",
        {"RoleName": "deploy", "Path": "/ops/", "AssumeRolePolicyDocument": TRUST, "Description": "ships & <deploys>"},
        {"Role.Arn": "arn:aws:iam::<account>:role/ops/deploy"},
        {"deploy": "Role.Arn", "deploy_id": "Role.RoleId"},
    ),
    Step(
        "root lets it do something",
        "root",
        "iam.PutRolePolicy",
        {
            "RoleName": "deploy",
            "PolicyName": "work",
            "PolicyDocument": _document(allow("iam:GetRole", "iam:ListRoles", "iam:GetUser", "iam:TagRole")),
        },
    ),
    Step(
        "root makes a boundary",
        "root",
        "iam.CreatePolicy",
        {"PolicyName": "edge", "Path": "/edges/", "PolicyDocument": _document(allow("iam:Get*", "iam:List*"))},
        keep={"edge": "Policy.Arn"},
    ),
    Step(
        "and sets it",
        "root",
        "iam.PutRolePermissionsBoundary",
        {"RoleName": "deploy", "PermissionsBoundary": "<edge>"},
    ),
    Step(
        "and a policy for sessions",
        "root",
        "iam.CreatePolicy",
        {"PolicyName": "lister", "PolicyDocument": _document(allow("iam:ListRoles", "iam:ListUsers"))},
        keep={"lister": "Policy.Arn"},
    ),
)

REFUSALS: Final = (
    Step(
        "root may not assume a role",
        "root",
        "sts.AssumeRole",
        GOOD,
        refused=("AccessDenied", "Roles may not be assumed by root accounts."),
    ),
    Step(
        "the external id is missing",
        "alice_key",
        "sts.AssumeRole",
        {"RoleArn": "<deploy>", "RoleSessionName": "alice-ci"},
        refused=NOT_ASSUMED,
    ),
    Step(
        "the external id is wrong",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"ExternalId": "xyz-43"},
        refused=NOT_ASSUMED,
    ),
    Step(
        "the session name is not the user's",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"RoleSessionName": "bob-ci"},
        refused=NOT_ASSUMED,
    ),
    Step(
        "the session name is malformed",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"RoleSessionName": "alice ci:1"},
        refused=(
            "ValidationError",
            "1 validation error detected: Value 'alice ci:1' at 'roleSessionName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
    ),
    Step(
        "the principal is another one",
        "bob_key",
        "sts.AssumeRole",
        GOOD | {"RoleSessionName": "bob-ci"},
        refused=(NOT_ASSUMED[0], NOT_ASSUMED[1].replace("<alice>", "<bob>")),
    ),
    Step(
        "root tags the user otherwise",
        "root",
        "iam.TagUser",
        {"UserName": "alice", "Tags": [{"Key": "Team", "Value": "red"}]},
    ),
    Step("the tag is wrong", "alice_key", "sts.AssumeRole", GOOD, refused=NOT_ASSUMED),
    Step(
        "root tags it back",
        "root",
        "iam.TagUser",
        {"UserName": "alice", "Tags": [{"Key": "team", "Value": "blue"}]},
    ),
    _trust("root asks for another address", *_conditions(IpAddress={"aws:SourceIp": "203.0.113.0/24"})),
    Step("the source address is wrong", "alice_key", "sts.AssumeRole", GOOD, refused=NOT_ASSUMED),
    _trust("root sets an end", *_conditions(DateLessThan={"aws:CurrentTime": "2026-01-02T00:00:00Z"})),
    Step("the date has passed", "alice_key", "sts.AssumeRole", GOOD, refused=NOT_ASSUMED),
    _trust("root asks for TLS", *_conditions(Bool={"aws:SecureTransport": "true"})),
    Step("the transport is not secure", "alice_key", "sts.AssumeRole", GOOD, refused=NOT_ASSUMED),
    _trust("root restores the trust", *TRUST),
    Step(
        "a role that does not exist is refused like one that does not trust",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"RoleArn": "arn:aws:iam::<account>:role/ops/nothing"},
        refused=(NOT_ASSUMED[0], NOT_ASSUMED[1].replace("<deploy>", "arn:aws:iam::<account>:role/ops/nothing")),
    ),
)

SESSION: Final = "arn:aws:sts::<account>:assumed-role/deploy/alice-ci"


def _not_allowed(action: str, layer: str, resource: str = "<deploy>") -> tuple[str, str]:
    return (
        "AccessDenied",
        f"User: {SESSION} is not authorized to perform: {action} on resource: {resource} "
        f"because no {layer} allows the {action} action",
    )


USE: Final = (
    Step(
        "everything is right",
        "alice_key",
        "sts.AssumeRole",
        GOOD,
        {
            "AssumedRoleUser.Arn": SESSION,
            "AssumedRoleUser.AssumedRoleId": "<deploy_id>:alice-ci",
            "PackedPolicySize": None,
            "SourceIdentity": None,
        },
        credentials="job",
    ),
    Step(
        "the session is who it should be",
        "job",
        "sts.GetCallerIdentity",
        {},
        {"Arn": SESSION, "UserId": "<deploy_id>:alice-ci", "Account": "<account>"},
    ),
    Step(
        "the role's policy allows",
        "job",
        "iam.GetRole",
        {"RoleName": "deploy"},
        {"Role.Arn": "<deploy>", "Role.Description": "ships & <deploys>"},
    ),
    Step(
        "the boundary does not allow",
        "job",
        "iam.TagRole",
        {"RoleName": "deploy", "Tags": [{"Key": "a", "Value": "b"}]},
        refused=_not_allowed("iam:TagRole", "permissions boundary"),
    ),
    Step(
        "the role's policy does not allow",
        "job",
        "iam.ListRolePolicies",
        {"RoleName": "deploy"},
        refused=_not_allowed("iam:ListRolePolicies", "identity-based policy"),
    ),
    Step(
        "a denial comes before any word on existence",
        "job",
        "iam.DeleteRole",
        {"RoleName": "nothing"},
        refused=_not_allowed("iam:DeleteRole", "identity-based policy", "arn:aws:iam::<account>:role/nothing"),
    ),
    Step(
        "a session with an inline session policy",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"Policy": _document(allow("iam:GetRole", "iam:CreateUser"))},
        credentials="less",
    ),
    Step("it allows", "less", "iam.GetRole", {"RoleName": "deploy"}, {"Role.Arn": "<deploy>"}),
    Step(
        "it does not allow",
        "less",
        "iam.GetUser",
        {"UserName": "alice"},
        refused=_not_allowed("iam:GetUser", "session policy", "<alice>"),
    ),
    Step(
        "it adds nothing",
        "less",
        "iam.CreateUser",
        {"UserName": "mallory"},
        refused=_not_allowed("iam:CreateUser", "identity-based policy", "arn:aws:iam::<account>:user/mallory"),
    ),
    Step(
        "a session with a managed session policy",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"PolicyArns": [{"arn": "<lister>"}]},
        credentials="listing",
    ),
    Step("the managed policy allows", "listing", "iam.ListRoles", {"PathPrefix": "/ops/"}, {"Roles.0.Arn": "<deploy>"}),
    Step(
        "the managed policy does not allow",
        "listing",
        "iam.GetRole",
        {"RoleName": "deploy"},
        refused=_not_allowed("iam:GetRole", "session policy"),
    ),
)

NOT_CAROL: Final = (NOT_ASSUMED[0], NOT_ASSUMED[1].replace("<alice>", "<carol>"))
ACROSS: Final = (
    Step("the other account has a user", "other", "iam.CreateUser", {"UserName": "carol"}, keep={"carol": "User.Arn"}),
    Step("with a key", "other", "iam.CreateAccessKey", {"UserName": "carol"}, credentials="carol_key"),
    Step(
        "which its account allows to assume the role",
        "other",
        "iam.PutUserPolicy",
        {"UserName": "carol", "PolicyName": "p", "PolicyDocument": _document(allow(ASSUME, on="<deploy>"))},
    ),
    Step("the role does not trust it", "carol_key", "sts.AssumeRole", GOOD, refused=NOT_CAROL),
    _trust("the role trusts its account", *TRUST, trusts("<other_account>")),
    Step(
        "both sides allow",
        "carol_key",
        "sts.AssumeRole",
        GOOD | {"RoleSessionName": "carol-ci"},
        {"AssumedRoleUser.Arn": "arn:aws:sts::<account>:assumed-role/deploy/carol-ci"},
        credentials="guest",
    ),
    Step("the session is the role account's", "guest", "sts.GetCallerIdentity", {}, {"Account": "<account>"}),
    Step(
        "its own account takes its permission away",
        "other",
        "iam.DeleteUserPolicy",
        {"UserName": "carol", "PolicyName": "p"},
    ),
    Step("the trust alone is not enough", "carol_key", "sts.AssumeRole", GOOD, refused=NOT_CAROL),
)

STEP: Final = (ASSUME, "sts:TagSession", "sts:SetSourceIdentity")
HOP: Final = {"RoleArn": "<hop>", "RoleSessionName": "hop-1"}
MARKED: Final = {"StringEquals": {"aws:PrincipalTag/Project": "Atlas", "aws:SourceIdentity": "dan"}}
FEDERATED: Final = "arn:aws:sts::<account>:federated-user/erin"
CHAINING: Final = (
    Step("a user for chains", "root", "iam.CreateUser", {"UserName": "dan"}, keep={"dan": "User.Arn"}),
    Step("with a key", "root", "iam.CreateAccessKey", {"UserName": "dan"}, credentials="dan_key"),
    Step(
        "and permissions",
        "root",
        "iam.PutUserPolicy",
        {"UserName": "dan", "PolicyName": "p", "PolicyDocument": _document(allow(*STEP, "sts:GetFederationToken"))},
    ),
    Step(
        "a role that leads to itself",
        "root",
        "iam.CreateRole",
        {"RoleName": "hop", "AssumeRolePolicyDocument": _document(trusts("<account>", actions=STEP))},
        keep={"hop": "Role.Arn"},
    ),
    Step(
        "and lets the marked in",
        "root",
        "iam.PutRolePolicy",
        {
            "RoleName": "hop",
            "PolicyName": "p",
            "PolicyDocument": _document(allow(*STEP), allow("iam:ListUsers", when=MARKED)),
        },
    ),
    Step(
        "a session that carries much",
        "dan_key",
        "sts.AssumeRole",
        HOP
        | {
            "Tags": [{"Key": "Project", "Value": "Atlas"}, {"Key": "Ticket", "Value": "42"}],
            "TransitiveTagKeys": ["Project"],
            "SourceIdentity": "dan",
        },
        {"SourceIdentity": "dan"},
        credentials="hop_1",
    ),
    Step(
        "passes it on",
        "hop_1",
        "sts.AssumeRole",
        HOP | {"RoleSessionName": "hop-2"},
        {"SourceIdentity": "dan"},
        credentials="hop_2",
    ),
    Step("which opens a door", "hop_2", "iam.ListUsers"),
    Step(
        "and cannot be passed again",
        "hop_2",
        "sts.AssumeRole",
        HOP | {"Tags": [{"Key": "PROJECT", "Value": "Atlas"}]},
        refused=(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
        ),
    ),
    Step(
        "a federated user",
        "dan_key",
        "sts.GetFederationToken",
        {"Name": "erin", "Tags": [{"Key": "Team", "Value": "Blue"}]},
        {"FederatedUser.Arn": FEDERATED},
        credentials="erin",
    ),
    Step("is somebody", "erin", "sts.GetCallerIdentity", {}, {"Arn": FEDERATED, "UserId": "<account>:erin"}),
    Step("who reaches no IAM", "erin", "iam.ListUsers", refused=INVALID_TOKEN),
)

EXPIRY: Final = (
    Step(
        "a session of the shortest life",
        "alice_key",
        "sts.AssumeRole",
        GOOD | {"DurationSeconds": LIFE},
        credentials="short",
        turn=TIME_LEFT - LIFE,
    ),
    Step("it can be used", "short", "sts.GetCallerIdentity", {}, {"Arn": SESSION}),
    Step("it has expired", "short", "sts.GetCallerIdentity", refused=EXPIRED, turn=LIFE + TIME_LEFT),
    Step("an hour is not over", "job", "sts.GetCallerIdentity", {}, {"Arn": SESSION}, turn=-2 * TIME_LEFT),
)

ENDS: Final = (
    Step(
        "the key is switched off",
        "root",
        "iam.UpdateAccessKey",
        {"UserName": "alice", "AccessKeyId": "<alice_key>", "Status": "Inactive"},
    ),
    Step("it opens nothing", "alice_key", "sts.GetCallerIdentity", refused=INVALID_KEY),
    Step("a session made with it goes on", "job", "sts.GetCallerIdentity", {}, {"Arn": SESSION}),
    Step(
        "the key is switched on",
        "root",
        "iam.UpdateAccessKey",
        {"UserName": "alice", "AccessKeyId": "<alice_key>", "Status": "Active"},
    ),
    Step("it opens again", "alice_key", "sts.GetCallerIdentity", {}, {"Arn": "<alice>"}),
    Step("the user gets a second key", "root", "iam.CreateAccessKey", {"UserName": "alice"}, credentials="new_key"),
    Step(
        "a third one is too many",
        "root",
        "iam.CreateAccessKey",
        {"UserName": "alice"},
        refused=("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"),
    ),
    Step(
        "the first one goes",
        "root",
        "iam.DeleteAccessKey",
        {"UserName": "alice", "AccessKeyId": "<alice_key>"},
    ),
    Step("the old key is unknown", "alice_key", "sts.GetCallerIdentity", refused=INVALID_KEY),
    Step("the new key is the user", "new_key", "sts.GetCallerIdentity", {}, {"Arn": "<alice>"}),
    Step(
        "the role cannot go while policies hang on it",
        "root",
        "iam.DeleteRole",
        {"RoleName": "deploy"},
        refused=("DeleteConflict", "Cannot delete entity, must delete policies first."),
    ),
    Step("its policy goes", "root", "iam.DeleteRolePolicy", {"RoleName": "deploy", "PolicyName": "work"}),
    Step("the role goes", "root", "iam.DeleteRole", {"RoleName": "deploy"}),
    Step("its sessions end", "job", "sts.GetCallerIdentity", refused=INVALID_TOKEN),
    Step("it cannot be assumed", "new_key", "sts.AssumeRole", GOOD, refused=NOT_ASSUMED),
    Step(
        "a role of the same name comes",
        "root",
        "iam.CreateRole",
        {"RoleName": "deploy", "Path": "/ops/", "AssumeRolePolicyDocument": TRUST},
        {"Role.Arn": "<deploy>"},
        {"new_id": "Role.RoleId"},
    ),
    Step("the old sessions are not its own", "job", "sts.GetCallerIdentity", refused=INVALID_TOKEN),
    Step(
        "it can be assumed",
        "new_key",
        "sts.AssumeRole",
        GOOD,
        {"AssumedRoleUser.AssumedRoleId": "<new_id>:alice-ci"},
    ),
)

SCENE: Final = (*SET_UP, *REFUSALS, *USE, *ACROSS, *CHAINING, *EXPIRY, *ENDS)
WITHOUT_CLOCK: Final = (*SET_UP, *REFUSALS, *USE, *ACROSS, *CHAINING, *ENDS)


class Stage:
    """Plays steps with one client; what was kept, and who may call, is its memory."""

    def __init__(self, client: Client, root: Credentials, other: Credentials, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock
        self._names = {"account": root.account_id, "other_account": other.account_id}
        self._keys = {"root": root, "other": other}

    def play(self, steps: tuple[Step, ...]) -> None:
        """Every step in turn; an AssertionError tells which one went otherwise."""
        for step in steps:
            try:
                self._play(step)
            except Exception as error:
                error.add_note(f"in the step: {step.title} ({step.who} calls {step.operation})")
                raise

    def _play(self, step: Step) -> None:
        if step.turn:
            assert self._clock is not None
            self._clock.turn(step.turn)
        service, _, operation = step.operation.partition(".")
        parameters = {name: self._sent(value) for name, value in step.parameters.items()}
        answer: dict[str, Any] = {}
        refusal = None
        try:
            answer = self._client.call(self._keys[step.who], service, operation, parameters)
        except Refused as error:
            refusal = (error.code, error.message)
        assert refusal == self._filled(step.refused)
        for path, expected in step.answer.items():
            assert (path, at(answer, path)) == (path, self._filled(expected))
        for name, path in step.keep.items():
            self._names[name] = at(answer, path)
        if step.credentials:
            made = credentials_in(answer)
            self._keys[step.credentials] = made
            self._names[step.credentials] = made.access_key_id
            if made.session_token is not None:
                assert instant(answer["Credentials"]["Expiration"]).utcoffset() is not None

    def _sent(self, value: Any) -> Any:
        return policy(*self._filled(value)) if isinstance(value, tuple) else self._filled(value)

    def _filled(self, value: Any) -> Any:
        match value:
            case str():
                return _PLACE.sub(lambda found: str(self._names.get(found[1], found[0])), value)
            case dict():
                return {name: self._filled(each) for name, each in value.items()}
            case list():
                return [self._filled(each) for each in value]
            case tuple():
                return tuple(self._filled(each) for each in value)
        return value


def at(answer: Any, path: str) -> Any:
    """What is at a dotted path; None where nothing is."""
    for part in path.split("."):
        if isinstance(answer, list):
            answer = answer[int(part)]
        elif answer is not None:
            answer = answer.get(part)
    return answer
