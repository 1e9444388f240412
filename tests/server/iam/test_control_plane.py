"""What all of IAM's operations have in common: the wire, pages, tags, permissions, accounts, writers side by side."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api.iam import access_keys, policies, roles, types, users
from locum.api.shapes import Command
from locum.core.limits import LIMITS
from locum.server.iam.tags import merged_tags, without_tags
from locum.store import Conflict, Key
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, World, document

EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
DOCUMENT = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
TRUST = json.dumps(document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole"))
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def tags(**given: str) -> tuple[types.Tag, ...]:
    return tuple(types.Tag(key=key, value=value) for key, value in given.items())


def user(name: str = "bob", **more: Any) -> users.CreateUserCommand:
    return users.CreateUserCommand(user_name=name, **more)


def flat(answer: bytes) -> str:
    """An XML answer without its indentation."""
    return re.sub(r">\s+<", "><", answer.decode())


def body(world: World, command: Command[Any], credentials: Credentials | None = None) -> str:
    return flat(world.send(world.request(command, credentials or world.root)).body)


# The wire


@pytest.mark.facts("IAM-GEN-001", "IAM-GEN-002", "IAM-GEN-004", "IAM-GEN-005")
def test_an_answer_is_xml_of_the_model(world: World) -> None:
    answer = body(world, user(tags=tags(a="b")))
    assert '<CreateUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateUserResult><User>' in answer
    assert "<Tags><member><Key>a</Key><Value>b</Value></member></Tags>" in answer
    assert "<CreateDate>2026-01-02T03:04:05Z</CreateDate>" in answer
    assert "<ResponseMetadata><RequestId>01234567-89ab-4def-8123-456789abcdef</RequestId></ResponseMetadata>" in answer
    answer = body(world, users.DeleteUserCommand(user_name="bob"))
    assert "<DeleteUserResponse" in answer
    assert "DeleteUserResult" not in answer


@pytest.mark.facts("IAM-GEN-030", "IAM-GEN-032")
@pytest.mark.parametrize("kind", errors.IAMServiceException.__subclasses__(), ids=lambda kind: kind.__name__)
def test_a_declared_error_has_the_status_of_the_model(kind: type[errors.IAMServiceException]) -> None:
    model = botocore.session.get_session().get_service_model("iam")
    shapes = {each.metadata.get("error", {}).get("code", each.name): each for each in model.error_shapes}
    declared = shapes[kind.code].metadata.get("error")
    # The exceptions of organizations have neither code nor status in the model (IAM-GEN-032).
    assert kind.status == (400 if declared is None else declared["httpStatusCode"])


@pytest.mark.facts("IAM-GEN-031")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InvalidClientTokenId", 403),
        ("SignatureDoesNotMatch", 403),
        ("ExpiredToken", 403),
        ("IncompleteSignature", 400),
        ("MissingAuthenticationToken", 403),
        ("InvalidAction", 400),
        ("MissingParameter", 400),
        ("Throttling", 400),
        ("ServiceUnavailable", 503),
        ("InternalFailure", 500),
    ],
)
def test_an_error_common_to_all_services_has_its_status(code: str, status: int) -> None:
    kind = getattr(errors, code)
    assert (kind.code, kind.status) == (code, status)


@pytest.mark.facts("IAM-GEN-003", "IAM-GEN-030")
@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        (users.GetUserCommand(user_name="nobody"), 404, "NoSuchEntity"),
        (user("alice"), 409, "EntityAlreadyExists"),
        (user("x", permissions_boundary="x" * 20), 400, "InvalidInput"),
        (user("x" * 65), 400, "ValidationError"),
        (users.DeleteUserCommand(user_name="alice"), 409, "DeleteConflict"),
        (policies.CreatePolicyCommand(policy_name="p", policy_document="{"), 400, "MalformedPolicyDocument"),
        (policies.DeletePolicyCommand(policy_arn=READER), 403, "AccessDenied"),
        (
            policies.CreatePolicyCommand(policy_name="p", policy_document=DOCUMENT.replace("GetUser", "x" * 6_200)),
            409,
            "LimitExceeded",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_has_its_code_and_status(world: World, command: Command[Any], status: int, code: str) -> None:
    world.user("alice")
    response = world.send(world.request(command, world.root))
    assert response.status == status
    answer = flat(response.body)
    assert '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">' in answer
    assert f"<Error><Type>Sender</Type><Code>{code}</Code><Message>" in answer
    assert "<RequestId>01234567-89ab-4def-8123-456789abcdef</RequestId></ErrorResponse>" in answer


@pytest.mark.facts("IAM-GEN-020")
def test_documents_come_back_percent_encoded(world: World) -> None:
    world.call(world.root, user())
    text = DOCUMENT.replace("GetUser", "Get+User*")
    world.call(world.root, users.PutUserPolicyCommand(user_name="bob", policy_name="p", policy_document=text))
    answer = body(world, users.GetUserPolicyCommand(user_name="bob", policy_name="p"))
    encoded = answer.partition("<PolicyDocument>")[2].partition("</PolicyDocument>")[0]
    assert encoded.startswith("%7B%22Version%22%3A%20%222012-10-17%22%2C%20")
    assert "iam%3AGet%2BUser%2A" in encoded
    role = body(world, roles.CreateRoleCommand(role_name="r", assume_role_policy_document=TRUST))
    assert "<AssumeRolePolicyDocument>%7B%22Version%22%3A%20" in role


# Pages


def one_by_one(world: World, command: Command[Any], member: str) -> Iterator[Any]:
    """The entries of a list, read with a page for each; no marker may be longer than can be sent back."""
    marker: str | None = None
    while True:
        page = world.call(world.root, msgspec.structs.replace(command, max_items=1, marker=marker))
        yield from getattr(page, member)
        marker = page.marker
        if not page.is_truncated:
            return
        assert marker is not None
        assert len(marker) <= 320


def fill(world: World, count: int) -> list[str]:
    names = [f"u{number:04d}" for number in range(count)]
    for name in names:
        world.call(world.root, user(name))
    return names


@pytest.mark.facts("IAM-GEN-050", "IAM-GEN-053")
def test_a_page_has_a_hundred_entries_unless_said_otherwise(world: World) -> None:
    names = fill(world, 101)
    first = world.call(world.root, users.ListUsersCommand())
    assert [each.user_name for each in first.users] == names[:100]
    assert first.is_truncated
    assert first.marker is not None
    last = world.call(world.root, users.ListUsersCommand(marker=first.marker))
    assert [each.user_name for each in last.users] == names[100:]
    assert (last.is_truncated, last.marker) == (False, None)
    assert "<IsTruncated>false</IsTruncated>" in body(world, users.ListUsersCommand(marker=first.marker))
    exact = world.call(world.root, users.ListUsersCommand(max_items=101))
    assert (len(exact.users), exact.is_truncated) == (101, False)
    for count in (0, 1_001):
        world.refusal(world.root, users.ListUsersCommand(max_items=count), errors.ValidationError)


def test_pages_go_on_where_they_were_although_entries_come_and_go(world: World) -> None:
    fill(world, 6)
    first = world.call(world.root, users.ListUsersCommand(max_items=3))
    for name in ("u0001", "u0002", "u0003"):
        world.call(world.root, users.DeleteUserCommand(user_name=name))
    world.call(world.root, user("A"))
    world.call(world.root, user("U0004x"))
    rest = world.call(world.root, users.ListUsersCommand(marker=first.marker))
    assert [each.user_name for each in rest.users] == ["u0004", "U0004x", "u0005"]


@pytest.mark.facts("IAM-GEN-050", "IAM-GEN-052")
def test_every_list_can_be_read_one_by_one(world: World) -> None:
    world.call(world.root, user(tags=tags(c="1", a="2", B="3")))
    world.role("r", {"AWS": ACCOUNT})
    for name in ("y", "x", "z"):
        world.call(world.root, users.PutUserPolicyCommand(user_name="bob", policy_name=name, policy_document=DOCUMENT))
        world.call(world.root, roles.PutRolePolicyCommand(role_name="r", policy_name=name, policy_document=DOCUMENT))
    for arn in (READER, ADMINISTRATOR):
        world.call(world.root, roles.AttachRolePolicyCommand(role_name="r", policy_arn=arn))
    for _ in range(2):
        world.call(world.root, access_keys.CreateAccessKeyCommand(user_name="bob"))
    lists: list[tuple[Command[Any], str, int]] = [
        (users.ListUserTagsCommand(user_name="bob"), "tags", 3),
        (users.ListUserPoliciesCommand(user_name="bob"), "policy_names", 3),
        (roles.ListRolePoliciesCommand(role_name="r"), "policy_names", 3),
        (roles.ListAttachedRolePoliciesCommand(role_name="r"), "attached_policies", 2),
        (access_keys.ListAccessKeysCommand(user_name="bob"), "access_key_metadata", 2),
    ]
    for command, member, count in lists:
        whole = getattr(world.call(world.root, command), member)
        assert len(whole) == count
        assert tuple(one_by_one(world, command, member)) == whole


@pytest.mark.facts("IAM-GEN-051", "IAM-GEN-044", "R14")
def test_a_marker_is_good_for_its_own_list_alone(world: World) -> None:
    fill(world, 3)
    for number in range(3):
        world.role(f"r{number}", {"AWS": ACCOUNT})
    other = world.account(OTHER)
    marker = world.call(world.root, users.ListUsersCommand(max_items=1)).marker
    assert marker is not None
    session = world.assume(world.user("alice", EVERYTHING), world.role("s", {"AWS": ACCOUNT})).session_token
    assert session is not None
    world.call(world.root, users.ListUsersCommand(max_items=2, marker=marker))
    for credentials, command in (
        (world.root, users.ListUsersCommand(marker="garbled")),
        (world.root, users.ListUsersCommand(marker=marker[:-1])),
        (world.root, users.ListUsersCommand(marker=marker[:-2] + ("AA" if marker[-2:] != "AA" else "BB"))),
        (world.root, users.ListUsersCommand(marker=session.reveal()[:320])),
        (world.root, users.ListUsersCommand(marker=marker, path_prefix="/x/")),
        (world.root, roles.ListRolesCommand(marker=marker)),
        (other, users.ListUsersCommand(marker=marker)),
    ):
        assert world.refusal(credentials, command, errors.ValidationError) == "Invalid Marker."


@pytest.mark.facts("IAM-GEN-050")
def test_no_marker_is_longer_than_may_be_sent_back(world: World) -> None:
    long = [types.Tag(key=chr(0x10400 + n) * 128, value="") for n in range(3)]
    similar = [types.Tag(key="ж" * 127 + letter, value="") for letter in "abc"]
    world.call(world.root, user("u" * 64, tags=(*long, *similar)))
    for name in ("p" * 127 + "1", "p" * 127 + "2"):
        world.call(world.root, policies.CreatePolicyCommand(policy_name=name, policy_document=DOCUMENT))
        arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        world.call(world.root, users.AttachUserPolicyCommand(user_name="u" * 64, policy_arn=arn))
    shown = one_by_one(world, users.ListUserTagsCommand(user_name="u" * 64), "tags")
    assert sorted(tag.key for tag in shown) == sorted(tag.key for tag in (*long, *similar))
    assert len([*one_by_one(world, policies.ListPoliciesCommand(scope="Local"), "policies")]) == 2
    attached = users.ListAttachedUserPoliciesCommand(user_name="u" * 64)
    assert len([*one_by_one(world, attached, "attached_policies")]) == 2


# Tags


@pytest.mark.facts("IAM-GEN-061", "IAM-GEN-064")
def test_tag_keys_of_users_and_roles_ignore_case_and_keep_it(world: World) -> None:
    world.call(world.root, user(tags=tags(somekey="1", other="")))
    world.role("r", {"AWS": ACCOUNT}, tags=tags(somekey="1", other=""))
    operations: tuple[tuple[Command[Any], Command[Any], Command[Any]], ...] = (
        (
            users.TagUserCommand(user_name="bob", tags=tags(SomeKey="2")),
            users.UntagUserCommand(user_name="bob", tag_keys=("SOMEKEY", "unknown")),
            users.ListUserTagsCommand(user_name="bob"),
        ),
        (
            roles.TagRoleCommand(role_name="r", tags=tags(SomeKey="2")),
            roles.UntagRoleCommand(role_name="r", tag_keys=("SOMEKEY", "unknown")),
            roles.ListRoleTagsCommand(role_name="r"),
        ),
    )
    for tag, untag, listing in operations:
        world.call(world.root, tag)
        assert set(world.call(world.root, listing).tags) == set(tags(SomeKey="2", other=""))
        world.call(world.root, untag)
        assert world.call(world.root, listing).tags == tags(other="")


@pytest.mark.facts("IAM-GEN-061")
def test_tag_keys_of_policies_heed_case(world: World) -> None:
    command = policies.CreatePolicyCommand(policy_name="p", policy_document=DOCUMENT, tags=tags(a="1"))
    made = world.call(world.root, command).policy
    assert made is not None
    arn = str(made.arn)
    world.call(world.root, policies.TagPolicyCommand(policy_arn=arn, tags=tags(A="2")))
    listing = policies.ListPolicyTagsCommand(policy_arn=arn)
    assert set(world.call(world.root, listing).tags) == set(tags(a="1", A="2"))
    world.call(world.root, policies.UntagPolicyCommand(policy_arn=arn, tag_keys=("a",)))
    assert world.call(world.root, listing).tags == tags(A="2")


@pytest.mark.facts("IAM-GEN-062")
def test_a_key_twice_in_one_call_is_refused(world: World) -> None:
    made = world.call(world.root, policies.CreatePolicyCommand(policy_name="p", policy_document=DOCUMENT)).policy
    assert made is not None
    world.call(world.root, user("alice"))
    folded = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    for command, text in (
        (user(tags=tags(a="1", A="2")), folded),
        (users.TagUserCommand(user_name="alice", tags=tags(a="1", A="2")), folded),
        (
            roles.CreateRoleCommand(role_name="r", assume_role_policy_document=TRUST, tags=tags(a="1", A="2")),
            folded,
        ),
        (
            policies.TagPolicyCommand(policy_arn=str(made.arn), tags=(*tags(a="1"), *tags(a="2"))),
            "Duplicate tag keys found.",
        ),
    ):
        assert world.refusal(world.root, command, errors.InvalidInputException) == text


@pytest.mark.facts("IAM-GEN-063", "IAM-GEN-060", "POL-LM-009")
def test_there_are_fifty_tags_of_an_entity(world: World) -> None:
    fifty = tags(**{f"k{number}": "v" for number in range(50)})
    world.call(world.root, user(tags=fifty))
    world.call(world.root, users.TagUserCommand(user_name="bob", tags=tags(K0="again")))
    more = users.TagUserCommand(user_name="bob", tags=tags(one_more="v"))
    refused = world.refusal(world.root, more, errors.LimitExceededException)
    assert refused == "The number of tags has reached the maximum limit."
    assert "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50" in (
        world.refusal(world.root, user("x", tags=(*fifty, *tags(one_more="v"))), errors.ValidationError)
    )


@pytest.mark.facts("IAM-GEN-060")
@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "Aws:cloudformation:stack"])
def test_tag_keys_of_aws_are_refused(world: World, key: str) -> None:
    tag = (types.Tag(key=key, value="v"),)
    command = policies.CreatePolicyCommand(policy_name="p", policy_document=DOCUMENT, tags=tag)
    for each in (user(tags=tag), command):
        refused = world.refusal(world.root, each, errors.InvalidInputException)
        assert refused == "Tag keys beginning with aws: are reserved for system use."
    world.call(world.root, user(tags=(types.Tag(key="awsome:x", value="é: /=+-@_."),)))


KEYS = st.sampled_from(["a", "A", "b", "B", "c"])
TAGS = st.dictionaries(KEYS, st.sampled_from(["1", "2"]))


@pytest.mark.facts("IAM-GEN-061")
@given(TAGS, TAGS, st.booleans())
def test_merging_is_replacing_key_by_key(old: dict[str, str], new: dict[str, str], folded: bool) -> None:
    fold = str.lower if folded else str
    if len({fold(key) for key in new}) < len(new):
        with pytest.raises(errors.InvalidInputException):
            merged_tags(old, tags(**new), folded=folded)
        return
    merged = merged_tags(old, tags(**new), folded=folded)
    assert new.items() <= merged.items()
    replaced = {fold(key) for key in new}
    assert {key: value for key, value in merged.items() if key not in new} == {
        key: value for key, value in old.items() if fold(key) not in replaced
    }
    assert without_tags(merged, new, folded=folded) == {k: v for k, v in old.items() if fold(k) not in replaced}


# Permissions


def limited(action: str | list[str], condition: dict[str, Any]) -> dict[str, Any]:
    return document(Effect="Allow", Action=action, Resource="*", Condition=condition)


@pytest.mark.facts("POL-CK-027")
def test_a_boundary_can_be_demanded(world: World) -> None:
    """The delegation pattern of AWS's guide: create users and roles only with the boundary, and never without it."""
    world.call(world.root, user("free"))
    world.call(world.root, user("bound", permissions_boundary=READER))
    actions = ["iam:Create*", "iam:Put*", "iam:Attach*", "iam:Detach*", "iam:Delete*"]
    alice = world.user("alice", limited(actions, {"StringEquals": {"iam:PermissionsBoundary": READER}}))
    make_role: dict[str, Any] = {"role_name": "r", "assume_role_policy_document": TRUST}
    denied: list[Command[Any]] = [
        user(),
        user(permissions_boundary=ADMINISTRATOR),
        roles.CreateRoleCommand(**make_role),
        users.PutUserPermissionsBoundaryCommand(user_name="bound", permissions_boundary=ADMINISTRATOR),
        users.PutUserPolicyCommand(user_name="free", policy_name="p", policy_document=DOCUMENT),
        users.AttachUserPolicyCommand(user_name="free", policy_arn=ADMINISTRATOR),
        users.DeleteUserPermissionsBoundaryCommand(user_name="free"),
    ]
    for command in denied:
        world.refusal(alice, command, errors.AccessDenied)
    allowed: list[Command[Any]] = [
        user(permissions_boundary=READER),
        roles.CreateRoleCommand(**make_role, permissions_boundary=READER),
        users.PutUserPermissionsBoundaryCommand(user_name="free", permissions_boundary=READER),
        users.PutUserPolicyCommand(user_name="bound", policy_name="p", policy_document=DOCUMENT),
        users.AttachUserPolicyCommand(user_name="bound", policy_arn=ADMINISTRATOR),
        users.DetachUserPolicyCommand(user_name="bound", policy_arn=ADMINISTRATOR),
        roles.PutRolePolicyCommand(role_name="r", policy_name="p", policy_document=DOCUMENT),
        users.DeleteUserPermissionsBoundaryCommand(user_name="bound"),
    ]
    for command in allowed:
        world.call(alice, command)


@pytest.mark.facts("POL-CK-027")
def test_which_policy_is_attached_can_be_limited(world: World) -> None:
    world.role("r", {"AWS": ACCOUNT})
    alice = world.user("alice", limited("iam:*RolePolicy", {"ArnEquals": {"iam:PolicyARN": READER}}))
    for make in (roles.AttachRolePolicyCommand, roles.DetachRolePolicyCommand):
        world.refusal(alice, make(role_name="r", policy_arn=ADMINISTRATOR), errors.AccessDenied)
        world.call(alice, make(role_name="r", policy_arn=READER))


@pytest.mark.facts("POL-CK-012")
def test_tags_of_the_request_can_be_demanded(world: World) -> None:
    condition = {
        "StringEquals": {"aws:RequestTag/Team": "blue"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]},
    }
    alice = world.user("alice", limited(["iam:CreateUser", "iam:TagUser"], condition))
    for asked in (tags(), tags(team="red"), tags(team="blue", extra="x"), tags(stage="blue")):
        world.refusal(alice, user(tags=asked), errors.AccessDenied)
    world.call(alice, user(tags=tags(team="blue", stage="x")))
    world.call(alice, users.TagUserCommand(user_name="bob", tags=tags(team="blue")))
    world.refusal(alice, users.TagUserCommand(user_name="bob", tags=tags(stage="y")), errors.AccessDenied)


@pytest.mark.facts("POL-CK-012")
def test_which_tags_are_removed_can_be_limited(world: World) -> None:
    world.call(world.root, user(tags=tags(team="blue", stage="x")))
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": "stage"}}
    alice = world.user("alice", limited("iam:UntagUser", condition))
    both = users.UntagUserCommand(user_name="bob", tag_keys=("stage", "team"))
    world.refusal(alice, both, errors.AccessDenied)
    world.call(alice, users.UntagUserCommand(user_name="bob", tag_keys=("stage",)))


@pytest.mark.facts("POL-CK-013", "POL-CK-027")
@pytest.mark.parametrize("prefix", ["aws:ResourceTag/", "iam:ResourceTag/"])
def test_permissions_can_follow_the_tags_of_the_target(world: World, prefix: str) -> None:
    world.call(world.root, user("blue", tags=tags(Team="blue")))
    world.call(world.root, user("red", tags=tags(Team="red")))
    world.role("blue", {"AWS": ACCOUNT}, tags=tags(Team="blue"))
    made = policies.CreatePolicyCommand(policy_name="blue", policy_document=DOCUMENT, tags=tags(Team="blue"))
    world.call(world.root, made)
    alice = world.user("alice", limited("iam:Get*", {"StringEquals": {f"{prefix}team": "blue"}}))
    world.call(alice, users.GetUserCommand(user_name="blue"))
    world.call(alice, roles.GetRoleCommand(role_name="blue"))
    world.call(alice, policies.GetPolicyCommand(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/blue"))
    for command in (users.GetUserCommand(user_name="red"), users.GetUserCommand(user_name="nobody")):
        world.refusal(alice, command, errors.AccessDenied)


@pytest.mark.facts("R12")
def test_a_denial_comes_before_any_word_on_existence(world: World) -> None:
    world.call(world.root, user())
    alice = world.user("alice")
    for known, unknown in (
        (users.GetUserCommand(user_name="bob"), users.GetUserCommand(user_name="rob")),
        (user("bob"), user("rob")),
        (
            policies.GetPolicyCommand(policy_arn=READER),
            policies.GetPolicyCommand(policy_arn=READER.replace("IAMRead", "IAMFoo")),
        ),
    ):
        first = world.refusal(alice, known, errors.AccessDenied)
        second = world.refusal(alice, unknown, errors.AccessDenied)
        assert first.replace("bob", "rob").replace("IAMRead", "IAMFoo") == second


def test_a_path_in_a_permission_is_that_of_the_record_not_of_the_request(world: World) -> None:
    world.call(world.root, user("bob", path="/prod/"))
    alice = world.user("alice", document(Effect="Allow", Action="iam:*", Resource=f"arn:aws:iam::{ACCOUNT}:user/dev/*"))
    world.refusal(alice, users.DeleteUserCommand(user_name="bob"), errors.AccessDenied)
    world.refusal(alice, user("new", path="/prod/"), errors.AccessDenied)
    world.call(alice, user("new", path="/dev/"))
    world.call(alice, users.DeleteUserCommand(user_name="NEW"))


# Accounts


@pytest.mark.facts("R12", "IAM-GEN-006")
def test_an_administrator_of_one_account_reaches_nothing_of_another(world: World) -> None:
    other = world.account(OTHER)
    bob = world.user("bob", EVERYTHING, root=other)
    world.role("deploy", {"AWS": OTHER}, EVERYTHING, root=other)
    world.call(other, policies.CreatePolicyCommand(policy_name="p", policy_document=DOCUMENT))
    before = [body(world, each, other) for each in (users.ListUsersCommand(), roles.ListRolesCommand())]
    alice = world.user("alice", EVERYTHING)
    for credentials in (alice, world.root):
        for command in (
            users.GetUserCommand(user_name="bob"),
            users.UpdateUserCommand(user_name="bob", new_user_name="x"),
            users.DeleteUserPolicyCommand(user_name="bob", policy_name="p"),
            users.DeleteUserCommand(user_name="bob"),
            users.TagUserCommand(user_name="bob", tags=tags(a="b")),
            access_keys.CreateAccessKeyCommand(user_name="bob"),
            access_keys.DeleteAccessKeyCommand(access_key_id=bob.access_key_id),
            roles.GetRoleCommand(role_name="deploy"),
            roles.UpdateAssumeRolePolicyCommand(role_name="deploy", policy_document=TRUST),
            policies.GetPolicyCommand(policy_arn=f"arn:aws:iam::{OTHER}:policy/p"),
            policies.GetPolicyCommand(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/p"),
        ):
            world.refusal(credentials, command, errors.NoSuchEntityException)
    names = [each.user_name for each in world.call(alice, users.ListUsersCommand()).users]
    assert names == ["alice"]
    assert world.call(alice, roles.ListRolesCommand()).roles == ()
    assert world.call(alice, policies.ListPoliciesCommand(scope="Local")).policies == ()
    assert [body(world, each, other) for each in (users.ListUsersCommand(), roles.ListRolesCommand())] == before
    # The same names are free in every account.
    world.user("bob")
    world.role("deploy", {"AWS": ACCOUNT})


# Writers side by side


@pytest.mark.facts("IAM-GEN-074")
def test_a_change_counts_in_the_very_next_request(world: World) -> None:
    alice = world.user("alice")
    listing = users.ListUsersCommand()
    for _ in range(3):
        world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
        world.call(alice, listing)
        world.call(world.root, users.DetachUserPolicyCommand(user_name="alice", policy_arn=READER))
        world.refusal(alice, listing, errors.AccessDenied)
        world.call(world.root, user("carol"))
        world.call(world.root, users.GetUserCommand(user_name="carol"))
        world.call(world.root, users.DeleteUserCommand(user_name="carol"))


def test_no_change_of_many_writers_of_one_role_is_lost(world: World) -> None:
    world.role("deploy", {"AWS": ACCOUNT})
    names = [f"p{number:02d}" for number in range(24)]
    commands: list[Command[Any]] = [
        roles.PutRolePolicyCommand(role_name="deploy", policy_name=name, policy_document=DOCUMENT) for name in names
    ]
    commands += [roles.TagRoleCommand(role_name="deploy", tags=tags(**{name: "v"})) for name in names]
    requests = [world.request(command, world.root) for command in commands]
    start = threading.Barrier(8)

    def run(part: int) -> list[int]:
        start.wait()
        return [world.send(request).status for request in requests[part::8]]

    with ThreadPoolExecutor(8) as pool:
        assert {status for part in pool.map(run, range(8)) for status in part} == {200}
    assert world.call(world.root, roles.ListRolePoliciesCommand(role_name="deploy")).policy_names == tuple(names)
    assert {tag.key for tag in world.call(world.root, roles.ListRoleTagsCommand(role_name="deploy")).tags} == set(names)


def test_of_many_who_create_the_same_name_one_succeeds(world: World) -> None:
    requests = [world.request(user("bob" if number % 2 else "BOB"), world.root) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(response.status for response in pool.map(world.send, requests))
    assert statuses == [200, *[409] * 7]


@pytest.mark.facts("IAM-GEN-075")
@pytest.mark.parametrize(("conflicts", "status"), [(2, 200), (3, 409)])
def test_a_write_that_keeps_colliding_is_a_concurrent_modification(
    world: World, monkeypatch: pytest.MonkeyPatch, conflicts: int, status: int
) -> None:
    world.call(world.root, user())
    left = [conflicts]
    transaction = world.store.transaction

    def colliding() -> Any:
        if left[0]:
            left[0] -= 1
            raise Conflict(Key(ACCOUNT, "user", "bob"), 1, 2)
        return transaction()

    monkeypatch.setattr(world.store, "transaction", colliding)
    response = world.send(world.request(users.TagUserCommand(user_name="bob", tags=tags(a="b")), world.root))
    assert response.status == status
    assert (b"<Code>ConcurrentModification</Code>" in response.body) == (status == 409)


# Quotas and lengths


@pytest.mark.facts("POL-LM-010", "IAM-GEN-012", "IAM-GEN-013")
def test_names_and_paths_have_their_lengths(world: World) -> None:
    def policy(name: str) -> Command[Any]:
        return policies.CreatePolicyCommand(policy_name=name, policy_document=DOCUMENT)

    def role(name: str) -> Command[Any]:
        return roles.CreateRoleCommand(role_name=name, assume_role_policy_document=TRUST)

    for make, most in ((user, 64), (role, 64), (policy, 128)):
        world.call(world.root, make("x+=,.@-_" * (most // 8)))
        assert f"Member must have length less than or equal to {most}" in (
            world.refusal(world.root, make("x" * (most + 1)), errors.ValidationError)
        )
    world.call(world.root, user(path=f"/{'x' * 510}/"))
    long = world.refusal(world.root, user("y", path=f"/{'x' * 511}/"), errors.ValidationError)
    assert "Value at 'path' failed to satisfy constraint: Member must have length less than or equal to 512" in long


@pytest.mark.facts("IAM-GEN-072", "POL-LM-009", "POL-LM-005", "POL-LM-001", "POL-LM-003")
def test_quotas_are_the_defaults_of_aws() -> None:
    expected = {
        "ACLSizePerRole": 2_048,
        "AccessKeysPerUser": 2,
        "PoliciesPerAccount": 1_500,
        "PoliciesPerRole": 10,
        "PoliciesPerUser": 10,
        "PolicySize": 6_144,
        "RolesPerAccount": 1_000,
        "UsersPerAccount": 5_000,
    }
    assert {name: LIMITS[name].default for name in expected} == expected
