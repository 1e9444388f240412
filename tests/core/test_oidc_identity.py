"""What verified claims say of their bearer: condition keys, tags, source identity, the restriction to roles."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.api.sts import Tag
from locum.core.oidc import Claims, identity
from locum.core.proof import FederatedIdentity, Trail
from locum.errors import InvalidIdentityTokenException
from locum.policy import Principal

from .issuer import CLAIMS, ISSUER, ROLE

PREFIX: Final = "idp.example.com/Tenant"
PROVIDER: Final = f"arn:aws:iam::111122223333:oidc-provider/{PREFIX}"
TAGS: Final = "https://aws.amazon.com/tags"
FLAT: Final = f"{TAGS}/principal_tags/"
FLAT_KEYS: Final = f"{TAGS}/transitive_tag_keys"
ROLES: Final = "https://aws.amazon.com/roles"
SOURCE: Final = "https://aws.amazon.com/source_identity"
NOT_NAMED: Final = "The target role ARN is not present in the roles claim of the identity token"
WRONG_TAGS: Final = "Session tags passed in claim are not in correct format."
WRONG_PRINCIPAL_TAGS: Final = "principal_tags passed in claim is not in correct format."


def claims(audience: str = "client-1", audiences: tuple[str, ...] = ("client-1",), **members: Any) -> Claims:
    return Claims(
        issuer=ISSUER,
        subject="Alice",
        audience=audience,
        audiences=audiences,
        issued=1,
        expires=2,
        members={**CLAIMS, **members},
    )


def who(**given: Any) -> FederatedIdentity:
    """The identity of claims with these members; ``prefix`` and ``trail`` are no claims."""
    prefix, trail = given.pop("prefix", PREFIX), given.pop("trail", None)
    return identity(
        claims(**given), provider=PROVIDER, account="111122223333", prefix=prefix, role_arn=ROLE, trail=trail
    )


def refusal(**members: Any) -> str:
    with pytest.raises(InvalidIdentityTokenException) as refused:
        who(**members)
    assert refused.value.code == "InvalidIdentityToken"
    return refused.value.message


@pytest.mark.facts("STS-WI-T01", "STS-WI-T02", "STS-WI-T03", "STS-WI-035", "STS-WI-036")
def test_every_issuer_gives_subject_and_audience_under_the_provider_s_url() -> None:
    found = who()
    assert found.principal == Principal.web_identity(PROVIDER, "111122223333")
    assert (found.issuer, found.subject, found.audience) == (ISSUER, "Alice", "client-1")
    assert found.keys == {
        "idp.example.com/tenant:sub": "Alice",
        "idp.example.com/tenant:aud": "client-1",
        "idp.example.com/tenant:oaud": "client-1",
        "sts:roleauthorizedbyidp": "false",
    }
    assert found.lasting == ("idp.example.com/tenant:aud", "idp.example.com/tenant:sub")
    assert (found.tags, found.transitive_tag_keys, found.source_identity) == ((), (), None)


@pytest.mark.facts("STS-WI-T03", "STS-WI-015", "STS-WI-037")
def test_the_audience_that_counted_and_the_raw_ones_are_two_keys() -> None:
    found = who(prefix="accounts.google.com", audience="app", audiences=("api", "web"))
    assert found.keys["accounts.google.com:aud"] == "app"
    assert found.keys["accounts.google.com:oaud"] == ("api", "web")
    assert "accounts.google.com:oaud" not in found.lasting


@pytest.mark.facts("STS-WI-T04", "STS-WI-036", "STS-WI-038")
def test_methods_of_authentication_are_a_list_that_stays_in_the_session() -> None:
    found = who(prefix="cognito-identity.amazonaws.com", amr=["authenticated", "login.example"])
    assert found.keys["cognito-identity.amazonaws.com:amr"] == ("authenticated", "login.example")
    assert found.lasting == tuple(f"cognito-identity.amazonaws.com:{name}" for name in ("aud", "sub", "amr"))
    assert who(amr="pwd").keys[f"{PREFIX.lower()}:amr"] == ("pwd",)
    assert f"{PREFIX.lower()}:amr" not in who(amr=None).keys
    wrong: tuple[Any, ...] = (1, {}, [1], ["pwd", None], True)
    for value in wrong:
        assert refusal(amr=value) == "The claim amr is not in a supported format"


@pytest.mark.facts("STS-WI-T05")
def test_the_mail_address_is_a_key_that_does_not_stay() -> None:
    found = who(email="alice@example.com")
    assert found.keys[f"{PREFIX.lower()}:email"] == "alice@example.com"
    assert f"{PREFIX.lower()}:email" not in found.lasting
    assert refusal(email=["alice@example.com"]) == "The claim email is not in a supported format"


@pytest.mark.facts("STS-WI-042", "R5")
def test_no_other_claim_of_an_issuer_that_iam_does_not_know_is_a_key() -> None:
    base = who().keys
    others = {
        "groups": ["admin"],
        "repository": "org/app",
        "user": {"sub": "root", "aud": "x"},
        f"{PREFIX}:sub": "root",
        "aws:PrincipalArn": "x",
        "sts:RoleAuthorizedByIdp": True,
        "actor": "x",
    }
    assert who(**others).keys == base


GITHUB: Final = (
    *("actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository"),
    *("repository_id", "repository_owner_id", "workflow"),
)
GITLAB: Final = (
    *("namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment", "user_access_level"),
    *("user_email", "user_id", "user_login"),
)
BUILDKITE: Final = (
    *("build_branch", "cluster_id", "cluster_name", "organization_id", "organization_slug", "pipeline_id"),
    "pipeline_slug",
)


@pytest.mark.facts("POL-CK-028")
@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        pytest.param(
            "token.actions.githubusercontent.com", GITHUB, marks=pytest.mark.facts("STS-WI-040", "STS-WI-T09")
        ),
        pytest.param("token.actions.githubusercontent.com/acme", GITHUB, marks=pytest.mark.facts("STS-WI-040")),
        pytest.param("token.actions.acme.ghe.com", GITHUB, marks=pytest.mark.facts("STS-WI-040")),
        pytest.param("gitlab.com", GITLAB, marks=pytest.mark.facts("STS-WI-T09")),
        ("agent.buildkite.com", BUILDKITE),
        ("oidc.circleci.com/org/9f0c", ("oidc.circleci.com/project-id",)),
    ],
)
def test_further_claims_of_issuers_that_iam_knows_are_keys(prefix: str, names: tuple[str, ...]) -> None:
    found = who(prefix=prefix, **{name: f"value of {name}" for name in names}, other="x")
    added = {name for name in found.keys if name.rpartition(":")[2] not in ("sub", "aud", "oaud")}
    assert added == {"sts:roleauthorizedbyidp", *(f"{prefix}:{name}" for name in names)}
    assert all(found.keys[f"{prefix}:{name}"] == f"value of {name}" for name in names)
    assert found.lasting == (f"{prefix}:aud", f"{prefix}:sub")


@pytest.mark.facts("STS-WI-042", "R5")
@pytest.mark.parametrize(
    "prefix",
    [
        "token.actions.githubusercontent.com.evil.example",
        "evil.example/token.actions.githubusercontent.com",
        "token.actions.evil.ghe.com.evil.example",
        "token-actions.githubusercontent.com",
        "gitlab.com/x",
        "gitlab.example.com",
        "oidc.circleci.com/org/9f0c/x",
    ],
)
def test_a_provider_with_nearly_such_a_url_has_no_further_keys(prefix: str) -> None:
    found = who(prefix=prefix, actor="x", project_id="1", **{"oidc.circleci.com/project-id": "p"})
    assert set(found.keys) == {"sts:roleauthorizedbyidp", *(f"{prefix}:{name}" for name in ("sub", "aud", "oaud"))}


def test_a_claim_that_is_a_key_is_one_text_number_or_boolean() -> None:
    found = who(prefix="gitlab.com", project_id=42, ref_protected=True, user_id=1.5, user_login=None)
    assert found.keys["gitlab.com:project_id"] == "42"
    assert found.keys["gitlab.com:ref_protected"] == "true"
    assert found.keys["gitlab.com:user_id"] == "1.5"
    assert "gitlab.com:user_login" not in found.keys
    for value in (["a"], {"sub": "a"}):
        assert refusal(prefix="gitlab.com", user_login=value) == "The claim user_login is not in a supported format"


def test_google_s_organization_number_lies_inside_a_claim() -> None:
    key = "accounts.google.com:google/organization_number"
    assert who(prefix="accounts.google.com", google={"organization_number": 7}).keys[key] == "7"
    for value in ("7", {}, None, {"organization_number": None}):
        assert key not in who(prefix="accounts.google.com", google=value).keys


# Roles


@pytest.mark.facts("STS-WI-T08", "STS-WI-032", "STS-WI-034")
@pytest.mark.parametrize(
    "roles",
    [
        ROLE,
        f" {ROLE}\n",
        f"arn:aws:iam::111122223333:role/other; {ROLE} ;",
        [ROLE],
        [f"\t{ROLE} "],
        ["nonsense", 1, None, "arn:aws:iam::111122223333:user/x", ROLE],
        f"nonsense;{ROLE}",
    ],
    ids=str,
)
def test_a_role_that_the_claim_names_is_authorized_by_the_provider(roles: Any) -> None:
    trail = Trail()
    assert who(trail=trail, **{ROLES: roles}).keys["sts:roleauthorizedbyidp"] == "true"
    assert [(each.name, each.passed) for each in trail.checks] == [("roles", True)]


@pytest.mark.facts("STS-WI-034")
def test_without_the_claim_nobody_authorized_the_role() -> None:
    assert who().keys["sts:roleauthorizedbyidp"] == who(**{ROLES: None}).keys["sts:roleauthorizedbyidp"] == "false"


@pytest.mark.facts("STS-WI-033")
@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (1, "The roles claim is not in a supported format"),
        (True, "The roles claim is not in a supported format"),
        ({"role": ROLE}, "The roles claim is not in a supported format"),
        ("", "The roles claim contains no valid role ARNs"),
        (" ; ;", "The roles claim contains no valid role ARNs"),
        ([], "The roles claim contains no valid role ARNs"),
        ([1, None, [ROLE]], "The roles claim contains no valid role ARNs"),
        ("*", "The roles claim contains no valid role ARNs"),
        ("arn:aws:iam::111122223333:user/x", "The roles claim contains no valid role ARNs"),
        ("arn:aws:iam::1:role/x", "The roles claim contains no valid role ARNs"),
        ("arn:aws:iam::111122223333:role/", "The roles claim contains no valid role ARNs"),
        ("arn:x:iam::111122223333:role/x", "The roles claim contains no valid role ARNs"),
        (f"{ROLE},{ROLE}", NOT_NAMED),
        (ROLE.upper(), "The roles claim contains no valid role ARNs"),
        (f"{ROLE}x", NOT_NAMED),
        (
            "arn:aws:iam::111122223333:role/*",
            NOT_NAMED,
        ),
        (
            ["arn:aws:iam::111122223333:role/deploy"],
            NOT_NAMED,
        ),
    ],
    ids=str,
)
def test_a_claim_that_does_not_name_the_role_is_a_refusal(roles: Any, message: str) -> None:
    assert refusal(**{ROLES: roles}) == message


# Tags


@pytest.mark.facts("STS-WI-T06", "STS-TAG-021")
def test_tags_in_the_nested_form() -> None:
    found = who(**{TAGS: {"principal_tags": {"Team": ["blue"], "Cost": [""]}, "transitive_tag_keys": ["Team"]}})
    assert found.tags == (Tag(key="Team", value="blue"), Tag(key="Cost", value=""))
    assert found.transitive_tag_keys == ("Team",)


@pytest.mark.facts("STS-TAG-022")
def test_tags_in_the_flat_form() -> None:
    found = who(**{f"{FLAT}Team": "blue", f"{FLAT}a/b": "c", FLAT_KEYS: ["a/b"]})
    assert found.tags == (Tag(key="Team", value="blue"), Tag(key="a/b", value="c"))
    assert found.transitive_tag_keys == ("a/b",)


def test_tags_in_both_forms_are_all_asked_for() -> None:
    nested = {"principal_tags": {"Team": ["blue"]}, "transitive_tag_keys": ["Team"]}
    found = who(**{TAGS: nested, f"{FLAT}Team": "red", FLAT_KEYS: ["Cost"]})
    assert [tag.value for tag in found.tags] == ["blue", "red"]
    assert found.transitive_tag_keys == ("Team", "Cost")


@pytest.mark.parametrize("value", [None, {}, {"principal_tags": None}, {"principal_tags": {}, "x": 1}], ids=str)
def test_a_claim_without_tags_asks_for_none(value: Any) -> None:
    assert who(**{TAGS: value, FLAT_KEYS: None}).tags == ()


@pytest.mark.facts("STS-TAG-023")
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({TAGS: []}, WRONG_TAGS),
        ({TAGS: "Team=blue"}, WRONG_TAGS),
        ({TAGS: 1}, WRONG_TAGS),
        ({TAGS: {"transitive_tag_keys": "Team"}}, WRONG_TAGS),
        ({TAGS: {"transitive_tag_keys": {"Team": 1}}}, WRONG_TAGS),
        ({TAGS: {"transitive_tag_keys": [1]}}, WRONG_TAGS),
        ({FLAT_KEYS: "Team"}, WRONG_TAGS),
        ({FLAT_KEYS: [["Team"]]}, WRONG_TAGS),
        ({TAGS: {"principal_tags": []}}, WRONG_PRINCIPAL_TAGS),
        ({TAGS: {"principal_tags": "x"}}, WRONG_PRINCIPAL_TAGS),
        ({TAGS: {"principal_tags": {"Team": "blue"}}}, WRONG_PRINCIPAL_TAGS),
        ({TAGS: {"principal_tags": {"Team": []}}}, WRONG_PRINCIPAL_TAGS),
        ({TAGS: {"principal_tags": {"Team": ["a", "b"]}}}, WRONG_PRINCIPAL_TAGS),
        ({TAGS: {"principal_tags": {"Team": [1]}}}, WRONG_PRINCIPAL_TAGS),
        ({TAGS: {"principal_tags": {"Team": [None]}}}, WRONG_PRINCIPAL_TAGS),
        ({f"{FLAT}Team": ["blue"]}, WRONG_PRINCIPAL_TAGS),
        ({f"{FLAT}Team": 1}, WRONG_PRINCIPAL_TAGS),
        ({FLAT: "no key"}, WRONG_TAGS),
        ({f"{FLAT}{'k' * 129}": "v"}, WRONG_TAGS),
        ({f"{FLAT}k": "v" * 257}, WRONG_TAGS),
        ({f"{FLAT}k": "a\nb"}, WRONG_TAGS),
        ({f"{FLAT}k<": "v"}, WRONG_TAGS),
        ({f"{FLAT}k{number}": "v" for number in range(51)}, WRONG_TAGS),
        ({FLAT_KEYS: ["k"] * 51}, WRONG_TAGS),
    ],
    ids=lambda value: str(value)[:60],
)
def test_tags_of_a_wrong_form_are_a_refusal(members: dict[str, Any], message: str) -> None:
    assert refusal(**members) == message


# Source identity


@pytest.mark.facts("STS-WI-T07", "STS-SI-001")
def test_the_source_identity_is_a_claim() -> None:
    assert who(**{SOURCE: "alice@example.com"}).source_identity == "alice@example.com"
    assert who(**{SOURCE: None}).source_identity is None


@pytest.mark.facts("STS-SI-002")
@pytest.mark.parametrize("value", ["", "a", "a" * 65, "aws:alice", "a b", "ä" * 2, "ab\n", 12, ["alice"], {}], ids=str)
def test_a_source_identity_of_a_wrong_form_is_a_refusal(value: Any) -> None:
    message = 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'
    assert refusal(**{SOURCE: value}) == message


MEMBERS: Final = st.sampled_from(["principal_tags", "transitive_tag_keys", "organization_number", "k"])


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner)


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6) | st.just(ROLE),
    nested,
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from([TAGS, f"{FLAT}k", FLAT_KEYS, ROLES, SOURCE, "amr", "email", "google"]), JSON, max_size=4
    )
)
def test_any_claims_are_an_identity_or_refused(members: dict[str, Any]) -> None:
    try:
        found = who(prefix="accounts.google.com", **members)
    except InvalidIdentityTokenException:
        return
    json.dumps(dict(found.keys))
    assert found.keys["accounts.google.com:sub"] == "Alice"
    assert set(found.lasting) <= set(found.keys)
