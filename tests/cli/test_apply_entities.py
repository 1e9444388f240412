"""What a file does to accounts and their IAM entities, what it leaves alone, and what it refuses at which line."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from locum.core.account_records import AccountAlias
from locum.core.records import (
    AccessKey,
    Account,
    Group,
    InstanceProfile,
    ManagedPolicy,
    OidcProvider,
    Role,
    SamlProvider,
    User,
)
from locum.store.records import Records

from .declaring import ACCOUNT, NOW, OTHER, Declaring

ALLOW = '{Version: 2012-10-17, Statement: {Effect: Allow, Action: "s3:Get*", Resource: "*"}}'
OTHER_ALLOW = '{Version: 2012-10-17, Statement: {Effect: Allow, Action: "s3:Put*", Resource: "*"}}'


def trust(*principals: str) -> str:
    named = ", ".join(f'"{each}"' for each in principals)
    return (
        f"{{Version: 2012-10-17, Statement: {{Effect: Allow, Principal: {{AWS: [{named}]}}, Action: sts:AssumeRole}}}}"
    )


EVERYTHING = f"""\
locum: 1
accounts:
  {ACCOUNT}:
    name: production
    alias: acme-production
    limits: {{RolesPerAccount: 2000}}
    oidc_providers:
      https://Issuer.example.com/a:
        client_ids: [b, a]
        thumbprints: [{"A" * 40}]
        tags: {{k: v}}
    policies:
      reader:
        path: /shared/
        description: reads
        tags: {{k: v}}
        document: {ALLOW}
    groups:
      people:
        path: /all/
        attached: [arn:aws:iam::{ACCOUNT}:policy/shared/reader]
        policies: {{inline: {ALLOW}}}
    users:
      alice:
        path: /people/
        groups: [people]
        policies: {{inline: {ALLOW}}}
        attached: [arn:aws:iam::aws:policy/ReadOnlyAccess]
        boundary: arn:aws:iam::{ACCOUNT}:policy/shared/reader
        tags: {{team: blue, "no": off}}
    roles:
      deploy:
        path: /ops/
        description: deploys
        max_session_duration: 7200
        trust: {trust(f"arn:aws:iam::{OTHER}:role/ci", f"arn:aws:iam::{ACCOUNT}:user/people/alice", OTHER)}
        policies: {{inline: {ALLOW}}}
        attached: [arn:aws:iam::{ACCOUNT}:policy/shared/reader]
        boundary: arn:aws:iam::aws:policy/ReadOnlyAccess
        tags: {{team: blue}}
    instance_profiles:
      web:
        path: /machines/
        role: deploy
        tags: {{k: v}}
  "{OTHER}":
    roles:
      ci:
        trust: {trust(f"arn:aws:iam::{ACCOUNT}:role/ops/deploy")}
"""


@pytest.fixture
def world() -> Declaring:
    return Declaring()


@pytest.fixture
def full(world: Declaring) -> Declaring:
    plan = world.apply(EVERYTHING)
    assert plan.faults == ()
    return world


def test_one_file_makes_everything(full: Declaring) -> None:
    account = full.get(Account, ACCOUNT, "")
    assert (account.name, account.limits) == ("production", {"RolesPerAccount": 2000})
    assert full.get(AccountAlias, "acme-production", "").account == ACCOUNT
    assert full.get(Account, OTHER, "").created == NOW
    provider = full.get(OidcProvider, "issuer.example.com/a")
    assert (provider.url, provider.client_ids, provider.thumbprints) == (
        "Issuer.example.com/a",
        ("b", "a"),
        ("a" * 40,),
    )
    policy = full.get(ManagedPolicy, "reader")
    reader = f"arn:aws:iam::{ACCOUNT}:policy/shared/reader"
    assert (policy.arn("aws"), policy.description, policy.tags) == (reader, "reads", {"k": "v"})
    assert [each.number for each in policy.versions] == [1]
    assert msgspec.json.decode(policy.document)["Version"] == "2012-10-17"
    group = full.get(Group, "people")
    assert (group.path, group.attached, [*group.inline]) == ("/all/", (reader,), ["inline"])
    user = full.get(User, "alice")
    assert (user.path, user.groups, user.boundary) == ("/people/", (group.id,), reader)
    assert user.attached == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert user.tags == {"team": "blue", "no": "off"}
    role = full.get(Role, "deploy")
    assert (role.path, role.description, role.max_session_duration) == ("/ops/", "deploys", 7200)
    assert full.get(InstanceProfile, "web").role == role.id


@pytest.mark.facts("POL-PR-010")
def test_roles_may_trust_each_other_across_accounts_by_id(full: Declaring) -> None:
    deploy, ci, alice = full.get(Role, "deploy"), full.get(Role, "ci", OTHER), full.get(User, "alice")
    named = msgspec.json.decode(deploy.trust)["Statement"]["Principal"]["AWS"]
    assert named == [ci.id, alice.id, f"arn:aws:iam::{OTHER}:root"]
    assert msgspec.json.decode(ci.trust)["Statement"]["Principal"]["AWS"] == [deploy.id]


def test_a_second_run_changes_nothing(full: Declaring) -> None:
    before = full.store.revision
    assert full.changed(full.apply(EVERYTHING, prune=True)) == []
    assert full.store.revision == before


def test_no_account_gets_a_key_or_loses_one(full: Declaring) -> None:
    with full.store.snapshot() as rows:
        keys = [stored.record for stored in Records(rows).each(AccessKey, "")]
    assert [each.account for each in keys] == [ACCOUNT]


def test_only_what_differs_is_changed(full: Declaring) -> None:
    text = (
        EVERYTHING.replace("max_session_duration: 7200", "max_session_duration: 3600")
        .replace("{team: blue, ", '{team: red, new: "1", ')
        .replace("client_ids: [b, a]", "client_ids: [a, c]")
        .replace("path: /all/", "path: /some/")
    )
    plan = full.apply(text)
    assert full.changed(plan) == [
        "~ oidc-provider https://Issuer.example.com/a",
        "~ group people",
        "~ user alice",
        "~ role deploy",
    ]
    details = [line for each in plan.changes for line in each.details]
    assert details == [
        "- client id b",
        "+ client id c",
        "~ path = /some/ (was /all/)",
        "+ tag new = 1",
        "~ tag team = red (was blue)",
        "~ max_session_duration = 3600 (was 7200)",
    ]
    assert full.get(User, "alice").tags == {"no": "off", "team": "red", "new": "1"}
    assert full.get(Role, "deploy").max_session_duration == 3600
    assert full.get(OidcProvider, "issuer.example.com/a").client_ids == ("a", "c")


def test_what_an_entity_does_not_mention_it_does_not_have(full: Declaring) -> None:
    bare = f"users: {{alice: {{}}}}\nroles: {{deploy: {{path: /ops/, trust: {trust(OTHER)}}}}}"
    assert full.in_account(bare).faults == ()
    user, role = full.get(User, "alice"), full.get(Role, "deploy")
    assert (user.path, user.groups, user.inline, user.attached, user.boundary, user.tags) == ("/", (), {}, (), None, {})
    assert (role.description, role.max_session_duration, role.boundary) == ("", 3600, None)
    assert (role.inline, role.attached, role.tags) == ({}, (), {})
    assert full.changed(full.in_account(bare)) == []
    assert full.get(Group, "people").inline != {}


def test_a_changed_document_is_a_new_version_and_the_oldest_makes_room(world: Declaring) -> None:
    for number in range(8):
        document = ALLOW.replace("s3:Get*", f"s3:Get{number}")
        plan = world.in_account(f"policies: {{p: {{document: {document}}}}}")
        assert plan.faults == ()
    policy = world.get(ManagedPolicy, "p")
    assert [each.number for each in policy.versions] == [4, 5, 6, 7, 8]
    assert policy.default == 8
    assert "s3:Get7" in policy.document
    assert "- version v3" in plan.changes[0].details
    assert any(line.endswith('+    "Action": "s3:Get7",') for line in plan.changes[0].details)


@pytest.mark.parametrize("kind", ["text", "spaces", "order"])
def test_a_document_that_says_the_same_is_the_same(world: Declaring, kind: str) -> None:
    first = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    other = {
        "text": f"'{first}'",
        "spaces": first.replace(", ", ",\n "),
        "order": '{"Statement": [{"Resource": "*", "Action": "s3:*", "Effect": "Allow"}], "Version": "2012-10-17"}',
    }[kind]
    assert world.changed(world.in_account(f"policies: {{p: {{document: {first}}}}}")) == ["+ policy p"]
    assert world.changed(world.in_account(f"policies: {{p: {{document: {other}}}}}")) == []


@pytest.mark.facts("POL-PR-010")
def test_a_role_trusts_a_person_who_was_made_again_only_when_the_file_is_applied_again(full: Declaring) -> None:
    old = full.get(User, "alice").id
    assert full.changed(full.in_account("users: {}", prune=True)) == ["- user alice"]
    assert old in full.get(Role, "deploy").trust
    assert full.changed(full.apply(full.yaml(), prune=True)) == []
    plan = full.apply(EVERYTHING)
    assert full.changed(plan) == ["+ user alice", "~ role deploy"]
    new = full.get(User, "alice").id
    assert new != old
    assert new in full.get(Role, "deploy").trust
    assert old not in full.get(Role, "deploy").trust


# What is not mentioned


EMPTY = """\
oidc_providers: {}
policies: {}
groups: {}
users: {}
roles: {}
instance_profiles: {}
"""


def test_nothing_is_deleted_unless_that_is_asked_for(full: Declaring) -> None:
    plan = full.in_account(EMPTY)
    assert full.changed(plan) == []
    assert set(plan.kept) == {
        f"{each} of account {ACCOUNT}"
        for each in (
            "oidc-provider https://Issuer.example.com/a",
            "policy reader",
            "group people",
            "user alice",
            "role deploy",
            "instance-profile web",
        )
    }


def test_pruning_deletes_what_sections_do_not_mention(full: Declaring) -> None:
    full.in_account(f"policies: {{reader: {{path: /shared/, description: reads, document: {OTHER_ALLOW}}}}}")
    plan = full.in_account(EMPTY, prune=True)
    assert full.changed(plan) == [
        "- user alice",
        "- instance-profile web",
        "- role deploy",
        "- group people",
        "- oidc-provider https://Issuer.example.com/a",
        "- policy reader",
    ]
    described = full.values()["accounts"][ACCOUNT]
    assert all(described[section] == {} for section in EMPTY.replace(": {}", "").split())
    assert full.has(Role, "ci", OTHER)
    assert full.get(Account, ACCOUNT, "").name == "production"


def test_a_section_that_is_not_there_is_left_alone(full: Declaring) -> None:
    assert full.changed(full.in_account("name: production", prune=True)) == []
    assert full.changed(full.apply("locum: 1\naccounts: {}\n", prune=True)) == []


def test_a_pruned_group_loses_its_members_and_a_pruned_role_its_profile(full: Declaring) -> None:
    assert full.changed(full.in_account("groups: {}\nroles: {}", prune=True)) == ["- role deploy", "- group people"]
    assert full.get(User, "alice").groups == ()
    assert full.get(InstanceProfile, "web").role is None


def test_a_user_with_credentials_is_not_pruned_behind_their_back(full: Declaring) -> None:
    user = full.get(User, "alice")
    with full.store.transaction() as rows:
        Records(rows).create(
            AccessKey(id="AKIAEXAMPLE000000000", account=ACCOUNT, owner=user.id, created=1, secret=b"x")
        )
    plan = full.in_account("users: {}", prune=True)
    assert [text for _, text in plan.faults] == ["user alice: Cannot delete entity, must delete access keys first."]
    assert full.get(User, "alice") == user


def test_roles_of_services_are_neither_described_nor_pruned(world: Declaring) -> None:
    with world.store.transaction() as rows:
        linked = Role(
            account=ACCOUNT,
            id="AROAEXAMPLE000000000",
            name="Linked",
            path="/aws-service-role/x/",
            created=1,
            trust="{}",
        )
        Records(rows).create(linked)
    assert world.values()["accounts"][ACCOUNT]["roles"] == {}
    plan = world.in_account("roles: {}", prune=True)
    assert (world.changed(plan), plan.kept) == ([], ())
    plan = world.in_account(f"roles: {{mine: {{path: /aws-service-role/x/, trust: {trust(OTHER)}}}}}")
    assert "reserved for roles of services" in plan.faults[0].text


# Accounts


def test_limits_count_before_what_they_limit(world: Declaring) -> None:
    users = "users: {a: {}, b: {}}\n"
    plan = world.in_account(f"limits: {{UsersPerAccount: 1}}\n{users}")
    assert [text for _, text in plan.faults] == ["Cannot exceed quota for UsersPerAccount: 1"]
    assert world.get(Account, ACCOUNT, "").limits == {}
    assert world.in_account(f"limits: {{UsersPerAccount: 2}}\n{users}").faults == ()
    assert world.get(Account, ACCOUNT, "").limits == {"UsersPerAccount": 2}
    assert world.in_account("limits: {}").changes[0].details == ("~ limit UsersPerAccount = 5000 (was 2)",)


def test_an_alias_comes_changes_and_goes(world: Declaring) -> None:
    for alias, details in (
        ("one-alias", ("+ alias one-alias",)),
        ("two-alias", ("+ alias two-alias",)),
        ("null", ("- alias two-alias",)),
    ):
        plan = world.in_account(f"alias: {alias}")
        assert plan.changes[0].details == details
        assert world.changed(world.in_account(f"alias: {alias}")) == []
        assert world.changed(world.in_account("name: first")) == []
    world.in_account("alias: one-alias")
    plan = world.apply(f"locum: 1\naccounts: {{{OTHER}: {{alias: one-alias}}}}")
    assert [text for _, text in plan.faults] == [f"account {ACCOUNT} has the alias one-alias"]
    assert not world.has(Account, OTHER, "")


# What cannot be


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("users: {b ad: {}}", 4, "must contain only alphanumeric"),
        ("users:\n  bob:\n    path: people", 6, "must begin and end with /"),
        ("users:\n  bob:\n    groups:\n      - nobody", 7, "group with name nobody cannot be found"),
        ("users:\n  bob:\n    tags:\n      a: b\n      aws:x: y", 8, "Tag keys beginning with aws:"),
        ("users:\n  bob:\n    tags:\n      a: 'b!'", 7, "regular expression"),
        ("users:\n  bob:\n    tags:\n      Team: a\n      team: b", 8, "one tag here: case"),
        (
            "users:\n  bob:\n    attached:\n      - arn:aws:iam::aws:policy/None",
            7,
            "does not exist or is not attachable",
        ),
        ("users:\n  bob:\n    boundary: arn:aws:iam::aws:policy/None", 6, "does not exist or is not attachable"),
        (f"users:\n  bob:\n    policies:\n      'a b': {ALLOW}", 7, "alphanumeric"),
        ("users:\n  bob: {}\n  Bob: {}", 6, "one name: case does not count"),
        ("users:\n  bob:\n    atached: []", 6, "did you mean attached?"),
        ("users:\n  bob:\n    attached: x", 6, "expected a list"),
        ("users:\n  bob:\n    attached: [[]]", 6, "expected a text"),
        ("oidc_providers:\n  https://x.example.com:\n    client_ids: [a, a]", 6, "a second time"),
        ("users: []", 4, "expected a mapping"),
        ("users: {bob: {path: null}}", 4, "expected a text"),
        ("roles:\n  r: {}", 5, "trust is missing"),
        ("roles:\n  r:\n    trust: x", 6, "document"),
        ("roles:\n  r:\n    trust: [x]", 6, "expected a policy document"),
        (f"roles:\n  r:\n    trust: {trust(f'arn:aws:iam::{ACCOUNT}:user/none')}", 6, "Invalid principal in policy"),
        (f"roles:\n  r:\n    max_session_duration: 10\n    trust: {trust(OTHER)}", 6, "greater than or equal to 3600"),
        (f"roles:\n  r:\n    max_session_duration: 1h\n    trust: {trust(OTHER)}", 6, "expected a whole number"),
        ("policies:\n  p: {}", 5, "document is missing"),
        (f"policies:\n  p:\n    path: x\n    document: {ALLOW}", 6, "regular expression"),
        (f"policies:\n  p:\n    document: {ALLOW.replace('Get*', 'x' * 6_200)}", 6, "PolicySize"),
        ("oidc_providers:\n  http://x.example.com: {}", 5, "Invalid Open ID Connect Provider URL"),
        (f"oidc_providers:\n  https://x.example.com:\n    thumbprints: [{'z' * 40}]", 5, "hexadecimal"),
        ("saml_providers:\n  idp:\n    metadata: x", 6, "greater than or equal to 1000"),
        ("instance_profiles:\n  web:\n    role: none", 6, "role with name none cannot be found"),
        ("limits:\n  RolesPerAccount: 10001", 5, "can be 0 to 10000"),
        ("limits:\n  Nothing: 1", 5, "there is no limit"),
        ("name: ''", 4, "1 to 50 printable characters"),
        ("alias: '123456789012'", 4, "must not be a 12-digit number"),
        ("alias: Abc", 4, "accountAlias"),
        ("nothing: 1", 4, "there is no member"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_changes_nothing(world: Declaring, text: str, line: int, said: str) -> None:
    before = world.yaml()
    plan = world.in_account(f"{text}\ngroups: {{fine: {{}}}}")
    assert [(place.line, said in told) for place, told in plan.faults] == [(line, True)], plan.faults
    assert world.yaml() == before


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(world: Declaring) -> None:
    plan = world.apply(
        """\
        accounts:
          "1": {}
          111122223333:
            policies:
              p:
                document:
                  Version: 2012-10-17
                  Statement:
                    - Effect: Alow
                      Action: s3
                      Resource: "*"
                    - Effect: Allow
                      Action: ["s3:*", "x"]
                      Resource: y
            users:
              bob:
                attached: ["arn:aws:iam::111122223333:policy/p", "arn:aws:iam::111122223333:policy/q"]
        more: {}
        """
    )
    assert [place.line for place, _ in plan.faults] == [1, 2, 9, 10, 13, 14, 17, 18]
    assert "locum is missing" in plan.faults[0].text
    # The policy that was refused is no reason to complain of who would have it.
    assert "policy/q does not exist" in plan.faults[6].text
    assert not world.has(User, "bob")


@pytest.mark.facts("R9")
def test_the_shared_issuers_need_their_claim_here_too(world: Declaring) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    document = (
        f"{{Version: 2012-10-17, Statement: {{Effect: Allow, Principal: {{Federated: '{provider}'}}, "
        "Action: sts:AssumeRoleWithWebIdentity}}"
    )
    plan = world.in_account(f"roles:\n  r:\n    trust: {document}")
    assert [place.line for place, _ in plan.faults] == [6]
    assert "token.actions.githubusercontent.com:sub" in plan.faults[0].text
    assert not world.has(Role, "r")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("path: /shared/", "path: /other/"), "the path of a policy cannot be changed (it is '/shared/')"),
        (("description: reads", "description: more"), "the description of a policy cannot be changed (it is 'reads')"),
        (("path: /ops/", "path: /x/"), "the path of a role cannot be changed"),
        (("path: /machines/", "path: /x/"), "the path of a instance-profile cannot be changed"),
        (("    deploy:\n", "    Deploy:\n"), "there is a role 'deploy' already"),
        (("https://Issuer", "https://issuer"), "there is a provider 'https://Issuer.example.com/a' already"),
    ],
)
def test_what_nothing_can_change_is_not_made_anew_either(full: Declaring, change: tuple[str, str], said: str) -> None:
    assert change[0] in EVERYTHING
    before = full.yaml()
    plan = full.apply(EVERYTHING.replace(*change), prune=True)
    assert any(said in text for _, text in plan.faults), plan.faults
    assert full.yaml() == before


def test_a_plan_that_is_not_wanted_changes_nothing(world: Declaring) -> None:
    before = world.store.revision
    plan = world.apply(EVERYTHING, commit=False)
    assert plan.count("+") == 8
    assert world.store.revision == before
    assert not world.has(Role, "deploy")


@pytest.fixture
def metadata() -> Callable[[str], str]:
    pytest.importorskip("signxml", reason="the extra saml is not installed")
    from ..server.saml_documents import metadata as document

    return document


def test_a_saml_provider_is_made_and_changed(world: Declaring, metadata: Callable[[str], str]) -> None:
    form = {"locum": 1, "accounts": {ACCOUNT: {"saml_providers": {"idp": {"metadata": metadata("one")}}}}}
    assert world.changed(world.apply(msgspec.json.encode(form).decode())) == ["+ saml-provider idp"]
    uuid = world.get(SamlProvider, "idp").uuid
    form["accounts"][ACCOUNT]["saml_providers"]["idp"] = {"metadata": metadata("two"), "tags": {"a": "b"}}  # type: ignore[index]
    plan = world.apply(msgspec.json.encode(form).decode())
    assert plan.changes[0].details == ("~ metadata", "+ tag a = b")
    provider = world.get(SamlProvider, "idp")
    assert (provider.uuid, provider.metadata, provider.tags) == (uuid, metadata("two"), {"a": "b"})
    assert world.changed(world.apply(world.yaml(), prune=True)) == []
    plan = world.in_account("saml_providers: {}", prune=True)
    assert world.changed(plan) == ["- saml-provider idp"]
