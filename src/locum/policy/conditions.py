"""Condition operators: one table of tests, and what negation, ``IfExists`` and the set operators make of them.

A condition is compiled to a function of the request context.  Points that the reference leaves open (policy.md §21:
a plain operator on a multivalued key, ``ForAnyValue:…IfExists`` without the key, ``Null`` and an empty value,
IPv4-mapped addresses, dates without a zone, the case of a boolean) have a generous and a strict reading.  A Deny is
compiled generously and an Allow strictly; a negated operator is the opposite reading of its positive one.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator as comparison
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias, TypeVar

from .context import Context
from .instants import Instant, parse_instant
from .patterns import Matcher, Template, Variable, any_of, arn_template, literal_template, substitute, text_template

__all__ = ["NEGATIONS", "OPERATORS", "Operator", "Test", "compile_condition", "parse_operator", "readable"]

Test: TypeAlias = Callable[[Context], bool]
"""A compiled condition: whether it holds in a request's context."""

_Parsed = TypeVar("_Parsed")
_PARSED_VALUES: Final = 4096
"""How many parsed request values of one kind (addresses, numbers) are kept, in each process."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,128}(?:\.[0-9]{0,128})?|\.[0-9]{1,128})\Z")
_MAPPED: Final = 0xFFFF << 32


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
    static = {"".join(map(str, parts)).lower() for parts in templates if not _has_variables(parts)}
    dynamic = [parts for parts in templates if _has_variables(parts)]

    def matches(value: str, context: Context) -> bool:
        value = value.lower()
        if value in static:
            return True
        for template in dynamic:
            resolved = substitute(template, context)
            if resolved is not None and "".join(map(str, resolved)).lower() == value:
                return True
        return False

    return matches


def _has_variables(template: Template) -> bool:
    return any(isinstance(piece, Variable) for piece in template)


def _like(values: Sequence[str], reading: Reading) -> Matcher:
    return _matcher([text_template(value, variables=reading.variables) for value in values])


def _arn(values: Sequence[str], reading: Reading) -> Matcher:
    templates = [arn_template(value, variables=reading.variables, generous=reading.generous) for value in values]
    matches = _matcher([template for template in templates if template is not None])
    return lambda value, context: value.count(":") >= 5 and matches(value, context)


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
    for value in values:
        _readable(value, lambda text: text if _is_boolean(text) else None)
    if reading.generous:
        return _ignoring_case(values, reading)
    wanted = frozenset(value for value in values if value in ("true", "false"))
    return lambda value, context: value in wanted


def _is_boolean(text: str) -> bool:
    return text.lower() in ("true", "false") or text.startswith("${")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _binary(values: Sequence[str], reading: Reading) -> Matcher:
    wanted = frozenset(_readable(value, _bytes) for value in values)
    return lambda value, context: _bytes(value) in wanted


def _network(text: str) -> tuple[int, int, int] | None:
    """IP version, first and last address of a range; host bits are ignored (POL-CO-054)."""
    if "%" in text:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


@lru_cache(maxsize=_PARSED_VALUES)
def _request_address(text: str) -> tuple[int, int] | None:
    if "%" in text or "/" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)


def _ip(values: Sequence[str], reading: Reading) -> Matcher:
    networks = [_readable(value, _network) for value in values]
    ranges = {version: tuple((first, last) for v, first, last in networks if v == version) for version in (4, 6)}
    generous = reading.generous

    def matches(value: str, context: Context) -> bool:
        request = _request_address(value)
        if request is None:
            return False
        version, address = request
        inside = _contains(ranges[version], address)
        if version == 6 and address >> 32 == 0xFFFF and inside is not generous:
            return _contains(ranges[4], address - _MAPPED)
        return inside

    return matches


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
    """Whether a policy's value can be compared by an operator: a number, a date, a range, ``true``."""
    if operator.base == "Null":
        return value.lower() in ("true", "false")
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
        return _null(key, values, generous=generous)
    negated = operator.negated
    matches = OPERATORS[operator.base](values, Reading(variables, generous is not negated))
    if operator.quantifier == "ForAllValues":
        return _for_all(key, matches, negated=negated)
    if operator.quantifier == "ForAnyValue":
        return _for_any(key, matches, negated=negated, missing=operator.if_exists and generous)
    return _plain(key, matches, negated=negated, missing=negated or operator.if_exists, generous=generous)


def _plain(key: str, matches: Matcher, *, negated: bool, missing: bool, generous: bool) -> Test:
    def test(context: Context) -> bool:
        value = context.get(key)
        if value.__class__ is str:
            return matches(value, context) is not negated
        if not value:
            return missing
        return generous and any(matches(each, context) is not negated for each in value)

    return test


def _for_all(key: str, matches: Matcher, *, negated: bool) -> Test:
    def test(context: Context) -> bool:
        value = context.get(key, ())
        if isinstance(value, str):
            return matches(value, context) is not negated
        return all(matches(each, context) is not negated for each in value)

    return test


def _for_any(key: str, matches: Matcher, *, negated: bool, missing: bool) -> Test:
    def test(context: Context) -> bool:
        value = context.get(key, ())
        if isinstance(value, str):
            return matches(value, context) is not negated
        if not value:
            return missing
        return any(matches(each, context) is not negated for each in value)

    return test


def _null(key: str, values: Sequence[str], *, generous: bool) -> Test:
    wanted = {_readable(value.lower(), lambda text: text if text in ("true", "false") else None) for value in values}
    absent, present = "true" in wanted, "false" in wanted

    def test(context: Context) -> bool:
        value = context.get(key)
        if value is None or value == ():
            return absent
        if value == "" or not any(value):
            return (absent or present) if generous else (absent and present)
        return present

    return test
