"""Every declared command against the service model of the locked botocore: names, presence, types, limits, errors.

``DIFFERENCES`` is the one place for what differs, each line with its reason; a difference that is not listed fails,
and so does a line that no longer holds.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import botocore
import pytest

from locum.api.registry import CONTRACTS
from locum.api.shapes import Command, Kind, Member, Shape, members

DIFFERENCES: Final[dict[str, str]] = {
    "sts: secret TokenCode": "a code that could still be spent is not printed, though the model has no mark for it",
    "iam: secret AuthenticationCode1": "it could still be spent at a sign-in",
    "iam: secret AuthenticationCode2": "it could still be spent at a sign-in",
    "iam: pattern SimulateCustomPolicy.PolicyInputList[]": "AWS prints another than it has",
    "iam: pattern SimulateCustomPolicy.PermissionsBoundaryPolicyInputList[]": "AWS prints another than it has",
    "iam: pattern SimulatePrincipalPolicy.PolicyInputList[]": "AWS prints another than it has",
    "iam: pattern SimulatePrincipalPolicy.PermissionsBoundaryPolicyInputList[]": "AWS prints another than it has",
    "iam: pattern GetContextKeysForCustomPolicy.PolicyInputList[]": "AWS prints another than it has",
    "iam: pattern GetContextKeysForPrincipalPolicy.PolicyInputList[]": "AWS prints another than it has",
    "iam: pattern InlinePolicyIdentifierType.AttachmentName": "without wildcards in the model, with them in its text",
    "iam: required User.Path": "the root user has none, whatever the model says",
    "iam: required User.UserName": "the root user of an account without an alias has none",
    "iam: required LoginProfile.UserName": "the root user's password has none",
    "sts: secret SessionToken": "part of the credentials: never printed, though the model has no mark for it",
}
"""``service: what`` → why."""

COMMANDS: Final = [
    pytest.param(command, id=f"{contract.service.name}-{name}")
    for contract in CONTRACTS.values()
    for name, command in contract.commands.items()
]


@functools.cache
def model(service: str, version: str) -> dict[str, Any]:
    """The service model as botocore ships it, without its conveniences."""
    page = Path(botocore.__file__).parent / "data" / service / version / "service-2.json"
    text = page.read_text() if page.exists() else gzip.decompress(page.with_suffix(".json.gz").read_bytes()).decode()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def compare_member(member: Member, name: str, shapes: dict[str, Any], where: str, *, asked: bool) -> Iterator[str]:
    shape = shapes[name]
    kinds = {"string": Kind.TEXT}
    if member.kind is not (kinds.get(shape["type"]) or Kind(shape["type"])):
        yield f"type {where}"
        return
    for ours, theirs in ((member.limits.least, "min"), (member.limits.most, "max")):
        if ours != shape.get(theirs):
            yield f"{theirs} {where}"
    if (None if member.limits.pattern is None else member.limits.pattern.printed) != shape.get("pattern"):
        yield f"pattern {where}"
    if list(member.limits.one_of) != shape.get("enum", []):
        yield f"enum {where}"
    if member.limits.secret != shape.get("sensitive", False):
        yield f"secret {where.rpartition('.')[2]}"
    if member.kind is Kind.LIST and member.element is not None:
        yield from compare_member(member.element, shape["member"]["shape"], shapes, f"{where}[]", asked=asked)
    if member.kind is Kind.MAP and member.element is not None:
        yield from compare_member(member.element, shape["value"]["shape"], shapes, f"{where}{{}}", asked=asked)
    if member.shape is not None:
        if member.shape.__name__ != name:
            yield f"name {where}"
        yield from compare_shape(member.shape, name, shapes, name, asked=asked)


def compare_shape(
    shape: type[Shape], name: str | None, shapes: dict[str, Any], where: str, *, asked: bool
) -> Iterator[str]:
    declared = {member.wire_name: member for member in members(shape)}
    modelled = {} if name is None else shapes[name]["members"]
    required = set() if name is None else set(shapes[name].get("required", []))
    for missing in sorted(set(modelled) ^ set(declared)):
        yield f"member {where}.{missing}"
    for wire_name in declared.keys() & modelled.keys():
        member = declared[wire_name]
        # What the model leaves open in an answer this server may promise; what a caller must send is exact.
        if member.required != (wire_name in required) and (asked or not member.required):
            yield f"required {where}.{wire_name}"
        yield from compare_member(member, modelled[wire_name]["shape"], shapes, f"{where}.{wire_name}", asked=asked)


def differences(command: type[Command[Any]]) -> set[str]:
    operation = command.operation
    service = model(operation.service.name, operation.service.version)
    modelled = service["operations"][operation.name]
    found = [
        *compare_shape(command, modelled.get("input", {}).get("shape"), service["shapes"], operation.name, asked=True),
        *compare_shape(
            command.output(),
            modelled.get("output", {}).get("shape"),
            service["shapes"],
            f"{operation.name}Response",
            asked=False,
        ),
    ]
    speaks_json = bool(operation.service.target)
    wrapper = None if speaks_json else f"{operation.name}Result"
    result = modelled.get("output", {"shape": "Nothing", "resultWrapper": wrapper})
    if (result["shape"], result.get("resultWrapper")) != (command.output().__name__, wrapper):
        found.append(f"result {operation.name}")
    theirs = {}
    for error in modelled.get("errors", []):
        shape = service["shapes"][error["shape"]]
        assert set(shape["members"]) <= {"message", "Message"} | ({"Reason", "Type"} if speaks_json else set())
        theirs[error["shape"]] = (
            shape.get("error", {}).get("code", error["shape"]),
            shape.get("error", {}).get("httpStatusCode", 500 if shape.get("fault") else 400),
        )
    ours = {error.__name__: (error.code, error.status) for error in operation.errors}
    found += [f"error {operation.name} {name}" for name, _ in sorted(theirs.items() ^ ours.items())]
    return {f"{operation.service.name}: {what}" for what in found}


@pytest.mark.facts("STS-W-026", "STS-E-001")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_declared_as_the_model_says(command: type[Command[Any]]) -> None:
    assert differences(command) - set(DIFFERENCES) == set()


def test_every_listed_difference_is_real() -> None:
    found = set().union(*(differences(param.values[0]) for param in COMMANDS))  # type: ignore[arg-type]
    assert set(DIFFERENCES) - found == set()


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.service.name)
def test_service_constants_are_the_models(contract: Any) -> None:
    metadata = model(contract.service.name, contract.service.version)["metadata"]
    assert contract.service.version == metadata["apiVersion"]
    if contract.service.target:
        assert contract.service.target == metadata["targetPrefix"]
        assert (metadata["protocol"], metadata["jsonVersion"]) == ("json", "1.1")
        return
    assert contract.service.namespace == metadata["xmlNamespace"]
    assert metadata["protocol"] == "query"


@pytest.mark.facts("STS-W-002")
def test_every_input_is_a_form_parameter_of_one_path() -> None:
    service = model("sts", "2011-06-15")
    assert {(each["http"]["method"], each["http"]["requestUri"]) for each in service["operations"].values()} == {
        ("POST", "/")
    }
    located = [
        f"{name}.{member}"
        for name, shape in service["shapes"].items()
        for member, traits in shape.get("members", {}).items()
        if {"location", "locationName", "flattened"} & traits.keys()
    ]
    assert located == []


def test_every_sts_operation_is_declared() -> None:
    contract = CONTRACTS["2011-06-15"]
    assert set(contract.commands) == set(model("sts", "2011-06-15")["operations"])


@pytest.mark.facts("STS-SIG-004")
def test_the_two_federated_operations_and_no_other_need_no_signature() -> None:
    unsigned = {
        name
        for contract in CONTRACTS.values()
        for name, command in contract.commands.items()
        if not command.operation.signed
    }
    operations = model("sts", "2011-06-15")["operations"]
    assert unsigned == {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
    assert unsigned == {name for name, operation in operations.items() if operation.get("authtype") == "none"}


@pytest.mark.facts("STS-W-031")
def test_every_sts_operation_answers_with_members() -> None:
    assert all(members(command.output()) for command in CONTRACTS["2011-06-15"].commands.values())
