"""``analyze``: everything that is the matter with a policy document, with line and column.

>>> from locum.policy import PolicyKind
>>> text = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}'
>>> [(each.code, each.column) for each in analyze(text, PolicyKind.MANAGED).findings]
[('allow-not-action', 60)]

Errors are what IAM refuses when the document is stored, each with AWS's message for that mistake alone (AWS tells of
the first only); warnings and suggestions are what an analyzer says of a document that would be stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from .advice import CHECKS
from .compile import compile_policy
from .document import Policy, PolicyError, PolicyKind, Problem, Statement, counted_size, parse
from .finding import Draft, Finding, Severity, Subject, located_conditions
from .overlap import Overlaps
from .positions import Path, Positions, Span, locate
from .refusals import refusals, structure
from .sizes import INLINE_SIZES, SIZES, SizeLimit

__all__ = ["MAX_FINDINGS", "Analysis", "Finding", "Severity", "analyze", "guess_kind"]

MAX_FINDINGS: Final = 200
"""Findings of one document; what comes after them is left out."""

_OUTSIDE: Final = re.compile(r"[^\t\n\r\u0020-\u00ff]")
_CHARACTERS_OF: Final = frozenset({PolicyKind.MANAGED, PolicyKind.INLINE, PolicyKind.TRUST, PolicyKind.SESSION})
_STEP: Final = re.compile(r"\.([A-Za-z]+)|\[([0-9]+)\]")
_ORDER: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.SUGGESTION: 2}


class Analysis(msgspec.Struct, frozen=True):
    """What was found, in the order of the text; ``cut`` where there was more than :data:`MAX_FINDINGS`."""

    kind: PolicyKind
    findings: tuple[Finding, ...]
    cut: bool = False

    @property
    def has_errors(self) -> bool:
        """Whether storing the document would be refused."""
        return any(each.severity is Severity.ERROR for each in self.findings)


def analyze(
    text: str,
    kind: PolicyKind,
    *,
    now: int | None = None,
    sizes: Mapping[PolicyKind, SizeLimit] = SIZES,
) -> Analysis:
    """Examine a document that is to be used as ``kind``.  Never fails, whatever the text.

    ``now`` in epoch seconds lets conditions be found that have expired; ``sizes`` are the limits of an account where
    they are not AWS's defaults.
    """
    places = locate(text)
    drafts = list(islice(_drafts(text, kind, places, now, sizes), MAX_FINDINGS + 1))
    findings = [draft.placed(places) for draft in drafts[:MAX_FINDINGS]]
    findings.sort(key=lambda each: (each.line, each.column, _ORDER[each.severity]))
    return Analysis(kind, tuple(findings), len(drafts) > MAX_FINDINGS)


def guess_kind(text: str) -> PolicyKind:
    """What a document is most likely used as: with principals and no resources a trust policy, with both a
    resource-based one, without principals a managed policy."""
    try:
        document = structure(text)
    except (ValueError, RecursionError):
        return PolicyKind.MANAGED
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    names = {name for each in statements if isinstance(each, dict) for name in each} if statements else set()
    if names.isdisjoint({"Principal", "NotPrincipal"}):
        return PolicyKind.MANAGED
    return PolicyKind.TRUST if names.isdisjoint({"Resource", "NotResource"}) else PolicyKind.RESOURCE


def _drafts(
    text: str, kind: PolicyKind, places: Positions, now: int | None, sizes: Mapping[PolicyKind, SizeLimit]
) -> Iterator[Draft]:
    yield from _characters(text, kind)
    refused = False
    for draft in refusals(text, kind, places):
        refused = True
        yield draft
    yield from _size(text, kind, sizes)
    policy, sources = _readable(text, places)
    if policy is None:
        return
    if not refused:
        yield from _enforceable(policy, kind)
    subjects = [
        Subject(
            index,
            statement,
            kind,
            policy.has_variables,
            located_conditions(statement, sources[index], ("Statement", index)),
            now,
        )
        for index, statement in enumerate(policy.statements)
        if statement is not _UNREAD
    ]
    for subject in subjects:
        for check in CHECKS:
            yield from check(subject)
    yield from Overlaps(subjects).findings()


_UNREAD: Final = Statement("Deny")
"""Stands for a statement that cannot be read."""


def _readable(text: str, places: Positions) -> tuple[Policy | None, list[Any]]:
    """The document without what cannot be read, and its statements as JSON; None where nothing of it can be read."""
    try:
        policy: Policy | None = parse(text)
    except PolicyError as error:
        if places.repeated or error.problem in (Problem.JSON, Problem.DEPTH):
            return None, []
        policy = None
    document = structure(text)
    sources = document.get("Statement") if isinstance(document, dict) else None
    sources = [sources] if isinstance(sources, dict) else sources
    if policy is not None or not isinstance(sources, list):
        return policy, sources if isinstance(sources, list) else []
    version = document.get("Version")
    read = []
    for index in range(len(sources)):
        try:
            source = text[slice(*places.statement(index))]
            read.append(parse(f'{{"Statement":[{source}]}}').statements[0])
        except PolicyError:
            read.append(_UNREAD)
    return Policy(tuple(read), version if isinstance(version, str) else ""), sources


def _characters(text: str, kind: PolicyKind) -> Iterator[Draft]:
    """Characters that no policy parameter of IAM and STS may hold (POL-GR-017)."""
    found = _OUTSIDE.search(text) if kind in _CHARACTERS_OF else None
    if found is not None:
        yield Draft(
            Severity.ERROR,
            "invalid-character",
            "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
            (),
            f"the character U+{ord(found[0]):04X} is outside of what a policy may hold",
            f'write it as "\\u{ord(found[0]):04x}", or leave it out' if ord(found[0]) < 0x10000 else "leave it out",
            span=Span(*found.span()),
        )


def _size(text: str, kind: PolicyKind, sizes: Mapping[PolicyKind, SizeLimit]) -> Iterator[Draft]:
    limit = sizes.get(kind)
    if limit is None:
        return
    size = len(text) if limit.counts_space else counted_size(text)
    space = "" if limit.counts_space else ", white space not counted"
    if size > limit.characters:
        raised = limit.maximum > limit.characters
        yield Draft(
            Severity.ERROR,
            "too-large",
            _TOO_LARGE[kind].format(limit=limit.characters),
            (),
            f"the document has {size} characters{space}; {limit.characters} are allowed",
            f"shorten it{f', or raise {limit.quota} (at most {limit.maximum})' if raised else ''}",
        )
    elif kind is PolicyKind.INLINE:
        too_small = [holder for holder, each in INLINE_SIZES.items() if each.characters < size]
        if too_small:
            yield Draft(
                Severity.WARNING,
                "too-large",
                f"too large to be an inline policy of a {' or of a '.join(too_small)}",
                (),
                f"the document has {size} characters{space}; all inline policies together may have "
                + ", ".join(f"{INLINE_SIZES[holder].characters} for a {holder}" for holder in too_small),
                "make it a managed policy",
            )


_TOO_LARGE: Final = {
    PolicyKind.MANAGED: "Cannot exceed quota for PolicySize: {limit}",
    PolicyKind.TRUST: "Cannot exceed quota for ACLSizePerRole: {limit}",
    PolicyKind.INLINE: "Maximum policy size of {limit} bytes exceeded for role",
    PolicyKind.SESSION: "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have "
    "length less than or equal to {limit}",
    PolicyKind.SERVICE_CONTROL: "POLICY_CONTENT_LIMIT_EXCEEDED",
    PolicyKind.RESOURCE_CONTROL: "POLICY_CONTENT_LIMIT_EXCEEDED",
}
"""AWS's messages (POL-VA-059…062, POL-VA-070)."""


def _enforceable(policy: Policy, kind: PolicyKind) -> Iterator[Draft]:
    """What would be stored and, when evaluated, deny everything (R28)."""
    try:
        compile_policy(policy, kind)
    except PolicyError as error:
        yield Draft(
            Severity.ERROR,
            "not-enforceable",
            f"a policy that is in force with this denies everything: {error.detail or error.problem.value}",
            _path_of(error.where),
            "what cannot be enforced is not skipped",
            "correct it or remove it",
        )


def _path_of(where: str) -> Path:
    path: Path = ()
    for name, index in _STEP.findall(f".{where}"):
        path = (*path, name or int(index))
    return path
