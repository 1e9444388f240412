"""Session policies through boto3: what may be passed, and what is left of the role's permissions (area SP)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from tests.interop.clients import Refused
from tests.interop.world import Account, Person, Role, World, allow, denied, deny, policy, told, trusts

from locum.testing import Credentials

pytestmark = pytest.mark.xdist_group("interop-session-policies")

READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"


@pytest.fixture
def user(account: Account) -> Person:
    return account.user()


def powerful(account: Account, user: Person, **more: Any) -> Role:
    return account.role(trusts(user.arn), may=(allow("iam:*"),), **more)


def may(account: Account, who: Credentials, operation: str, **asked: Any) -> bool:
    """Whether IAM lets it through; what is missing is not the question."""
    try:
        account.boto.call(who, "iam", operation, asked)
    except Refused as error:
        return error.code != "AccessDenied"
    return True


def rights(account: Account, who: Credentials) -> set[str]:
    """Which of four calls are allowed."""
    calls: dict[str, dict[str, str]] = {
        "ListUsers": {},
        "ListRoles": {},
        "GetUser": {"UserName": "nobody"},
        "DeleteUser": {"UserName": "nobody"},
    }
    return {operation for operation, asked in calls.items() if may(account, who, operation, **asked)}


@pytest.mark.facts("STS-SP-003", "POL-SS-002", "POL-SS-005", "POL-EV-006")
def test_a_session_may_what_role_boundary_and_session_policy_allow_together(account: Account, user: Person) -> None:
    role = account.role(
        trusts(user.arn),
        may=(allow("iam:ListUsers", "iam:ListRoles", "iam:GetUser"),),
        boundary=allow("iam:ListUsers", "iam:ListRoles", "iam:DeleteUser"),
    )
    plain = account.assume(user.key, role)
    assert rights(account, plain.key) == {"ListUsers", "ListRoles"}
    limited = account.assume(user.key, role, Policy=policy(allow("iam:ListUsers", "iam:GetUser", "iam:DeleteUser")))
    assert rights(account, limited.key) == {"ListUsers"}
    nothing = account.assume(user.key, role, Policy=policy(allow("s3:*")))
    assert rights(account, nothing.key) == set()


@pytest.mark.facts("STS-SP-004", "POL-SS-002")
def test_several_session_policies_allow_what_any_of_them_allows(account: Account, user: Person) -> None:
    role = powerful(account, user)
    lister, getter = account.managed(allow("iam:ListUsers")), account.managed(allow("iam:GetUser"))
    session = account.assume(
        user.key, role, Policy=policy(allow("iam:ListRoles")), PolicyArns=[{"arn": lister}, {"arn": getter}]
    )
    assert rights(account, session.key) == {"ListUsers", "ListRoles", "GetUser"}


@pytest.mark.facts("POL-SS-004", "POL-EV-002")
def test_a_deny_in_one_session_policy_wins_over_all(account: Account, user: Person) -> None:
    everything = account.managed(allow("*"))
    session = account.assume(
        user.key, powerful(account, user), Policy=policy(deny("iam:List*")), PolicyArns=[{"arn": everything}]
    )
    assert rights(account, session.key) == {"GetUser", "DeleteUser"}
    with pytest.raises(Refused, match="with an explicit deny in a session policy"):
        account.boto.call(session.key, "iam", "ListUsers", {})


@pytest.mark.facts("STS-SP-006", "POL-SS-006")
def test_a_managed_session_policy_counts_as_it_is_now(account: Account, user: Person) -> None:
    changing = account.managed(allow("iam:ListUsers"))
    session = account.assume(user.key, powerful(account, user), PolicyArns=[{"arn": changing}])
    assert rights(account, session.key) == {"ListUsers"}
    account.iam(
        "CreatePolicyVersion", PolicyArn=changing, PolicyDocument=policy(allow("iam:ListRoles")), SetAsDefault=True
    )
    assert rights(account, session.key) == {"ListRoles"}
    account.iam("SetDefaultPolicyVersion", PolicyArn=changing, VersionId="v1")
    assert rights(account, session.key) == {"ListUsers"}
    account.iam("DeletePolicyVersion", PolicyArn=changing, VersionId="v2")
    account.iam("DeletePolicy", PolicyArn=changing)
    assert rights(account, session.key) == set()


@pytest.mark.facts("STS-SP-002")
def test_managed_session_policies_are_the_role_accounts_or_awss(world: World) -> None:
    home, target = world.account(), world.account()
    user = home.user(allow("sts:AssumeRole"))
    role = target.role(trusts(home.id), may=(allow("iam:*"),))
    own = target.managed(allow("iam:ListUsers"))
    assert rights(target, target.assume(user.key, role, PolicyArns=[{"arn": own}]).key) == {"ListUsers"}
    shipped = target.assume(user.key, role, PolicyArns=[{"arn": READ_ONLY}])
    assert rights(target, shipped.key) == {"ListUsers", "ListRoles", "GetUser"}
    foreign = home.managed(allow("*"))
    missing = f"arn:aws:iam::{target.id}:policy/nothing"
    for wrong in (foreign, missing):
        with pytest.raises(Refused) as refused:
            target.assume(user.key, role, PolicyArns=[{"arn": wrong}])
        assert refused.value.status == 400


@pytest.mark.facts("STS-SP-001", "STS-V-020")
def test_at_most_ten_managed_policies_and_2048_characters_are_passed(account: Account, user: Person) -> None:
    role = powerful(account, user)
    arns = [{"arn": account.managed(allow("iam:ListUsers"))} for _ in range(11)]

    def padded(size: int) -> str:
        document = policy(allow("iam:ListUsers"))
        return document + " " * (size - len(document))

    account.assume(user.key, role, PolicyArns=arns[:10])
    account.assume(user.key, role, Policy=padded(2_048))
    one = arns[:1]
    account.assume(user.key, role, Policy=padded(2_048 - len(one[0]["arn"])), PolicyArns=one)
    for asked in (
        {"PolicyArns": arns},
        {"Policy": padded(2_049)},
        {"Policy": padded(2_049 - len(one[0]["arn"])), "PolicyArns": one},
    ):
        with pytest.raises(Refused) as refused:
            account.assume(user.key, role, **asked)
        assert (refused.value.code, refused.value.status) == ("ValidationError", 400)


@pytest.mark.facts("STS-SP-008", "STS-SP-009")
@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "{}",
        '{"Version":"2012-10-17"}',
        '{"Version":"2020-01-01","Statement":[]}',
        policy(allow("iam:*") | {"Effect": "Permit"}),
        policy({"Effect": "Allow", "Action": "iam:*"}),
        policy(allow("iam:*", when={"StringSounds": {"aws:username": "x"}})),
        policy(allow("iam:*") | {"Principal": "*"}),
        policy(allow("iam:*") | {"NotPrincipal": {"AWS": "*"}}),
    ],
)
def test_a_session_policy_that_cannot_be_one_is_refused(account: Account, user: Person, document: str) -> None:
    with pytest.raises(Refused) as refused:
        account.assume(user.key, powerful(account, user), Policy=document)
    assert (refused.value.code, refused.value.status) == ("MalformedPolicyDocument", 400)
    assert refused.value.message


@pytest.mark.facts("STS-SP-014", "STS-SP-010", "STS-AR-048")
def test_a_managed_policy_packs_as_its_arn_and_nothing_packs_to_no_size(account: Account, user: Person) -> None:
    role = powerful(account, user)
    small = account.managed(allow("iam:ListUsers"))
    large = account.managed(allow(*(f"iam:ListUsers{number:04}" for number in range(200))))

    def size(**asked: Any) -> int | None:
        value: int | None = account.assume(user.key, role, **asked).answer.get("PackedPolicySize")
        return value

    assert size() is None
    of_small, of_large = size(PolicyArns=[{"arn": small}]), size(PolicyArns=[{"arn": large}])
    assert of_small is not None
    assert of_large is not None
    assert abs(of_small - of_large) <= 1
    assert 0 < of_small < 100
    inline = policy(allow("iam:ListUsers"))
    of_both = size(PolicyArns=[{"arn": small}], Policy=inline)
    assert of_both is not None
    assert of_both > of_small


@pytest.mark.facts("STS-SP-010", "STS-SP-011", "STS-E-T49")
def test_a_session_policy_that_packs_badly_is_refused_below_the_plain_limit(account: Account, user: Person) -> None:
    document = policy(allow(*(f"s3:{hashlib.sha256(bytes([number])).hexdigest()}" for number in range(27))))
    assert len(document) <= 2_048
    with pytest.raises(Refused) as refused:
        account.assume(user.key, powerful(account, user), Policy=document)
    code, text, status = told(refused.value)
    assert (code, status) == ("PackedPolicyTooLarge", 400)
    assert text.startswith("Packed policy consumes ")
    assert text.endswith("% of allotted space, please use smaller policy.")


@pytest.mark.facts("STS-AR-042")
def test_session_policies_are_looked_at_only_for_who_may_assume(account: Account, user: Person) -> None:
    stranger = account.user()
    role = powerful(account, user)
    for asked in ({"Policy": "{"}, {"Policy": " " * 2_049}, {"PolicyArns": [{"arn": f"{role.arn}/nothing"}]}):
        with pytest.raises(Refused) as refused:
            account.assume(stranger.key, role, **asked)
        assert told(refused.value) == denied(stranger.arn, role)
