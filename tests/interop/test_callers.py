"""Each kind of caller through boto3: who it is, what it may call at all, and when its key stops working."""

from __future__ import annotations

from typing import Any

import pytest
from tests.interop.clients import Refused, credentials_in
from tests.interop.world import Account, World, allow, deny, policy, told, trusts

from locum import arn
from locum.secret import Secret
from locum.testing import Credentials

pytestmark = pytest.mark.xdist_group("interop-callers")

INVALID_KEY = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
INVALID_TOKEN = ("InvalidClientTokenId", "The security token included in the request is invalid", 403)
EXPIRED = ("ExpiredToken", "The security token included in the request is expired", 403)
MISMATCH = (
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.",
    403,
)
DAY_AND_A_HALF = 129_600
HOUR = 3_600


def refusal(account: Account, who: Credentials, service: str, operation: str, **asked: Any) -> tuple[str, str, int]:
    with pytest.raises(Refused) as refused:
        account.boto.call(who, service, operation, asked)
    return told(refused.value)


def token_session(account: Account, who: Credentials, **asked: Any) -> Credentials:
    return credentials_in(account.sts(who, "GetSessionToken", **asked), account.id)


# --- who am I


@pytest.mark.facts("STS-GCI-T01", "STS-CALL-T02", "STS-CALL-T04", "STS-GCI-004")
def test_root_is_the_account_by_key_and_by_session(account: Account) -> None:
    expected = {"Arn": f"arn:aws:iam::{account.id}:root", "UserId": account.id, "Account": account.id}
    session = token_session(account, account.root)
    assert (account.root.access_key_id[:4], session.access_key_id[:4]) == ("AKIA", "ASIA")
    assert account.identity(account.root) == expected
    assert account.identity(session) == expected


@pytest.mark.facts("STS-GCI-T02", "STS-CALL-T01", "STS-CALL-T03", "STS-CALL-007", "STS-GCI-004")
def test_a_user_is_itself_with_its_path_by_key_and_by_session(account: Account) -> None:
    user = account.user(UserName="Alice", Path="/a/b/")
    expected = {"Arn": f"arn:aws:iam::{account.id}:user/a/b/Alice", "UserId": user.id, "Account": account.id}
    session = token_session(account, user.key)
    assert user.id.startswith("AIDA")
    assert (user.key.access_key_id[:4], session.access_key_id[:4]) == ("AKIA", "ASIA")
    assert account.identity(user.key) == expected
    assert account.identity(session) == expected


@pytest.mark.facts("STS-GCI-T03", "STS-GCI-T05", "STS-CALL-T06", "STS-GCI-004")
@pytest.mark.parametrize("name", ["job-1", "i-0123456789abcdef0"])
def test_a_role_session_is_named_by_role_and_session_in_the_roles_account(world: World, name: str) -> None:
    home, target = world.account(), world.account()
    user = home.user(allow("sts:AssumeRole"))
    role = target.role(trusts(home.id), Path="/a/b/")
    session = target.assume(user.key, role, name)
    assert session.key.access_key_id.startswith("ASIA")
    assert target.identity(session.key) == {
        "Arn": f"arn:aws:sts::{target.id}:assumed-role/{role.name}/{name}",
        "UserId": f"{role.id}:{name}",
        "Account": target.id,
    }


@pytest.mark.facts("STS-GCI-001", "STS-CALL-006", "STS-CALL-T15", "STS-GST-002", "POL-EV-070", "POL-EV-071")
def test_nobody_can_be_denied_who_it_is_or_a_session_token(account: Account) -> None:
    nothing = deny("*")
    user = account.user(nothing, boundary=nothing)
    role = account.role(trusts(account.id), trusts("*"), may=(nothing,))
    assumer = account.user()
    session = account.assume(assumer.key, role, Policy=policy(nothing)).key
    for key in (user.key, session, token_session(account, user.key)):
        assert account.identity(key)["Account"] == account.id


# --- what may a kind of caller do at all


@pytest.mark.facts("STS-GST-001", "STS-CALL-T18", "STS-CALL-003")
def test_sessions_get_no_session_token(account: Account) -> None:
    user = account.user(allow("*"))
    role = account.role(trusts(user.arn), may=(allow("*"),))
    sessions = (
        account.assume(user.key, role).key,
        token_session(account, user.key),
        token_session(account, account.root),
    )
    for key in sessions:
        assert refusal(account, key, "sts", "GetSessionToken") == (
            "AccessDenied",
            "Cannot call GetSessionToken with session credentials",
            403,
        )


@pytest.mark.facts("STS-GST-005", "STS-SIG-021", "STS-CALL-002", "POL-EV-072")
def test_iam_does_not_take_a_token_session_without_mfa(account: Account) -> None:
    user = account.user(allow("*"))
    account.boto.call(user.key, "iam", "ListUsers", {})
    for who in (user.key, account.root):
        session = token_session(account, who)
        assert refusal(account, session, "iam", "ListUsers") == INVALID_TOKEN
        assert refusal(account, session, "iam", "GetUser", UserName="nobody") == INVALID_TOKEN


@pytest.mark.facts("STS-CALL-002", "STS-CALL-T14", "POL-EV-072")
def test_a_token_session_reaches_two_operations_of_sts(account: Account) -> None:
    user = account.user(allow("*"))
    role = account.role(trusts(user.arn))
    session = token_session(account, user.key)
    account.identity(session)
    account.assume(session, role)
    asked = {"AccessKeyId": user.key.access_key_id}
    assert refusal(account, session, "sts", "GetAccessKeyInfo", **asked)[::2] == ("AccessDenied", 403)
    for key in (user.key, account.root):
        assert account.sts(key, "GetAccessKeyInfo", **asked) == {"Account": account.id}


@pytest.mark.facts("STS-CALL-T14", "STS-E-005")
def test_reading_an_access_key_needs_permission(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn), may=(allow("sts:GetAccessKeyInfo"),))
    asked = {"AccessKeyId": user.key.access_key_id}
    assert refusal(account, user.key, "sts", "GetAccessKeyInfo", **asked) == (
        "AccessDenied",
        f"User: {user.arn} is not authorized to perform: sts:GetAccessKeyInfo "
        "because no identity-based policy allows the sts:GetAccessKeyInfo action",
        403,
    )
    assert account.sts(account.assume(user.key, role).key, "GetAccessKeyInfo", **asked) == {"Account": account.id}


@pytest.mark.facts("STS-CALL-007", "STS-GST-004", "POL-EV-012")
def test_a_token_session_has_the_users_policies_tags_and_boundary_as_they_are_now(account: Account) -> None:
    user = account.user(allow("sts:AssumeRole"), Tags=[{"Key": "team", "Value": "blue"}])
    tagged = account.role(trusts(account.id, when={"StringEquals": {"aws:PrincipalTag/team": "blue"}}))
    session = token_session(account, user.key)
    account.assume(session, tagged)
    edge = account.managed(allow("iam:*"))
    account.iam("PutUserPermissionsBoundary", UserName=user.name, PermissionsBoundary=edge)
    with pytest.raises(Refused, match="not authorized to perform: sts:AssumeRole"):
        account.assume(session, tagged)
    account.iam("DeleteUserPermissionsBoundary", UserName=user.name)
    account.assume(session, tagged)
    account.iam("TagUser", UserName=user.name, Tags=[{"Key": "team", "Value": "red"}])
    with pytest.raises(Refused, match="not authorized to perform: sts:AssumeRole"):
        account.assume(session, tagged)


@pytest.mark.facts("STS-CTX-006", "STS-CTX-T14")
def test_the_users_name_is_known_of_users_and_their_sessions_only(account: Account) -> None:
    named = {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}
    user = account.user(UserName="alice")
    role = account.role(trusts("*", when=named))
    first = account.role(trusts("*"))
    account.assume(user.key, role, "alice")
    account.assume(token_session(account, user.key), role, "alice")
    for name in ("alice", first.name):
        with pytest.raises(Refused, match="not authorized to perform: sts:AssumeRole"):
            account.assume(account.assume(user.key, first, "alice").key, role, name)


# --- how long


@pytest.mark.facts("STS-CALL-T26", "STS-CALL-T27", "STS-CALL-009", "STS-GST-006", "STS-CALL-011")
@pytest.mark.parametrize(
    ("of_root", "asked", "granted"),
    [
        (False, None, 43_200),
        (False, 900, 900),
        (False, DAY_AND_A_HALF, DAY_AND_A_HALF),
        (True, None, HOUR),
        (True, 900, 900),
        (True, HOUR + 1, HOUR),
        (True, DAY_AND_A_HALF, HOUR),
    ],
)
def test_a_token_session_lasts_as_asked_within_bounds(
    world: World, account: Account, of_root: bool, asked: int | None, granted: int
) -> None:
    who = account.root if of_root else account.user().key
    now = world.server.clock()
    answer = account.sts(who, "GetSessionToken", **({} if asked is None else {"DurationSeconds": asked}))
    assert set(answer) == {"Credentials", "SessionTokenSize", "SessionTokenUtilization"}
    expiration = answer["Credentials"]["Expiration"]
    assert expiration.microsecond == 0
    assert -1 <= expiration.timestamp() - now - granted <= 10


@pytest.mark.facts("STS-CALL-T26", "STS-CALL-T27", "STS-V-T43")
@pytest.mark.parametrize(
    ("seconds", "bound"), [(899, "greater than or equal to 900"), (DAY_AND_A_HALF + 1, "less than or equal to 129600")]
)
def test_the_declared_bounds_of_a_token_session_hold(account: Account, seconds: int, bound: str) -> None:
    for who in (account.root, account.user().key):
        assert refusal(account, who, "sts", "GetSessionToken", DurationSeconds=seconds) == (
            "ValidationError",
            f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: "
            f"Member must have value {bound}",
            400,
        )


@pytest.mark.facts("R17", "STS-SIG-T21")
@pytest.mark.parametrize("kind", ["user", "root", "role"])
def test_a_session_ends_at_its_expiry(world: World, account: Account, kind: str) -> None:
    clock = world.server.clock
    user = account.user()
    role = account.role(trusts(user.arn))
    with clock.turned(-890):
        if kind == "role":
            session = account.assume(user.key, role, DurationSeconds=900).key
        else:
            session = token_session(account, user.key if kind == "user" else account.root, DurationSeconds=900)
    account.identity(session)
    with clock.turned(20):
        assert refusal(account, session, "sts", "GetCallerIdentity") == EXPIRED
        account.identity(user.key)


# --- keys that work no longer, or not like this


@pytest.mark.facts("STS-SIG-022", "STS-SIG-025", "POL-SS-009")
def test_a_key_that_is_switched_off_opens_nothing_but_its_sessions_go_on(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn))
    sessions = (token_session(account, user.key), account.assume(user.key, role).key)
    key = {"UserName": user.name, "AccessKeyId": user.key.access_key_id}
    account.iam("UpdateAccessKey", **key, Status="Inactive")
    assert refusal(account, user.key, "sts", "GetCallerIdentity") == INVALID_KEY
    assert refusal(account, user.key, "iam", "ListUsers") == INVALID_KEY
    account.iam("UpdateAccessKey", **key, Status="Active")
    account.identity(user.key)
    account.iam("DeleteAccessKey", **key)
    assert refusal(account, user.key, "sts", "GetCallerIdentity") == INVALID_KEY
    for session in sessions:
        account.identity(session)


@pytest.mark.facts("STS-SIG-023", "STS-SIG-025", "R17")
def test_a_temporary_key_without_its_token_opens_nothing(account: Account) -> None:
    session = token_session(account, account.user().key)
    bare = Credentials(
        account_id=account.id, access_key_id=session.access_key_id, secret_access_key=session.secret_access_key
    )
    assert refusal(account, bare, "sts", "GetCallerIdentity") == INVALID_KEY


@pytest.mark.facts("R17")
def test_a_token_opens_nothing_without_its_own_key_and_secret(account: Account) -> None:
    user = account.user()
    session, other = token_session(account, user.key), token_session(account, user.key)

    def mixed(key_id: str, secret: Secret) -> Credentials:
        return Credentials(
            account_id=account.id, access_key_id=key_id, secret_access_key=secret, session_token=session.session_token
        )

    long_term = mixed(user.key.access_key_id, user.key.secret_access_key)
    swapped = mixed(other.access_key_id, other.secret_access_key)
    guessed = mixed(session.access_key_id, Secret("x" * 40))
    assert refusal(account, long_term, "sts", "GetCallerIdentity") == INVALID_TOKEN
    assert refusal(account, swapped, "sts", "GetCallerIdentity") == INVALID_TOKEN
    assert refusal(account, guessed, "sts", "GetCallerIdentity") == MISMATCH


@pytest.mark.facts("STS-SIG-019", "STS-SIG-025", "STS-SIG-T22", "STS-SIG-T23")
def test_a_wrong_secret_and_an_unknown_key_have_a_code_each(account: Account) -> None:
    wrong = Credentials(
        account_id=account.id, access_key_id=account.root.access_key_id, secret_access_key=Secret("y" * 40)
    )
    unknown = Credentials(
        account_id=account.id,
        access_key_id=arn.access_key_id("AKIA", account.id, bytes(5)),
        secret_access_key=Secret("y" * 40),
    )
    assert refusal(account, wrong, "sts", "GetCallerIdentity") == MISMATCH
    assert refusal(account, unknown, "sts", "GetCallerIdentity") == INVALID_KEY


@pytest.mark.facts("POL-SS-008", "STS-GST-004")
def test_the_sessions_of_what_was_deleted_end_even_where_the_name_comes_again(account: Account) -> None:
    user = account.user(UserName="alice")
    helper = account.user()
    role = account.role(trusts(helper.arn), RoleName="job")
    of_user, of_role = token_session(account, user.key), account.assume(helper.key, role).key
    account.iam("DeleteAccessKey", UserName="alice", AccessKeyId=user.key.access_key_id)
    account.iam("DeleteUser", UserName="alice")
    account.iam("DeleteRole", RoleName="job")
    for session in (of_user, of_role):
        assert refusal(account, session, "sts", "GetCallerIdentity") == INVALID_TOKEN
    account.user(UserName="alice")
    account.role(trusts(helper.arn), RoleName="job")
    for session in (of_user, of_role):
        assert refusal(account, session, "sts", "GetCallerIdentity") == INVALID_TOKEN
