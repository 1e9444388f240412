"""Condition operators: the truth tables, and what each kind of value means."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy.conditions import NEGATIONS, OPERATORS, compile_condition, parse_operator, readable
from locum.policy.instants import parse_instant

VECTORS = Path(__file__).parents[1] / "vectors"
TABLES = [json.loads(line) for line in (VECTORS / "conditions_truth.jsonl").read_text().splitlines()]


def holds(
    operator: str, values: list[str], given: Any, *, deny: bool = False, key: str = "k:key", **context: Any
) -> bool:
    """Whether a condition on ``k:key`` holds in an Allow, or in a Deny, where the key has a value (None: absent)."""
    parsed = parse_operator(operator)
    assert parsed is not None
    test = compile_condition(parsed, key, values, variables=True, generous=deny)
    made = {name.replace("__", ":"): value for name, value in context.items()}
    if given is not None:
        made["k:key"] = tuple(given) if isinstance(given, list) else given
    return test(made)


def facts_of(operator: str) -> list[str]:
    """The facts that an operator's table proves."""
    facts = ["R27", "POL-CO-003"]
    base = operator.rpartition(":")[2].removesuffix("IfExists")
    if operator.startswith("ForAllValues"):
        facts += ["POL-CO-020", "POL-CO-026"]
    if operator.startswith("ForAnyValue"):
        facts += ["POL-CO-021", "POL-CO-026"]
    if ":" in operator and base in NEGATIONS:
        facts += ["POL-CO-022", "POL-CO-027"]
    if ":" not in operator:
        facts += ["POL-CO-004", "POL-CO-011"] if base in NEGATIONS else ["POL-CO-010"]
        if operator.endswith("IfExists"):
            facts += ["POL-CO-012", "POL-CO-015"] if base in NEGATIONS else ["POL-CO-012"]
    families = {"Numeric": ["POL-CO-040", "POL-CO-042"], "Date": ["POL-CO-043", "POL-CO-044"], "Arn": ["POL-CO-060"]}
    return facts + next((found for family, found in families.items() if base.startswith(family)), [])


@pytest.mark.parametrize(
    "table",
    [pytest.param(t, id=t["operator"], marks=pytest.mark.facts(*facts_of(t["operator"]))) for t in TABLES],
)
def test_the_truth_table_of_an_operator(table: dict[str, Any]) -> None:
    for values, context_value, allow, deny in table["rows"]:
        found = tuple(holds(table["operator"], values, context_value, deny=d) for d in (False, True))
        assert found == (allow, deny), (values, context_value)


@pytest.mark.facts("R27")
def test_every_operator_in_every_form_has_a_truth_table() -> None:
    names = {*OPERATORS, *NEGATIONS}
    forms = {f"{q}{name}{e}" for name in names for q in ("", "ForAllValues:", "ForAnyValue:") for e in ("", "IfExists")}
    assert {table["operator"] for table in TABLES} == forms | {"Null"}


def test_the_truth_tables_are_what_their_script_makes() -> None:
    made = runpy.run_path(str(VECTORS / "make_conditions_truth.py"))["tables"]()
    assert [{"operator": name, "rows": json.loads(json.dumps(rows))} for name, rows in made] == TABLES


@pytest.mark.facts("POL-CO-009")
@pytest.mark.parametrize("name", ["stringequals", "STRINGEQUALS", "StringEquals"])
def test_operator_names_are_compared_without_regard_to_case(name: str) -> None:
    assert str(parse_operator(name)) == "StringEquals"


@pytest.mark.parametrize(
    "name",
    [
        *(
            pytest.param(name, marks=pytest.mark.facts("POL-CO-014"))
            for name in ("NullIfExists", "ForAnyValue:Null", "ForAllValues:NullIfExists")
        ),
        "ForAnyValue::StringEquals",
        "ForSomeValues:StringEquals",
        "StringEqualsIfExistsIfExists",
        "BinaryNotEquals",
        "StringEquals ",
        "",
        ":",
    ],
)
def test_what_is_no_operator(name: str) -> None:
    assert parse_operator(name) is None


@given(st.text(max_size=40))
def test_any_text_is_an_operator_or_none(name: str) -> None:
    parsed = parse_operator(name)
    assert parsed is None or str(parsed).lower() == name.lower()


@pytest.mark.facts("POL-CO-035")
def test_an_empty_request_value_is_a_value() -> None:
    assert holds("StringEquals", [""], "")
    assert holds("StringLike", ["*"], "")
    assert not holds("StringLike", ["?*"], "")


@pytest.mark.facts("POL-CO-034")
def test_string_like_star_tests_for_presence() -> None:
    assert holds("StringLike", ["*"], "anything:at/all")
    assert not holds("StringLike", ["*"], None, deny=True)


@pytest.mark.facts("POL-CO-024")
def test_a_plain_operator_on_several_values_never_grants() -> None:
    assert not holds("StringEquals", ["a"], ["a", "b"])
    assert not holds("StringEquals", ["a"], ["a"])
    assert not holds("StringNotEquals", ["c"], ["a", "b"])


def test_a_plain_operator_on_several_values_denies_where_some_reading_matches() -> None:
    assert holds("StringEquals", ["a"], ["a", "b"], deny=True)
    assert not holds("StringEquals", ["c"], ["a", "b"], deny=True)
    assert holds("StringNotEquals", ["a"], ["a", "b"], deny=True)
    assert not holds("StringNotEquals", ["a", "b"], ["a", "b"], deny=True)


@pytest.mark.parametrize(("policy", "value"), [("True", "true"), ("true", "TRUE"), ("FALSE", "false")])
def test_a_boolean_in_other_case_denies_and_does_not_grant(policy: str, value: str) -> None:
    assert holds("Bool", [policy], value, deny=True)
    assert not holds("Bool", [policy], value)


@pytest.mark.facts("POL-CO-040")
@pytest.mark.parametrize(
    ("policy", "value", "equal"), [("10", "10.0", True), ("0.1", "0.10", True), ("10", "1e1", False)]
)
def test_numbers_compare_by_value(policy: str, value: str, equal: bool) -> None:
    assert holds("NumericEquals", [policy], value) is equal


def test_large_numbers_compare_exactly() -> None:
    assert not holds("NumericEquals", ["9007199254740993"], "9007199254740992")
    assert holds("NumericLessThan", ["0.3"], "0.29999999999999999999")


@pytest.mark.facts("POL-CO-042")
@pytest.mark.parametrize("value", ["", "x", "1_0", "٣", "0x10", "1e3", "NaN", "Infinity", "1 ", "9" * 200])
def test_what_is_no_number_satisfies_no_comparison(value: str) -> None:
    for operator in ("NumericEquals", "NumericLessThan", "NumericGreaterThan", "NumericLessThanEquals"):
        assert not holds(operator, ["5"], value, deny=True)
    assert holds("NumericNotEquals", ["5"], value)


STORED = [
    "2019-07-01T16:45:00Z",
    "2019-07-01T16:45:00.123Z",
    "2019-07-01T16:45:00+00:00",
    "2019-07-01T16:45:00+23",
    "2019-07-01t2:00:00Z",
    "t2:00:00",
    "-292275054",
    "01T",
    "2019-07-01",
    "1561999500",
]
REFUSED = [
    "tomorrow",
    "234-13",
    "2019-07-01T16:45:00+1",
    "2019-07-01T16:45:00.1234567890+10:59",
    "9223372036854775808",
    "2019-02-29T00:00:00Z",
    "2019-07-01T24:00:00Z",
    "2019-07-01T16:60:00Z",
    "2019-07-01T16:45:00+24",
    "2019-07-01T16:45:00+02:60",
    "٢٠١٩-07-01",
    "",
    "T",
]


@pytest.mark.facts("POL-CO-045")
@pytest.mark.parametrize("text", STORED)
def test_dates_that_are_stored_can_be_compared(text: str) -> None:
    assert parse_instant(text) is not None


@pytest.mark.facts("POL-CO-045")
@pytest.mark.parametrize("text", REFUSED)
def test_dates_that_are_refused(text: str) -> None:
    assert parse_instant(text) is None


@given(st.text(alphabet="0123456789-:TtZz+., ", max_size=40) | st.text(max_size=20))
def test_any_text_is_an_instant_or_none(text: str) -> None:
    instant = parse_instant(text)
    assert instant is None or instant.first <= instant.last


@given(st.datetimes(timezones=st.timezones()))
def test_instants_are_counted_as_the_standard_library_counts_them(moment: Any) -> None:
    import datetime

    text = moment.astimezone(datetime.UTC).replace(tzinfo=None).isoformat().rjust(19, "0") + "Z"
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    expected = ((since.days * 86400 + since.seconds) * 10**6 + since.microseconds) * 1000
    instant = parse_instant(text)
    assert instant is not None
    assert instant.first == instant.last == expected


@pytest.mark.facts("POL-CO-046")
def test_a_zone_offset_counts() -> None:
    assert holds("DateEquals", ["2026-01-01T00:00:00+02:00"], "2025-12-31T22:00:00Z")
    assert holds("DateEquals", ["2026-01-01T00:00:00-0230"], "2026-01-01T02:30:00Z")


def test_a_date_without_zone_is_certain_only_outside_every_zone() -> None:
    policy = ["2026-01-01T00:00:00"]
    for value, certain, possible in [
        ("2025-12-31T09:59:59Z", True, True),
        ("2025-12-31T12:00:00Z", False, True),
        ("2026-01-01T12:00:00Z", False, True),
        ("2026-01-01T14:00:01Z", False, False),
    ]:
        assert holds("DateLessThan", policy, value) is certain
        assert holds("DateLessThan", policy, value, deny=True) is possible
    assert not holds("DateEquals", policy, "2026-01-01T00:00:00Z")
    assert holds("DateEquals", policy, "2026-01-01T00:00:00Z", deny=True)
    assert not holds("DateNotEquals", policy, "2026-01-01T00:00:00Z")
    assert holds("DateGreaterThan", ["t2:00:00"], "2026-01-01T00:00:00Z", deny=True)
    assert not holds("DateGreaterThan", ["t2:00:00"], "2026-01-01T00:00:00Z")


@pytest.mark.facts("POL-CO-050")
@pytest.mark.parametrize(
    ("policy", "value", "inside"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("2001:db8::1", "2001:db8::2", False),
        ("0.0.0.0/0", "255.255.255.255", True),
    ],
)
def test_addresses_and_ranges(policy: str, value: str, inside: bool) -> None:
    assert holds("IpAddress", [policy], value) is inside
    assert holds("NotIpAddress", [policy], value) is not inside


@pytest.mark.facts("POL-CO-054")
def test_host_bits_of_a_range_are_ignored() -> None:
    assert holds("IpAddress", ["203.0.113.77/24"], "203.0.113.1")


@pytest.mark.facts("POL-CO-053")
@pytest.mark.parametrize("value", ["", "203.0.113", "203.0.113.7/32", "fe80::1%eth0", "203.0.113.07", "host"])
def test_an_unreadable_address_is_in_no_range(value: str) -> None:
    assert not holds("IpAddress", ["0.0.0.0/0", "::/0"], value, deny=True)
    assert holds("NotIpAddress", ["0.0.0.0/0", "::/0"], value)


@pytest.mark.parametrize("ranges", [["203.0.113.0/24"], ["::ffff:203.0.113.0/120"]])
def test_a_mapped_address_denies_by_either_family_and_grants_by_neither_alone(ranges: list[str]) -> None:
    mapped = "::ffff:203.0.113.7"
    assert holds("IpAddress", ranges, mapped, deny=True)
    assert not holds("IpAddress", ranges, mapped)
    assert holds("NotIpAddress", ranges, mapped, deny=True)
    assert not holds("NotIpAddress", ranges, mapped)
    assert holds("IpAddress", ["203.0.113.0/24", "::/0"], mapped)


@pytest.mark.facts("POL-CO-063")
@pytest.mark.parametrize("value", ["", "topic", "arn:aws:sns:us-east-1:111122223333"])
def test_what_is_no_arn_matches_no_arn_pattern(value: str) -> None:
    for pattern in ("arn:*:*:*:*:*", "*", value):
        assert not holds("ArnLike", [pattern], value, deny=True)
        assert holds("ArnNotLike", [pattern], value)


def test_a_pattern_that_is_no_arn_denies_and_does_not_grant() -> None:
    arn = "arn:aws:sns:us-east-1:111122223333:topic"
    assert not holds("ArnLike", ["*"], arn)
    assert holds("ArnLike", ["*"], arn, deny=True)
    assert not holds("ArnNotLike", ["*"], arn)


@pytest.mark.facts("POL-CO-064")
def test_a_variable_before_the_fifth_colon_of_an_arn_fills_its_component_only() -> None:
    pattern, arn = ["arn:aws:iam::${k:account}:role/x"], "arn:aws:iam::111122223333:role/x"
    assert holds("ArnEquals", pattern, arn, k__account="111122223333")
    assert not holds("ArnEquals", pattern, "arn:aws:iam::1:2:role/x", k__account="1:2")


@pytest.mark.facts("POL-CO-070")
@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("StringEquals", "text"),
        ("StringEqualsIgnoreCase", "TEXT"),
        ("StringLike", "text"),
        ("ArnLike", "arn:aws:sns:::text"),
    ],
)
def test_strings_and_arns_take_variables(operator: str, value: str) -> None:
    policy = "arn:aws:sns:::${k:var}" if operator == "ArnLike" else "${k:var}"
    assert holds(operator, [policy], value, k__var="text")
    assert not holds(operator, [policy], value, k__var="other")
    assert not holds(operator, [policy], value)


@pytest.mark.facts("POL-CO-070")
@pytest.mark.parametrize("operator", ["NumericEquals", "DateEquals", "IpAddress", "BinaryEquals", "Null"])
def test_other_operators_take_no_variables(operator: str) -> None:
    parsed = parse_operator(operator)
    assert parsed is not None
    assert not readable(parsed, "${k:var}")


def test_a_variable_in_a_boolean_denies_and_does_not_grant() -> None:
    assert holds("Bool", ["${k:var}"], "true", deny=True, k__var="true")
    assert not holds("Bool", ["${k:var}"], "true", k__var="true")


@pytest.mark.facts("POL-CO-013")
def test_null_asks_whether_a_key_is_absent() -> None:
    assert holds("Null", ["true"], None)
    assert not holds("Null", ["false"], None)
    assert holds("Null", ["false"], "x")
    assert not holds("Null", ["true"], "x")


@pytest.mark.facts("POL-VR-007")
def test_a_multivalued_key_has_no_value_as_a_variable() -> None:
    assert not holds("StringEquals", ["${k:many}"], "a", k__many=("a",))
    assert holds("StringEquals", ["${k:many, 'a'}"], "a", k__many=("b",))


@pytest.mark.facts("POL-CO-007")
def test_an_empty_list_of_policy_values_matches_nothing() -> None:
    assert not holds("StringEquals", [], "a", deny=True)
    assert holds("StringNotEquals", [], "a")
    assert not holds("DateGreaterThan", [], "2026-01-01T00:00:00Z", deny=True)


@pytest.mark.facts("R28")
@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("NumericEquals", "ten"),
        ("NumericLessThan", "1e3"),
        ("DateLessThan", "soon"),
        ("IpAddress", "10.0.0.0/33"),
        ("NotIpAddress", "everywhere"),
        ("Bool", "yes"),
        ("Null", "maybe"),
        ("BinaryEquals", "not base64!"),
    ],
)
def test_a_policy_value_that_cannot_be_compared_is_refused(operator: str, value: str) -> None:
    parsed = parse_operator(operator)
    assert parsed is not None
    assert not readable(parsed, value)
    with pytest.raises(ValueError, match="cannot be compared"):
        compile_condition(parsed, "k:key", [value], variables=True, generous=True)


@given(
    st.sampled_from(sorted({*OPERATORS, *NEGATIONS})),
    st.lists(st.text(max_size=30), max_size=3),
    st.none() | st.text(max_size=30) | st.lists(st.text(max_size=30), max_size=3),
)
def test_what_an_allow_holds_for_a_deny_holds_for_too(operator: str, values: list[str], given: Any) -> None:
    parsed = parse_operator(operator)
    assert parsed is not None
    if all(readable(parsed, value) for value in values):
        assert not holds(operator, values, given) or holds(operator, values, given, deny=True)
