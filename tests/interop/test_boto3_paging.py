"""boto3's paginators and waiters over an account with a thousand of everything, and an organization of many places."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from tests.interop.clients import PLAIN, TIMEOUT
from tests.interop.world import allow, policy, trusts

from locum.testing import RunningServer, running_server

pytestmark = pytest.mark.xdist_group("interop-boto3-paging")

MANY: Final = 1_050
"""More than the largest page, which has 1,000 entries."""
GROUPS: Final = 320
LIMITS: Final = {
    "RolesPerAccount": 10_000,
    "InstanceProfilesPerAccount": 10_000,
    "GroupsPerAccount": 500,
    "AccountsPerOrganization": 100,
}
DOCUMENT: Final = policy(allow("s3:GetObject"))
TAGS: Final = [{"Key": f"key{number:02d}", "Value": str(number)} for number in range(50)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(on_disk=True, iam_requests_per_second=0) as server:
        file = tmp_path_factory.mktemp("crowd") / "crowd.json"
        file.write_text(json.dumps({"locum": 1, "accounts": {server.account_id: everybody(server.account_id)}}))
        subprocess.run(
            [sys.executable, "-m", "locum", "apply", str(file), "--yes"],
            env={**os.environ, "LOCUM_DATA": str(server.audit_path.parent)},
            capture_output=True,
            check=True,
            timeout=TIMEOUT,
        )
        yield server


@pytest.fixture(scope="module")
def iam(crowd: RunningServer) -> Iterator[Any]:
    client = boto3.client("iam", config=PLAIN, **crowd.boto3_arguments())
    yield client
    client.close()


def name_of(number: int) -> str:
    """Names whose order would differ if capitals came first."""
    return f"{'nN'[number % 2]}ame-{number:04d}"


def everybody(account: str) -> dict[str, Any]:
    """The account as ``locum apply`` reads it."""
    shared = f"arn:aws:iam::{account}:policy/shared"
    document, trust = json.loads(DOCUMENT), json.loads(policy(trusts(account)))
    places = {name_of(number): {"path": f"/part{number % 3}/"} for number in range(MANY)}
    few = list(places)[: GROUPS - 1]
    return {
        "limits": LIMITS,
        "groups": {"everyone": {}} | {name: places[name] for name in few},
        "policies": {"shared": {"document": document}}
        | {name: place | {"document": document} for name, place in places.items()},
        "users": {name: place | {"groups": ["everyone"] if name in few else []} for name, place in places.items()},
        "roles": {
            name: place | {"trust": trust, "attached": [shared] if name in few else []}
            for name, place in places.items()
        },
        "instance_profiles": places,
    }


def names(count: int = MANY, *others: str) -> list[str]:
    """The names of ``count`` entities and ``others`` in the order of listings: without regard to case."""
    return sorted([*(name_of(number) for number in range(count)), *others], key=str.lower)


LISTINGS: Final = [
    ("list_users", "Users", "UserName", names()),
    ("list_roles", "Roles", "RoleName", names()),
    ("list_groups", "Groups", "GroupName", names(GROUPS - 1, "everyone")),
    ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName", names()),
]
"""Paginator, its list, the member that names an entity, and the names in order."""


@pytest.mark.facts("IAM-GEN-050", "IAM-GEN-053")
@pytest.mark.parametrize("size", [None, 1_000, 77])
@pytest.mark.parametrize(("operation", "result", "member", "expected"), LISTINGS)
def test_a_paginator_finds_every_entity_once_and_in_order(
    iam: Any, operation: str, result: str, member: str, expected: list[str], size: int | None
) -> None:
    pages = list(iam.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}))
    found = [[each[member] for each in page[result]] for page in pages]
    assert [name for page in found for name in page] == expected
    full = size or 100
    assert [len(page) for page in found[:-1]] == [full] * (len(pages) - 1)
    assert 0 < len(found[-1]) <= full
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert ["Marker" in page for page in pages] == [page["IsTruncated"] for page in pages]


@pytest.mark.parametrize("size", [None, 1_000])
def test_managed_policies_are_paged_by_scope(iam: Any, crowd: RunningServer, size: int | None) -> None:
    pager = iam.get_paginator("list_policies")
    settings = {"PaginationConfig": {"PageSize": size}}
    local = [each["PolicyName"] for page in pager.paginate(Scope="Local", **settings) for each in page["Policies"]]
    assert sorted(local, key=str.lower) == names(MANY, "shared")
    aws = [each["Arn"] for page in pager.paginate(Scope="AWS", **settings) for each in page["Policies"]]
    assert {arn.partition(":policy/")[0] for arn in aws} == {"arn:aws:iam::aws"}
    everything = [each["Arn"] for page in pager.paginate(**settings) for each in page["Policies"]]
    assert len(everything) == len(set(everything)) == len(local) + len(aws)
    used = [page["Policies"] for page in pager.paginate(OnlyAttached=True, Scope="Local", **settings)]
    assert [each["PolicyName"] for page in used for each in page] == ["shared"]


@pytest.mark.parametrize(("operation", "result", "member", "expected"), LISTINGS)
def test_a_path_prefix_selects_over_all_pages(
    iam: Any, operation: str, result: str, member: str, expected: list[str]
) -> None:
    pages = iam.get_paginator(operation).paginate(PathPrefix="/part1/", PaginationConfig={"PageSize": 50})
    found = [each[member] for page in pages for each in page[result]]
    assert found == [name for name in expected if name != "everyone" and int(name[-4:]) % 3 == 1]


def test_the_members_of_a_group_and_the_holders_of_a_policy_are_paged(iam: Any, crowd: RunningServer) -> None:
    members = iam.get_paginator("get_group").paginate(GroupName="everyone").build_full_result()["Users"]
    assert [each["UserName"] for each in members] == names(GROUPS - 1)
    shared = f"arn:aws:iam::{crowd.account_id}:policy/shared"
    holders = iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=shared).build_full_result()
    assert sorted((each["RoleName"] for each in holders["PolicyRoles"]), key=str.lower) == names(GROUPS - 1)
    assert (holders["PolicyUsers"], holders["PolicyGroups"]) == ([], [])
    assert iam.get_policy(PolicyArn=shared)["Policy"]["AttachmentCount"] == GROUPS - 1


def test_the_authorization_details_hold_every_entity_once(iam: Any) -> None:
    whole = iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["User", "Role", "Group", "LocalManagedPolicy"], PaginationConfig={"PageSize": 333}
    ).build_full_result()  # fmt: skip
    lists = [("UserDetailList", "UserName"), ("RoleDetailList", "RoleName"), ("GroupDetailList", "GroupName")]
    found = [sorted((each[member] for each in whole[result]), key=str.lower) for result, member in lists]
    assert found == [names(), names(), names(GROUPS - 1, "everyone")]
    assert sorted((each["PolicyName"] for each in whole["Policies"]), key=str.lower) == names(MANY, "shared")


def test_the_account_summary_counts_all_of_them(iam: Any) -> None:
    summary = iam.get_account_summary()["SummaryMap"]
    counted = {name: summary[name] for name in ("Users", "Roles", "Groups", "Policies", "InstanceProfiles")}
    assert counted == {
        "Users": MANY,
        "Roles": MANY,
        "Groups": GROUPS,
        "Policies": MANY + 1,
        "InstanceProfiles": MANY,
    }


def test_a_listing_goes_on_where_it_was_left(iam: Any) -> None:
    pager = iam.get_paginator("list_users")
    first = pager.paginate(PaginationConfig={"MaxItems": 130, "PageSize": 60}).build_full_result()
    token = first["NextToken"]
    rest = pager.paginate(PaginationConfig={"StartingToken": token, "PageSize": 200}).build_full_result()
    assert [each["UserName"] for each in (*first["Users"], *rest["Users"])] == names()


@pytest.mark.facts("IAM-GEN-051")
@pytest.mark.parametrize("operation", ["list_roles", "list_users"])
def test_a_marker_is_good_for_its_own_listing_only(iam: Any, operation: str) -> None:
    marker = iam.list_groups()["Marker"]
    with pytest.raises(ClientError) as refused:
        getattr(iam, operation)(Marker=marker)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert refused.value.response["Error"]["Message"] == "Invalid Marker."


def test_what_stays_is_listed_once_while_others_come_and_go(iam: Any) -> None:
    """Entities before and behind the page are made and deleted between pages; nobody who stays is lost or doubled."""
    for number in range(0, 40, 2):
        iam.create_group(GroupName=f"zz-{number:02d}")
    found = []
    for turn, page in enumerate(iam.get_paginator("list_groups").paginate(PaginationConfig={"PageSize": 20})):
        found += [each["GroupName"] for each in page["Groups"]]
        if turn < 20:
            iam.create_group(GroupName=f"a-{turn:02d}")
            iam.create_group(GroupName=f"zz-{turn * 2 + 1:02d}")
            iam.delete_group(GroupName=f"zz-{turn * 2:02d}")
    assert len(found) == len(set(found))
    assert set(names(GROUPS - 1, "everyone")) <= set(found)
    assert all(one.lower() < two.lower() for one, two in pairwise(found))
    assert not any(name.startswith("a-") for name in found)
    left = iam.get_paginator("list_groups").paginate().build_full_result()["Groups"]
    for each in left:
        if each["GroupName"].startswith(("a-", "zz-")):
            iam.delete_group(GroupName=each["GroupName"])


@pytest.mark.parametrize("kind", ["user", "role", "policy", "instance_profile"])
def test_fifty_tags_are_paged(iam: Any, crowd: RunningServer, kind: str) -> None:
    names = {"user": "UserName", "role": "RoleName", "instance_profile": "InstanceProfileName"}
    arn = f"arn:aws:iam::{crowd.account_id}:policy/shared"
    which = {"PolicyArn": arn} if kind == "policy" else {names[kind]: name_of(0)}
    getattr(iam, f"tag_{kind}")(**which, Tags=TAGS)
    pages = list(iam.get_paginator(f"list_{kind}_tags").paginate(**which, PaginationConfig={"PageSize": 15}))
    assert [len(page["Tags"]) for page in pages] == [15, 15, 15, 5]
    found = [tag for page in pages for tag in page["Tags"]]
    assert sorted(found, key=lambda tag: str(tag["Key"])) == TAGS
    getattr(iam, f"untag_{kind}")(**which, TagKeys=[tag["Key"] for tag in TAGS])


WAITERS: Final = {
    "user_exists": ("GetUser", {"UserName": "late"}),
    "role_exists": ("GetRole", {"RoleName": "late"}),
    "policy_exists": ("GetPolicy", {}),
    "instance_profile_exists": ("GetInstanceProfile", {"InstanceProfileName": "late"}),
}
AT_ONCE: Final = {"Delay": 0, "MaxAttempts": 3}


@pytest.mark.facts("CLI-002")
@pytest.mark.parametrize("waiter", WAITERS)
def test_a_waiter_sees_an_entity_that_is_made_meanwhile_and_gives_up_on_one_that_is_not(
    crowd: RunningServer, waiter: str
) -> None:
    iam = boto3.client("iam", config=PLAIN, **crowd.boto3_arguments())
    operation, which = WAITERS[waiter]
    which = which or {"PolicyArn": f"arn:aws:iam::{crowd.account_id}:policy/late"}
    statuses: list[int] = []

    def make(**_: Any) -> None:
        if waiter == "user_exists":
            iam.create_user(UserName="late")
        elif waiter == "role_exists":
            iam.create_role(RoleName="late", AssumeRolePolicyDocument=policy(trusts(crowd.account_id)))
        elif waiter == "policy_exists":
            iam.create_policy(PolicyName="late", PolicyDocument=DOCUMENT)
        else:
            iam.create_instance_profile(InstanceProfileName="late")

    def seen(http_response: Any, **_: Any) -> None:
        statuses.append(http_response.status_code)
        if len(statuses) == 4:
            make()

    iam.meta.events.register(f"after-call.iam.{operation}", seen)
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        iam.get_waiter(waiter).wait(**which, WaiterConfig=AT_ONCE)
    assert statuses == [404] * 3
    iam.get_waiter(waiter).wait(**which, WaiterConfig=AT_ONCE)
    assert statuses == [404] * 4 + [200]
    iam.close()


@pytest.mark.facts("ORG-GEN-002")
def test_the_paginators_of_organizations_find_every_unit_and_account_once(crowd: RunningServer) -> None:
    organizations = boto3.client("organizations", config=PLAIN, **crowd.boto3_arguments())
    organizations.create_organization(FeatureSet="ALL")
    (root,) = organizations.list_roots()["Roots"]
    units = {
        organizations.create_organizational_unit(ParentId=root["Id"], Name=f"unit {number}")["OrganizationalUnit"]["Id"]
        for number in range(45)
    }
    for number in range(45):
        organizations.create_account(AccountName=f"member {number}", Email=f"member{number}@example.com")
    listed: dict[str, list[dict[str, Any]]] = {}
    for operation, parameters, result in (
        ("list_organizational_units_for_parent", {"ParentId": root["Id"]}, "OrganizationalUnits"),
        ("list_children", {"ParentId": root["Id"], "ChildType": "ORGANIZATIONAL_UNIT"}, "Children"),
        ("list_accounts", {}, "Accounts"),
        ("list_accounts_for_parent", {"ParentId": root["Id"]}, "Accounts"),
        ("list_create_account_status", {}, "CreateAccountStatuses"),
    ):
        pages = list(organizations.get_paginator(operation).paginate(**parameters))
        assert all(len(page[result]) <= 20 for page in pages)
        assert len(pages) >= 3
        listed[operation] = [each for page in pages for each in page[result]]
    for operation in ("list_organizational_units_for_parent", "list_children"):
        found = [each["Id"] for each in listed[operation]]
        assert (len(found), set(found)) == (45, units)
    accounts = [each["Id"] for each in listed["list_accounts"]]
    assert len(accounts) == len(set(accounts)) == 46
    assert sorted(each["Id"] for each in listed["list_accounts_for_parent"]) == sorted(accounts)
    made = [each["AccountId"] for each in listed["list_create_account_status"]]
    assert sorted([*made, crowd.account_id]) == sorted(accounts)
    organizations.close()
