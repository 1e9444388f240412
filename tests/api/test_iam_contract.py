"""The IAM commands against the reference's operation lines (vectors/iam_operations.json names its source)."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, Final, cast

import pytest
from botocore.handlers import decode_quoted_jsondoc
from hypothesis import given
from hypothesis import strategies as st

from locum.api import shapes
from locum.api.iam import (
    COMMANDS,
    IAM,
    access_keys,
    account,
    credential_report,
    delegation,
    groups,
    instance_profiles,
    last_accessed,
    login_profiles,
    mfa,
    oidc_providers,
    other_credentials,
    outbound,
    policies,
    roles,
    root_access,
    saml_providers,
    service_linked_roles,
    simulation,
    types,
    users,
)
from locum.api.shapes import Kind, Member, Target, members, violations
from locum.secret import Secret

VECTORS: Final = json.loads((Path(__file__).parents[1] / "vectors" / "iam_operations.json").read_text(encoding="utf-8"))
OPERATIONS: Final[dict[str, dict[str, Any]]] = {row["operation"]: row for row in VECTORS["operations"]}

# Roles are not made from templates here (IAM-CL-041) and there are no FIDO keys: never in a request's context.
ABSENT_KEYS: Final = frozenset({
    "iam:FIDO-FIPS-140-2-certification",
    "iam:FIDO-FIPS-140-3-certification",
    "iam:FIDO-certification",
    "iam:RegisterSecurityKey",
    "iam:RoleTemplateARN",
})  # fmt: skip
# Its resource, the key's user, is known only when the key's record is read: a test of the pipeline proves it.
FOUND_BY_RECORD: Final = "GetAccessKeyLastUsed"

# An operation whose answer has the name that it shares with its sibling.
SHARED_ANSWERS: Final = {
    "SimulateCustomPolicy": "SimulatePolicyResponse",
    "SimulatePrincipalPolicy": "SimulatePolicyResponse",
    "GetContextKeysForCustomPolicy": "GetContextKeysForPolicyResponse",
    "GetContextKeysForPrincipalPolicy": "GetContextKeysForPolicyResponse",
}

CREATING: Final = frozenset({
    "CreateUser",
    "CreateRole",
    "CreatePolicy",
    "CreateVirtualMFADevice",
    "CreateOpenIDConnectProvider",
    "CreateSAMLProvider",
    "CreateGroup",
    "CreateInstanceProfile",
    "CreateServiceLinkedRole",
    "CreateDelegationRequest",
})  # fmt: skip

LEFT_OUT: Final = cast("Any", None)


def is_proved(row: dict[str, Any]) -> bool:
    return ABSENT_KEYS.isdisjoint(row["keys"]) and row["operation"] != FOUND_BY_RECORD


def described(member: Member) -> dict[str, Any]:
    """A member in the vectors' words, without its pattern."""
    limits = member.limits
    row: dict[str, Any] = {"name": member.wire_name, "required": member.required, "kind": member.kind.value}
    if limits.most is not None:
        row |= {"least": limits.least or 0, "most": limits.most}
    if limits.one_of:
        row["one_of"] = list(limits.one_of)
    if member.kind is Kind.LIST:
        assert member.element is not None
        if member.element.shape is not None:
            inside = [each.wire_name + "*" * each.required for each in members(member.element.shape)]
            row["element"] = {"kind": "structure", "members": inside}
        else:
            inner = described(member.element)
            row["element"] = {key: inner[key] for key in inner if key not in ("name", "required")}
    return row


def without_characters(row: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in row.items() if key != "characters"}
    if "element" in plain:
        plain["element"] = without_characters(plain["element"])
    return plain


def assert_characters(member: Member, row: dict[str, Any]) -> None:
    if "element" in row:
        assert member.element is not None
        assert_characters(member.element, row["element"])
    pattern = member.limits.pattern
    if "characters" not in row:
        assert pattern is None
        return
    assert pattern is not None
    texts = VECTORS["characters"][row["characters"]]
    assert [text for text in texts["accepts"] if pattern.regex.fullmatch(text) is None] == []
    assert [text for text in texts["refuses"] if pattern.regex.fullmatch(text) is not None] == []


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=name, marks=pytest.mark.facts(f"IAM-OP-{name}") if is_proved(row) else ())
        for name, row in OPERATIONS.items()
    ],
)
def test_a_command_declares_what_the_reference_says(row: dict[str, Any]) -> None:
    command = COMMANDS[row["operation"]]
    operation = command.operation
    expected = row["input"] + (VECTORS["paging"]["input"] if row["paged"] else [])

    declared = members(command)
    assert [described(member) for member in declared] == [without_characters(each) for each in expected]
    for member, each in zip(declared, expected, strict=True):
        assert_characters(member, each)

    shown = [member.wire_name for member in members(command.output())]
    assert shown == row["output"] + (VECTORS["paging"]["output"] if row["paged"] else [])

    assert [error.code for error in operation.errors] == row["errors"]

    authorization = operation.authorization
    assert authorization is not None
    keys = [key.replace("/${TagKey}", "/") for key in row["keys"] if key not in ABSENT_KEYS]
    assert list(authorization.keys) == keys
    assert not authorization.trust
    resource = authorization.resource
    if row["operation"] == FOUND_BY_RECORD:
        assert resource == Target("access_key", "access_key_id")
    else:
        assert (resource.kind if isinstance(resource, Target) else resource) == row["resource"]


def test_the_table_holds_the_commands_of_every_family_once() -> None:
    families = (
        *users.COMMANDS,
        *access_keys.COMMANDS,
        *roles.COMMANDS,
        *policies.COMMANDS,
        *simulation.COMMANDS,
        *mfa.COMMANDS,
        *groups.COMMANDS,
        *instance_profiles.COMMANDS,
        *oidc_providers.COMMANDS,
        *saml_providers.COMMANDS,
        *outbound.COMMANDS,
        *account.COMMANDS,
        *credential_report.COMMANDS,
        *login_profiles.COMMANDS,
        *other_credentials.COMMANDS,
        *service_linked_roles.COMMANDS,
        *last_accessed.COMMANDS,
        *root_access.COMMANDS,
        *delegation.COMMANDS,
    )
    assert list(COMMANDS.values()) == list(families)
    assert list(COMMANDS) == list(OPERATIONS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_named_after_its_operation(name: str) -> None:
    command = COMMANDS[name]
    assert command.operation.service is IAM
    assert command.operation.name == name
    assert command.operation.action == f"iam:{name}"
    assert command.__name__ == f"{name}Command"
    assert command.output().__name__ in (SHARED_ANSWERS.get(name, f"{name}Response"), "Nothing")
    assert command.__doc__


@pytest.mark.parametrize("name", COMMANDS)
def test_an_operation_writes_unless_it_gets_lists_or_simulates(name: str) -> None:
    operation = COMMANDS[name].operation
    assert operation.read_only is name.startswith(("Get", "List", "Simulate"))
    assert operation.writes is not operation.read_only
    assert operation.signed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_target_names_a_member_and_defaults_to_the_caller_where_that_may_be_left_out(name: str) -> None:
    authorization = COMMANDS[name].operation.authorization
    assert authorization is not None
    if not isinstance(authorization.resource, Target):
        assert name in (
            "ListUsers",
            "ListRoles",
            "ListPolicies",
            "ListVirtualMFADevices",
            "ListGroups",
            "ListInstanceProfiles",
            "ListOpenIDConnectProviders",
            "ListSAMLProviders",
            "EnableOutboundWebIdentityFederation",
            "DisableOutboundWebIdentityFederation",
            "GetOutboundWebIdentityFederationInfo",
            "CreateAccountAlias",
            "DeleteAccountAlias",
            "ListAccountAliases",
            "GetAccountSummary",
            "GetAccountAuthorizationDetails",
            "SetSecurityTokenServicePreferences",
            "GenerateCredentialReport",
            "GetCredentialReport",
            "GetAccountPasswordPolicy",
            "UpdateAccountPasswordPolicy",
            "DeleteAccountPasswordPolicy",
            "ListServerCertificates",
            "GetServiceLastAccessedDetails",
            "GetServiceLastAccessedDetailsWithEntities",
            "EnableOrganizationsRootCredentialsManagement",
            "EnableOrganizationsRootSessions",
            "DisableOrganizationsRootCredentialsManagement",
            "DisableOrganizationsRootSessions",
            "ListOrganizationsFeatures",
            "ListDelegationRequests",
            "SimulateCustomPolicy",
            "GetContextKeysForCustomPolicy",
        )
        return
    target = authorization.resource
    if target.kind == "caller":
        assert target.member == ""
        return
    (member,) = (member for member in members(COMMANDS[name]) if member.attribute == target.member)
    assert target.or_caller is not member.required
    assert target.creates is (name in CREATING)


@pytest.mark.parametrize("name", COMMANDS)
def test_only_operations_without_output_answer_nothing(name: str) -> None:
    answers_nothing = COMMANDS[name].output() is types.Nothing
    assert answers_nothing is (not OPERATIONS[name]["output"] and name != "UpdateRole")


def test_the_secret_of_a_new_key_does_not_print() -> None:
    key = types.AccessKey(
        user_name="alice",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        status="Active",
        secret_access_key=Secret("hush-hush"),
        create_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )
    answer = access_keys.CreateAccessKeyResponse(access_key=key)
    assert "hush" not in f"{answer!r} {answer} {key!r}"
    assert [member.wire_name for member in members(types.AccessKey) if member.limits.secret] == ["SecretAccessKey"]


def test_declared_lengths_are_inclusive() -> None:
    shortest, longest = "a" * 20, "a" * 2048
    for arn, count in ((shortest, 0), (longest, 0), (shortest[1:], 1), (longest + "a", 1)):
        assert len(violations(policies.GetPolicyCommand(policy_arn=arn))) == count


def refused(*commands: shapes.Command[Any]) -> list[str]:
    return [shapes.refuse(violations(command), IAM).message for command in commands]


@pytest.mark.facts("IAM-GEN-040")
def test_violations_are_counted_joined_and_never_quote_the_value() -> None:
    one, three = refused(
        users.GetUserCommand(user_name="s3cret" * 22),
        roles.CreateRoleCommand(
            role_name="", assume_role_policy_document="{}", max_session_duration=43201, permissions_boundary="arn"
        ),
    )
    assert one == (
        "1 validation error detected: Value at 'userName' failed to satisfy constraint: "
        "Member must have length less than or equal to 128"
    )
    assert three == (
        "3 validation errors detected: "
        "Value at 'permissionsBoundary' failed to satisfy constraint: "
        "Member must have length greater than or equal to 20; "
        "Value at 'maxSessionDuration' failed to satisfy constraint: "
        "Member must have value less than or equal to 43200; "
        "Value at 'roleName' failed to satisfy constraint: Member must have length greater than or equal to 1"
    )


@pytest.mark.facts("IAM-GEN-040", "IAM-GEN-042", "IAM-GEN-043")
def test_several_broken_members_are_reported_as_aws_was_recorded() -> None:
    provider, policy = refused(
        oidc_providers.CreateOpenIDConnectProviderCommand(
            url="b" * 256, thumbprint_list=("b" * 41,), client_id_list=("b" * 256,)
        ),
        login_profiles.UpdateAccountPasswordPolicyCommand(
            minimum_password_length=129, password_reuse_prevention=25, max_password_age=1096
        ),
    )
    assert provider == (
        "3 validation errors detected: Value at 'clientIDList' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 255, "
        "Member must have length greater than or equal to 1]; Value at 'thumbprintList' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 40, "
        "Member must have length greater than or equal to 40]; Value at 'url' failed to satisfy constraint: "
        "Member must have length less than or equal to 255"
    )
    assert policy == (
        "3 validation errors detected: Value at 'minimumPasswordLength' failed to satisfy constraint: "
        "Member must have value less than or equal to 128; Value at 'passwordReusePrevention' failed to satisfy "
        "constraint: Member must have value less than or equal to 24; Value at 'maxPasswordAge' failed to satisfy "
        "constraint: Member must have value less than or equal to 1095"
    )


@pytest.mark.facts("IAM-GEN-042", "IAM-GEN-043")
def test_the_values_of_a_closed_set_are_named_but_for_the_status_of_a_key() -> None:
    kind, kinds, status = refused(
        policies.ListPoliciesCommand(scope="Mine"),
        account.GetAccountAuthorizationDetailsCommand(filter=("Mine",)),
        access_keys.UpdateAccessKeyCommand(access_key_id="AKIAIOSFODNN7EXAMPLE", status="Off"),
    )
    assert kind.endswith("'scope' failed to satisfy constraint: Member must satisfy enum value set")
    assert kinds == (
        "1 validation error detected: Value at 'filter' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must satisfy enum value set: [LocalManagedPolicy, User, AWSManagedPolicy, Role, Group]]"
    )
    assert status.endswith("'status' failed to satisfy constraint: Member must satisfy enum value set")


@pytest.mark.facts("IAM-GEN-043")
def test_a_list_of_policies_names_the_characters_that_it_may_have() -> None:
    (message,) = refused(simulation.GetContextKeysForCustomPolicyCommand(policy_input_list=("{}", "")))
    assert message == (
        "1 validation error detected: Value at 'policyInputList' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must have length less than or equal to 131072, "
        "Member must have length greater than or equal to 1, "
        r"Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]+]"
    )


@pytest.mark.facts("IAM-GEN-044", "IAM-GEN-045")
def test_characters_of_names_and_paths_are_checked_last_and_in_words_of_their_own() -> None:
    both, path, other = refused(
        users.CreateUserCommand(user_name="s3cret value", path="x"),
        roles.CreateRoleCommand(role_name="r", assume_role_policy_document="{}", path="/x"),
        users.CreateUserCommand(user_name="s3cret value", path="x", permissions_boundary="arn"),
    )
    assert both == (
        "The specified value for path is invalid. "
        "It must begin and end with / and contain only alphanumeric characters and/or / characters."
    )
    assert path == both
    assert other == (
        "1 validation error detected: Value at 'permissionsBoundary' failed to satisfy constraint: "
        "Member must have length greater than or equal to 20"
    )
    assert refused(users.UpdateUserCommand(user_name="a", new_user_name="s3cret value")) == [
        "The specified value for newUserName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    ]


@pytest.mark.facts("IAM-GEN-041")
def test_a_path_begins_in_lower_case_and_counts_list_entries_from_one() -> None:
    tags = (types.Tag(key="good", value=""), types.Tag(key="k" * 129, value="v" * 257))
    found = violations(users.TagUserCommand(user_name="a", tags=tags))
    assert {each.path for each in found} == {"tags.2.member.key", "tags.2.member.value"}
    found = violations(users.GetUserCommand(user_name=""))
    assert {each.path for each in found} == {"userName"}


@pytest.mark.facts("IAM-GEN-042")
@pytest.mark.parametrize(
    ("command", "text"),
    [
        (users.GetUserCommand(user_name="a" * 129), "Member must have length less than or equal to 128"),
        (policies.GetPolicyCommand(policy_arn="a" * 19), "Member must have length greater than or equal to 20"),
        (
            policies.GetPolicyVersionCommand(policy_arn="a" * 20, version_id="1"),
            r"Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?",
        ),
        (users.ListUsersCommand(max_items=1001), "Member must have value less than or equal to 1000"),
        (policies.ListPoliciesCommand(scope="Mine"), "Member must satisfy enum value set"),
        (users.DeleteUserCommand(user_name=LEFT_OUT), "Member must not be null"),
    ],
    ids=["too long", "too short", "pattern", "too much", "enum", "missing"],
)
def test_each_constraint_has_its_text(command: shapes.Command[Any], text: str) -> None:
    (message,) = refused(command)
    assert message.startswith("1 validation error detected: Value at ")
    assert message.endswith(f" failed to satisfy constraint: {text}")


@pytest.mark.facts("IAM-GEN-043")
@pytest.mark.parametrize("key", ["", "k" * 129, "*"])
def test_a_list_of_texts_reports_all_constraints_of_its_entries_as_one(key: str) -> None:
    assert refused(users.UntagUserCommand(user_name="a", tag_keys=("good", key, key))) == [
        "1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must have length less than or equal to 128, Member must have length greater than or equal to 1, "
        r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]"
    ]


@pytest.mark.parametrize(
    "command",
    [
        users.TagUserCommand(user_name="a", tags=(types.Tag(key="k", value="v"),) * 51),
        roles.TagRoleCommand(role_name="a", tags=(types.Tag(key="k", value="v"),) * 51),
        policies.UntagPolicyCommand(policy_arn="a" * 20, tag_keys=("k",) * 51),
    ],
    ids=["user", "role", "policy"],
)
def test_more_than_fifty_tags_in_one_call_are_refused(command: shapes.Command[Any]) -> None:
    (message,) = refused(command)
    assert message.endswith("failed to satisfy constraint: Member must have length less than or equal to 50")


DOCUMENTS: Final = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF) | st.sampled_from("\t\n\r"))


@given(DOCUMENTS)
def test_a_document_survives_its_encoding_and_needs_no_further_one(document: str) -> None:
    encoded = types.encode_document(document)
    assert types.decode_document(encoded) == document
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


@given(st.dictionaries(DOCUMENTS, DOCUMENTS))
def test_sdks_decode_an_encoded_document(document: dict[str, str]) -> None:
    assert decode_quoted_jsondoc(types.encode_document(json.dumps(document, ensure_ascii=False))) == document


def test_blanks_and_pluses_of_a_document_stay_apart() -> None:
    assert types.encode_document('{"a": "+/é"}') == "%7B%22a%22%3A%20%22%2B%2F%C3%A9%22%7D"


@given(st.text())
def test_an_encoded_document_is_decoded_or_refused_with_a_value_error(encoded: str) -> None:
    try:
        assert isinstance(types.decode_document(encoded), str)
    except ValueError:
        assert "%" in encoded
