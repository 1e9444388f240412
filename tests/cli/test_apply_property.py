"""What is written is exactly what is there; applying it again changes nothing, and neither does what is wrong."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from locum.server.declared.export import json_text, yaml_text
from locum.server.declared.source import Number, plain, read_json, read_yaml

from .declaring import ACCOUNT, OTHER, Declaring

NAMES = st.sampled_from(["a", "B", "c-1", "no", "012", "x.y@z", "null", "1e3"])
TEXTS = st.text(alphabet="aZ09 _.:/=+-@\u00e9\u2028\u3000\u0416", max_size=8)
TAGS = st.dictionaries(
    st.text(alphabet="ab 1:/=\u00e9\u2028", min_size=1, max_size=5).filter(lambda key: not key.startswith("aws:")),
    TEXTS,
    max_size=3,
)
PATHS = st.sampled_from(["/", "/a/", "/a/b-c/"])
DESCRIPTIONS = st.none() | st.text(alphabet="aé:#'\"\t\n\r {}&*%|>-", max_size=12)


def statements(**fixed: Any) -> st.SearchStrategy[Any]:
    """Documents with what YAML and JSON could confuse."""
    conditions = st.fixed_dictionaries(
        {},
        optional={
            "StringEquals": st.fixed_dictionaries(
                {"aws:PrincipalTag/t": TEXTS | st.booleans() | st.just(Number("1e3"))}
            ),
            "NumericLessThan": st.fixed_dictionaries(
                {"aws:MultiFactorAuthAge": st.sampled_from([Number("60"), Number("1.50"), "60"])}
            ),
        },
    )
    statement = st.fixed_dictionaries({"Effect": st.sampled_from(["Allow", "Deny"]), "Condition": conditions}).map(
        lambda each: each | fixed
    )
    return st.fixed_dictionaries(
        {"Version": st.just("2012-10-17"), "Statement": statement | st.lists(statement, min_size=1, max_size=2)}
    )


IDENTITY = statements(Action=["s3:Get*", "iam:PassRole"], Resource="*")
ATTACHED = st.lists(
    st.sampled_from(["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/AdministratorAccess"]),
    unique=True,
)
HELD = {"path": PATHS, "policies": st.dictionaries(NAMES, IDENTITY, max_size=2), "attached": ATTACHED}


def named(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, inner, max_size=3)


@st.composite
def accounts(draw: st.DrawFn) -> dict[str, Any]:
    groups = draw(named(st.fixed_dictionaries({}, optional=HELD)))
    policies = draw(
        named(
            st.fixed_dictionaries(
                {"document": IDENTITY}, optional={"path": PATHS, "tags": TAGS, "description": DESCRIPTIONS}
            )
        )
    )
    users = draw(
        named(
            st.fixed_dictionaries(
                {},
                optional={**HELD, "tags": TAGS, "groups": st.lists(st.sampled_from([*groups]), unique=True)}
                if groups
                else {**HELD, "tags": TAGS},
            )
        )
    )
    arns = [f"arn:aws:iam::{ACCOUNT}:user{user.get('path', '/')}{name}" for name, user in users.items()]
    trusted = st.lists(st.sampled_from([*arns, OTHER, f"arn:aws:iam::{OTHER}:root"]), min_size=1, max_size=2)
    roles = draw(
        named(
            st.fixed_dictionaries(
                {"trust": trusted.flatmap(lambda who: statements(Action="sts:AssumeRole", Principal={"AWS": who}))},
                optional={
                    **HELD,
                    "tags": TAGS,
                    "description": DESCRIPTIONS,
                    "max_session_duration": st.integers(3_600, 43_200).map(str).map(Number),
                },
            )
        )
    )
    profiles = draw(
        named(st.fixed_dictionaries({"role": st.sampled_from([*roles])}, optional={"path": PATHS}))
        if roles
        else st.just({})
    )
    return {
        "name": draw(st.text(alphabet="aé :#'-", min_size=1, max_size=8)),
        "alias": draw(st.sampled_from([None, "an-alias", "another"])),
        "limits": draw(
            st.dictionaries(
                st.sampled_from(["RolesPerAccount", "VersionsPerPolicy"]),
                st.sampled_from(["3", "5"]).map(Number),
                max_size=2,
            )
        ),
        "oidc_providers": draw(
            st.dictionaries(
                st.sampled_from(["https://a.example.com", "https://b.example.com/x"]),
                st.fixed_dictionaries({}, optional={"client_ids": st.lists(NAMES, unique=True), "tags": TAGS}),
            )
        ),
        "policies": policies,
        "groups": groups,
        "users": users,
        "roles": roles,
        "instance_profiles": profiles,
    }


def file_of(account: dict[str, Any]) -> dict[str, Any]:
    return {"locum": Number("1"), "accounts": {ACCOUNT: account}}


@settings(max_examples=25)
@given(accounts(), accounts(), st.booleans())
def test_what_is_written_is_what_is_there(first: dict[str, Any], second: dict[str, Any], as_json: bool) -> None:
    written = json_text if as_json else yaml_text
    world = Declaring()
    plan = world.apply(written(file_of(first)))
    assert plan.faults == ()
    described = world.values()
    text = written(described)
    # Applied again, by either text, it changes nothing.
    revision = world.store.revision
    for again in (written(file_of(first)), text):
        plan = world.apply(again, prune=True)
        assert (plan.changes, plan.faults, plan.kept) == ((), (), ())
    assert world.store.revision == revision
    # Elsewhere, whatever was there before, it makes the same, but for what nothing can change.
    other = Declaring()
    assert other.apply(written(file_of(second))).faults == ()
    nothing: dict[str, Any] = {section: {} for section in second} | {"name": "x", "alias": None}
    assert other.apply(written(file_of(nothing)), prune=True).faults == ()
    plan = other.apply(text, prune=True)
    assert plan.faults == ()
    assert json_text(other.values()) == json_text(described)


@settings(max_examples=25)
@given(accounts(), st.data())
def test_what_is_wrong_changes_nothing(account: dict[str, Any], data: st.DataObject) -> None:
    world = Declaring()
    before, revision = world.json(), world.store.revision
    text = json_text(file_of(account))
    lines = text.splitlines()
    line = data.draw(st.integers(0, len(lines) - 1))
    broken = data.draw(
        st.sampled_from(
            [
                lines[:line],
                [*lines[:line], lines[line].replace('"', ""), *lines[line + 1 :], "x"],
                [*lines[:-2], ', "users": 7', *lines[-2:]],
                [lines[0], '"unknown": {},', *lines[1:]],
            ]
        )
    )
    plan = world.apply("\n".join(broken), name="x.json")
    assert plan.faults != ()
    assert (world.json(), world.store.revision) == (before, revision)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=10)
    | st.sampled_from([Number("1"), Number("-0.5"), Number("12.0e+3")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_any_text_survives_being_written(values: dict[str, Any]) -> None:
    for write, read in ((yaml_text, read_yaml), (json_text, read_json)):
        again = plain(read(write(values)))
        assert again == values
        assert json.dumps(again) == json.dumps(values)


@given(
    st.recursive(st.none() | st.text(max_size=4) | st.integers().map(str).map(Number), st.lists, max_leaves=6),
    st.text(),
)
def test_any_tree_is_carried_out_or_has_faults(value: Any, name: str) -> None:
    world = Declaring()
    before = world.json()
    inside = [{name: value}, {name: {"path": name, "trust": value, "document": value, "tags": {name: value}}}]
    for inner in (value, *inside):
        sections = dict.fromkeys(("users", "groups", "roles", "policies", "oidc_providers", "alias", "limits"), inner)
        organization = {"root": inner, "services": inner, "service_control_policies": inner}
        file = {"locum": Number("1"), "accounts": {ACCOUNT: sections}, "organizations": {ACCOUNT: organization}}
        text = json_text(file)
        plan = world.apply(text, name="x.json", commit=False)
        assert all(fault.place.line <= text.count("\n") for fault in plan.faults)
        assert world.json() == before
