"""AssumeRole through boto3: who may call, what names a role, what a trust policy can say, how long it lasts."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from tests.interop.clients import Refused, credentials_in
from tests.interop.world import ASSUME, Account, Role, World, allow, denied, deny, policy, told, trusts

from locum import arn
from locum.secret import Secret
from locum.testing import Credentials

pytestmark = pytest.mark.xdist_group("interop-assume-role")

HOUR = 3_600
LONGEST = 43_200
TOO_LONG = ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400)
CHAINED = (
    "ValidationError",
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    400,
)


def refusal(account: Account, who: Credentials, role: Role | str, name: str = "job", **asked: Any) -> tuple[Any, ...]:
    with pytest.raises(Refused) as refused:
        account.assume(who, role, name, **asked)
    return told(refused.value)


def seconds_left(answer: dict[str, Any], now: float) -> float:
    expiration: datetime.datetime = answer["Credentials"]["Expiration"]
    assert expiration.microsecond == 0
    return expiration.timestamp() - now


# --- who


@pytest.mark.facts("STS-AR-001", "STS-CALL-T09", "STS-CALL-003", "POL-TR-021")
def test_users_their_token_sessions_and_role_sessions_may_assume(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(account.id), trusts("*"))
    token_session = credentials_in(account.sts(user.key, "GetSessionToken"))
    role_session = account.assume(user.key, role, "first").key
    for key in (user.key, token_session, role_session):
        assert account.assume(key, role, "job").arn == f"arn:aws:sts::{account.id}:assumed-role/{role.name}/job"


@pytest.mark.facts("STS-AR-011", "POL-TR-017")
def test_a_role_does_not_trust_itself(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn))
    session = account.assume(user.key, role)
    assert refusal(account, session.key, role) == denied(session.arn, role)
    trust = policy(trusts(user.arn, role.arn))
    account.iam("UpdateAssumeRolePolicy", RoleName=role.name, PolicyDocument=trust)
    assert account.assume(session.key, role).arn == session.arn


@pytest.mark.facts("STS-AR-012", "POL-PR-010")
def test_a_trusted_user_that_was_created_again_is_another_one(account: Account) -> None:
    user = account.user(UserName="alice")
    role = account.role(trusts(user.arn))

    def trusted() -> Any:
        document = account.iam("GetRole", RoleName=role.name)["Role"]["AssumeRolePolicyDocument"]
        return document["Statement"][0]["Principal"]["AWS"]

    account.assume(user.key, role)
    assert trusted() in (user.arn, [user.arn])
    account.iam("DeleteAccessKey", UserName="alice", AccessKeyId=user.key.access_key_id)
    account.iam("DeleteUser", UserName="alice")
    assert trusted() in (user.id, [user.id])
    again = account.user(UserName="alice")
    assert again.arn == user.arn
    assert refusal(account, again.key, role) == denied(again.arn, role)
    assert trusted() in (user.id, [user.id])


@pytest.mark.facts("STS-AR-013", "POL-PR-008")
def test_a_trusted_session_is_trusted_under_its_own_name_only(account: Account) -> None:
    user = account.user()
    first = account.role(trusts(user.arn))
    named = f"arn:aws:sts::{account.id}:assumed-role/{first.name}/good"
    second = account.role(trusts(named))
    account.assume(account.assume(user.key, first, "good").key, second)
    other = account.assume(user.key, first, "Good")
    assert refusal(account, other.key, second) == denied(other.arn, second)


@pytest.mark.facts("STS-AR-013", "POL-PR-015")
def test_a_trust_policy_cannot_name_a_group(account: Account) -> None:
    group = f"arn:aws:iam::{account.id}:group/staff"
    with pytest.raises(Refused) as refused:
        account.role(trusts(group))
    assert told(refused.value) == ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{group}"', 400)


@pytest.mark.facts("POL-PR-011")
def test_a_trusted_user_must_exist_when_the_policy_is_written(account: Account) -> None:
    missing = f"arn:aws:iam::{account.id}:user/nobody"
    with pytest.raises(Refused) as refused:
        account.role(trusts(missing))
    assert told(refused.value) == ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{missing}"', 400)


@pytest.mark.facts("STS-AR-014", "POL-PR-022")
@pytest.mark.parametrize("session_arn", [False, True], ids=["role-arn", "session-arn"])
def test_the_principal_arn_of_a_session_is_its_role_with_the_path(account: Account, session_arn: bool) -> None:
    user = account.user()
    first = account.role(trusts(user.arn), Path="/deep/er/")
    session = account.assume(user.key, first)
    asked = session.arn if session_arn else first.arn
    second = account.role(trusts("*", when={"ArnEquals": {"aws:PrincipalArn": asked}}))
    if session_arn:
        assert refusal(account, session.key, second) == denied(session.arn, second)
    else:
        account.assume(session.key, second)


@pytest.mark.facts("STS-AR-016", "POL-TR-020")
def test_a_service_principal_is_nobody_who_calls_from_outside(account: Account) -> None:
    user = account.user(allow("*"))
    role = account.role(trusts(Service="ec2.amazonaws.com"))
    assert refusal(account, user.key, role) == denied(user.arn, role)


@pytest.mark.facts("POL-TR-016")
def test_a_federated_principal_is_nobody_who_calls_assume_role(account: Account) -> None:
    user = account.user(allow("*"))
    role = account.role(trusts(Federated=f"arn:aws:iam::{account.id}:saml-provider/corp"))
    assert refusal(account, user.key, role) == denied(user.arn, role)


@pytest.mark.facts("POL-TR-003")
def test_a_trust_policy_names_principals_of_every_kind(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn), Path="/a/")
    sessions = f"arn:aws:sts::{account.id}"
    provider = f"arn:aws:iam::{account.id}:oidc-provider/id.example.com/x"
    for statement in (
        trusts(account.id),
        trusts(f"arn:aws:iam::{account.id}:root"),
        trusts(user.arn, role.arn),
        trusts(f"{sessions}:assumed-role/{role.name}/job", f"{sessions}:federated-user/bob"),
        trusts("*", when={"Bool": {"aws:SecureTransport": "true"}}),
        trusts(Service="lambda.amazonaws.com"),
        trusts(Federated=provider, actions=("sts:AssumeRoleWithWebIdentity",)),
    ):
        account.role(statement)


# --- what a policy says


@pytest.mark.facts("STS-AR-004", "POL-TR-023")
def test_the_resource_of_the_callers_policy_is_the_role_with_its_path(account: Account) -> None:
    role = account.role(trusts(account.id), Path="/ops/")
    bare = f"arn:aws:iam::{account.id}:role/{role.name}"
    by_path = account.user(allow(ASSUME, on=role.arn))
    by_name = account.user(allow(ASSUME, on=bare))
    account.assume(by_path.key, role)
    assert refusal(account, by_name.key, role) == denied(by_name.arn, role)


@pytest.mark.facts("STS-AR-005")
def test_a_trust_policy_has_no_resource(account: Account) -> None:
    with pytest.raises(Refused) as refused:
        account.role(trusts(account.id) | {"Resource": "*"})
    assert told(refused.value) == ("MalformedPolicyDocument", "Has prohibited field Resource", 400)


@pytest.mark.facts("STS-AR-015", "POL-TR-002")
@pytest.mark.parametrize(
    ("action", "assumable"),
    [
        ("sts:*", True),
        ("sts:Assume*", True),
        ("sts:AssumeRol?", True),
        ("STS:assumerole", True),
        ("sts:AssumeRoleWith*", False),
        ("sts:TagSession", False),
    ],
)
def test_the_action_of_a_trust_policy_may_have_wildcards(account: Account, action: str, assumable: bool) -> None:
    user = account.user()
    role = account.role(trusts(user.arn, actions=(action,)))
    if assumable:
        account.assume(user.key, role)
    else:
        assert refusal(account, user.key, role) == denied(user.arn, role)


@pytest.mark.facts("POL-TR-002")
@pytest.mark.parametrize("action", ["*", "iam:GetUser", "sts:GetCallerIdentity"])
def test_a_trust_policy_is_about_assuming_and_nothing_else(account: Account, action: str) -> None:
    with pytest.raises(Refused) as refused:
        account.role(trusts(account.id, actions=(action,)))
    text = "AssumeRole policy may only specify STS AssumeRole actions."
    assert told(refused.value) == ("MalformedPolicyDocument", text, 400)


@pytest.mark.facts("STS-AR-030", "STS-CTX-T39")
def test_the_session_name_is_in_arn_id_and_context_and_need_not_be_unique(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn, when={"StringEquals": {"sts:RoleSessionName": "a+b=c,d.e@f-g_1"}}))
    made = [account.assume(user.key, role, "a+b=c,d.e@f-g_1") for _ in range(2)]
    for session in made:
        assert session.arn.endswith(f":assumed-role/{role.name}/a+b=c,d.e@f-g_1")
        assert session.answer["AssumedRoleUser"]["AssumedRoleId"] == f"{role.id}:a+b=c,d.e@f-g_1"
    assert made[0].key.access_key_id != made[1].key.access_key_id
    assert refusal(account, user.key, role, "a+b=c,d.e@f-g_2") == denied(user.arn, role)


@pytest.mark.facts("STS-AR-031", "STS-AR-032")
def test_path_and_case_of_the_role_must_be_right(account: Account) -> None:
    user = account.user(allow(ASSUME))
    role = account.role(trusts(account.id), RoleName="Deploy", Path="/ops/")
    for path in ("role/ops/deploy", "role/Ops/Deploy", "role/Deploy", "role/ops/x/Deploy"):
        wrong = f"arn:aws:iam::{account.id}:{path}"
        assert refusal(account, user.key, wrong) == denied(user.arn, wrong)
    account.assume(user.key, role)


@pytest.mark.facts("POL-TR-024", "POL-EV-011", "POL-EV-014")
def test_permissions_change_at_once_and_trust_only_for_new_sessions(account: Account) -> None:
    user = account.user(allow("iam:ListUsers"))
    role = account.role(trusts(user.arn), may=(allow("iam:GetRole"),))
    session = account.assume(user.key, role)

    def may(operation: str, **parameters: str) -> bool:
        try:
            account.boto.call(session.key, "iam", operation, parameters)
        except Refused as error:
            return error.code != "AccessDenied"
        return True

    assert may("GetRole", RoleName=role.name)
    assert not may("ListUsers")
    everything = policy(allow("iam:ListUsers"))
    account.iam("PutRolePolicy", RoleName=role.name, PolicyName="p", PolicyDocument=everything)
    assert not may("GetRole", RoleName=role.name)
    assert may("ListUsers")
    trust = policy(trusts(Service="ec2.amazonaws.com"))
    account.iam("UpdateAssumeRolePolicy", RoleName=role.name, PolicyDocument=trust)
    assert may("ListUsers")
    assert refusal(account, user.key, role) == denied(user.arn, role)


@pytest.mark.facts("STS-CTX-003", "POL-SS-007")
def test_sessions_are_revoked_by_the_time_of_their_issue(world: World, account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn), may=(allow("iam:ListUsers"),))
    clock = world.server.clock
    with clock.turned(-60):
        old = account.assume(user.key, role)
    now = datetime.datetime.fromtimestamp(int(clock()), datetime.UTC).isoformat().replace("+00:00", "Z")
    revoked = policy(deny("*", when={"DateLessThan": {"aws:TokenIssueTime": now}}))
    account.iam("PutRolePolicy", RoleName=role.name, PolicyName="AWSRevokeOlderSessions", PolicyDocument=revoked)
    new = account.assume(user.key, role)
    account.boto.call(new.key, "iam", "ListUsers", {})
    with pytest.raises(Refused, match="with an explicit deny in an identity-based policy"):
        account.boto.call(old.key, "iam", "ListUsers", {})


# --- how long


@pytest.mark.facts("STS-AR-033", "POL-TR-022", "STS-CALL-T20")
def test_a_session_lasts_no_longer_than_its_role_allows(world: World, account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn), MaxSessionDuration=7_200)
    assert refusal(account, user.key, role, DurationSeconds=7_201) == TOO_LONG
    now = world.server.clock()
    assert -1 <= seconds_left(account.assume(user.key, role, DurationSeconds=7_200).answer, now) - 7_200 <= 10
    default = account.role(trusts(user.arn))
    assert refusal(account, user.key, default, DurationSeconds=HOUR + 1) == TOO_LONG


@pytest.mark.facts("STS-CALL-T20", "STS-V-T05")
@pytest.mark.parametrize(
    ("seconds", "bound"), [(899, "greater than or equal to 900"), (43_201, "less than or equal to 43200")]
)
def test_the_declared_bounds_of_the_duration_hold(account: Account, seconds: int, bound: str) -> None:
    user = account.user()
    role = account.role(trusts(user.arn), MaxSessionDuration=LONGEST)
    text = (
        f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: "
        f"Member must have value {bound}"
    )
    assert refusal(account, user.key, role, DurationSeconds=seconds) == ("ValidationError", text, 400)
    for fine in (900, LONGEST):
        account.assume(user.key, role, DurationSeconds=fine)


@pytest.mark.facts("STS-AR-034", "STS-AR-035", "STS-GST-007", "POL-TR-021", "STS-CALL-T20")
@pytest.mark.parametrize("kind", ["role session", "token session"])
def test_temporary_credentials_assume_for_an_hour_at_most(account: Account, kind: str) -> None:
    user = account.user()
    role = account.role(trusts("*"), MaxSessionDuration=LONGEST)
    temporary = (
        account.assume(user.key, role).key
        if kind == "role session"
        else credentials_in(account.sts(user.key, "GetSessionToken"))
    )
    account.assume(user.key, role, DurationSeconds=HOUR + 1)
    account.assume(temporary, role, DurationSeconds=HOUR)
    assert refusal(account, temporary, role, DurationSeconds=HOUR + 1) == CHAINED


@pytest.mark.facts("STS-AR-036", "STS-CALL-T20", "STS-CALL-010", "STS-CALL-011", "STS-CALL-012")
def test_a_session_lasts_an_hour_where_nothing_is_said(world: World, account: Account) -> None:
    user = account.user()
    for role in (account.role(trusts("*")), account.role(trusts("*"), MaxSessionDuration=LONGEST)):
        short = account.assume(user.key, role, DurationSeconds=900).key
        for key in (user.key, short):
            now = world.server.clock()
            assert -1 <= seconds_left(account.assume(key, role).answer, now) - HOUR <= 10


@pytest.mark.facts("STS-AR-041")
def test_nothing_of_the_roles_settings_is_told_to_who_may_not_assume_it(account: Account) -> None:
    user, stranger = account.user(), account.user()
    role = account.role(trusts(user.arn))
    assert refusal(account, stranger.key, role, DurationSeconds=LONGEST) == denied(stranger.arn, role)
    assert refusal(account, user.key, role, DurationSeconds=LONGEST) == TOO_LONG


# --- in which order


@pytest.mark.facts("STS-AR-038", "STS-V-012", "STS-V-013", "STS-V-014")
def test_the_checks_come_in_their_order(account: Account) -> None:
    user = account.user()
    root = account.root
    forged = Credentials(
        account_id=account.id, access_key_id=user.key.access_key_id, secret_access_key=Secret("x" * 40)
    )
    nonsense, name = "nothing-valid-in-here", "a b"
    assert refusal(account, forged, nonsense, name)[0] == "SignatureDoesNotMatch"
    code, text, _ = refusal(account, root, nonsense, name, DurationSeconds=1)
    assert code == "ValidationError"
    assert text.startswith("2 validation errors detected: ")
    assert refusal(account, root, nonsense) == ("ValidationError", f"{nonsense} is invalid", 400)
    role_arn = f"arn:aws:iam::{account.id}:role/nothing"
    assert refusal(account, root, role_arn)[1] == "Roles may not be assumed by root accounts."
    assert refusal(account, user.key, role_arn, DurationSeconds=LONGEST) == denied(user.arn, role_arn)


# --- what comes back


@pytest.mark.facts("STS-AR-044", "STS-AR-045", "STS-AR-046", "STS-AR-047", "STS-AR-048", "STS-SIG-T20")
def test_the_answer_names_the_session_and_carries_its_credentials(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn), Path="/a/b/")
    session = account.assume(user.key, role, "job-1")
    assert session.answer["AssumedRoleUser"] == {
        "Arn": f"arn:aws:sts::{account.id}:assumed-role/{role.name}/job-1",
        "AssumedRoleId": f"{role.id}:job-1",
    }
    assert role.id.startswith("AROA")
    sizes = {"SessionTokenSize", "SessionTokenUtilization"}
    assert set(session.answer) == {"AssumedRoleUser", "Credentials", *sizes}
    assert session.answer["SessionTokenSize"] == len(session.answer["Credentials"]["SessionToken"])
    key_id, secret = session.key.access_key_id, session.key.secret_access_key.reveal()
    assert (key_id[:4], len(key_id), len(secret)) == ("ASIA", 20, 40)
    assert arn.account_of_access_key(key_id) == account.id
    token = session.answer["Credentials"]["SessionToken"]
    assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", token)
    damaged = token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]
    with pytest.raises(Refused) as refused:
        account.identity(
            Credentials(
                account_id=account.id,
                access_key_id=key_id,
                secret_access_key=session.key.secret_access_key,
                session_token=Secret(damaged),
            )
        )
    assert told(refused.value) == (
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
        403,
    )
