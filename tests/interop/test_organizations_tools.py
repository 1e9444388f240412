"""Organizations through boto3 and the AWS CLI: Terraform's calls in their order, pages, errors with their reason."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from tests.interop.clients import AwsCli
from tests.interop.world import Account, deny, policy

pytestmark = pytest.mark.xdist_group("interop-organizations")

SCP = "SERVICE_CONTROL_POLICY"
NO_S3 = policy(deny("s3:*"))


@pytest.mark.facts("TF-020", "ORG-GEN-001", "ORG-GEN-002", "ORG-002", "ORG-010", "ORG-013")
def test_terraforms_sequence_of_an_organization(account: Account) -> None:
    client = account.boto.client(account.root, "organizations")
    made = client.create_organization(FeatureSet="ALL")["Organization"]
    client.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    root = client.list_roots()["Roots"][0]
    client.enable_policy_type(RootId=root["Id"], PolicyType=SCP)
    assert client.list_roots()["Roots"][0]["PolicyTypes"] == [{"Type": SCP, "Status": "ENABLED"}]
    assert client.describe_organization()["Organization"]["Id"] == made["Id"]
    listed = client.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert [each["ServicePrincipal"] for each in listed] == ["iam.amazonaws.com"]

    begun = client.create_account(Email="shop@example.com", AccountName="shop", Tags=[{"Key": "a", "Value": "b"}])
    request = begun["CreateAccountStatus"]["Id"]
    status = client.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
    assert status["State"] == "SUCCEEDED"
    member = status["AccountId"]
    parent = client.list_parents(ChildId=member)["Parents"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root["Id"], Name="works")["OrganizationalUnit"]["Id"]
    client.move_account(AccountId=member, SourceParentId=parent, DestinationParentId=unit)
    shown = client.describe_account(AccountId=member)["Account"]
    assert (shown["Status"], shown["Name"], shown["Email"]) == ("ACTIVE", "shop", "shop@example.com")
    assert client.list_tags_for_resource(ResourceId=member)["Tags"] == [{"Key": "a", "Value": "b"}]

    created = client.create_policy(Content=NO_S3, Description="", Name="no-s3", Type=SCP)["Policy"]["PolicySummary"]
    assert client.describe_policy(PolicyId=created["Id"])["Policy"]["Content"] == NO_S3
    client.attach_policy(PolicyId=created["Id"], TargetId=unit)
    targets = client.get_paginator("list_targets_for_policy").paginate(PolicyId=created["Id"]).search("Targets[].Name")
    assert list(targets) == ["works"]
    client.detach_policy(PolicyId=created["Id"], TargetId=unit)
    client.delete_policy(PolicyId=created["Id"])

    with pytest.raises(client.exceptions.ConstraintViolationException) as raised:
        client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    error: ClientError = raised.value
    assert error.response["Reason"] == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    with pytest.raises(client.exceptions.OrganizationalUnitNotEmptyException):
        client.delete_organizational_unit(OrganizationalUnitId=unit)
    with pytest.raises(client.exceptions.InvalidInputException) as invalid:
        client.describe_account(AccountId="12")
    assert invalid.value.response["Reason"] == "INVALID_PATTERN:ACCOUNT_ID"

    client.remove_account_from_organization(AccountId=member)
    client.delete_organizational_unit(OrganizationalUnitId=unit)
    client.delete_organization()
    with pytest.raises(client.exceptions.AWSOrganizationsNotInUseException):
        client.describe_organization()


@pytest.mark.facts("ORG-GEN-002", "ORG-005")
def test_the_aws_cli_turns_all_pages(account: Account, cli: AwsCli) -> None:
    def run(*arguments: str) -> dict[str, list[dict[str, str]]]:
        printed: dict[str, list[dict[str, str]]] = json.loads(cli.run("organizations", *arguments, who=account.root))
        return printed

    run("create-organization")
    root = run("list-roots")["Roots"][0]["Id"]
    client = account.boto.client(account.root, "organizations")
    for number in range(45):
        client.create_organizational_unit(ParentId=root, Name=f"unit {number}")
    listed = run("list-organizational-units-for-parent", "--parent-id", root)["OrganizationalUnits"]
    assert {each["Name"] for each in listed} == {f"unit {number}" for number in range(45)}
    children = run("list-children", "--parent-id", root, "--child-type", "ORGANIZATIONAL_UNIT", "--page-size", "7")
    assert len(children["Children"]) == 45
