"""Identity providers as administrators set them up: with boto3, and with files given to the AWS CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.interop.clients import AwsCli, Refused
from tests.interop.world import Account, told
from tests.server.saml_documents import metadata

pytestmark = pytest.mark.xdist_group("interop-aws-cli")

HOST: Final = "idp.example.com/tenant"
THUMBPRINT: Final = "0123456789abcdef0123456789abcdef01234567"
TAGS: Final = [{"Key": "team", "Value": "blue"}]


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.facts("IAM-OID-002", "IAM-OID-003", "IAM-OID-004", "IAM-OID-005", "IAM-OID-006", "IAM-OID-007")
def test_boto3_sets_up_changes_and_takes_down_an_oidc_provider(account: Account) -> None:
    arn = f"arn:aws:iam::{account.id}:oidc-provider/{HOST}"
    client = account.boto.client(account.root, "iam")
    made = client.create_open_id_connect_provider(
        Url=f"https://{HOST}", ClientIDList=["app"], ThumbprintList=[THUMBPRINT], Tags=TAGS
    )
    assert (made["OpenIDConnectProviderArn"], made["Tags"]) == (arn, TAGS)
    assert client.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    client.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="web")
    client.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="app")
    client.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["f" * 40])
    got = client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (got["Url"], got["ClientIDList"], got["ThumbprintList"], got["Tags"]) == (HOST, ["web"], ["f" * 40], TAGS)
    assert got["CreateDate"].tzinfo is not None
    client.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["team"])
    client.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "stage", "Value": ""}])
    shown = client.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]
    assert shown == [{"Key": "stage", "Value": ""}]
    with pytest.raises(client.exceptions.EntityAlreadyExistsException) as taken:
        client.create_open_id_connect_provider(Url=f"https://{HOST}")
    assert taken.value.response["Error"]["Message"] == f"Provider with url https://{HOST} already exists."
    client.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with pytest.raises(client.exceptions.NoSuchEntityException):
        client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert client.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


@pytest.mark.facts("IAM-OID-001")
def test_boto3_is_told_what_is_wrong_with_a_url(account: Account) -> None:
    with pytest.raises(Refused) as refused:
        account.iam("CreateOpenIDConnectProvider", Url="http://idp.example.com")
    assert told(refused.value) == ("ValidationError", "Invalid Open ID Connect Provider URL", 400)


@pytest.mark.facts("IAM-SML-001", "IAM-SML-003", "IAM-SML-004", "IAM-SML-005", "IAM-SML-006", "STS-SAML-018")
def test_boto3_sets_up_changes_and_takes_down_a_saml_provider(account: Account, private_key: str) -> None:
    arn = f"arn:aws:iam::{account.id}:saml-provider/Corp"
    client = account.boto.client(account.root, "iam")
    first, second = metadata(), metadata("https://next.example.com/saml", valid_until="2040-01-01T00:00:00Z")
    made = client.create_saml_provider(
        SAMLMetadataDocument=first,
        Name="Corp",
        Tags=TAGS,
        AddPrivateKey=private_key,
        AssertionEncryptionMode="Required",
    )
    assert (made["SAMLProviderArn"], made["Tags"]) == (arn, TAGS)
    got = client.get_saml_provider(SAMLProviderArn=arn)
    assert (got["SAMLMetadataDocument"], got["AssertionEncryptionMode"], got["Tags"]) == (first, "Required", TAGS)
    (key,) = got["PrivateKeyList"]
    assert key["Timestamp"] == got["CreateDate"]
    assert client.update_saml_provider(
        SAMLProviderArn=arn,
        SAMLMetadataDocument=second,
        AssertionEncryptionMode="Allowed",
        RemovePrivateKey=key["KeyId"],
    )["SAMLProviderArn"] == arn  # fmt: skip
    changed = client.get_saml_provider(SAMLProviderArn=arn)
    assert (changed["SAMLMetadataDocument"], changed["PrivateKeyList"]) == (second, [])
    assert changed["SAMLProviderUUID"] == got["SAMLProviderUUID"]
    (listed,) = client.list_saml_providers()["SAMLProviderList"]
    assert listed == {"Arn": arn, "ValidUntil": changed["ValidUntil"], "CreateDate": got["CreateDate"]}
    assert listed["ValidUntil"].isoformat() == "2040-01-01T00:00:00+00:00"
    client.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "stage", "Value": "x"}])
    client.untag_saml_provider(SAMLProviderArn=arn, TagKeys=["team"])
    assert client.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "stage", "Value": "x"}]
    client.delete_saml_provider(SAMLProviderArn=arn)
    with pytest.raises(client.exceptions.NoSuchEntityException) as gone:
        client.get_saml_provider(SAMLProviderArn=arn)
    assert gone.value.response["Error"]["Message"] == f"Manifest not found for arn {arn}"
    assert client.list_saml_providers()["SAMLProviderList"] == []


def test_the_command_line_takes_metadata_and_keys_from_files(
    cli: AwsCli, account: Account, private_key: str, tmp_path: Path
) -> None:
    (tmp_path / "metadata.xml").write_text(metadata())
    (tmp_path / "key.pem").write_text(private_key)
    given = ["--saml-metadata-document", f"file://{tmp_path}/metadata.xml", "--add-private-key"]
    printed = cli.run(
        "iam", "create-saml-provider", "--name", "Corp", *given, f"file://{tmp_path}/key.pem", who=account.root
    )
    made = json.loads(printed)
    got = account.iam("GetSAMLProvider", SAMLProviderArn=made["SAMLProviderArn"])
    assert got["SAMLMetadataDocument"].strip() == metadata().strip()
    assert len(got["PrivateKeyList"]) == 1
    assert private_key.splitlines()[1] not in json.dumps(got, default=str)
