"""Writes conditions_truth.jsonl: a truth table for every condition operator (R27).

Run from anywhere: ``python tests/vectors/make_conditions_truth.py``.  It shares no code with locum: for each positive
operator a hand-made matrix says which of two policy values each request value matches; the definitions of negation,
``IfExists``, the set operators and ``Null`` (POL-CO-003…027) do the rest.  What is no address or no ARN satisfies
neither an operator nor its negation (POL-CO-053, POL-CO-063).  A line is one operator; a row is
``[policy values, context value, holds in an Allow, holds in a Deny]`` with null for an absent key.  The two last
differ only at the open points of policy.md §21: there an Allow does not hold and a Deny does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

Value = str | list[str] | None
Row = tuple[list[str], Value, bool, bool]

# operator: (negation or None, first policy value, second policy value, {request value: (matches first, second)})
MATRIX: dict[str, tuple[str | None, str, str, dict[str, tuple[bool, bool]]]] = {
    "StringEquals": (
        "StringNotEquals",
        "blue",
        "r*d",
        {"blue": (True, False), "r*d": (False, True), "Blue": (False, False), "red": (False, False)},
    ),
    "StringEqualsIgnoreCase": (
        "StringNotEqualsIgnoreCase",
        "Blue",
        "RED",
        {"bLUE": (True, False), "red": (False, True), "blu": (False, False), "B*": (False, False)},
    ),
    "StringLike": (
        "StringNotLike",
        "bl*e",
        "r?d",
        {"blue": (True, False), "rod": (False, True), "rood": (False, False), "BLUE": (False, False)},
    ),
    "NumericEquals": (
        "NumericNotEquals",
        "5",
        "10",
        {"5.0": (True, False), "10": (False, True), "7": (False, False), "five": (False, False)},
    ),
    "NumericLessThan": (
        None,
        "5",
        "10",
        {"4": (True, True), "5": (False, True), "10": (False, False), "five": (False, False)},
    ),
    "NumericLessThanEquals": (
        None,
        "5",
        "10",
        {"5": (True, True), "5.5": (False, True), "10.1": (False, False), "": (False, False)},
    ),
    "NumericGreaterThan": (
        None,
        "5",
        "10",
        {"11": (True, True), "10": (True, False), "5": (False, False), "-11": (False, False)},
    ),
    "NumericGreaterThanEquals": (
        None,
        "5",
        "10",
        {"10": (True, True), "5": (True, False), "4.9": (False, False), "1O": (False, False)},
    ),
    "DateEquals": (
        "DateNotEquals",
        "2026-01-01T00:00:00Z",
        "1770000000",
        {
            "2026-01-01T02:00:00+02:00": (True, False),
            "2026-02-02T02:40:00Z": (False, True),
            "2026-01-01T00:00:00+02:00": (False, False),
            "yesterday": (False, False),
        },
    ),
    "DateLessThan": (
        None,
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        {
            "2025-12-31T23:59:59Z": (True, True),
            "1767225600": (False, True),
            "2027-01-01T00:00:00Z": (False, False),
            "never": (False, False),
        },
    ),
    "DateLessThanEquals": (
        None,
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        {
            "1767225600": (True, True),
            "2026-01-01T00:00:00.001Z": (False, True),
            "2027-01-01T00:00:01Z": (False, False),
            "never": (False, False),
        },
    ),
    "DateGreaterThan": (
        None,
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        {
            "2027-01-01T00:00:01Z": (True, True),
            "2027-01-01T00:00:00Z": (True, False),
            "1767225600": (False, False),
            "never": (False, False),
        },
    ),
    "DateGreaterThanEquals": (
        None,
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        {
            "2027-01-01T00:00:00Z": (True, True),
            "1767225600": (True, False),
            "2025-12-31T23:59:59Z": (False, False),
            "never": (False, False),
        },
    ),
    "Bool": (
        None,
        "true",
        "false",
        {"true": (True, False), "false": (False, True), "TRUE": (True, False), "yes": (False, True)},
    ),
    "BinaryEquals": (
        None,
        "QmluYXJ5",
        "b3RoZXI=",
        {
            "QmluYXJ5": (True, False),
            "b3RoZXI=": (False, True),
            "QmluYXJZ": (False, False),
            "b3RoZXJ=": (False, False),
            "%": (False, False),
        },
    ),
    "IpAddress": (
        "NotIpAddress",
        "203.0.113.0/24",
        "2001:db8::/32",
        {
            "203.0.113.200": (True, False),
            "2001:0db8:0:0:0:0:0:1": (False, True),
            "203.0.114.1": (False, False),
            "here": (False, False),
        },
    ),
    "ArnEquals": (
        "ArnNotEquals",
        "arn:aws:sns:*:111122223333:*",
        "arn:aws:sqs:eu-west-1:111122223333:jobs",
        {
            "arn:aws:sns:us-east-1:111122223333:a:b": (True, False),
            "arn:aws:sqs:eu-west-1:111122223333:jobs": (False, True),
            "arn:aws:sns:us-east-1:1:111122223333:a": (False, False),
            "topic": (False, False),
        },
    ),
    "ArnLike": (
        "ArnNotLike",
        "arn:aws:sns:*:111122223333:to?ic",
        "arn:aws:sqs:*:*:jobs*",
        {
            "arn:aws:sns:us-east-1:111122223333:topic": (True, False),
            "arn:aws:sqs:eu-west-1:111122223333:jobs:1": (False, True),
            "arn:aws:sns:us-east-1:111122223333:Topic": (False, False),
            "arn:aws:sns": (False, False),
        },
    ),
}

UNCOMPARED = {"here", "topic", "arn:aws:sns"}


def tables() -> Iterator[tuple[str, list[Row]]]:
    """Each operator in each of its forms, with its rows."""
    for positive, (negation, first, second, matches) in MATRIX.items():
        for name, negated in ((positive, False), (negation, True)):
            if name is None:
                continue
            for quantifier in ("", "ForAllValues:", "ForAnyValue:"):
                for if_exists in ("", "IfExists"):
                    yield (
                        quantifier + name + if_exists,
                        rows(quantifier, negated, bool(if_exists), first, second, matches),
                    )
    yield "Null", null_rows()


def rows(
    quantifier: str, negated: bool, if_exists: bool, first: str, second: str, matches: dict[str, tuple[bool, bool]]
) -> list[Row]:
    given = list(matches)
    several: list[Value] = [[], [given[0]], given[:2], [given[0], given[-1]], given[-2:], given]
    out: list[Row] = []
    for policy, picks in (([first], (True, False)), ([second], (False, True)), ([first, second], (True, True))):

        def satisfies(value: str, picks: tuple[bool, bool] = picks) -> bool:
            matched = any(pick and match for pick, match in zip(picks, matches[value], strict=True))
            return matched is not negated and value not in UNCOMPARED

        for value in [None, *given, *several]:
            results = [satisfies(each) for each in ([value] if isinstance(value, str) else value or [])]
            allow, deny = outcome(quantifier, negated, if_exists, value, results)
            out.append((policy, value, allow, deny))
    return out


def outcome(quantifier: str, negated: bool, if_exists: bool, value: Value, results: list[bool]) -> tuple[bool, bool]:
    """Whether the condition holds in an Allow and in a Deny."""
    if quantifier == "ForAllValues:":
        return all(results), all(results)
    if quantifier == "ForAnyValue:":
        if not results and if_exists:
            return False, True  # §21.1
        return any(results), any(results)
    if not results:
        return negated or if_exists, negated or if_exists
    if isinstance(value, str):
        return results[0], results[0]
    return False, False  # a list satisfies no operator without a set operator (POL-CO-024)


def null_rows() -> list[Row]:
    out: list[Row] = []
    for policy in (["true"], ["false"], ["true", "false"]):
        for value in (None, [], "x", ["x"], ["x", "y"], "", [""]):
            absent = value is None or value == []
            holds = ("true" if absent else "false") in policy
            out.append((policy, value, holds, holds))
    return out


def main() -> None:
    lines = [json.dumps({"operator": name, "rows": found}, separators=(",", ":")) for name, found in tables()]
    Path(__file__).with_name("conditions_truth.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
