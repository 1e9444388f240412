"""Tag operations without a tag: an empty list is told from an absent one, and after permission was asked."""

from __future__ import annotations

from typing import Any

import pytest

from locum import errors
from locum.api.iam import instance_profiles, mfa, oidc_providers, policies, roles, saml_providers, users
from locum.api.shapes import Command
from locum.wire.form import parse_form
from locum.wire.query import decode_command

from ..conftest import ACCOUNT, World, document

NONE = "Error occurred while validating input. "
PREFIX = f"arn:aws:iam::{ACCOUNT}:"
TAGGING: list[tuple[type[Command[Any]], str]] = [
    (users.TagUserCommand, "UserName=alice"),
    (roles.TagRoleCommand, "RoleName=deploy"),
    (policies.TagPolicyCommand, f"PolicyArn={PREFIX}policy/own"),
    (policies.UntagPolicyCommand, f"PolicyArn={PREFIX}policy/own"),
    (instance_profiles.TagInstanceProfileCommand, "InstanceProfileName=machine"),
    (instance_profiles.UntagInstanceProfileCommand, "InstanceProfileName=machine"),
    (mfa.TagMFADeviceCommand, f"SerialNumber={PREFIX}mfa/phone"),
    (mfa.UntagMFADeviceCommand, f"SerialNumber={PREFIX}mfa/phone"),
    (oidc_providers.TagOpenIDConnectProviderCommand, f"OpenIDConnectProviderArn={PREFIX}oidc-provider/id.example.com"),
    (oidc_providers.UntagOpenIDConnectProviderCommand, f"OpenIDConnectProviderArn={PREFIX}oidc-provider/id.example"),
    (saml_providers.TagSAMLProviderCommand, f"SAMLProviderArn={PREFIX}saml-provider/idp"),
    (saml_providers.UntagSAMLProviderCommand, f"SAMLProviderArn={PREFIX}saml-provider/idp"),
]


@pytest.mark.facts("IAM-GEN-040", "IAM-GEN-062")
@pytest.mark.parametrize(("command_type", "target"), TAGGING, ids=[each.operation.name for each, _ in TAGGING])
def test_an_absent_list_is_null_and_an_empty_one_is_left_to_the_handler(
    command_type: type[Command[Any]], target: str
) -> None:
    member = "TagKeys" if command_type.operation.name.startswith("Untag") else "Tags"
    parsed = dict(parse_form(f"{target}&{member}=".encode()))
    assert getattr(decode_command(command_type, parsed), "tag_keys" if member == "TagKeys" else "tags") == ()
    del parsed[member]
    with pytest.raises(errors.ValidationError) as raised:
        decode_command(command_type, parsed)
    path = member[:1].lower() + member[1:]
    assert raised.value.message == (
        f"1 validation error detected: Value at '{path}' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.facts("IAM-GEN-062")
def test_who_may_tag_hears_that_there_is_no_tag(world: World) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    only = document(Effect="Allow", Action="iam:TagUser", Resource="*", Condition=condition)
    bound = world.user("alice", only)
    command = users.TagUserCommand(user_name="alice", tags=())
    assert world.refusal(world.root, command, errors.InvalidInputException) == NONE
    world.refusal(bound, command, errors.AccessDenied)
    profile = instance_profiles.CreateInstanceProfileCommand(instance_profile_name="machine")
    world.call(world.root, profile)
    none = instance_profiles.UntagInstanceProfileCommand(instance_profile_name="machine", tag_keys=())
    assert world.refusal(world.root, none, errors.InvalidInputException) == NONE
