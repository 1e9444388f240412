"""Organizations of any shape: what is written is what is there, and leads there from any other."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from locum.server.declared.export import json_text, yaml_text
from locum.server.declared.source import Number

from .declaring import ACCOUNT, OTHER, Declaring

THIRD = "777788889999"
SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
SERVICES = ("iam.amazonaws.com", "sso.amazonaws.com")

NAMES = st.sampled_from(["a", "A", "no", "012", "null", "x y: #", "\u00e9\n\t", "\u2028", "- b", "FullAWSAccess."])
TAGS = st.dictionaries(st.sampled_from(["k", "K", "x:/=+-@ \u00e9"]), st.sampled_from(["", "no", "1e3", "\u0416 "]))


def policies(**fixed: Any) -> st.SearchStrategy[dict[str, Any]]:
    statement = st.sampled_from(["sts:*", "s3:Get*"]).map(
        lambda action: {"Effect": "Deny", "Action": action, "Resource": "*", **fixed}
    )
    document = st.fixed_dictionaries({"Version": st.just("2012-10-17"), "Statement": statement})
    policy = st.fixed_dictionaries(
        {"document": document},
        optional={"description": st.sampled_from([" x", "no", "a\nb: #"]), "tags": TAGS.filter(bool)},
    )
    return st.dictionaries(NAMES, policy, max_size=3)


@st.composite
def organizations(draw: st.DrawFn) -> dict[str, Any]:
    types = draw(st.lists(st.sampled_from([SCP, RCP]), unique=True))
    scps, rcps = draw(policies()), draw(policies(Principal="*"))
    everywhere = st.lists(st.sampled_from(["FullAWSAccess", *scps]), unique=True, min_size=1)
    here = st.lists(st.sampled_from([*rcps]), unique=True) if rcps else st.just([])

    def place() -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if SCP in types and draw(st.booleans()):
            shown["scps"] = draw(everywhere)
        if RCP in types:
            shown["rcps"] = draw(here)
        return shown | {"tags": draw(TAGS)}

    def under(depth: int) -> dict[str, Any]:
        names = draw(st.lists(NAMES, unique=True, max_size=2)) if depth < 3 else []
        return place() | {"units": {name: under(depth + 1) for name in names}, "accounts": {}}

    root = under(0)
    every = [root]
    for each in every:
        every += each["units"].values()
    for account in (ACCOUNT, OTHER, THIRD):
        draw(st.sampled_from(every))["accounts"][account] = place()
    services = draw(
        st.dictionaries(st.sampled_from(SERVICES), st.lists(st.sampled_from([OTHER, THIRD]), unique=True), max_size=2)
    )
    features = st.lists(st.sampled_from(["RootCredentialsManagement", "RootSessions"]), unique=True)
    return {
        "policy_types": types,
        "service_control_policies": scps,
        "resource_control_policies": rcps,
        "services": services,
        "root_features": draw(features) if "iam.amazonaws.com" in services else [],
        "root": root,
    }


def file_of(organization: dict[str, Any]) -> dict[str, Any]:
    accounts: dict[str, Any] = {id: {} for id in (ACCOUNT, OTHER, THIRD)}
    return {"locum": Number("1"), "accounts": accounts, "organizations": {ACCOUNT: organization}}


@settings(max_examples=25)
@given(organizations(), organizations(), st.booleans())
def test_any_organization_is_written_and_reached_from_any_other(
    first: dict[str, Any], second: dict[str, Any], as_json: bool
) -> None:
    written = json_text if as_json else yaml_text
    world = Declaring()
    assert world.apply(written(file_of(first))).faults == ()
    described = world.values()
    revision = world.store.revision
    for again in (written(file_of(first)), written(described)):
        plan = world.apply(again, prune=True)
        assert (plan.changes, plan.faults, plan.kept) == ((), (), ())
    assert world.store.revision == revision
    other = Declaring()
    assert other.apply(written(file_of(second))).faults == ()
    plan = other.apply(written(described), prune=True)
    assert plan.faults == ()
    # A document that says the same in another order stays as it is.
    assert other.values() == described
