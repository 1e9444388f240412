"""What a file does to organizations: policies, units, members, what is attached where, services, root features."""

from __future__ import annotations

import pytest

from locum.core.organization_records import Organization, OrgPolicy, OrgUnit
from locum.core.records import Account
from locum.server.declared.export import json_text
from locum.server.declared.source import Number
from locum.store.organizations import each_found
from locum.store.records import Records

from .declaring import ACCOUNT, NOW, OTHER, Declaring

THIRD = "777788889999"
DENY = '{Version: 2012-10-17, Statement: {Effect: Deny, Action: "ec2:*", Resource: "*"}}'
GUARD = '{Version: 2012-10-17, Statement: {Effect: Deny, Principal: "*", Action: "sts:*", Resource: "*"}}'

FILE = f"""\
locum: 1
accounts:
  {ACCOUNT}: {{}}
  {OTHER}: {{}}
  {THIRD}: {{}}
organizations:
  {ACCOUNT}:
    policy_types: [SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY]
    service_control_policies:
      regions:
        description: only ours
        tags: {{a: b}}
        document: {DENY}
      more: {{document: {DENY}}}
    resource_control_policies:
      guard: {{document: {GUARD}}}
    services:
      iam.amazonaws.com: ["{OTHER}"]
      sso.amazonaws.com: []
    root_features: [RootSessions]
    root:
      tags: {{c: d}}
      rcps: [guard]
      accounts: {{{ACCOUNT}: }}
      units:
        prod:
          scps: [FullAWSAccess, regions]
          accounts:
            {OTHER}: {{tags: {{e: f}}, scps: [more]}}
          units:
            deep:
              accounts: {{{THIRD}: {{rcps: [guard]}}}}
"""


@pytest.fixture
def world() -> Declaring:
    return Declaring()


@pytest.fixture
def full(world: Declaring) -> Declaring:
    assert world.apply(FILE).faults == ()
    return world


def organization(world: Declaring) -> Organization:
    id = world.get(Account, ACCOUNT, "").organization
    found = world.get(Organization, id, "")
    assert isinstance(found, Organization)
    return found


def units(world: Declaring) -> dict[str, OrgUnit]:
    with world.store.snapshot() as rows:
        found = each_found(Records(rows), OrgUnit, "org-unit", organization(world).id)
        return {stored.record.name: stored.record for stored in found}


def policies(world: Declaring) -> dict[str, OrgPolicy]:
    with world.store.snapshot() as rows:
        found = each_found(Records(rows), OrgPolicy, "org-owner", organization(world).id)
        return {stored.record.name: stored.record for stored in found}


def test_one_file_makes_an_organization_of_accounts(full: Declaring) -> None:
    org, placed, named = organization(full), units(full), policies(full)
    assert (org.management, org.feature_set, org.tags) == (ACCOUNT, "ALL", {"c": "d"})
    assert set(org.policy_types) == {"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"}
    assert org.rcps == (named["guard"].id,)
    assert org.services == {"iam.amazonaws.com": NOW, "sso.amazonaws.com": NOW}
    assert org.delegated == {"iam.amazonaws.com": {OTHER: NOW}}
    assert org.root_features == ("RootSessions",)
    assert (named["regions"].description, named["regions"].tags) == ("only ours", {"a": "b"})
    assert placed["prod"].parent == org.root
    assert placed["prod"].scps == ("p-FullAWSAccess", named["regions"].id)
    assert placed["deep"].parent == placed["prod"].id
    first, second, third = (full.get(Account, id, "") for id in (ACCOUNT, OTHER, THIRD))
    assert (first.parent, second.parent, third.parent) == (org.root, placed["prod"].id, placed["deep"].id)
    assert (second.tags, second.scps, second.rcps) == ({"e": "f"}, (named["more"].id,), ())
    assert (third.scps, third.rcps, third.invited) == (None, (named["guard"].id,), True)


def test_what_was_written_describes_it_and_changes_nothing(full: Declaring) -> None:
    before = full.store.revision
    written = full.yaml()
    for text in (FILE, written, full.json()):
        assert full.changed(full.apply(text, prune=True)) == []
    assert full.store.revision == before
    other = Declaring()
    assert other.apply(written).faults == ()
    assert other.yaml() == written


@pytest.mark.parametrize(("type", "most"), [("service_control_policies", 10_240), ("resource_control_policies", 5_120)])
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_policy_that_just_fits_can_be_described(world: Declaring, type: str, most: int, form: str) -> None:
    who = "" if type.startswith("service") else '"Principal":"*",'
    start = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["sts:*"],"Resource":["*"],'
    document = f'{start}{who}"Condition":{{"StringEquals":{{"aws:PrincipalTag/t":["a","'
    document += "x" * (most - len(document) - 7) + '"]}}}]}'
    assert len(document) == most
    file = json_text({"locum": Number("1"), "organizations": {ACCOUNT: {type: {"long": {"document": document}}}}})
    assert world.apply(file).faults == ()
    written = world.yaml() if form == "yaml" else world.json()
    assert world.changed(world.apply(written)) == []
    other = Declaring()
    assert other.apply(written).faults == ()
    assert policies(other)["long"].content == document


def test_a_description_can_go(full: Declaring) -> None:
    bare = FILE.replace("        description: only ours\n", "")
    assert full.apply(bare).faults == ()
    assert policies(full)["regions"].description == ""
    assert full.changed(full.apply(bare)) == []


def test_members_move_policies_change_hands_and_settings_go(full: Declaring) -> None:
    text = (
        FILE.replace("scps: [FullAWSAccess, regions]", "scps: [more]")
        .replace(f'\n      iam.amazonaws.com: ["{OTHER}"]', "")
        .replace("RootSessions", "")
        .replace("      rcps: [guard]\n", "")
        .replace(f"          accounts:\n            {OTHER}: {{tags: {{e: f}}, scps: [more]}}\n", "")
        .replace(f"accounts: {{{ACCOUNT}: }}", f"accounts: {{{ACCOUNT}: , {OTHER}: }}")
        .replace("only ours", "all")
    )
    plan = full.apply(text)
    assert full.changed(plan) == [
        f"~ organization {ACCOUNT}",
        "~ service_control_policy regions",
        "~ unit prod",
        f"~ member {OTHER}",
        "~ root Root",
    ]
    org, named = organization(full), policies(full)
    assert (org.services, org.delegated, org.root_features, org.rcps) == ({"sso.amazonaws.com": NOW}, {}, (), ())
    assert units(full)["prod"].scps == (named["more"].id,)
    member = full.get(Account, OTHER, "")
    assert (member.parent, member.tags, member.scps) == (org.root, {}, None)
    assert named["regions"].description == "all"


@pytest.mark.parametrize("attached", [["FullAWSAccess"], ["regions"], ["regions", "more"], ["more", "FullAWSAccess"]])
def test_attachments_change_at_their_limits(full: Declaring, attached: list[str]) -> None:
    text = FILE.replace("scps: [FullAWSAccess, regions]", f"scps: [{', '.join(attached)}]").replace(
        f"  {ACCOUNT}: {{}}\n", f"  {ACCOUNT}: {{limits: {{ServiceControlPoliciesPerTarget: 2}}}}\n"
    )
    assert full.apply(text).faults == ()
    names = {policy.id: name for name, policy in policies(full).items()} | {"p-FullAWSAccess": "FullAWSAccess"}
    held = units(full)["prod"].scps
    assert {names[each] for each in held or ("p-FullAWSAccess",)} == set(attached)


def test_units_and_policies_stay_unless_pruned(full: Declaring) -> None:
    text = FILE.replace("      more: {", "      #").replace("scps: [more]", "scps: null")
    text = text.replace("            deep:\n", "            other:\n")
    plan = full.apply(text)
    assert full.changed(plan) == ["+ unit other", f"~ member {THIRD}", f"~ member {OTHER}"]
    assert plan.kept == (
        f"unit deep of the organization of {ACCOUNT}",
        f"service_control_policy more of the organization of {ACCOUNT}",
    )
    assert full.changed(full.apply(text, prune=True)) == ["- unit deep", "- service_control_policy more"]
    assert sorted(units(full)) == ["other", "prod"]


def test_a_unit_that_holds_accounts_is_not_deleted(full: Declaring) -> None:
    text = FILE[: FILE.index("            deep:")] + "            {}\n"
    plan = full.apply(text, prune=True)
    assert [text for _, text in plan.faults] == ["unit deep: The organizational unit (OU) is not empty."]
    assert "deep" in units(full)


def test_sections_that_are_not_there_are_left_alone(full: Declaring) -> None:
    plan = full.apply(f"locum: 1\norganizations: {{{ACCOUNT}: {{}}}}", prune=True)
    assert (full.changed(plan), plan.kept) == ([], ())


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("organizations:\n  111122223333:", "organizations:\n  123456789012:", 7, "there is no account 123456789012"),
        ("RootSessions", "Roots", 20, "a feature of root access is one of"),
        ("[guard]\n      acc", "[none]\n      acc", 23, "no policy 'none' of type RESOURCE_CONTROL_POLICY"),
        (", RESOURCE_CONTROL_POLICY]", "]", 23, "is not enabled"),
        (", RESOURCE_CONTROL_POLICY]", ", TAG_POLICY]", 8, "not available"),
        (f"document: {GUARD}", f"document: {DENY}", 16, "requirements of the specified policy type"),
        ("sso.amazonaws.com", "sso.example.com", 19, "unrecognized service principal"),
        (f'["{OTHER}"]', f'["{ACCOUNT}"]', 18, "master account"),
        (f"{{{THIRD}: ", f"{{{OTHER}: ", 32, "has a place in this organization already, at line 29"),
        (f"{{{THIRD}: ", "{000000000000: ", 32, "there is no account 000000000000"),
        (
            f"  {ACCOUNT}: {{}}\n",
            f"  {ACCOUNT}: {{limits: {{AccountsPerOrganization: 2}}}}\n",
            32,
            "may have 2 accounts",
        ),
        ("            deep:", "            '':", 31, "name"),
        ("{rcps: [guard]}}", "{units: {}}}", 32, "an account has no units under it"),
        ("    root:\n", "    feature_set: SOME\n    root:\n", 21, "featureSet"),
    ],
)
def test_a_mistake_is_told_with_its_line(world: Declaring, old: str, new: str, line: int, said: str) -> None:
    assert old in FILE
    plan = world.apply(FILE.replace(old, new, 1))
    assert any(place.line == line and said in text for place, text in plan.faults), plan.faults
    assert not world.has(Account, OTHER, "")


def test_who_is_elsewhere_is_not_taken(full: Declaring) -> None:
    text = f"locum: 1\norganizations:\n  {OTHER}: {{root: {{}}}}\n"
    assert "manages" in full.apply(text).faults[0].text
    fourth = "000011112222"
    text = (
        f"locum: 1\naccounts: {{{fourth}: }}\n"
        f"organizations:\n  {fourth}:\n    root:\n      accounts:\n        {OTHER}: {{}}\n"
    )
    plan = full.apply(text)
    assert [(place.line, said) for place, said in plan.faults] == [(7, f"account {OTHER} is in another organization")]
    text = f"locum: 1\norganizations:\n  {ACCOUNT}:\n    feature_set: CONSOLIDATED_BILLING\n"
    assert "cannot be changed (it is ALL)" in full.apply(text).faults[0].text
