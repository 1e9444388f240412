"""Credentials that this server keeps none of (IAM-SHD-003, IAM-CL-022, IAM-CL-031…034)."""

from __future__ import annotations

from typing import Any

import pytest

from locum import errors
from locum.api.iam import other_credentials as api

from ..conftest import ACCOUNT, World, document

EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
CERTIFICATE = "TA7SMP42TDN5Z26OBPJE7EXAMPLE"
OF_USERS: list[Any] = [
    api.ListSSHPublicKeysCommand,
    api.ListSigningCertificatesCommand,
    api.ListServiceSpecificCredentialsCommand,
]


@pytest.mark.facts("IAM-SHD-003", "IAM-CL-031", "IAM-CL-033", "IAM-CL-034")
@pytest.mark.parametrize("command", OF_USERS, ids=lambda command: command.operation.name)
def test_a_users_list_is_empty_and_an_unknown_user_is_refused(world: World, command: Any) -> None:
    alice = world.user("alice", EVERYTHING)
    name = {"ListSSHPublicKeys": "SSHPublicKeys", "ListSigningCertificates": "Certificates"}.get(
        command.operation.name, "ServiceSpecificCredentials"
    )
    for who, asked in ((world.root, command(user_name="alice")), (alice, command())):
        body = world.send(world.request(asked, who)).body.decode()
        assert f"<{name}/>" in body or f"<{name}></{name}>" in body
        assert "<IsTruncated>false</IsTruncated>" in body
    refused = world.refusal(world.root, command(user_name="nobody"), errors.NoSuchEntityException)
    assert refused == "The user with name nobody cannot be found."
    session = world.assume(alice, world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING))
    world.refusal(session, command(), errors.ValidationError)
    world.refusal(world.root, command(user_name="alice", marker="garbled"), errors.ValidationError)
    world.call(world.root, command())  # root has none either (IAM-RAC-005)


@pytest.mark.facts("IAM-SHD-003", "IAM-CL-033")
def test_services_without_credentials_are_not_known(world: World) -> None:
    world.user("alice")
    known = api.ListServiceSpecificCredentialsCommand(user_name="alice", service_name="codecommit.amazonaws.com")
    assert world.call(world.root, known).service_specific_credentials == ()
    unknown = api.ListServiceSpecificCredentialsCommand(user_name="alice", service_name="s3.amazonaws.com")
    refused = world.refusal(world.root, unknown, errors.NoSuchEntityException)
    assert refused == "No such service s3.amazonaws.com is supported for Service Specific Credentials"


@pytest.mark.facts("IAM-OP-ListServiceSpecificCredentials", "IAM-CL-033")
def test_those_of_all_users_can_be_asked_for_by_anybody_who_may(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    session = world.assume(alice, world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING))
    command = api.ListServiceSpecificCredentialsCommand(all_users=True)
    for who in (world.root, alice, session):
        assert world.call(who, command).service_specific_credentials == ()
    both = api.ListServiceSpecificCredentialsCommand(user_name="carol", all_users=True)
    carol = world.user("carol", document(Effect="Allow", Action="iam:*", Resource=f"arn:aws:iam::{ACCOUNT}:user/carol"))
    world.refusal(carol, both, errors.AccessDenied)
    own = f"arn:aws:iam::{ACCOUNT}:user/bob"
    bob = world.user("bob", document(Effect="Allow", Action="iam:ListServiceSpecificCredentials", Resource=own))
    world.call(bob, api.ListServiceSpecificCredentialsCommand())
    world.refusal(bob, command, errors.AccessDenied)
    both = api.ListServiceSpecificCredentialsCommand(all_users=True, user_name="alice")
    world.refusal(world.root, both, errors.ValidationError)


@pytest.mark.facts("IAM-CL-032")
def test_there_are_no_server_certificates(world: World) -> None:
    answer = world.call(world.root, api.ListServerCertificatesCommand(path_prefix="/x/"))
    assert (answer.server_certificate_metadata_list, answer.is_truncated) == ((), False)


@pytest.mark.facts("IAM-SHD-003", "IAM-CL-022")
def test_no_certificate_can_be_deleted(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    named = api.DeleteSigningCertificateCommand(user_name="alice", certificate_id=CERTIFICATE)
    own = api.DeleteSigningCertificateCommand(certificate_id=CERTIFICATE)
    for who, command in ((world.root, named), (alice, own), (world.root, own)):
        refused = world.refusal(who, command, errors.NoSuchEntityException)
        assert refused == f"The Certificate with id {CERTIFICATE} cannot be found."
    unknown = api.DeleteSigningCertificateCommand(user_name="nobody", certificate_id=CERTIFICATE)
    refused = world.refusal(world.root, unknown, errors.NoSuchEntityException)
    assert refused == "The user with name nobody cannot be found."
