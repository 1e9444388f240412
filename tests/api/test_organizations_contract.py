"""The commands of Organizations against the reference (vectors/organizations_operations.json names its source)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from locum.api.organizations import COMMANDS, ORGANIZATIONS
from locum.api.registry import CONTRACTS, TARGETS, find_command, find_target
from locum.api.shapes import Target, members
from locum.errors import InvalidAction
from locum.organization_errors import UnknownOperationException

VECTORS: Final = json.loads(
    (Path(__file__).parents[1] / "vectors" / "organizations_operations.json").read_text(encoding="utf-8")
)
ROWS: Final[dict[str, dict[str, Any]]] = {row["operation"]: row for row in VECTORS["operations"]}

COMMON: Final = {
    "AWSOrganizationsNotInUse",
    "AccessDenied",
    "ConcurrentModification",
    "InvalidInput",
    "Service",
    "TooManyRequests",
    "UnsupportedAPIEndpoint",
}
BESIDE: Final = {"CloseAccount", "DeleteOrganization", "LeaveOrganization", "ListCreateAccountStatus"} | {
    "RemoveAccountFromOrganization"
}
"""Operations beyond those that the reference says must be there."""

RESOURCES: Final = {
    "org-account": {"account"},
    "org-place": {"account", "organizationalunit", "root"},
    "org-policy": {"policy"},
    "org-resource": {"account", "organizationalunit", "policy", "root"},
}


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=name, marks=pytest.mark.facts(f"ORG-OP-{name}")) for name, row in ROWS.items()]
)
def test_a_command_declares_what_the_reference_says(row: dict[str, Any]) -> None:
    command = COMMANDS[row["operation"]]
    operation = command.operation
    paging = [] if not row["paged"] else ["NextToken", "MaxResults"]
    if row["operation"] == "ListTagsForResource":
        paging = ["NextToken"]
    assert [each.wire_name + "*" * each.required for each in members(command)] == row["input"] + paging
    answered = row["output"] + ["NextToken"] * row["paged"]
    assert [each.wire_name for each in members(command.output())] == answered
    declared = {error.__name__.removesuffix("Exception") for error in operation.errors}
    assert declared - COMMON == set(row["errors"])

    assert operation.authorization is not None
    own = [key for key in operation.authorization.keys if key.startswith("organizations:")]
    assert own == row["keys"]
    resource = operation.authorization.resource
    named = {each.removesuffix("?") for each in row["resources"]}
    if isinstance(resource, Target):
        assert named & RESOURCES[resource.kind]
        assert resource.member in {each.attribute for each in members(command)}
    else:
        assert [resource] == row["resources"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_writes_is_declared_so(name: str) -> None:
    operation = COMMANDS[name].operation
    reads = name.startswith(("Describe", "List"))
    assert (operation.read_only, operation.writes) == (reads, not reads)
    assert operation.signed


def test_all_that_must_be_there_is_there() -> None:
    assert set(COMMANDS) == set(ROWS) | BESIDE


@pytest.mark.facts("R20", "ORG-GEN-001")
def test_only_a_target_leads_to_the_service() -> None:
    contract = TARGETS["AWSOrganizationsV20161128"]
    assert contract is CONTRACTS["2016-11-28"]
    assert contract.service is ORGANIZATIONS
    assert find_target("AWSOrganizationsV20161128.ListRoots", contract) is COMMANDS["ListRoots"]
    for target in ("AWSOrganizationsV20161128", "AWSOrganizationsV20161128.", "AWSOrganizationsV20161128.listroots"):
        with pytest.raises(UnknownOperationException):
            find_target(target, contract)
    with pytest.raises(InvalidAction):
        find_command("ListRoots", "2016-11-28")
