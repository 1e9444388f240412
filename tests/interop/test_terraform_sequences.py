"""Terraform: the calls of its AWS provider resource by resource, made by botocore in the provider's order and read back
as the provider reads them; and Terraform itself with its S3 backend, where a terraform is installed.

A resource is created, planned again without a difference, changed, and destroyed; what the provider retries on must
come with the code and the words that it looks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_plus

import pytest
from tests.interop.clients import Refused
from tests.interop.world import Account, allow, policy, trusts
from tests.server.saml_documents import metadata

pytestmark = pytest.mark.xdist_group("interop-terraform")

TAGS: Final = [{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": ""}]
DOCUMENT: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Odd",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::a+b/100%/ü/${aws:username}/*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/a b": ["x+y z", "&<>"]}},
        }
    ],
}
"""A document with everything that encodings lose: a plus sign, blanks, a percent sign, letters beyond ASCII."""
TEXT: Final = json.dumps(DOCUMENT, ensure_ascii=False)


def missing(call: Callable[[], object]) -> None:
    """The provider takes a resource for gone when reading it answers this."""
    with pytest.raises(Refused) as refused:
        call()
    assert (refused.value.code, refused.value.status) == ("NoSuchEntity", 404)


def retried(
    call: Callable[[], dict[str, Any]], code: str, words: str, meanwhile: Callable[[], object]
) -> dict[str, Any]:
    """A call that the provider repeats on an error: refused as it expects, then done once the reason is gone."""
    with pytest.raises(Refused) as refused:
        call()
    assert refused.value.code == code
    assert words in refused.value.message
    meanwhile()
    return call()


def tagged(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def sent(account: Account, operation: str, member: str, **parameters: Any) -> str:
    """A member of an answer as it stands in the XML, which the provider decodes itself."""
    client = account.boto.client(account.root, "iam")
    bodies: list[str] = []

    def keep(http_response: Any, **_: Any) -> None:
        bodies.append(http_response.text)

    client.meta.events.register(f"after-call.iam.{operation}", keep)
    try:
        account.iam(operation, **parameters)
    finally:
        client.meta.events.unregister(f"after-call.iam.{operation}", keep)
    (found,) = re.findall(f"<{member}>([^<]*)</{member}>", bodies[0])
    return str(found)


@pytest.mark.facts("TF-001")
def test_the_provider_finds_its_account_each_way_that_it_tries(account: Account) -> None:
    user = account.user(allow("iam:GetUser"), UserName="ci")
    identity = account.sts(user.key, "GetCallerIdentity")
    assert (identity["Account"], identity["Arn"]) == (account.id, user.arn)
    got = account.boto.call(user.key, "iam", "GetUser", {})["User"]
    assert got["Arn"].split(":")[4] == account.id
    role = account.role(trusts(account.id), may=(allow("iam:*"),))
    session = account.assume(user_of(account), role)
    with pytest.raises(Refused) as refused:
        account.boto.call(session.key, "iam", "GetUser", {})
    assert refused.value.code == "ValidationError"
    (listed,) = account.boto.call(session.key, "iam", "ListRoles", {"MaxItems": 1})["Roles"]
    assert listed["Arn"].split(":")[4] == account.id


def user_of(account: Account) -> Any:
    return account.user(allow("sts:AssumeRole")).key


@pytest.mark.facts("TF-010", "TF-017")
def test_a_role(account: Account) -> None:
    builder = f"arn:aws:iam::{account.id}:user/builder"
    trust = policy(trusts(builder), trusts(Service="ec2.amazonaws.com"))

    def create() -> dict[str, Any]:
        return account.iam(
            "CreateRole",
            RoleName="deploy",
            Path="/ci/",
            AssumeRolePolicyDocument=trust,
            Description="deploys",
            MaxSessionDuration=7200,
            Tags=TAGS,
        )

    made = retried(
        create, "MalformedPolicyDocument", "Invalid principal in policy", lambda: account.user(UserName="builder")
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:role/ci/deploy"
    managed = account.managed(allow("s3:*"))
    account.iam("PutRolePolicy", RoleName="deploy", PolicyName="odd", PolicyDocument=TEXT)
    account.iam("AttachRolePolicy", RoleName="deploy", PolicyArn=managed)

    for _ in range(2):
        role = account.iam("GetRole", RoleName="deploy")["Role"]
        assert role["Arn"] == made["Arn"]
        shown = (role["Description"], role["MaxSessionDuration"], role["Path"], role["RoleId"], role["CreateDate"])
        assert shown == ("deploys", 7200, "/ci/", made["RoleId"], made["CreateDate"])
        assert tagged(role["Tags"]) == tagged(TAGS)
        assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"] in (builder, [builder])
        assert account.iam("ListRolePolicies", RoleName="deploy")["PolicyNames"] == ["odd"]
        got = account.iam("GetRolePolicy", RoleName="deploy", PolicyName="odd")
        assert got["PolicyDocument"] == DOCUMENT
        attached = account.iam("ListAttachedRolePolicies", RoleName="deploy")["AttachedPolicies"]
        assert [each["PolicyArn"] for each in attached] == [managed]

    late = policy(trusts(f"arn:aws:iam::{account.id}:user/late"))
    retried(
        lambda: account.iam("UpdateAssumeRolePolicy", RoleName="deploy", PolicyDocument=late),
        "MalformedPolicyDocument",
        "Invalid principal in policy",
        lambda: account.user(UserName="late"),
    )
    account.iam("UpdateRoleDescription", RoleName="deploy", Description="builds")
    account.iam("UpdateRole", RoleName="deploy", MaxSessionDuration=3600)
    account.iam("PutRolePermissionsBoundary", RoleName="deploy", PermissionsBoundary=managed)
    account.iam("UntagRole", RoleName="deploy", TagKeys=["stage"])
    account.iam("TagRole", RoleName="deploy", Tags=[{"Key": "team", "Value": "red"}])
    role = account.iam("GetRole", RoleName="deploy")["Role"]
    assert (role["Description"], role["MaxSessionDuration"], tagged(role["Tags"])) == ("builds", 3600, {"team": "red"})
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == managed
    account.iam("DeleteRolePermissionsBoundary", RoleName="deploy")
    assert "PermissionsBoundary" not in account.iam("GetRole", RoleName="deploy")["Role"]

    account.iam("CreateInstanceProfile", InstanceProfileName="deploy")
    account.iam("AddRoleToInstanceProfile", InstanceProfileName="deploy", RoleName="deploy")

    def unlink() -> None:
        for profile in account.iam("ListInstanceProfilesForRole", RoleName="deploy")["InstanceProfiles"]:
            name = profile["InstanceProfileName"]
            account.iam("RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName="deploy")
        for each in account.iam("ListAttachedRolePolicies", RoleName="deploy")["AttachedPolicies"]:
            account.iam("DetachRolePolicy", RoleName="deploy", PolicyArn=each["PolicyArn"])
        for name in account.iam("ListRolePolicies", RoleName="deploy")["PolicyNames"]:
            account.iam("DeleteRolePolicy", RoleName="deploy", PolicyName=name)

    retried(lambda: account.iam("DeleteRole", RoleName="deploy"), "DeleteConflict", "must", unlink)
    missing(lambda: account.iam("GetRole", RoleName="deploy"))


@pytest.mark.facts("TF-011", "TF-017")
def test_a_managed_policy(account: Account) -> None:
    made = account.iam("CreatePolicy", PolicyName="odd", Path="/ci/", Description="", PolicyDocument=TEXT, Tags=TAGS)
    arn = made["Policy"]["Arn"]

    def read() -> tuple[dict[str, Any], Any]:
        found = account.iam("GetPolicy", PolicyArn=arn)["Policy"]
        version = account.iam("GetPolicyVersion", PolicyArn=arn, VersionId=found["DefaultVersionId"])
        return found, version["PolicyVersion"]["Document"]

    for _ in range(2):
        found, document = read()
        assert (found.get("Description", ""), found["Path"], tagged(found["Tags"])) == ("", "/ci/", tagged(TAGS))
        assert document == DOCUMENT

    for number in range(2, 8):
        versions = account.iam("ListPolicyVersions", PolicyArn=arn)["Versions"]
        if len(versions) == 5:
            oldest = min(
                (each for each in versions if not each["IsDefaultVersion"]), key=lambda v: int(v["VersionId"][1:])
            )
            account.iam("DeletePolicyVersion", PolicyArn=arn, VersionId=oldest["VersionId"])
        changed = policy(allow(f"s3:Get{number}*"))
        version = account.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=changed, SetAsDefault=False)
        made_version = version["PolicyVersion"]["VersionId"]
        assert (made_version, read()[0]["DefaultVersionId"]) == (f"v{number}", f"v{number - 1}")
        account.iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId=made_version)
        assert read()[1] == json.loads(changed)
    account.iam("TagPolicy", PolicyArn=arn, Tags=[{"Key": "team", "Value": "red"}])
    account.iam("UntagPolicy", PolicyArn=arn, TagKeys=["stage"])
    assert tagged(read()[0]["Tags"]) == {"team": "red"}

    def drop() -> None:
        for each in account.iam("ListPolicyVersions", PolicyArn=arn)["Versions"]:
            if not each["IsDefaultVersion"]:
                account.iam("DeletePolicyVersion", PolicyArn=arn, VersionId=each["VersionId"])

    retried(lambda: account.iam("DeletePolicy", PolicyArn=arn), "DeleteConflict", "", drop)
    missing(lambda: account.iam("GetPolicy", PolicyArn=arn))


@pytest.mark.facts("TF-012")
def test_a_user_and_all_that_force_destroy_takes_away(account: Account) -> None:
    boundary = account.managed(allow("*"))
    account.iam("CreateUser", UserName="ann", Path="/a/", PermissionsBoundary=boundary, Tags=TAGS)
    user = account.iam("GetUser", UserName="ann")["User"]
    assert (user["Path"], tagged(user["Tags"])) == ("/a/", tagged(TAGS))
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    account.iam("UpdateUser", UserName="ann", NewUserName="anna", NewPath="/b/")
    missing(lambda: account.iam("GetUser", UserName="ann"))
    account.iam("DeleteUserPermissionsBoundary", UserName="anna")
    account.iam("PutUserPermissionsBoundary", UserName="anna", PermissionsBoundary=boundary)
    account.iam("TagUser", UserName="anna", Tags=[{"Key": "team", "Value": "red"}])
    account.iam("UntagUser", UserName="anna", TagKeys=["stage"])
    renamed = account.iam("GetUser", UserName="anna")["User"]
    assert (renamed["UserId"], renamed["Path"], tagged(renamed["Tags"])) == (user["UserId"], "/b/", {"team": "red"})

    account.iam("CreateGroup", GroupName="g")
    account.iam("AddUserToGroup", GroupName="g", UserName="anna")
    account.iam("CreateAccessKey", UserName="anna")
    account.iam("CreateLoginProfile", UserName="anna", Password="correct Horse 7 battery!")
    account.iam("CreateVirtualMFADevice", VirtualMFADeviceName="phone")

    def force() -> None:
        for group in account.iam("ListGroupsForUser", UserName="anna")["Groups"]:
            account.iam("RemoveUserFromGroup", GroupName=group["GroupName"], UserName="anna")
        for key in account.iam("ListAccessKeys", UserName="anna")["AccessKeyMetadata"]:
            account.iam("DeleteAccessKey", UserName="anna", AccessKeyId=key["AccessKeyId"])
        assert account.iam("ListSSHPublicKeys", UserName="anna")["SSHPublicKeys"] == []
        assert account.iam("ListVirtualMFADevices", AssignmentStatus="Assigned")["VirtualMFADevices"] == []
        assert account.iam("ListMFADevices", UserName="anna")["MFADevices"] == []
        account.iam("DeleteLoginProfile", UserName="anna")
        assert account.iam("ListSigningCertificates", UserName="anna")["Certificates"] == []
        credentials = account.iam("ListServiceSpecificCredentials", UserName="anna")
        assert credentials["ServiceSpecificCredentials"] == []

    retried(lambda: account.iam("DeleteUser", UserName="anna"), "DeleteConflict", "must", force)
    missing(lambda: account.iam("GetUser", UserName="anna"))
    missing(lambda: account.iam("DeleteLoginProfile", UserName="anna"))


@pytest.mark.facts("TF-013")
def test_an_access_key(account: Account) -> None:
    account.user(UserName="bot")
    made = account.iam("CreateAccessKey", UserName="bot")["AccessKey"]
    key = made["AccessKeyId"]
    account.iam("UpdateAccessKey", UserName="bot", AccessKeyId=key, Status="Inactive")
    listed = account.iam("ListAccessKeys", UserName="bot")["AccessKeyMetadata"]
    (found,) = (each for each in listed if each["AccessKeyId"] == key)
    assert (found["Status"], found["CreateDate"]) == ("Inactive", made["CreateDate"])
    assert account.iam("GetAccessKeyLastUsed", AccessKeyId=key)["UserName"] == "bot"
    account.iam("DeleteAccessKey", UserName="bot", AccessKeyId=key)
    missing(lambda: account.iam("DeleteAccessKey", UserName="bot", AccessKeyId=key))
    left = account.iam("ListAccessKeys", UserName="bot")["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in left if each["AccessKeyId"] == key] == []


@pytest.mark.facts("TF-014")
def test_an_oidc_provider(account: Account) -> None:
    print_ = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"
    made = account.iam(
        "CreateOpenIDConnectProvider",
        Url="https://token.example.com/x",
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=[print_],
        Tags=TAGS,
    )
    named = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    got = account.iam("GetOpenIDConnectProvider", **named)
    assert (got["Url"], got["ClientIDList"], got["ThumbprintList"]) == (
        "token.example.com/x",
        ["sts.amazonaws.com"],
        [print_],
    )
    assert tagged(got["Tags"]) == tagged(TAGS)
    account.iam("UpdateOpenIDConnectProviderThumbprint", **named, ThumbprintList=["a" * 40])
    account.iam("AddClientIDToOpenIDConnectProvider", **named, ClientID="other")
    account.iam("RemoveClientIDFromOpenIDConnectProvider", **named, ClientID="sts.amazonaws.com")
    account.iam("UntagOpenIDConnectProvider", **named, TagKeys=["stage"])
    account.iam("TagOpenIDConnectProvider", **named, Tags=[{"Key": "team", "Value": "red"}])
    got = account.iam("GetOpenIDConnectProvider", **named)
    assert (got["ClientIDList"], got["ThumbprintList"]) == (["other"], ["a" * 40])
    assert tagged(got["Tags"]) == {"team": "red"}
    account.iam("DeleteOpenIDConnectProvider", **named)
    missing(lambda: account.iam("GetOpenIDConnectProvider", **named))


@pytest.mark.facts("TF-015")
def test_a_saml_provider(account: Account) -> None:
    made = account.iam("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=metadata(), Tags=TAGS)
    named = {"SAMLProviderArn": made["SAMLProviderArn"]}
    got = account.iam("GetSAMLProvider", **named)
    assert (got["SAMLMetadataDocument"], tagged(got["Tags"])) == (metadata(), tagged(TAGS))
    assert got["SAMLProviderUUID"]
    assert got["ValidUntil"] > got["CreateDate"]
    later = metadata("https://next.example.com/saml")
    assert (
        account.iam("UpdateSAMLProvider", **named, SAMLMetadataDocument=later)["SAMLProviderArn"]
        == made["SAMLProviderArn"]
    )
    account.iam("UntagSAMLProvider", **named, TagKeys=["stage"])
    account.iam("TagSAMLProvider", **named, Tags=[{"Key": "team", "Value": "red"}])
    changed = account.iam("GetSAMLProvider", **named)
    assert (changed["SAMLMetadataDocument"], changed["SAMLProviderUUID"]) == (later, got["SAMLProviderUUID"])
    assert tagged(changed["Tags"]) == {"team": "red"}
    account.iam("DeleteSAMLProvider", **named)
    missing(lambda: account.iam("GetSAMLProvider", **named))


@pytest.mark.facts("TF-016")
@pytest.mark.parametrize("holder", ["Role", "User", "Group"])
def test_policies_of_a_holder(account: Account, holder: str) -> None:
    trust = {"AssumeRolePolicyDocument": policy(trusts(account.id))} if holder == "Role" else {}
    named = {f"{holder}Name": "it"}
    missing(lambda: account.iam(f"Get{holder}Policy", **named, PolicyName="p"))
    account.iam(f"Create{holder}", **named, **trust)
    missing(lambda: account.iam(f"Get{holder}Policy", **named, PolicyName="p"))
    for text in (TEXT, policy(allow("s3:*")), TEXT):
        account.iam(f"Put{holder}Policy", **named, PolicyName="p", PolicyDocument=text)
        got = account.iam(f"Get{holder}Policy", **named, PolicyName="p")
        assert (got[f"{holder}Name"], got["PolicyDocument"]) == ("it", json.loads(text))
    account.iam(f"Delete{holder}Policy", **named, PolicyName="p")
    missing(lambda: account.iam(f"Get{holder}Policy", **named, PolicyName="p"))
    missing(lambda: account.iam(f"Delete{holder}Policy", **named, PolicyName="p"))

    arn = account.managed(allow("s3:*"))
    for _ in range(2):
        account.iam(f"Attach{holder}Policy", **named, PolicyArn=arn)
        attached = account.iam(f"ListAttached{holder}Policies", **named)["AttachedPolicies"]
        assert [each["PolicyArn"] for each in attached] == [arn]
    account.iam(f"Detach{holder}Policy", **named, PolicyArn=arn)
    missing(lambda: account.iam(f"Detach{holder}Policy", **named, PolicyArn=arn))
    assert account.iam(f"ListAttached{holder}Policies", **named)["AttachedPolicies"] == []


@pytest.mark.facts("TF-016")
def test_a_group_and_its_members(account: Account) -> None:
    account.iam("CreateGroup", GroupName="dev", Path="/x/")
    for name in ("ann", "bob"):
        account.iam("CreateUser", UserName=name)
        account.iam("AddUserToGroup", GroupName="dev", UserName=name)
    got = account.iam("GetGroup", GroupName="dev")
    assert (got["Group"]["Path"], [each["UserName"] for each in got["Users"]]) == ("/x/", ["ann", "bob"])
    account.iam("UpdateGroup", GroupName="dev", NewGroupName="devs", NewPath="/y/")
    missing(lambda: account.iam("GetGroup", GroupName="dev"))
    assert [each["GroupName"] for each in account.iam("ListGroupsForUser", UserName="ann")["Groups"]] == ["devs"]

    def leave() -> None:
        for name in ("ann", "bob"):
            account.iam("RemoveUserFromGroup", GroupName="devs", UserName=name)

    retried(lambda: account.iam("DeleteGroup", GroupName="devs"), "DeleteConflict", "", leave)
    missing(lambda: account.iam("GetGroup", GroupName="devs"))


@pytest.mark.facts("TF-016")
def test_an_instance_profile(account: Account) -> None:
    account.role(trusts(Service="ec2.amazonaws.com"), RoleName="one")
    account.role(trusts(Service="ec2.amazonaws.com"), RoleName="two")
    named = {"InstanceProfileName": "web"}
    made = account.iam("CreateInstanceProfile", **named, Path="/p/", Tags=TAGS)["InstanceProfile"]
    account.iam("AddRoleToInstanceProfile", **named, RoleName="one")
    got = account.iam("GetInstanceProfile", **named)["InstanceProfile"]
    assert (got["Arn"], got["InstanceProfileId"]) == (made["Arn"], made["InstanceProfileId"])
    assert ([each["RoleName"] for each in got["Roles"]], tagged(got["Tags"])) == (["one"], tagged(TAGS))
    account.iam("RemoveRoleFromInstanceProfile", **named, RoleName="one")
    account.iam("AddRoleToInstanceProfile", **named, RoleName="two")
    retried(
        lambda: account.iam("DeleteInstanceProfile", **named),
        "DeleteConflict",
        "",
        lambda: account.iam("RemoveRoleFromInstanceProfile", **named, RoleName="two"),
    )
    missing(lambda: account.iam("GetInstanceProfile", **named))


@pytest.mark.facts("TF-016")
def test_an_alias_and_a_password_policy(account: Account) -> None:
    assert account.iam("ListAccountAliases")["AccountAliases"] == []
    account.iam("CreateAccountAlias", AccountAlias=f"acme-{account.id}")
    assert account.iam("ListAccountAliases")["AccountAliases"] == [f"acme-{account.id}"]
    account.iam("DeleteAccountAlias", AccountAlias=f"acme-{account.id}")
    missing(lambda: account.iam("DeleteAccountAlias", AccountAlias=f"acme-{account.id}"))
    missing(lambda: account.iam("GetAccountPasswordPolicy"))
    rules = {"MinimumPasswordLength": 12, "RequireNumbers": True, "AllowUsersToChangePassword": True}
    account.iam("UpdateAccountPasswordPolicy", **rules, MaxPasswordAge=90)
    got = account.iam("GetAccountPasswordPolicy")["PasswordPolicy"]
    assert {name: got[name] for name in rules} == rules
    assert (got["ExpirePasswords"], got["MaxPasswordAge"], got["RequireSymbols"]) == (True, 90, False)
    account.iam("DeleteAccountPasswordPolicy")
    missing(lambda: account.iam("GetAccountPasswordPolicy"))


@pytest.mark.facts("TF-016")
def test_a_virtual_mfa_device(account: Account) -> None:
    made = account.iam("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/p/", Tags=TAGS)[
        "VirtualMFADevice"
    ]
    serial = made["SerialNumber"]
    assert made["Base32StringSeed"]
    assert made["QRCodePNG"].startswith(b"\x89PNG")
    listed = account.iam("ListVirtualMFADevices")["VirtualMFADevices"]
    assert [each["SerialNumber"] for each in listed if "User" not in each] == [serial]
    assert tagged(account.iam("ListMFADeviceTags", SerialNumber=serial)["Tags"]) == tagged(TAGS)
    account.iam("UntagMFADevice", SerialNumber=serial, TagKeys=["stage"])
    assert tagged(account.iam("ListMFADeviceTags", SerialNumber=serial)["Tags"]) == {"team": "blue"}
    account.iam("DeleteVirtualMFADevice", SerialNumber=serial)
    assert account.iam("ListVirtualMFADevices")["VirtualMFADevices"] == []
    missing(lambda: account.iam("DeleteVirtualMFADevice", SerialNumber=serial))


@pytest.mark.facts("TF-016")
def test_a_service_linked_role(account: Account) -> None:
    made = account.iam("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x")["Role"]
    name = made["RoleName"]
    assert account.iam("GetRole", RoleName=name)["Role"]["Path"] == "/aws-service-role/autoscaling.amazonaws.com/"
    account.iam("UpdateRole", RoleName=name, Description="for the fleet")
    assert account.iam("GetRole", RoleName=name)["Role"]["Description"] == "for the fleet"
    account.iam("TagRole", RoleName=name, Tags=TAGS)
    task = account.iam("DeleteServiceLinkedRole", RoleName=name)["DeletionTaskId"]
    assert account.iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)["Status"] == "SUCCEEDED"
    missing(lambda: account.iam("GetRole", RoleName=name))


@pytest.mark.facts("TF-016")
def test_the_features_of_central_root_access(account: Account) -> None:
    organizations = account.boto.client(account.root, "organizations")
    organizations.create_organization(FeatureSet="ALL")
    organizations.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    assert account.iam("ListOrganizationsFeatures").get("EnabledFeatures", []) == []
    account.iam("EnableOrganizationsRootCredentialsManagement")
    account.iam("EnableOrganizationsRootSessions")
    got = account.iam("ListOrganizationsFeatures")
    assert sorted(got["EnabledFeatures"]) == ["RootCredentialsManagement", "RootSessions"]
    account.iam("DisableOrganizationsRootSessions")
    assert account.iam("ListOrganizationsFeatures")["EnabledFeatures"] == ["RootCredentialsManagement"]
    account.iam("DisableOrganizationsRootCredentialsManagement")
    assert account.iam("ListOrganizationsFeatures").get("EnabledFeatures", []) == []


@pytest.mark.facts("TF-018")
def test_data_sources(account: Account) -> None:
    arn = account.managed(allow("s3:GetObject"))
    user = account.user(allow("sts:AssumeRole"))
    account.iam("AttachUserPolicy", UserName=user.name, PolicyArn=arn)
    listed = account.iam("ListPolicies", Scope="Local")["Policies"]
    assert [each["Arn"] for each in listed if each["PolicyName"] == arn.rpartition("/")[2]] == [arn]
    role = account.role(trusts(account.id), RoleName="ctx", Path="/deep/")
    session = account.assume(user.key, role)
    name = account.identity(session.key)["Arn"].split("/")[1]
    assert account.iam("GetRole", RoleName=name)["Role"]["Arn"] == role.arn
    simulated = account.iam(
        "SimulatePrincipalPolicy",
        PolicySourceArn=user.arn,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::b/k"],
    )["EvaluationResults"]
    decided = {each["EvalActionName"]: each["EvalDecision"] for each in simulated}
    assert decided == {"s3:GetObject": "allowed", "s3:PutObject": "implicitDeny"}


@pytest.mark.facts("TF-019")
@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("GetRole", "AssumeRolePolicyDocument"),
        ("GetRolePolicy", "PolicyDocument"),
        ("GetUserPolicy", "PolicyDocument"),
        ("GetPolicyVersion", "Document"),
    ],
)
def test_documents_survive_the_providers_way_of_decoding(account: Account, operation: str, member: str) -> None:
    """It takes a raw plus sign for a blank; a percent sign, a blank and a letter beyond ASCII must come back too."""
    trust = json.loads(policy(trusts(account.id, when={"StringEquals": {"sts:ExternalId": "a+b/c=@ :x"}})))
    account.role(*trust["Statement"], RoleName="odd")
    account.iam("PutRolePolicy", RoleName="odd", PolicyName="p", PolicyDocument=TEXT)
    account.iam("CreateUser", UserName="odd")
    account.iam("PutUserPolicy", UserName="odd", PolicyName="p", PolicyDocument=TEXT)
    arn = account.iam("CreatePolicy", PolicyName="odd", PolicyDocument=TEXT)["Policy"]["Arn"]
    parameters: dict[str, dict[str, str]] = {
        "GetRole": {"RoleName": "odd"},
        "GetRolePolicy": {"RoleName": "odd", "PolicyName": "p"},
        "GetUserPolicy": {"UserName": "odd", "PolicyName": "p"},
        "GetPolicyVersion": {"PolicyArn": arn, "VersionId": "v1"},
    }
    raw = sent(account, operation, member, **parameters[operation])
    assert "+" not in raw
    assert " " not in raw
    decoded = json.loads(unquote_plus(raw))
    if operation == "GetRole":
        assert decoded["Statement"][0]["Condition"] == trust["Statement"][0]["Condition"]
    else:
        assert decoded == DOCUMENT
