"""What conditions say and their author can hardly mean: keys, operators, values, variables."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from .conditions import Operator
from .context import KEY_FAMILIES, KEYS, KeyType, key_of
from .document import Condition
from .finding import Draft, Subject, quoted, suggest, warn
from .instants import parse_instant
from .positions import Path

__all__ = ["CONDITION_CHECKS", "ESCAPED"]

_DOCUMENTED: Final = frozenset(
    {
        *("aws:assumedroot", "aws:chatbotsourcearn", "aws:ec2instancesourceprivateipv4", "aws:ec2instancesourcevpc"),
        *("aws:signinsessionarn", "aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:vpceaccount"),
        *("aws:vpceorgid", "aws:vpceorgpaths", "aws:vpcsourceip"),
        *("iam:fido-certification", "iam:fido-fips-140-2-certification", "iam:fido-fips-140-3-certification"),
        *("iam:registersecuritykey", "iam:servicespecificcredentialagedays"),
        "iam:servicespecificcredentialservicename",
        *("saml:aud", "saml:doc", "saml:iss", "saml:namequalifier", "saml:sub", "saml:sub_type"),
        *("saml:commonname", "saml:givenname", "saml:mail", "saml:name", "saml:organizationstatus"),
        *("saml:primarygroupsid", "saml:surname", "saml:uid", "saml:x500uniqueidentifier"),
    }
)
"""Keys that AWS documents and that have no type of their own here (POL-CK-025, POL-CK-027)."""
_KNOWN_PREFIXES: Final = ("aws:", "iam:", "saml:", "sts:")
ESCAPED: Final = re.compile(r"\$\{[*?$]\}")
"""A variable that stands for a literal wildcard or dollar (POL-VR-005)."""
_VARIABLE: Final = re.compile(r"\$\{([^}*?$,']+)(?:, '[^']*')?\}")
_ORDERED: Final = ("NumericLessThan", "NumericGreaterThan", "DateLessThan", "DateGreaterThan")
_FITTING: Final = {
    KeyType.STRING: ("String", "Binary", "Arn", "Numeric"),
    KeyType.NUMERIC: ("Numeric", "String"),
    KeyType.BOOLEAN: ("Bool", "String"),
    KeyType.DATE: ("Date", "Numeric", "String"),
    KeyType.IP: ("Ip", "String"),
    KeyType.ARN: ("Arn", "String"),
}
"""Type of a key → beginnings of the operators that can hold for its values."""


def _keys(subject: Subject) -> Iterator[Draft]:
    for condition, path in subject.conditions:
        yield from _key(condition.key, path, "condition key")


def _key(name: str, path: Path, what: str) -> Iterator[Draft]:
    lowered = name.lower()
    prefix, colon, _ = lowered.partition(":")
    if not colon:
        yield warn(
            "unknown-key",
            f"{quoted(name)} is no {what}: it has no service's prefix",
            path,
            "it is never set, so that the test sees a missing key",
            _near_key(lowered),
        )
        return
    family, slash, tag = lowered.partition("/")
    if f"{prefix}:" not in _KNOWN_PREFIXES or lowered in KEYS or lowered in _DOCUMENTED:
        return
    if slash and tag and f"{family}/" in KEY_FAMILIES:
        return
    fix = f"add a name: {KEY_FAMILIES[f'{family}/'].name}NAME" if f"{family}/" in KEY_FAMILIES else _near_key(lowered)
    yield warn(
        "unknown-key",
        f"there is no {what} {quoted(name)}",
        path,
        "it is never set, so that a positive test never holds and a negated one always does",
        fix,
    )


def _near_key(lowered: str) -> str:
    near = get_close_matches(lowered, [*KEYS, *KEY_FAMILIES, *_DOCUMENTED], 1, 0.7)
    if not near:
        return ""
    known = KEYS.get(near[0]) or KEY_FAMILIES.get(near[0])
    return f"did you mean {known.name if known else near[0]}?"


def _quantifiers(subject: Subject) -> Iterator[Draft]:
    guarded = {
        each.key.lower()
        for each in subject.statement.conditions
        if each.operator.base == "Null" and {value.lower() for value in each.values} == {"false"}
    }
    for condition, path in subject.conditions:
        operator, key = condition.operator, key_of(condition.key)
        known = condition.key.lower() in KEYS
        if operator.base == "Null":
            continue
        if operator.quantifier == "ForAllValues" and subject.allows and condition.key.lower() not in guarded:
            yield warn(
                "unguarded-for-all-values",
                f"ForAllValues also holds where {quoted(condition.key)} is missing or empty",
                path,
                "so that a request without it is allowed",
                f'add "Null": {{"{condition.key}": "false"}}',
                named=True,
            )
        elif key.multivalued and not operator.quantifier:
            yield warn(
                "plain-operator-on-list",
                f"{quoted(condition.key)} may have several values, and {operator} compares none of them",
                path,
                "the statement never applies to a request that has the key",
                f"write ForAnyValue:{operator} or ForAllValues:{operator}",
                named=True,
            )
        elif operator.quantifier and known and not key.multivalued:
            yield suggest(
                "set-operator-on-single",
                f"{quoted(condition.key)} has one value, and {operator.quantifier} is for keys with several",
                path,
                "it is treated as a set of one",
                f"write {operator._replace(quantifier='')}",
                named=True,
            )


def _values(subject: Subject) -> Iterator[Draft]:
    for condition, path in subject.conditions:
        operator = condition.operator
        if not condition.values:
            holds = "always holds" if operator.negated else "holds for no value"
            yield warn(
                "empty-values",
                f"the list of values is empty: {operator} {holds}",
                path,
                "",
                "give a value, or remove the condition",
                named=True,
            )
        yield from _type(operator, condition, path)
        yield from _expired(subject, condition, path)
        for index, value in enumerate(condition.values):
            yield from _value(subject, operator, condition.key, value, (*path, index))


def _type(operator: Operator, condition: Condition, path: Path) -> Iterator[Draft]:
    key = KEYS.get(condition.key.lower())
    if key is None or operator.base == "Null" or operator.base.startswith(_FITTING[key.type]):
        return
    yield warn(
        "type-mismatch",
        f"{quoted(condition.key)} holds {_HELD[key.type]}, which {operator} does not compare",
        path,
        f"the condition {'always' if operator.negated else 'never'} holds",
        f"use {_OPERATOR_FOR[key.type]}",
        named=True,
    )


_HELD: Final = {
    KeyType.STRING: "text",
    KeyType.NUMERIC: "a number",
    KeyType.BOOLEAN: "true or false",
    KeyType.DATE: "a date",
    KeyType.IP: "an address",
    KeyType.ARN: "an ARN",
}
_OPERATOR_FOR: Final = {
    KeyType.STRING: "a String operator",
    KeyType.NUMERIC: "a Numeric operator",
    KeyType.BOOLEAN: "Bool",
    KeyType.DATE: "a Date operator",
    KeyType.IP: "IpAddress or NotIpAddress",
    KeyType.ARN: "ArnLike or ArnEquals",
}


def _value(subject: Subject, operator: Operator, key: str, value: str, path: Path) -> Iterator[Draft]:
    base, kind = operator.base, key_of(key).type
    text = ESCAPED.sub("", value) if subject.variables else value
    holds = "always" if operator.negated else "never"
    if base in ("StringEquals", "StringEqualsIgnoreCase") and re.search(r"[*?]", text):
        yield warn(
            "literal-wildcard",
            f"{operator} compares {quoted(value)} literally: its wildcard is a character like any other",
            path,
            "",
            f"write {operator._replace(base='StringLike')}" if base == "StringEquals" else "remove the wildcard",
        )
    if base in ("ArnEquals", "ArnLike") and value.count(":") < 5 and "${" not in value:
        yield warn(
            "never-matches",
            f"{quoted(value)} is no ARN of six parts, so that the comparison {holds} holds",
            path,
            "",
            "write the whole ARN; wildcards may stand for its parts: arn:aws:iam::*:role/*",
        )
    if base.startswith("String") and kind is KeyType.IP and "/" in value:
        yield warn(
            "never-matches",
            f"the address of a request is never the text {quoted(value)}",
            path,
            f"{operator} does not know ranges",
            f"write {'NotIpAddress' if operator.negated else 'IpAddress'}",
        )
    if base == "IpAddress" and (network := _with_host_bits(value)):
        yield suggest(
            "host-bits",
            f"the range {quoted(value)} begins at {network.partition('/')[0]}",
            path,
            "bits after the prefix are ignored",
            f"write {network}",
        )


def _expired(subject: Subject, condition: Condition, path: Path) -> Iterator[Draft]:
    now, operator = subject.moment, condition.operator
    if now is None or condition.key.lower() not in ("aws:currenttime", "aws:epochtime") or not condition.values:
        return
    if not operator.base.startswith("DateLess") or operator.quantifier == "ForAllValues":
        return
    instants = [parse_instant(value) for value in condition.values]
    if all(instant is not None and instant.last < now * 1000 for instant in instants):
        yield warn(
            "expired",
            f"{quoted(condition.values[-1])} has passed: the statement never applies again",
            (*path, len(instants) - 1),
            "",
            "write a time to come, or remove the statement",
        )


def _with_host_bits(text: str) -> str:
    """The range that a text with bits after its prefix means; empty for any other text."""
    address, slash, _ = text.partition("/")
    try:
        network = ipaddress.ip_network(text, strict=False)
        return str(network) if slash and ipaddress.ip_address(address) != network.network_address else ""
    except ValueError:
        return ""


def _contradictions(subject: Subject) -> Iterator[Draft]:
    """Conditions of one statement that cannot hold together."""
    absent = {
        each.key.lower()
        for each in subject.statement.conditions
        if each.operator.base == "Null" and {value.lower() for value in each.values} == {"true"}
    }
    bounds: dict[tuple[str, str], list[tuple[Any, bool, Path]]] = {}
    for condition, path in subject.conditions:
        operator, key = condition.operator, condition.key.lower()
        if operator.negated or operator.if_exists or operator.base == "Null" or operator.quantifier:
            continue
        if key in absent:
            yield warn(
                "contradiction",
                f"{quoted(condition.key)} must be absent here, and be compared at the same time",
                path,
                "a positive comparison never holds for a missing key, so that the statement does nothing",
                'remove one of the two, or write "Null" … "false"',
                named=True,
            )
        if operator.base.removesuffix("Equals") in _ORDERED and condition.values:
            less = "Less" in operator.base
            read = [_magnitude(operator.base, value, less=less) for value in condition.values]
            if None not in read:
                limit = (max if less else min)(read)
                bounds.setdefault((key, operator.base[:4]), []).append((limit, less, path))
    for (name, _), limits in bounds.items():
        below = [limit for limit, less, _ in limits if less]
        above = [limit for limit, less, _ in limits if not less]
        if below and above and min(below) < max(above):
            yield warn(
                "contradiction",
                f"no value of {quoted(name)} is both above and below these limits",
                limits[-1][2],
                "the statement does nothing",
                "exchange the limits, or write two statements",
                named=True,
            )


def _magnitude(base: str, value: str, *, less: bool) -> Any:
    if base.startswith("Date"):
        instant = parse_instant(value)
        return None if instant is None else instant.last if less else instant.first
    try:
        return float(value)
    except ValueError:
        return None


def _variables(subject: Subject) -> Iterator[Draft]:
    statement = subject.statement
    texts = [(text, (*subject.element("Resource"), n), True) for n, text in enumerate(statement.resources or ())]
    texts += [
        (text, (*path, n), False) for condition, path in subject.conditions for n, text in enumerate(condition.values)
    ]
    for text, path, is_resource in texts:
        if "${" not in text:
            continue
        if not subject.variables:
            yield warn(
                "variables-off",
                f"{quoted(text)} is taken literally: this version of the language has no variables",
                path,
                "",
                'write "Version": "2012-10-17"',
            )
            continue
        for found in _VARIABLE.finditer(text):
            yield from _key(found[1], path, "variable")
            if key_of(found[1]).multivalued:
                yield warn(
                    "variable-list",
                    f"${{{found[1]}}} has no value: the key holds several",
                    path,
                    "",
                    "use a key with one value",
                )
            if is_resource and text.startswith("arn:") and text[: found.start()].count(":") < 5:
                yield warn(
                    "variable-place",
                    "a variable in the first five parts of an ARN has no meaning in Resource",
                    path,
                    "the string matches nothing",
                    "write * there, and compare the part in a condition",
                )


def _mfa(subject: Subject) -> Iterator[Draft]:
    for condition, path in subject.conditions:
        is_mfa = condition.key.lower() == "aws:multifactorauthpresent"
        plain = condition.operator == Operator("Bool")
        if is_mfa and plain and not subject.allows and condition.values == ("false",):
            yield warn(
                "mfa-key-absent",
                "requests with long-term keys have no aws:MultiFactorAuthPresent, and this Deny lets them through",
                path,
                "",
                "write BoolIfExists",
                named=True,
            )


CONDITION_CHECKS: Final = (_keys, _quantifiers, _values, _contradictions, _mfa, _variables)
"""What is looked at in the conditions of a statement, and in its variables, in this order."""
