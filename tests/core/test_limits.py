"""The limits of an account: AWS's defaults, and what operators change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.limits import LIMITS, LimitError, limit, policy_sizes, with_limits
from locum.core.records import Account, decode, encode
from locum.policy import PolicyKind

ACCOUNT = Account(id="111122223333", name="ops", created=0)


@pytest.mark.parametrize(
    ("name", "default", "maximum"),
    [
        ("ACLSizePerRole", 2_048, 8_192),
        ("AccessKeysPerUser", 2, 2),
        ("AccountsPerOrganization", 10, 100_000),
        ("ClientIdsPerOpenIdConnectProvider", 100, 100),
        ("DelegationRequestsPerAccount", 100, 1_000),
        ("GroupPolicySize", 5_120, 5_120),
        ("GroupsPerAccount", 300, 500),
        ("GroupsPerUser", 10, 10),
        ("InstanceProfilesPerAccount", 1_000, 10_000),
        ("InstanceSessionsPerInstanceProfile", 1, 1),
        ("MFADevicesPerUser", 8, 8),
        ("OpenIDConnectProvidersPerAccount", 100, 700),
        ("OrganizationalUnitsPerOrganization", 2_000, 2_000),
        ("PoliciesPerAccount", 1_500, 5_000),
        ("PoliciesPerGroup", 10, 10),
        ("PoliciesPerRole", 10, 25),
        ("PoliciesPerUser", 10, 20),
        ("PolicySize", 6_144, 6_144),
        ("ResourceControlPoliciesPerOrganization", 1_000, 1_000),
        ("ResourceControlPoliciesPerTarget", 5, 5),
        ("RolePolicySize", 10_240, 10_240),
        ("RolesPerAccount", 1_000, 10_000),
        ("SAMLProvidersPerAccount", 100, 100),
        ("ServiceControlPoliciesPerOrganization", 10_000, 10_000),
        ("ServiceControlPoliciesPerTarget", 10, 10),
        ("TagsPerEntity", 50, 50),
        ("UserPolicySize", 2_048, 2_048),
        ("UsersPerAccount", 5_000, 5_000),
        ("VersionsPerPolicy", 5, 5),
    ],
)
def test_a_new_account_has_the_default_which_can_be_raised_to_the_maximum(
    name: str, default: int, maximum: int
) -> None:
    assert len(LIMITS) == 29
    assert limit(None, name) == limit(ACCOUNT, name) == default
    assert limit(with_limits(ACCOUNT, {name: maximum}), name) == maximum
    with pytest.raises(LimitError, match=f"{name} can be 0 to {maximum}"):
        with_limits(ACCOUNT, {name: maximum + 1})


def test_only_what_differs_from_the_default_is_kept() -> None:
    changed = with_limits(ACCOUNT, {"PoliciesPerRole": 20, "PoliciesPerUser": 10, "RolesPerAccount": 0})
    assert changed.limits == {"PoliciesPerRole": 20, "RolesPerAccount": 0}
    assert limit(changed, "RolesPerAccount") == 0
    assert with_limits(changed, {"PoliciesPerRole": 10, "RolesPerAccount": None}) == ACCOUNT
    assert ACCOUNT.limits == {}


def test_what_cannot_be_is_refused() -> None:
    for changes in ({"PoliciesPerPolicy": 1}, {"PoliciesPerRole": -1}):
        with pytest.raises(LimitError):
            with_limits(ACCOUNT, changes)
    with pytest.raises(KeyError):
        limit(ACCOUNT, "PoliciesPerPolicy")


def test_a_limit_above_the_maximum_of_this_release_counts_as_the_maximum() -> None:
    account = Account(id="111122223333", name="ops", created=0, limits={"PoliciesPerRole": 1_000, "OfLater": 5})
    assert limit(account, "PoliciesPerRole") == 25


@given(st.dictionaries(st.sampled_from(sorted(LIMITS)), st.integers(0, 2)))
def test_limits_survive_the_store(changes: dict[str, int]) -> None:
    changed = with_limits(ACCOUNT, {name: min(value, LIMITS[name].maximum) for name, value in changes.items()})
    assert decode(encode(changed), Account) == changed


def test_a_record_of_an_earlier_release_has_the_defaults() -> None:
    data = encode(ACCOUNT)
    assert b"limits" not in data
    assert decode(data, Account).limits == {}


def test_the_sizes_for_checking_documents_are_the_accounts() -> None:
    sizes = policy_sizes(with_limits(ACCOUNT, {"ACLSizePerRole": 4_096}))
    assert sizes[PolicyKind.TRUST].characters == 4_096
    assert sizes[PolicyKind.SESSION].characters == 2_048
    assert policy_sizes(None)[PolicyKind.TRUST].characters == 2_048
