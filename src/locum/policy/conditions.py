"""Condition operators: one table of tests, and what negation, ``IfExists`` and the set operators make of them.

A condition is compiled to a function of the request context.  Points that the reference leaves open (policy.md §21:
``ForAnyValue:…IfExists`` without the key, patterns that are no ARN, variables in a boolean) have a generous and a
strict reading.  A Deny is compiled generously and an Allow strictly; a negated operator is the opposite reading of its
positive one.  A request's value that is no address or no ARN satisfies neither an operator nor its negation.
"""

from __future__ import annotations

import base64
import binascii
import operator as comparison
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias, TypeVar

from .addresses import Range, parse_address, parse_range, parse_range_loosely
from .context import Context
from .instants import Instant, parse_instant
from .patterns import Matcher, Template, Variable, any_of, arn_template, literal_template, substitute, text_template

__all__ = ["NEGATIONS", "OPERATORS", "Operator", "Test", "compile_condition", "parse_operator", "readable"]

Test: TypeAlias = Callable[[Context], bool]
"""A compiled condition: whether it holds in a request's context."""

_Parsed = TypeVar("_Parsed")
_PARSED_VALUES: Final = 4096
"""How many parsed request values of one kind (addresses, numbers) are kept, in each process."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,128}(?:\.[0-9]{0,128})?|\.[0-9]{1,128})(?:[Ee][+-]?[0-9]{1,3})?\Z")
_SUPPLEMENTARY: Final = re.compile("[\U00010000-\U0010ffff]")


class Reading(NamedTuple):
    """How a condition's values are read: whether variables have a meaning, and which way open points fall."""

    variables: bool
    generous: bool


class Operator(NamedTuple):
    """A condition operator taken apart: ``ForAnyValue:StringNotLikeIfExists``.

    ``base`` is a key of :data:`OPERATORS` or ``Null``; ``quantifier`` is ``""``, ``ForAllValues`` or ``ForAnyValue``.
    """

    base: str
    negated: bool = False
    if_exists: bool = False
    quantifier: str = ""

    def __str__(self) -> str:
        name = _NEGATED_NAMES[self.base] if self.negated else self.base
        return f"{self.quantifier + ':' if self.quantifier else ''}{name}{'IfExists' if self.if_exists else ''}"


def _templates(values: Sequence[str], reading: Reading) -> list[Template]:
    return [literal_template(value, variables=reading.variables) for value in values]


def _matcher(templates: Sequence[Template]) -> Matcher:
    return any_of(templates) or (lambda _value, _context: True)


def _string(values: Sequence[str], reading: Reading) -> Matcher:
    return _matcher(_templates(values, reading))


def _ignoring_case(values: Sequence[str], reading: Reading) -> Matcher:
    templates = _templates(values, reading)
    static = {_lower("".join(map(str, parts))) for parts in templates if not _has_variables(parts)}
    dynamic = [parts for parts in templates if _has_variables(parts)]

    def matches(value: str, context: Context) -> bool:
        value = _lower(value)
        if value in static:
            return True
        for template in dynamic:
            resolved = substitute(template, context)
            if resolved is not None and _lower("".join(map(str, resolved))) == value:
                return True
        return False

    return matches


def _lower(text: str) -> str:
    """Lower case with the final sigma, but characters beyond U+FFFF as they are (POL-CO-031)."""
    if text.isascii():
        return text.lower()
    kept = iter(_SUPPLEMENTARY.findall(text))
    return _SUPPLEMENTARY.sub(lambda _: next(kept), text.lower())


def _has_variables(template: Template) -> bool:
    return any(isinstance(piece, Variable) for piece in template)


def _like(values: Sequence[str], reading: Reading) -> Matcher:
    return _matcher([text_template(value, variables=reading.variables) for value in values])


def _arn(values: Sequence[str], reading: Reading) -> Matcher:
    templates = [arn_template(value, variables=reading.variables, generous=reading.generous) for value in values]
    matches = _matcher([template for template in templates if template is not None])
    return lambda value, context: _is_arn(value) and matches(value, context)


def _is_arn(text: str) -> bool:
    return text.count(":") >= 5


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.match(text) else None


_request_number: Final = lru_cache(maxsize=_PARSED_VALUES)(_number)


def _numeric(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[Sequence[str], Reading], Matcher]:
    def build(values: Sequence[str], reading: Reading) -> Matcher:
        bounds = [_readable(value, _number) for value in values]

        def matches(value: str, context: Context) -> bool:
            number = _request_number(value)
            if number is not None:
                for bound in bounds:
                    if compare(number, bound):
                        return True
            return False

        return matches

    return build


_request_instant: Final = lru_cache(maxsize=_PARSED_VALUES)(parse_instant)


def _date(
    possible: Callable[[Instant, Instant], bool], certain: Callable[[Instant, Instant], bool]
) -> Callable[[Sequence[str], Reading], Matcher]:
    def build(values: Sequence[str], reading: Reading) -> Matcher:
        bounds = [_readable(value, parse_instant) for value in values]
        compare = possible if reading.generous else certain

        def matches(value: str, context: Context) -> bool:
            instant = _request_instant(value)
            if instant is not None:
                for bound in bounds:
                    if compare(instant, bound):
                        return True
            return False

        return matches

    return build


def _boolean(values: Sequence[str], reading: Reading) -> Matcher:
    wanted = frozenset(_truth(value) for value in values if not value.startswith("${"))
    templates = _templates([value for value in values if value.startswith("${")] if reading.generous else [], reading)

    def matches(value: str, context: Context) -> bool:
        truth = _truth(value)
        if truth in wanted:
            return True
        resolved = (substitute(template, context) for template in templates)
        return any(parts is not None and _truth("".join(map(str, parts))) is truth for parts in resolved)

    return matches


def _truth(text: str) -> bool:
    """``true`` in any case; every other text is false (POL-CO-048)."""
    return text.lower() == "true"


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _binary(values: Sequence[str], reading: Reading) -> Matcher:
    wanted = frozenset(base64.b64encode(_readable(value, _bytes)).decode() for value in values)
    return lambda value, context: value in wanted


_request_address: Final = lru_cache(maxsize=_PARSED_VALUES)(parse_address)


def _ip(values: Sequence[str], reading: Reading) -> Matcher:
    networks = [
        parse_range(value) or (_readable(value, parse_range_loosely) if reading.generous else _nowhere(value))
        for value in values
    ]
    ranges = {
        version: tuple((each.first, each.last) for each in networks if each.version == version) for version in (4, 6)
    }

    def matches(value: str, context: Context) -> bool:
        request = _request_address(value)
        return request is not None and _contains(ranges[request[0]], request[1])

    return matches


def _nowhere(value: str) -> Range:
    _readable(value, parse_range_loosely)
    return Range(4, 1, 0)


def _contains(ranges: Sequence[tuple[int, int]], address: int) -> bool:
    inside = False
    for first, last in ranges:
        inside = first <= address <= last
        if inside:
            break
    return inside


def _readable(value: str, parse: Callable[[str], _Parsed | None]) -> _Parsed:
    parsed = parse(value)
    if parsed is None:
        raise ValueError(f"cannot be compared: {value[:64]!r}")
    return parsed


OPERATORS: Final[dict[str, Callable[[Sequence[str], Reading], Matcher]]] = {
    "StringEquals": _string,
    "StringEqualsIgnoreCase": _ignoring_case,
    "StringLike": _like,
    "NumericEquals": _numeric(comparison.eq),
    "NumericLessThan": _numeric(comparison.lt),
    "NumericLessThanEquals": _numeric(comparison.le),
    "NumericGreaterThan": _numeric(comparison.gt),
    "NumericGreaterThanEquals": _numeric(comparison.ge),
    "DateEquals": _date(Instant.may_equal, Instant.equals),
    "DateLessThan": _date(Instant.may_precede, Instant.precedes),
    "DateLessThanEquals": _date(lambda a, b: not b.precedes(a), lambda a, b: not b.may_precede(a)),
    "DateGreaterThan": _date(lambda a, b: b.may_precede(a), lambda a, b: b.precedes(a)),
    "DateGreaterThanEquals": _date(lambda a, b: not a.precedes(b), lambda a, b: not a.may_precede(b)),
    "Bool": _boolean,
    "BinaryEquals": _binary,
    "IpAddress": _ip,
    "ArnEquals": _arn,
    "ArnLike": _arn,
}
"""Positive operator → what builds its matcher from the policy's values (any of which may match, POL-CO-003)."""

NEGATIONS: Final = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
"""Negated operator → the positive one that no policy value may satisfy (POL-CO-004)."""

_COMPARABLE: Final[dict[str, Callable[[str], bool]]] = {
    "IpAddress": lambda text: _request_address(text) is not None,
    "ArnEquals": _is_arn,
    "ArnLike": _is_arn,
}
"""Positive operator → which request values it and its negation compare at all (POL-CO-053, POL-CO-063)."""

_NEGATED_NAMES: Final = {positive: negated for negated, positive in NEGATIONS.items()}
_NAMES: Final = {
    "null": Operator("Null"),
    **{name.lower(): Operator(name) for name in OPERATORS},
    **{name.lower(): Operator(positive, negated=True) for name, positive in NEGATIONS.items()},
}
_QUANTIFIERS: Final = {"forallvalues": "ForAllValues", "foranyvalue": "ForAnyValue"}


def parse_operator(name: str) -> Operator | None:
    """A condition operator by its name, in any case (POL-CO-009); None where there is none of that name.

    ``Null`` takes neither ``IfExists`` (POL-CO-014) nor a set operator.
    """
    prefix, colon, rest = name.lower().rpartition(":")
    quantifier = ""
    if colon:
        if prefix not in _QUANTIFIERS:
            return None
        quantifier = _QUANTIFIERS[prefix]
    if_exists = rest.endswith("ifexists")
    known = _NAMES.get(rest.removesuffix("ifexists") if if_exists else rest)
    if known is None or (known.base == "Null" and (if_exists or quantifier)):
        return None
    return known._replace(if_exists=if_exists, quantifier=quantifier)


def readable(operator: Operator, value: str) -> bool:
    """Whether a policy's value can be compared by an operator: a number, a date, a range, an ARN."""
    if operator.base == "Null":
        return not value.startswith("${")
    if operator.base.startswith("Arn"):
        return _is_arn(value) or any(mark in value for mark in "*?$")
    if operator.base == "IpAddress":
        return parse_range(value) is not None
    try:
        OPERATORS[operator.base]([value], Reading(variables=True, generous=True))
    except ValueError:
        return False
    return True


def compile_condition(operator: Operator, key: str, values: Sequence[str], *, variables: bool, generous: bool) -> Test:
    """One key of one operator as a function of the context.

    ``key`` in any case; ``variables`` says whether the document's version gives them a meaning (POL-GR-004).
    ValueError where a value cannot be compared.
    """
    key = key.lower()
    if operator.base == "Null":
        return _null(key, values)
    negated = operator.negated
    satisfies = OPERATORS[operator.base](values, Reading(variables, generous is not negated))
    if negated:
        satisfies = _negation(satisfies, _COMPARABLE.get(operator.base))
    if operator.quantifier == "ForAllValues":
        return _for_all(key, satisfies)
    if operator.quantifier == "ForAnyValue":
        return _for_any(key, satisfies, missing=operator.if_exists and generous)
    return _plain(key, satisfies, missing=negated or operator.if_exists)


def _negation(matches: Matcher, comparable: Callable[[str], bool] | None) -> Matcher:
    if comparable is None:
        return lambda value, context: not matches(value, context)
    return lambda value, context: comparable(value) and not matches(value, context)


def _plain(key: str, satisfies: Matcher, *, missing: bool) -> Test:
    """An operator without a set operator: a key that is a list satisfies neither it nor its negation (POL-CO-024)."""

    def test(context: Context) -> bool:
        value = context.get(key)
        if value.__class__ is str:
            return satisfies(value, context)
        return missing and not value

    return test


def _for_all(key: str, satisfies: Matcher) -> Test:
    def test(context: Context) -> bool:
        value = context.get(key, ())
        if isinstance(value, str):
            return satisfies(value, context)
        return all(satisfies(each, context) for each in value)

    return test


def _for_any(key: str, satisfies: Matcher, *, missing: bool) -> Test:
    def test(context: Context) -> bool:
        value = context.get(key, ())
        if isinstance(value, str):
            return satisfies(value, context)
        if not value:
            return missing
        return any(satisfies(each, context) for each in value)

    return test


def _null(key: str, values: Sequence[str]) -> Test:
    """Whether a key is absent, or is there: a value may be empty, a list may not (POL-CO-013)."""
    wanted = {_truth(value) for value in values}
    return lambda context: (context.get(key, ()) == ()) in wanted
