"""OpenID Connect providers: making, changing, tagging, listing, deleting (iam_api.md section 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum import errors
from locum.api.iam import oidc_providers as oidc
from locum.api.iam import types
from locum.api.shapes import Command
from locum.core.limits import with_limits
from locum.core.records import Account, OidcProvider
from locum.guard.directory import Directory
from locum.server.handlers import HANDLERS
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, World, document
from ..operations import ask, refusal

URL = "https://idp.example.com/tenant"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com/tenant"
PRINT = "0123456789abcdef0123456789ABCDEF01234567"


def create(world: World, url: str = URL, *, root: Credentials | None = None, **more: Any) -> str:
    command = oidc.CreateOpenIDConnectProviderCommand(url=url, **more)
    return world.call(root or world.root, command).open_id_connect_provider_arn


def get(world: World, arn: str = ARN) -> oidc.GetOpenIDConnectProviderResponse:
    return world.call(world.root, oidc.GetOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn))


def clients(world: World) -> list[str]:
    return list(get(world).client_id_list or ())


def tags(**given: str) -> tuple[types.Tag, ...]:
    return tuple(types.Tag(key=key, value=value) for key, value in given.items())


def listed(world: World) -> list[str | None]:
    answer = world.call(world.root, oidc.ListOpenIDConnectProvidersCommand())
    return [each.arn for each in answer.open_id_connect_provider_list]


def about(arn: str) -> list[Command[Any]]:
    """Every command that names a provider by ARN, but that which deletes it."""
    return [
        oidc.GetOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn),
        oidc.UpdateOpenIDConnectProviderThumbprintCommand(open_id_connect_provider_arn=arn, thumbprint_list=(PRINT,)),
        oidc.AddClientIDToOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn, client_id="x"),
        oidc.RemoveClientIDFromOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn, client_id="x"),
        oidc.TagOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn, tags=tags(a="b")),
        oidc.UntagOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn, tag_keys=("a",)),
        oidc.ListOpenIDConnectProviderTagsCommand(open_id_connect_provider_arn=arn),
    ]


def readable(world: World, arn: str) -> OidcProvider | None:
    """What those who decide about a token read of a provider."""
    with world.pipeline.facts.reading() as view:
        return Directory(view, world.vault, "aws").oidc_provider(arn)


@pytest.mark.facts("IAM-CL-007")
def test_every_operation_is_answered() -> None:
    names = {f"{verb}OpenIDConnectProvider" for verb in ("Create", "Get", "Delete", "Tag", "Untag")}
    names |= {"AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"}
    names |= {"UpdateOpenIDConnectProviderThumbprint", "ListOpenIDConnectProviders", "ListOpenIDConnectProviderTags"}
    assert {each.operation.name for each in HANDLERS if "OpenIDConnectProvider" in each.operation.name} == names


@pytest.mark.facts("IAM-OID-001", "IAM-OID-002", "STS-WI-025")
def test_a_provider_is_known_by_its_url_without_the_scheme(world: World) -> None:
    answer = world.call(
        world.root,
        oidc.CreateOpenIDConnectProviderCommand(
            url=URL, client_id_list=("app", "web", "app"), thumbprint_list=(PRINT,), tags=tags(team="blue")
        ),
    )
    assert answer.open_id_connect_provider_arn == ARN
    assert answer.tags == tags(team="blue")
    got = get(world)
    assert (got.url, got.client_id_list, got.tags) == ("idp.example.com/tenant", ("app", "web"), tags(team="blue"))
    assert got.create_date is not None
    assert int(got.create_date.timestamp()) == int(world.now)


@pytest.mark.facts("IAM-OID-002", "STS-WI-026")
def test_lists_may_be_empty_and_are_shown_all_the_same(world: World) -> None:
    command = oidc.CreateOpenIDConnectProviderCommand(url=URL)
    assert b"Tags" not in world.send(world.request(command, world.root)).body
    command_of = oidc.GetOpenIDConnectProviderCommand(open_id_connect_provider_arn=ARN)
    body = world.send(world.request(command_of, world.root)).body
    for name in (b"ClientIDList", b"ThumbprintList", b"Tags"):
        assert b"<" + name + b"/>" in body or b"<" + name + b"></" + name + b">" in body
    got = get(world)
    assert (got.client_id_list, got.thumbprint_list, got.tags) == ((), (), ())


@pytest.mark.facts("IAM-OID-001")
@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example.com",
        "HTTPS://idp.example.com",
        "idp.example.com",
        "https://",
        "https:///tenant",
        "https://.example.com",
        "https://idp..example.com",
        "https://-idp.example.com",
        "https://idp.example.com?tenant=1",
        "https://idp.example.com/a?b",
        "https://idp.example.com#a",
        "https://idp.example.com/a#b",
        "https://user@idp.example.com",
        "https://idp.example.com:",
        "https://idp.example.com:0",
        "https://idp.example.com:65536",
        "https://idp.example.com:443a",
        "https://[::1]",
        "https://idp.example.com/*",
        "https://*.example.com",
        "https://idp.example.com/%zz",
        "https://idp.example.com/a b",
        "https://idp.example.com/\n",
        "https://idp.example.com\n",
        "https://idp.exämple.com",
        "https://idp.example.com/ä",
        "https://idp.example.com\\a",
        "https://idp.example.com:٤٤٣",
    ],
)
def test_what_is_no_url_of_an_issuer_is_refused(world: World, url: str) -> None:
    command = oidc.CreateOpenIDConnectProviderCommand(url=url)
    assert world.refusal(world.root, command, errors.ValidationError) == "Invalid Open ID Connect Provider URL"
    assert listed(world) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost",
        "https://127.0.0.1:8443",
        "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF",
        "https://token.actions.githubusercontent.com",
        "https://tenant.example.com/",
        "https://idp.example.com//a/./~b;c=1,d:e@f/%C3%A4",
    ],
)
def test_what_issuers_are_called_is_kept_as_it_is(world: World, url: str) -> None:
    name = url.removeprefix("https://")
    assert create(world, url) == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}"
    assert get(world, f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}").url == name


@pytest.mark.facts("IAM-OID-001")
def test_a_url_has_at_most_255_characters(world: World) -> None:
    longest = "https://idp.example.com/".ljust(255, "a")
    assert create(world, longest).endswith("aaa")
    assert world.refusal(world.root, oidc.CreateOpenIDConnectProviderCommand(url=longest + "a")) == (
        "1 validation error detected: Value at 'url' failed to satisfy constraint: "
        "Member must have length less than or equal to 255"
    )


@pytest.mark.facts("IAM-OID-001", "IAM-OID-003")
@pytest.mark.parametrize("url", [URL, "https://IDP.Example.com/tenant"])
def test_a_url_is_taken_whatever_the_case_of_its_host(world: World, url: str) -> None:
    create(world)
    command = oidc.CreateOpenIDConnectProviderCommand(url=url)
    assert world.refusal(world.root, command, errors.EntityAlreadyExistsException) == (
        f"Provider with url {url} already exists."
    )


@pytest.mark.facts("STS-WI-006", "STS-WI-025")
def test_path_trailing_slash_and_case_tell_providers_apart(world: World) -> None:
    names = ["idp.example.com/tenant", "idp.example.com/Tenant", "idp.example.com/tenant/", "idp.example.com"]
    for name in names:
        create(world, f"https://{name}")
    for name in names:
        assert get(world, f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}").url == name
        found = readable(world, f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}")
        assert found is not None
        assert found.url == name
    # The host counts as it was given.
    for name in ("IDP.example.com/tenant", "idp.example.com/TENANT", "idp.example.com/"):
        assert readable(world, f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}") is None


@pytest.mark.facts("IAM-OID-004", "STS-WI-026")
def test_thumbprints_are_at_most_five_and_replaced_as_a_whole(world: World) -> None:
    five = tuple(f"{number:040x}" for number in range(5))
    create(world, thumbprint_list=five)
    assert get(world).thumbprint_list == five
    update = oidc.UpdateOpenIDConnectProviderThumbprintCommand
    world.call(world.root, update(open_id_connect_provider_arn=ARN, thumbprint_list=(PRINT,)))
    assert get(world).thumbprint_list == (PRINT.lower(),)
    six = (*five, PRINT)
    too_many = "Thumbprint list must contain fewer than 5 entries."
    for command in (
        oidc.CreateOpenIDConnectProviderCommand(url="https://other.example.com", thumbprint_list=six),
        update(open_id_connect_provider_arn=ARN, thumbprint_list=six),
    ):
        assert world.refusal(world.root, command, errors.InvalidInputException) == too_many
    assert get(world).thumbprint_list == (PRINT.lower(),)


@pytest.mark.parametrize("given", [{}, {"ThumbprintList": ""}], ids=["absent", "empty"])
def test_an_update_must_name_a_thumbprint(world: World, given: dict[str, str]) -> None:
    create(world, thumbprint_list=(PRINT,))
    body = {"Action": "UpdateOpenIDConnectProviderThumbprint", "Version": "2010-05-08", **given}
    refused = refusal(ask(world, "iam", body | {"OpenIDConnectProviderArn": ARN}, world.root))
    assert refused.code == "ValidationError"
    assert refused.message.endswith("'thumbprintList' failed to satisfy constraint: Member must not be null")
    assert get(world).thumbprint_list == (PRINT.lower(),)


@pytest.mark.facts("STS-WI-027")
@pytest.mark.parametrize("thumbprint", ["g" * 40, "٠" * 40, "0" * 39 + "\n"])
def test_a_thumbprint_is_hexadecimal(world: World, thumbprint: str) -> None:
    create(world)
    for command in (
        oidc.CreateOpenIDConnectProviderCommand(url="https://other.example.com", thumbprint_list=(thumbprint,)),
        oidc.UpdateOpenIDConnectProviderThumbprintCommand(
            open_id_connect_provider_arn=ARN, thumbprint_list=(PRINT, thumbprint)
        ),
    ):
        assert "40 hexadecimal" in world.refusal(world.root, command, errors.InvalidInputException)
    assert get(world).thumbprint_list == ()


@pytest.mark.facts("IAM-OID-005")
def test_audiences_come_and_go_and_twice_does_no_harm(world: World) -> None:
    create(world, client_id_list=("one",))
    add = oidc.AddClientIDToOpenIDConnectProviderCommand
    remove = oidc.RemoveClientIDFromOpenIDConnectProviderCommand
    for _ in range(2):
        world.call(world.root, add(open_id_connect_provider_arn=ARN, client_id="two"))
        assert clients(world) == ["one", "two"]
    for _ in range(2):
        world.call(world.root, remove(open_id_connect_provider_arn=ARN, client_id="one"))
        assert clients(world) == ["two"]
    # Audiences are compared exactly.
    world.call(world.root, remove(open_id_connect_provider_arn=ARN, client_id="TWO"))
    assert clients(world) == ["two"]


@pytest.mark.facts("IAM-OID-005", "IAM-GEN-072", "STS-WI-026")
def test_a_provider_has_at_most_a_hundred_audiences(world: World) -> None:
    full = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
    hundred = tuple(f"app-{number}" for number in range(100))
    command = oidc.CreateOpenIDConnectProviderCommand(url=URL, client_id_list=(*hundred, "one more"))
    assert world.refusal(world.root, command, errors.LimitExceededException) == full
    create(world, client_id_list=hundred)
    add = oidc.AddClientIDToOpenIDConnectProviderCommand
    one_more = add(open_id_connect_provider_arn=ARN, client_id="one more")
    assert world.refusal(world.root, one_more, errors.LimitExceededException) == full
    world.call(world.root, add(open_id_connect_provider_arn=ARN, client_id="app-7"))
    assert len(clients(world)) == 100


@pytest.mark.facts("IAM-OID-005")
@pytest.mark.parametrize(("size", "fits"), [(255, True), (256, False)])
def test_an_audience_has_at_most_255_characters(world: World, size: int, fits: bool) -> None:
    create(world)
    add = oidc.AddClientIDToOpenIDConnectProviderCommand(open_id_connect_provider_arn=ARN, client_id="c" * size)
    if fits:
        world.call(world.root, add)
    else:
        assert "'clientID'" in world.refusal(world.root, add, errors.ValidationError)


@pytest.mark.facts("STS-WI-026", "IAM-GEN-072")
def test_an_account_has_as_many_providers_as_its_quota_says(world: World) -> None:
    with world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(Account, "", ACCOUNT)
        assert stored is not None
        records.replace(stored, with_limits(stored.record, {"OpenIDConnectProvidersPerAccount": 2}))
    for name in ("a", "b"):
        create(world, f"https://{name}.example.com")
    command = oidc.CreateOpenIDConnectProviderCommand(url="https://c.example.com")
    assert world.refusal(world.root, command, errors.LimitExceededException) == (
        "Cannot exceed quota for OpenIDConnectProvidersPerAccount: 2"
    )
    other = world.account(OTHER)
    for number in range(100):
        create(world, f"https://{number}.example.com", root=other)
    assert world.refusal(other, command, errors.LimitExceededException).endswith(": 100")


@pytest.mark.facts("IAM-OID-007", "IAM-GEN-052")
def test_all_providers_of_the_account_are_listed_at_once(world: World) -> None:
    empty = world.send(world.request(oidc.ListOpenIDConnectProvidersCommand(), world.root)).body
    assert b"<OpenIDConnectProviderList" in empty
    assert listed(world) == []
    other = world.account(OTHER)
    create(world, "https://theirs.example.com", root=other)
    names = [f"{letter}.example.com" for letter in "cab"]
    for name in names:
        create(world, f"https://{name}")
    assert listed(world) == [f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}" for name in sorted(names)]


@pytest.mark.facts("IAM-OID-006")
def test_an_unknown_provider(world: World) -> None:
    other = world.account(OTHER)
    create(world, root=other)
    create(world)
    theirs = ARN.replace(ACCOUNT, OTHER)
    for unknown in (theirs, ARN + "/", ARN.replace("idp", "IDP"), ARN.replace("tenant", "Tenant")):
        for command in about(unknown):
            assert world.refusal(world.root, command, errors.NoSuchEntityException) == (
                f"OpenIDConnect Provider not found for arn {unknown}"
            )
        delete = oidc.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=unknown)
        assert world.refusal(world.root, delete, errors.NoSuchEntityException) == (
            f"OpenId connect Provider {unknown} cannot be found."
        )
    assert get(world).client_id_list == ()


@pytest.mark.facts("IAM-GEN-044")
@pytest.mark.parametrize(
    "arn",
    [
        "idp.example.com/tenant",
        f"arn:aws:iam::{ACCOUNT}:saml-provider/idp",
        f"arn:aws:sts::{ACCOUNT}:oidc-provider/idp.example.com",
        f"arn:aws:iam:eu-central-1:{ACCOUNT}:oidc-provider/idp.example.com",
    ],
)
def test_what_is_no_arn_of_a_provider(world: World, arn: str) -> None:
    for command in (*about(arn), oidc.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn)):
        assert world.refusal(world.root, command, errors.ValidationError) == f"ARN {arn} is not valid."


def test_a_deleted_provider_is_gone_and_its_url_free(world: World) -> None:
    trust = document(
        Effect="Allow",
        Principal={"Federated": ARN},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": {"idp.example.com/tenant:aud": "app"}},
    )
    create(world, client_id_list=("app",))
    assert readable(world, ARN) is not None
    role = world.role("deploy", trust)
    world.call(world.root, oidc.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=ARN))
    assert listed(world) == []
    assert readable(world, ARN) is None
    # Whoever trusts it keeps trusting an ARN (IAM-OID-009).
    assert world.role("deploy2", trust).replace("deploy2", "deploy") == role
    create(world)
    assert clients(world) == []


@pytest.mark.facts("IAM-GEN-061", "IAM-GEN-062", "IAM-GEN-064")
def test_tags_of_a_provider(world: World) -> None:
    create(world, tags=tags(team="blue"))
    tag = oidc.TagOpenIDConnectProviderCommand
    world.call(world.root, tag(open_id_connect_provider_arn=ARN, tags=tags(Team="red", empty="")))
    shown = oidc.ListOpenIDConnectProviderTagsCommand(open_id_connect_provider_arn=ARN)
    assert {each.key: each.value for each in world.call(world.root, shown).tags} == {
        "team": "blue",
        "Team": "red",
        "empty": "",
    }
    twice = tag(open_id_connect_provider_arn=ARN, tags=(*tags(a="1"), *tags(a="2")))
    assert world.refusal(world.root, twice, errors.InvalidInputException) == "Duplicate tag keys found."
    untag = oidc.UntagOpenIDConnectProviderCommand
    world.call(world.root, untag(open_id_connect_provider_arn=ARN, tag_keys=("team", "unknown")))
    assert {each.key for each in world.call(world.root, shown).tags} == {"Team", "empty"}
    assert get(world).tags == world.call(world.root, shown).tags


@pytest.mark.facts("IAM-GEN-060", "IAM-GEN-063")
def test_a_provider_has_at_most_fifty_tags(world: World) -> None:
    create(world, tags=tags(**{f"k{number}": "v" for number in range(50)}))
    tag = oidc.TagOpenIDConnectProviderCommand
    one_more = tag(open_id_connect_provider_arn=ARN, tags=tags(more="v"))
    assert world.refusal(world.root, one_more, errors.LimitExceededException) == (
        "The number of tags has reached the maximum limit."
    )
    reserved = tag(open_id_connect_provider_arn=ARN, tags=(types.Tag(key="aws:x", value=""),))
    world.refusal(world.root, reserved, errors.InvalidInputException)
    pages = oidc.ListOpenIDConnectProviderTagsCommand(open_id_connect_provider_arn=ARN, max_items=30)
    first = world.call(world.root, pages)
    assert (len(first.tags), first.is_truncated) == (30, True)
    rest = world.call(
        world.root,
        oidc.ListOpenIDConnectProviderTagsCommand(open_id_connect_provider_arn=ARN, max_items=30, marker=first.marker),
    )
    assert {each.key for each in (*first.tags, *rest.tags)} == {f"k{number}" for number in range(50)}


def test_permission_is_asked_for_the_provider_with_its_tags(world: World) -> None:
    create(world, tags=tags(team="blue"))
    create(world, "https://other.example.com", tags=tags(team="red"))
    alice = world.user(
        "alice",
        document(
            {
                "Effect": "Allow",
                "Action": "iam:*OpenIDConnectProvider*",
                "Resource": f"arn:aws:iam::{ACCOUNT}:oidc-provider/*",
                "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
            },
            {
                "Effect": "Allow",
                "Action": "iam:CreateOpenIDConnectProvider",
                "Resource": f"arn:aws:iam::{ACCOUNT}:oidc-provider/new.example.com",
                "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}},
            },
        ),
    )
    for command in about(ARN):
        world.call(alice, command)
    world.call(world.root, oidc.TagOpenIDConnectProviderCommand(open_id_connect_provider_arn=ARN, tags=tags(team="x")))
    for arn in (ARN, f"arn:aws:iam::{ACCOUNT}:oidc-provider/other.example.com", ARN + "x"):
        for command in (*about(arn), oidc.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=arn)):
            world.refusal(alice, command, errors.AccessDenied)
    new = oidc.CreateOpenIDConnectProviderCommand
    world.refusal(alice, new(url="https://new.example.com"), errors.AccessDenied)
    world.refusal(alice, new(url="https://new.example.com/x", tags=tags(team="blue")), errors.AccessDenied)
    world.call(alice, new(url="https://new.example.com", tags=tags(team="blue")))


def test_another_accounts_permission_does_not_reach_over(world: World) -> None:
    other = world.account(OTHER)
    create(world, root=other)
    theirs = ARN.replace(ACCOUNT, OTHER)
    alice = world.user("alice", document(Effect="Allow", Action="*", Resource="*"))
    delete = oidc.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=theirs)
    for who in (alice, world.root):
        with pytest.raises(errors.ServiceException):
            world.call(who, delete)
    assert readable(world, theirs) is not None


def test_the_audit_record_names_what_was_made(world: World) -> None:
    create(world, client_id_list=("app",), thumbprint_list=(PRINT,))
    record = world.records()[-1]
    assert record["requestParameters"] == {"url": URL, "clientIDList": ["app"], "thumbprintList": [PRINT]}
    assert record["responseElements"] == {"openIDConnectProviderArn": ARN}
    assert json.dumps(record)


def test_a_readers_view_follows_every_change(world: World) -> None:
    assert readable(world, ARN) is None
    create(world)
    for number in range(3):
        add = oidc.AddClientIDToOpenIDConnectProviderCommand(open_id_connect_provider_arn=ARN, client_id=str(number))
        world.call(world.root, add)
        found = readable(world, ARN)
        assert found is not None
        assert found.client_ids == tuple(map(str, range(number + 1)))


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "x",
        ARN.replace("arn:aws:", "arn:aws-cn:"),
        ARN.replace("oidc", "saml"),
        ARN.partition("/")[0] + "/",
        ARN * 9,
    ],
)
def test_a_reader_finds_nothing_under_anything_but_the_arn(world: World, arn: str) -> None:
    create(world)
    assert readable(world, arn) is None
