"""What a delegation request asks for, how far it is, and the session that comes of it."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.delegation import EXPIRED, ends, expires, filled, may_see, state_at
from locum.core.delegation_records import DelegationRequest

NOW: Final = 1_767_323_045
DAY: Final = 86_400
BASE: Final = DelegationRequest(
    id="k3fQm0yJb7Xn2sVd9uTzPw1LhRcE5aGi",
    requestor="444455556666",
    workflow="onboarding-1",
    template="arn:aws:iam::444455556666:policy/template",
    policy="{}",
    description="",
    channel="here",
    duration=3600,
    created=NOW,
    updated=NOW,
)


@pytest.mark.facts("IAM-SHD-004")
@pytest.mark.parametrize(
    ("state", "lives"),
    [
        ("UNASSIGNED", DAY),
        *((state, 7 * DAY) for state in ("ASSIGNED", "PENDING_APPROVAL", "ACCEPTED", "REJECTED", "FINALIZED")),
    ],
)
def test_a_request_is_over_after_a_while_whatever_became_of_it(state: str, lives: int) -> None:
    request = msgspec.structs.replace(BASE, state=state, updated=NOW + 5)
    assert expires(request) == NOW + 5 + lives
    assert state_at(request, NOW + 4 + lives) == state
    assert state_at(request, NOW + 5 + lives) == EXPIRED


@pytest.mark.facts("IAM-SHD-004")
def test_the_delegated_time_runs_from_when_the_token_was_sent() -> None:
    assert ends(msgspec.structs.replace(BASE, state="FINALIZED", updated=NOW + 60)) == NOW + 60 + 3600


def test_who_may_know_of_a_request() -> None:
    meant = msgspec.structs.replace(BASE, owner_account="111122223333")
    assert [may_see(meant, each) for each in ("444455556666", "111122223333", "777788889999")] == [True, True, False]
    assert may_see(BASE, "777788889999")


def template(**elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*"} | elements})


@pytest.mark.parametrize(
    ("resource", "parameters", "expected"),
    [
        ("arn:aws:s3:::@{bucket}/*", {"bucket": "ledger"}, "arn:aws:s3:::ledger/*"),
        ("@{bucket}", {"bucket": "ledger"}, "ledger"),
        (["a", "@{buckets}", "z"], {"buckets": ("b", "c")}, ["a", "b", "c", "z"]),
        ("@{buckets}", {"buckets": ("b", "c")}, ["b", "c"]),
        ("x/@{buckets}/@{bucket}/@{buckets}", {"buckets": ("b", "c"), "bucket": "a"}, ["x/b/a/b", "x/c/a/c"]),
        (["@{left}-@{right}"], {"left": ("a", "b"), "right": ("1", "2")}, ["a-1", "a-2", "b-1", "b-2"]),
        (["@{buckets}"], {"buckets": ()}, []),
        ("@{bucket}-@{region}-@{bucket}", {"bucket": "a", "region": "b"}, "a-b-a"),
        ("${aws:username}", {}, "${aws:username}"),
        ("@{bucket}", {"bucket": '"}, {"Effect": "Allow"'}, '"}, {"Effect": "Allow"'),
        ("@{bucket}", {"bucket": "@{bucket}"}, "@{bucket}"),
    ],
)
def test_placeholders_are_replaced_by_what_is_given_and_by_nothing_more(
    resource: Any, parameters: dict[str, Any], expected: Any
) -> None:
    found = json.loads(filled(template(Resource=resource), parameters))
    assert found["Statement"] == {"Effect": "Allow", "Action": "s3:*", "Resource": expected}


@pytest.mark.parametrize(
    ("resource", "parameters", "why"),
    [
        ("@{bucket}", {}, "The template needs the parameter bucket."),
        ("x", {"bucket": "y"}, "The template has no place for the parameter bucket."),
        ("@{a}@{b}", {"a": ("x",) * 32, "b": ("y",) * 32}, "more than 1000 texts"),
    ],
)
def test_a_template_that_cannot_be_filled_in(resource: str, parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        filled(template(Resource=resource), parameters)


@given(
    st.recursive(
        st.text(max_size=20) | st.just("@{name}") | st.just("@{many}"), lambda each: st.lists(each, max_size=4)
    ),
    st.text(max_size=20),
    st.lists(st.text(max_size=20), max_size=4),
)
def test_filling_in_changes_nothing_but_placeholders(resource: Any, name: str, many: list[str]) -> None:
    with contextlib.suppress(ValueError):
        found = json.loads(filled(template(Resource=resource), {"name": name, "many": tuple(many)}))
        assert found["Statement"].keys() == {"Effect", "Action", "Resource"}
        assert found["Statement"]["Action"] == "s3:*"
