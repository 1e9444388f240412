"""Condition operators: the truth tables, and what each kind of value means."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy.addresses import parse_address, parse_range
from locum.policy.conditions import NEGATIONS, OPERATORS, Operator, compile_condition, parse_operator, readable
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
@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals", "StringEqualsIfExists", "StringNotLike"])
@pytest.mark.parametrize("given", [["a"], ["b"], ["a", "b"]])
def test_a_plain_operator_on_a_list_never_holds(operator: str, given: list[str], deny: bool) -> None:
    assert not holds(operator, ["a"], given, deny=deny)
    assert holds(operator, ["a"], [], deny=deny) is (operator != "StringEquals")


@pytest.mark.facts("POL-CO-048")
@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize(
    ("policy", "value", "held"),
    [
        ("true", "True", True),
        ("TRUE", "true", True),
        ("true", "yes", False),
        ("true", "1", False),
        ("true", " true ", False),
        ("False", "false", True),
        ("false", "TRUE", False),
        ("false", "yes", True),
        ("false", "", True),
        ("yes", "false", True),
    ],
)
def test_a_boolean_is_true_in_any_case_and_else_false(policy: str, value: str, held: bool, deny: bool) -> None:
    assert holds("Bool", [policy], value, deny=deny) is held


@pytest.mark.facts("POL-CO-031")
@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize(
    ("policy", "value", "equal"),
    [
        ("team", "TeAm", True),
        ("I", "\u0131", False),
        ("i", "\u0130", False),
        ("\u0130", "i\u0307", True),
        ("K", "\u212a", True),
        ("s", "\u017f", False),
        ("\u00df", "\u1e9e", True),
        ("\u00df", "SS", False),
        ("\u03a3", "\u03c2", False),
        ("\u0391\u03a3", "\u03b1\u03c2", True),
        ("\u0391\u03a3", "\u03b1\u03c3", False),
        ("\U00010400", "\U00010428", False),
        ("\U00010400", "\U00010400", True),
        ("A\u03a3\U00010400", "a\u03c3\U00010400", True),
        ("\U00010400\u03a3", "\U00010400\u03c2", True),
    ],
)
def test_case_is_ignored_but_beyond_the_basic_plane(policy: str, value: str, equal: bool, variable: bool) -> None:
    values, keys = (["${k:var}"], {"k__var": policy}) if variable else ([policy], {})
    for deny in (False, True):
        assert holds("StringEqualsIgnoreCase", values, value, deny=deny, **keys) is equal
        assert holds("StringNotEqualsIgnoreCase", values, value, deny=deny, **keys) is not equal


@pytest.mark.facts("POL-CO-032")
@pytest.mark.parametrize(
    ("pattern", "value", "matched"),
    [
        ("?", "\u00e9", True),
        ("?", "\U00010400", False),
        ("??", "\U00010400", True),
        ("a?b", "a\U00010400b", False),
        ("a??b", "a\U00010400b", True),
        ("a*?b", "a\U00010400b", True),
        ("a?*b", "a\U00010400b", True),
        ("\U00010400?", "\U00010400x", True),
        ("\U00010400?", "\U00010400\U00010428", False),
        ("${k:var}?", "\U00010400x", True),
        ("a*b", "a\nb", True),
        ("a[b]", "ab", False),
        ("a\\*b", "a*b", False),
    ],
)
def test_a_question_mark_is_one_unit_of_utf_16(pattern: str, value: str, matched: bool) -> None:
    assert holds("StringLike", [pattern], value, k__var="\U00010400") is matched
    assert holds("StringNotLike", [pattern], value, k__var="\U00010400") is not matched
    arn = "arn:aws:sns:us-east-1:111122223333:"
    assert holds("ArnLike", [arn + pattern], arn + value, k__var="\U00010400") is matched


@pytest.mark.facts("POL-CO-049")
@pytest.mark.parametrize(
    ("value", "equal"),
    [("YQ==", True), ("Yg==", False), ("YQ", False), ("YR==", False), ("no", False), ("", False), (" YQ== ", False)],
)
def test_a_binary_value_is_compared_in_its_one_form(value: str, equal: bool) -> None:
    assert holds("BinaryEquals", ["YQ=="], value) is holds("BinaryEquals", ["YQ=="], value, deny=True) is equal


@pytest.mark.facts("POL-CO-040")
@pytest.mark.parametrize(
    ("policy", "value", "equal"),
    [("10", "10.0", True), ("0.1", "0.10", True), ("10", "1e1", True), ("1", "+1", True), ("1.", "01", True)],
)
def test_numbers_compare_by_value(policy: str, value: str, equal: bool) -> None:
    assert holds("NumericEquals", [policy], value) is equal


def test_large_numbers_compare_exactly() -> None:
    assert not holds("NumericEquals", ["9007199254740993"], "9007199254740992")
    assert holds("NumericLessThan", ["0.3"], "0.29999999999999999999")


@pytest.mark.facts("POL-CO-042")
@pytest.mark.parametrize("value", ["", "x", "1_0", "٣", "0x10", "1e", "1e9999", "NaN", "Infinity", "1 ", "9" * 200])
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
    expected = (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000
    instant = parse_instant(text)
    assert instant is not None
    assert instant.first == instant.last == expected


@pytest.mark.facts("POL-CO-046")
def test_a_zone_offset_counts() -> None:
    assert holds("DateEquals", ["2026-01-01T00:00:00+02:00"], "2025-12-31T22:00:00Z")
    assert holds("DateEquals", ["2026-01-01T00:00:00-0230"], "2026-01-01T02:30:00Z")


@pytest.mark.facts("POL-CO-046")
@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize("value", ["2030-01-01", "2030-01-01T00:00:00", "2030-01-01T00:00:00.0009Z", "+1893456000"])
def test_a_date_without_zone_means_utc_and_microseconds_do_not_count(value: str, deny: bool) -> None:
    assert holds("DateEquals", ["2030-01-01T00:00:00Z"], value, deny=deny)
    assert not holds("DateNotEquals", [value], "2030-01-01T00:00:00Z", deny=deny)


def test_a_time_without_a_date_denies_and_does_not_grant() -> None:
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
@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "203.0.113",
        "3405803783",
        "203.0.113.7/32",
        "203.0.113.256",
        "fe80::1%eth0",
        "[2001:db8::1]",
        " 203.0.113.7 ",
        "::203.0.113.7",
        "2001:db8::203.0.113.7",
        "2001:db8::::1",
        "2001::db8::1",
        "2001:db8::12345",
        "1:2:3:4:5:6:7",
        "host",
    ],
)
def test_an_unreadable_address_is_neither_in_a_range_nor_outside(value: str, deny: bool) -> None:
    for operator in ("IpAddress", "NotIpAddress", "ForAnyValue:NotIpAddress", "ForAllValues:NotIpAddress"):
        assert not holds(operator, ["0.0.0.0/0", "::/0"], value, deny=deny)


@pytest.mark.facts("POL-CO-052", "POL-CO-053", "POL-CO-054")
@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize(
    ("policy", "value", "inside"),
    [
        ("203.000.113.0/24", "203.0.113.1", True),
        ("203.0.113.0/024", "203.000.113.01", True),
        ("203.0.113.0/+24", "203.0.113.1", True),
        ("203.0.113.0/24", "::ffff:203.0.113.1", True),
        ("203.0.113.0/24", "::FFFF:cb00:7101", True),
        ("::ffff:cb00:7100/120", "::ffff:cb00:7101", False),
        ("::/0", "::ffff:203.0.113.1", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:DB8::/064", "2001:0db8:0000:0000:0000:0000:0000:0001", True),
        ("2001:db8::4/127", "2001:db8::6", False),
        ("2001:db8::1/128", "2001:db8:::1", True),
        ("2001:db8::1/128", "2001:db8::1:", True),
        ("2001:db8::1/128", "2001:db8:0:0:0:0:0:1:", True),
        ("2001:db8::1/128", ":2001:db8::1", False),
        ("0:2001:db8::1/128", ":2001:db8::1", True),
        ("::/0", ":::", True),
    ],
)
def test_how_addresses_and_ranges_may_be_written(policy: str, value: str, inside: bool, deny: bool) -> None:
    assert readable(Operator("IpAddress"), policy)
    assert holds("IpAddress", [policy], value, deny=deny) is inside
    assert holds("NotIpAddress", [policy], value, deny=deny) is not inside


@pytest.mark.facts("POL-CO-054")
@pytest.mark.parametrize(
    ("policy", "value"),
    [("2001:db8::5/64", "2001:db8::1"), ("2001:db8::203.0.113.0/120", "2001:db8::cb00:7101")],
)
def test_a_range_that_is_no_longer_stored_denies_and_does_not_grant(policy: str, value: str) -> None:
    assert not readable(Operator("IpAddress"), policy)
    assert holds("IpAddress", [policy], value, deny=True)
    assert not holds("IpAddress", [policy], value)
    assert not holds("NotIpAddress", [policy], value)


@given(st.text(alphabet="0123456789abcdefF:./+%", max_size=45) | st.text(max_size=30))
def test_any_text_is_an_address_or_none_and_a_range_or_none(text: str) -> None:
    address, network = parse_address(text), parse_range(text)
    assert address is None or 0 <= address[1] < 2 ** (32 if address[0] == 4 else 128)
    assert network is None or 0 <= network.first <= network.last < 2 ** (32 if network.version == 4 else 128)


@pytest.mark.facts("POL-CO-063")
@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize("value", ["", "topic", "arn:aws:sns:us-east-1:111122223333"])
def test_what_is_no_arn_satisfies_no_arn_operator(value: str, deny: bool) -> None:
    for pattern in ("arn:*:*:*:*:*", "*", value, "${k:var}"):
        assert not holds("ArnLike", [pattern], value, deny=deny, k__var=value)
        assert not holds("ArnNotLike", [pattern], value, deny=deny, k__var=value)


@pytest.mark.facts("POL-CO-063")
@pytest.mark.parametrize("operator", ["ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"])
def test_a_variable_that_is_no_arn_denies_and_does_not_grant(operator: str) -> None:
    arn = "arn:aws:sns:us-east-1:111122223333:topic"
    assert holds(operator, ["${k:var}"], arn, deny=True, k__var="not-an-arn")
    assert not holds(operator, ["${k:var}"], arn, k__var="not-an-arn")


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
    for value in ("x", ""):
        assert holds("Null", ["false"], value)
        assert not holds("Null", ["true"], value)
    assert holds("Null", ["TRUE"], None)
    assert holds("Null", ["yes"], "x")


@pytest.mark.facts("POL-VR-007")
def test_a_multivalued_key_has_no_value_as_a_variable() -> None:
    assert not holds("StringEquals", ["${k:many}"], "a", k__many=("a",))
    assert not holds("StringEquals", ["${k:many, 'a'}"], "a", k__many=("b",))
    assert holds("StringNotEquals", ["${k:many, 'a'}"], "a", k__many=("b",))
    assert holds("StringEquals", ["${k:many, 'a'}"], "a", k__many=())


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
        ("NumericEquals", "NaN"),
        ("DateLessThan", "soon"),
        ("IpAddress", "10.0.0.0/33"),
        ("NotIpAddress", "everywhere"),
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
