"""Every reason for which a document would be refused, each at its place and with AWS's message.

Storing answers with one message and no place.  Here the same :func:`locum.policy.validate` is asked about pieces: a
statement alone, one of its elements in an otherwise good statement, one item of that element.  So there is one set of
rules, and what is reported is refused indeed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from ..errors import MalformedPolicyDocumentException
from .conditions import NEGATIONS, OPERATORS, parse_operator
from .document import MAX_STATEMENTS, PolicyError, PolicyKind, Problem
from .finding import Draft, Severity, quoted
from .positions import Path, Positions, Span
from .validate import validate

__all__ = ["MAX_PROBES", "refusals", "structure"]

MAX_PROBES: Final = 20_000
"""Pieces of one document that are looked at; after them a finding names the larger piece."""

_TOP: Final = ("Version", "Id", "Statement")
_FAMILIES: Final = ("Principal", "Action", "Resource")
_ELEMENTS: Final = ("Sid", "Effect", *_FAMILIES, *(f"Not{family}" for family in _FAMILIES), "Condition")
_OPERATOR_NAMES: Final = (*OPERATORS, *NEGATIONS, "Null")
_SHAPES: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("Action", "NotAction", "Resource", "NotResource"), (list,)),
    **dict.fromkeys(("Principal", "NotPrincipal"), (dict, list)),
    "Condition": (dict, dict, list),
}
"""Element → the containers inside each other that hold its strings."""

_IDENTITY: Final = {"Effect": '"Effect":"Allow"', "Action": '"Action":"s3:GetObject"', "Resource": '"Resource":"*"'}
_GOOD: Final[dict[PolicyKind, dict[str, str]]] = {
    PolicyKind.MANAGED: _IDENTITY,
    PolicyKind.INLINE: _IDENTITY,
    PolicyKind.SESSION: _IDENTITY,
    PolicyKind.SERVICE_CONTROL: _IDENTITY,
    PolicyKind.TRUST: {
        "Effect": '"Effect":"Allow"',
        "Principal": '"Principal":{"AWS":"111122223333"}',
        "Action": '"Action":"sts:AssumeRole"',
    },
    PolicyKind.RESOURCE: {
        "Effect": '"Effect":"Allow"',
        "Principal": '"Principal":{"AWS":"111122223333"}',
        "Action": '"Action":"s3:GetObject"',
        "Resource": '"Resource":"*"',
    },
    PolicyKind.RESOURCE_CONTROL: {
        "Effect": '"Effect":"Deny"',
        "Principal": '"Principal":"*"',
        "Action": '"Action":"s3:GetObject"',
        "Resource": '"Resource":"*"',
    },
}
"""A statement that each kind of policy accepts, by element; pieces are looked at inside it."""
_LIKE: Final = {
    PolicyKind.SERVICE_CONTROL: PolicyKind.MANAGED,
    PolicyKind.RESOURCE_CONTROL: PolicyKind.RESOURCE,
}
_VERSION: Final = '"Version":"2012-10-17"'
_OFFSET: Final = re.compile(r"\(char ([0-9]+)\)")


class _Refusal(NamedTuple):
    """A refusal: its message, the grammar's own words, and ``reason``: what says most about it, empty if nothing."""

    message: str
    problem: Problem | None
    detail: str
    reason: str


_Wrap = Callable[[str], str]
"""A piece of the source → the whole document in which it is looked at."""


def structure(text: str) -> Any:
    """What a document that is JSON holds, for its shape alone: numbers are their text."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def refusals(text: str, kind: PolicyKind, places: Positions) -> Iterator[Draft]:
    """Every mistake for which storing the document as ``kind`` is refused; none where it is not."""
    refusal = _refusal(text, kind)
    if refusal is None:
        return
    if refusal.problem is Problem.JSON:
        yield _not_json(text, refusal)
        return
    if places.repeated:
        for path, span in places.repeated.items():
            yield Draft(
                Severity.ERROR,
                "duplicate-key",
                refusal.message,
                path,
                f"the name {quoted(str(path[-1]))} stands twice in one object, so that one of the two would be lost",
                "put both into one: a list of values, or several keys under one operator",
                span=span,
            )
        return
    document = None if refusal.problem is Problem.DEPTH else structure(text)
    found = False
    if isinstance(document, dict):
        for draft in _Search(text, kind, places, document).all():
            found = True
            yield draft
    if not found:
        yield _draft("document", refusal, (), "")


def _refusal(text: str, kind: PolicyKind) -> _Refusal | None:
    try:
        validate(text, kind)
    except MalformedPolicyDocumentException as refused:
        cause = refused.__cause__
        if isinstance(cause, PolicyError):
            return _Refusal(refused.message, cause.problem, cause.detail, refused.message)
        # Organizations has one text for everything; a kind with the same rules tells more.
        like = _LIKE.get(kind)
        alike = None if like is None else _refusal(text, like)
        reason = refused.message if like is None else "" if alike is None else alike.message
        return _Refusal(refused.message, None, "", reason)
    return None


def _not_json(text: str, refusal: _Refusal) -> Draft:
    at = _OFFSET.search(refusal.detail)
    offset = min(int(at[1]), max(len(text) - 1, 0)) if at else 0
    following = text[offset : offset + 2]
    before = text[:offset].rstrip()[-1:]
    fix = ""
    if following[:1] in ("]", "}") and before == ",":
        fix = "remove the comma before it"
    elif following[:1] == "," and text[offset + 1 :].lstrip()[:1] in ("]", "}"):
        fix = "remove this comma"
    elif following in ("//", "/*") or following[:1] == "#":
        fix = "JSON has no comments: remove it, or say it in a Sid"
    elif following[:1] in ("'", "‘", "’", "“", "”"):
        fix = 'JSON strings stand in plain double quotes: "…"'
    return Draft(
        Severity.ERROR,
        "invalid-json",
        refusal.message,
        (),
        f"this is not JSON: {_OFFSET.sub('', refusal.detail).strip()}",
        fix,
        span=Span(offset, offset + 1),
    )


class _Search:
    """Looks for the pieces of one refused document that are refused by themselves."""

    def __init__(self, text: str, kind: PolicyKind, places: Positions, document: dict[str, Any]) -> None:
        self._text = text
        self._kind = kind
        self._places = places
        self._document = document
        self._left = MAX_PROBES
        version = document.get("Version")
        own = '"Version":"2008-10-17"' if version == "2008-10-17" else ""
        self._version = own if version in (None, "2008-10-17") and not self._refused_version(own) else _VERSION

    def _refused_version(self, version: str) -> bool:
        return _refusal(_document(version, _statement(_GOOD[self._kind])), self._kind) is not None

    def all(self) -> Iterator[Draft]:
        yield from self._top()
        statements = self._document.get("Statement")
        if isinstance(statements, dict):
            statements = [statements]
        if not isinstance(statements, list) or not 0 < len(statements) <= MAX_STATEMENTS:
            return
        for index, statement in enumerate(statements):
            yield from self._in_statement(index, statement)
        yield from self._repeated_sids(statements)

    def _ask(self, document: str) -> _Refusal | None:
        self._left -= 1
        return _refusal(document, self._kind)

    def _value(self, path: Path) -> str:
        return self._text[slice(*self._places.value(*path))]

    def _member(self, path: Path) -> str:
        return self._text[slice(*self._places.member(*path))]

    def _top(self) -> Iterator[Draft]:
        good = _statement(_GOOD[self._kind])
        for name in self._document:
            source = self._member((name,))
            if name == "Statement":
                statements = self._document[name]
                if statements and isinstance(statements, list | dict) and len(statements) <= MAX_STATEMENTS:
                    continue
                asked = f"{{{_VERSION},{source}}}"
            else:
                asked = _document(f"{_VERSION},{source}" if name != "Version" else source, good)
            if refusal := self._ask(asked):
                yield _draft(name, refusal, (name,), name, named=name not in _TOP)
        if "Statement" not in self._document and (refusal := self._ask(f"{{{_VERSION}}}")):
            yield _draft("missing", refusal, (), "Statement")
        if "Version" not in self._document and (refusal := self._ask(_document("", good))):
            yield _draft("missing", refusal, (), "Version")

    def _in_statement(self, index: int, statement: object) -> Iterator[Draft]:
        path: Path = ("Statement", index)
        refusal = self._ask(self._alone(self._value(path)))
        if refusal is None:
            return
        found = False
        if isinstance(statement, dict) and self._left > 0:
            for draft in (*self._in_elements(path, statement), *self._missing(path, statement)):
                found = True
                yield draft
        if not found:
            yield _draft("statement", refusal, path, "")

    def _alone(self, statement: str) -> str:
        return _document(self._version, statement)

    def _in_elements(self, path: Path, statement: Mapping[str, Any]) -> Iterator[Draft]:
        base = dict(_GOOD[self._kind])
        effect = self._member((*path, "Effect")) if "Effect" in statement else base["Effect"]
        if self._ask(self._alone(_statement(base | {"Effect": effect}))) is None:
            base["Effect"] = effect
        if "Condition" in statement:
            conditions = {**base, "Condition": self._member((*path, "Condition"))}
            if self._ask(self._alone(_statement(conditions))) is None:
                base = conditions
        for name, value in statement.items():
            if name == "Condition" and "Condition" in base:
                continue
            family = name.removeprefix("Not")
            others = {key: source for key, source in base.items() if key != (family if family in _FAMILIES else name)}
            yield from self._narrow(
                (*path, name), value, _SHAPES.get(name, ()), self._wrapped(others, self._name((*path, name)))
            )

    def _name(self, path: Path) -> str:
        member = self._places.member(*path)
        return self._text[member.start : self._places.value(*path).start]

    def _wrapped(self, others: Mapping[str, str], name: str) -> _Wrap:
        return lambda source: self._alone(_statement({**others, "": f"{name}{source}"}))

    def _narrow(self, path: Path, value: object, shape: tuple[type, ...], wrap: _Wrap) -> Iterator[Draft]:
        """The smallest pieces of a value that are refused, where it is refused."""
        if self._left <= 0:
            return
        refusal = self._ask(wrap(self._value(path)))
        if refusal is None:
            return
        element = str(path[2])
        found = False
        unknown = len(path) > 3 and "unknown" in refusal.detail
        if not unknown and shape and isinstance(value, shape[0]):
            for part, inner, around in self._parts(path, value, wrap):
                for draft in self._narrow((*path, part), inner, shape[1:], around):
                    found = True
                    yield draft
        if not found:
            yield _draft(element, refusal, path, element, named=unknown or element not in _ELEMENTS)

    def _parts(self, path: Path, value: Any, wrap: _Wrap) -> Iterator[tuple[str | int, object, _Wrap]]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield name, inner, _around(wrap, f"{{{self._name((*path, name))}", "}")
        else:
            for index, inner in enumerate(value):
                yield index, inner, _around(wrap, "[", "]")

    def _missing(self, path: Path, statement: Mapping[str, Any]) -> Iterator[Draft]:
        good = _GOOD[self._kind]
        for element in ("Effect", *_FAMILIES):
            opposite = f"Not{element}"
            if element in statement and opposite in statement:
                others = {key: source for key, source in good.items() if key != element}
                twins = {"a": self._member((*path, element)), "b": self._member((*path, opposite))}
                if refusal := self._ask(self._alone(_statement(others | twins))):
                    yield _draft("twins", refusal, (*path, opposite), element, named=True)
            elif element not in statement and opposite not in statement and element in good:
                rest = {key: source for key, source in good.items() if key != element}
                if refusal := self._ask(self._alone(_statement(rest))):
                    yield _draft("missing", refusal, path, element)

    def _repeated_sids(self, statements: list[Any]) -> Iterator[Draft]:
        seen: dict[str, int] = {}
        good = _statement(_GOOD[self._kind])[1:]
        for index, statement in enumerate(statements):
            sid = statement.get("Sid") if isinstance(statement, dict) else None
            if not isinstance(sid, str) or not sid:
                continue
            if sid in seen:
                twice = f'{{"Sid":"a",{good}'
                if refusal := self._ask(self._alone(f"{twice},{twice}")):
                    yield Draft(
                        Severity.ERROR,
                        "duplicate-sid",
                        refusal.message,
                        ("Statement", index, "Sid"),
                        f"Statement[{seen[sid]}] has the Sid {quoted(sid)} too",
                        "give each statement a Sid of its own, or none",
                    )
            seen.setdefault(sid, index)


def _around(wrap: _Wrap, before: str, after: str) -> _Wrap:
    return lambda source: wrap(f"{before}{source}{after}")


def _document(version: str, statements: str) -> str:
    return f'{{{version}{"," if version else ""}"Statement":[{statements}]}}'


def _statement(members: Mapping[str, str]) -> str:
    return f"{{{','.join(members.values())}}}"


def _draft(what: str, refusal: _Refusal, path: Path, element: str, *, named: bool = False) -> Draft:
    code = {"missing": f"missing-{element.lower()}", "twins": "both-forms"}.get(what)
    if code is None:
        code = f"invalid-{what.lower().removeprefix('not')}" if what in (*_TOP, *_ELEMENTS) else "invalid-element"
        if what in ("document", "statement"):
            code = f"invalid-{what}"
    if "shared provider" in refusal.message or "Cognito provider" in refusal.message:
        code = "shared-issuer"
    why, fix = _explained(what, refusal, element, path)
    return Draft(Severity.ERROR, code, refusal.message, path, why, fix, named=named)


def _explained(what: str, refusal: _Refusal, element: str, path: Path) -> tuple[str, str]:
    if what == "missing":
        return f"there is no {element}", _ADDITIONS.get(element, f"add {element}")
    if what == "twins":
        return f"a statement has {element} or Not{element}, not both", f"split it into two, or remove Not{element}"
    if "unknown" in refusal.detail and path:
        return refusal.detail.removeprefix("has an "), _nearest(str(path[-1]), path)
    for start, why, fix in _REASONS:
        if refusal.reason.startswith(start):
            return why, fix.replace("KEY", refusal.reason.removeprefix(start).split(" ")[0])
    if refusal.detail.startswith(("is ", "has ")):
        return f"it {refusal.detail}", ""
    if refusal.problem is Problem.NO_STATEMENTS:
        return "there are no statements", "add one"
    if not refusal.reason:
        return _OF_RESOURCE_CONTROL.get(element, ("", ""))
    if element == "Condition" and len(path) > 3:
        operator = parse_operator(str(path[3]))
        for names, why in _VALUES:
            if operator is not None and operator.base.startswith(names):
                return why, "correct the value, or use a string operator"
    return _BY_ELEMENT.get(element, ("", ""))


def _nearest(name: str, path: Path) -> str:
    """A suggestion for a misspelt name of an element, an operator or a principal type."""
    operator = parse_operator(name.rpartition(":")[2].lower().removesuffix("ifexists"))
    if len(path) == 1:
        known: tuple[str, ...] = _TOP
    elif len(path) == 3:
        known = _ELEMENTS
    elif path[2] == "Condition":
        if operator is not None:
            return "set operators are ForAllValues: and ForAnyValue:; Null takes neither these nor IfExists"
        known = _OPERATOR_NAMES
        name = name.rpartition(":")[2]
    else:
        known = ("AWS", "Federated", "Service", "CanonicalUser")
    near = get_close_matches(name, known, 1, 0.5)
    if near:
        return f"did you mean {near[0]}?"
    return "" if known is _OPERATOR_NAMES else f"it is one of {', '.join(known)}"


_ADDITIONS: Final = {
    "Version": 'add "Version": "2012-10-17"',
    "Statement": 'add "Statement": [ … ]',
    "Effect": 'add "Effect": "Allow" or "Deny"',
    "Principal": 'add "Principal", for instance {"AWS": "arn:aws:iam::111122223333:role/name"}',
    "Action": 'add "Action", for instance "s3:GetObject"',
    "Resource": 'add "Resource", for instance an ARN, or "*"',
}

_REASONS: Final = (
    (
        "Policy document must be version",
        "the older version of the language has no variables, and managed policies must not use it",
        'write "Version": "2012-10-17"',
    ),
    ("Statement IDs (SID) must be", "a Sid has letters and digits only", "remove the other characters"),
    ("Policy statement must contain actions", "the list of actions is empty", 'name an action, or "*"'),
    ("Policy statement must contain resources", "the list of resources is empty", 'name an ARN, or "*"'),
    (
        "Actions/Conditions must be prefaced",
        "an action is a service's prefix, a colon and a name",
        'write it like "s3:GetObject"',
    ),
    ("Actions/Condition can contain only", "an action has one colon", 'write it like "s3:GetObject"'),
    ("Action vendors (e.g.", "a service's prefix has no wildcards", 'write it like "s3:Get*"'),
    ("Vendor ", "a service's prefix has letters, digits, '-' and '.' only", "correct the prefix"),
    (
        "Resource vendor must be",
        "an ARN names its service in full, without wildcards",
        "write the service as the third part: arn:aws:s3:::bucket",
    ),
    ("Partition ", "the second part of an ARN is a partition: aws, aws-cn, aws-us-gov …", "write arn:aws:…"),
    ("IAM resource arn:", "IAM has no regions", "leave the region empty: arn:aws:iam::…"),
    ("Resource arn:", "a bucket's ARN has no region", "write arn:aws:s3:::bucket"),
    ("IAM resource path must", "IAM has no resources of this kind", "check the sixth part of the ARN"),
    ("Policy document should not specify a principal", "whom it is attached to is the principal", "remove it"),
    (
        "AssumeRolepolicy contained an invalid principal",
        "a trust policy does not take the bare string",
        'name accounts or roles; {"AWS": "*"} would be everyone in the world',
    ),
    (
        "Invalid principal in policy",
        "it is not the form of a principal: an account id, the ARN of a user, a role, a session or a provider, or a "
        "service's name; parts of it cannot be wildcards",
        "name each principal in full; many roles of one account: the account and a condition on aws:PrincipalArn",
    ),
    (
        "AssumeRole policy may only specify",
        "a trust policy says who may become the role, not what the role may do",
        "use sts:AssumeRole, sts:AssumeRoleWithWebIdentity, sts:AssumeRoleWithSAML, sts:TagSession or "
        "sts:SetSourceIdentity; what the role may do belongs into an identity policy",
    ),
    ("Has prohibited field Resource", "the resource of a trust policy is the role itself", "remove Resource"),
    ("AssumeRole policy must not contain resources", "the resource is the role itself", "remove NotResource"),
    ("AssumeRole policy must not contain NotPrincipal", "a trust policy names whom it trusts", "use Principal"),
    (
        "Allow with NotPrincipal",
        "it would allow everyone else in the world, anonymous callers included",
        "name the principals, or deny with a condition on aws:PrincipalArn",
    ),
    ("Missing required field Action", "the list of actions is empty", 'name an action: "sts:AssumeRole"'),
    ("Missing required field Principal cannot", "it names nobody", "name whom the role trusts"),
    (
        "A condition on ",
        "many customers of this issuer share it: without the condition every one of them is trusted",
        'add "StringEquals": {"KEY": "…"} with the tenant, or the part of it, that is meant; the condition must be '
        "positive and must fail where the claim is missing",
    ),
    (
        "A condition block must be present",
        "everyone's Cognito pools share this issuer",
        'add "StringEquals": {"cognito-identity.amazonaws.com:aud": "REGION:POOL-ID"}',
    ),
)
"""Beginning of a message → what it means and what to write."""

_VALUES: Final = (
    ("Date", "it is no date: ISO 8601 such as 2026-01-31T00:00:00Z, or epoch seconds, without variables"),
    ("Numeric", "it is no decimal number; numeric operators take no variables"),
    (("Bool", "Null"), "it is neither true nor false"),
    ("Ip", "it is no address or range such as 203.0.113.0/24 or 2001:db8::/32; there are no variables"),
    ("Binary", "it is no base64"),
    (("String", "Arn"), "a ${ in it begins no variable: ${key}, ${key, 'default'}, ${*}, ${?} or ${$}"),
)
"""Beginning of an operator's name → what its values are."""

_BY_ELEMENT: Final = {
    "Effect": ("it is Allow or Deny, in exactly this spelling", 'write "Allow" or "Deny"'),
    "Version": ("the language has two versions: 2012-10-17 and 2008-10-17", 'write "2012-10-17"'),
    **dict.fromkeys(
        ("Resource", "NotResource"),
        (
            'it is no ARN: six parts, "arn:partition:service:region:account:resource", with the service filled in and '
            "each ${ a whole variable",
            'write an ARN, or "*"',
        ),
    ),
}
"""Element → what its values must be, where the message says nothing about it."""

_OF_RESOURCE_CONTROL: Final = {
    "Effect": ("a resource control policy only denies", 'write "Deny"'),
    "Principal": ("a resource control policy is about everyone", 'write "Principal": "*"'),
    "NotPrincipal": ("a resource control policy is about everyone", 'write "Principal": "*"'),
    "Action": ("a resource control policy names services that have such policies", 'write, for instance, "s3:*"'),
    "NotAction": ("a resource control policy takes no NotAction", "list the actions in Action"),
}
"""Element → what resource control policies ask of it beyond all other kinds."""
