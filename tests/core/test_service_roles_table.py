"""The table of services with service-linked roles, and the paths of those roles (IAM-SHD-002, IAM-ROL-031)."""

from __future__ import annotations

import re

import pytest

from locum.core.service_linked_roles import SERVICES, LinkedService, extended, service_of


@pytest.mark.facts("IAM-SHD-002")
@pytest.mark.parametrize(
    ("principal", "role", "suffix"),
    [
        ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", True),
        ("ecs.amazonaws.com", "AWSServiceRoleForECS", False),
        ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing", False),
        ("rds.amazonaws.com", "AWSServiceRoleForRDS", False),
        ("spot.amazonaws.com", "AWSServiceRoleForEC2Spot", False),
        ("sso.amazonaws.com", "AWSServiceRoleForSSO", False),
        ("lexv2.amazonaws.com", "AWSServiceRoleForLexV2Bots", True),
        (
            "dynamodb.application-autoscaling.amazonaws.com",
            "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
            False,
        ),
    ],
)
def test_well_known_services_are_in_the_table(principal: str, role: str, suffix: bool) -> None:
    assert SERVICES[principal] == LinkedService(principal, role, suffix)


def test_every_entry_could_be_made() -> None:
    for principal, service in SERVICES.items():
        assert service.principal == principal
        assert re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com", principal), principal
        assert re.fullmatch(r"AWSServiceRoleFor[\w-]{1,47}", service.role), principal
    assert len({service.role for service in SERVICES.values()}) == len(SERVICES)


@pytest.mark.facts("IAM-SHD-002")
def test_a_suffix_follows_the_name() -> None:
    service = SERVICES["autoscaling.amazonaws.com"]
    assert service.path == "/aws-service-role/autoscaling.amazonaws.com/"
    assert service.name(None) == "AWSServiceRoleForAutoScaling"
    assert service.name("blue") == "AWSServiceRoleForAutoScaling_blue"


def test_an_operators_services_come_first() -> None:
    own = LinkedService("ecs.amazonaws.com", "AWSServiceRoleForOurECS", True)
    new = LinkedService("backup.example.com", "AWSServiceRoleForExampleBackup", True)
    table = extended([own, new])
    assert (table["ecs.amazonaws.com"], table["backup.example.com"]) == (own, new)
    assert table["rds.amazonaws.com"] is SERVICES["rds.amazonaws.com"]
    assert "backup.example.com" not in SERVICES


@pytest.mark.facts("IAM-ROL-031")
@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/aws-service-role/ecs.amazonaws.com/", "ecs.amazonaws.com"),
        ("/", None),
        ("/aws-service-role/", None),
        ("/aws-service-role/a/b/", None),
        ("/aws-reserved/sso/", None),
        ("/x/aws-service-role/a/", None),
    ],
)
def test_the_path_tells_the_service(path: str, service: str | None) -> None:
    assert service_of(path) == service
