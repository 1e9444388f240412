"""What is echoed reads the same in every client's parser (R37), and lists come whole, page after page."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any, Final

import pytest
from botocore.exceptions import WaiterError
from tests.interop.clients import AwsCli, Boto3, Client, Node, Refused
from tests.interop.world import Account, policy, trusts

from locum.testing import RunningServer

pytestmark = pytest.mark.xdist_group("interop-parsers")

MARKUP: Final = "<a href=\"x\">&amp; &lt;b&gt; ]]> <!-- 'q' --> <![CDATA[ &#65; &copy; %26 + \\ / {}"
SPACES: Final = "  two leading, tab\t, line\n, return\r, both\r\n, trailing  "
UNICODE: Final = "Zoë Ωmega Ж 漢字 ひらがな \u00a0\u2028\u3000 é ẞ 1½"
ASTRAL: Final = "𝒜𝓫 𐐷 𠀀"
DESCRIPTIONS: Final = [MARKUP, SPACES, "à la ÿ ¡ §", "&", "<", "]]>", "null", "true", "0012", "1e5", " ", "[]", "{}"]
VALUES: Final = [UNICODE, ASTRAL, "", " ", "0x1F", "007", "-0", "1.0", "true", "=+-@_.:/"]
ERRORS: Final = [MARKUP, SPACES, UNICODE, ASTRAL, "\u0085\u200b\ufeff", "0", "<Message>x</Message>"]


@pytest.fixture(params=["boto", "node", "cli"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Boto3 | Node | AwsCli = request.getfixturevalue(request.param)
    return found


def echoed(client: Client, account: Account, service: str, operation: str, **asked: Any) -> dict[str, Any]:
    return client.call(account.root, service, operation, asked)


@pytest.mark.facts("R37")
def test_descriptions_tags_and_documents_come_back_as_they_were_sent(client: Client, account: Account) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": f"{MARKUP}{UNICODE}{ASTRAL}"}}
    trust = json.dumps(json.loads(policy(trusts(account.id, when=wanted))))
    names = [f"r+=,.@-{number}" for number in range(len(DESCRIPTIONS))]
    for name, description in zip(names, DESCRIPTIONS, strict=True):
        account.iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=trust, Description=description)
    tags = [{"Key": f"k {value}", "Value": value} for value in VALUES]
    account.iam("TagRole", RoleName=names[0], Tags=tags)
    role = echoed(client, account, "iam", "GetRole", RoleName=names[0])["Role"]
    assert sorted(map(str, role["Tags"])) == sorted(map(str, tags))
    document = role["AssumeRolePolicyDocument"]
    condition = (document if isinstance(document, dict) else _unquoted(document))["Statement"][0]["Condition"]
    assert condition == wanted
    roles = echoed(client, account, "iam", "ListRoles")["Roles"]
    assert {each["RoleName"]: each["Description"] for each in roles} == dict(zip(names, DESCRIPTIONS, strict=True))


def _unquoted(document: str) -> Any:
    return json.loads(urllib.parse.unquote(document))


@pytest.mark.facts("R37")
@pytest.mark.parametrize("text", ERRORS)
def test_a_message_repeats_what_was_wrong_letter_for_letter(client: Client, account: Account, text: str) -> None:
    role_arn = f"{text}{'x' * 20}"
    with pytest.raises(Refused) as refused:
        echoed(client, account, "sts", "AssumeRole", RoleArn=role_arn, RoleSessionName="job")
    assert (refused.value.code, refused.value.message) == ("ValidationError", f"{role_arn} is invalid")


@pytest.mark.facts("R37")
def test_what_xml_cannot_say_is_replaced_and_the_answer_stays_readable(client: Client, account: Account) -> None:
    with pytest.raises(Refused) as refused:
        echoed(client, account, "sts", "AssumeRole", RoleArn=f"{'x' * 20}\x01\x1f\ufffe", RoleSessionName="job")
    assert refused.value.code == "ValidationError"
    assert refused.value.message.startswith(f"1 validation error detected: Value '{'x' * 20}")
    assert "failed to satisfy constraint" in refused.value.message


# --- pages and waiting, as boto3 and the CLI do it of themselves


USERS: Final = 250


@pytest.fixture(scope="module")
def crowd(server: RunningServer, boto: Boto3) -> Account:
    account = Account(boto, server.create_account("crowd"))
    for number in range(USERS):
        account.iam("CreateUser", UserName=f"user-{number:03}", Path=f"/{'odd' if number % 2 else 'even'}/")
    return account


@pytest.mark.facts("IAM-GEN-050")
@pytest.mark.parametrize("size", [None, 1_000, 99, 50])
def test_a_paginator_finds_every_user_once(crowd: Account, size: int | None) -> None:
    paginator = crowd.boto.client(crowd.root, "iam").get_paginator("list_users")
    pages = list(paginator.paginate(PaginationConfig={} if size is None else {"PageSize": size}))
    names = [user["UserName"] for page in pages for user in page["Users"]]
    assert names == [f"user-{number:03}" for number in range(USERS)]
    assert len(pages) == -(-USERS // (size or 100))


@pytest.mark.facts("IAM-GEN-050")
def test_a_paginator_stops_and_goes_on_where_it_is_told(crowd: Account) -> None:
    paginator = crowd.boto.client(crowd.root, "iam").get_paginator("list_users")
    config: dict[str, Any] = {"MaxItems": 70, "PageSize": 30}
    names: list[str] = []
    while True:
        found = paginator.paginate(PathPrefix="/odd/", PaginationConfig=config).build_full_result()
        names += [user["UserName"] for user in found["Users"]]
        if "NextToken" not in found:
            break
        config["StartingToken"] = found["NextToken"]
    assert names == [f"user-{number:03}" for number in range(1, USERS, 2)]


def test_the_cli_pages_and_counts(crowd: Account, cli: AwsCli) -> None:
    listed = cli.call(crowd.root, "iam", "ListUsers", {"MaxItems": "120"})
    assert [user["UserName"] for user in listed["Users"]] == [f"user-{number:03}" for number in range(120)]
    rest = cli.call(crowd.root, "iam", "ListUsers", {"StartingToken": listed["NextToken"]})
    assert [user["UserName"] for user in rest["Users"]] == [f"user-{number:03}" for number in range(120, USERS)]


def test_waiters_see_what_exists(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn))
    policy_arn = account.managed({"Effect": "Allow", "Action": "*", "Resource": "*"})
    client = account.boto.client(account.root, "iam")
    once = {"Delay": 0, "MaxAttempts": 1}
    client.get_waiter("user_exists").wait(UserName=user.name, WaiterConfig=once)
    client.get_waiter("role_exists").wait(RoleName=role.name, WaiterConfig=once)
    client.get_waiter("policy_exists").wait(PolicyArn=policy_arn, WaiterConfig=once)
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        client.get_waiter("role_exists").wait(RoleName="nothing", WaiterConfig=once)
