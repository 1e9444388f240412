"""An explanation as a tree for people: layer, policy, statement, element, and both values."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from .evaluate import Effect
from .explanation import Check, Explanation, LayerReport, PolicyReport, StatementReport, Verdict

__all__ = ["MIN_WIDTH", "render"]

MIN_WIDTH: Final = 40
"""The narrowest tree; a smaller width is taken as this."""

_RED, _GREEN, _YELLOW, _BOLD, _PLAIN = "31", "32", "33", "1", ""
_LABEL: Final = 9
_MARKS: Final = {
    Verdict.ALLOWS: ("✓", _GREEN),
    Verdict.DENIES: ("✗", _RED),
    Verdict.SILENT: ("✗", _RED),
}


class _Line(NamedTuple):
    """A text with a mark or label before it, which hangs out where the text is wrapped."""

    label: str
    text: str
    style: str = _PLAIN


class _Node(NamedTuple):
    lines: Sequence[_Line]
    children: Sequence[_Node] = ()


def render(explanation: Explanation, *, color: bool = False, width: int = 100) -> str:
    """The tree of an explanation, without a newline at its end.

    Lines are wrapped at ``width`` characters where they have spaces; ARNs and values are never broken.  ``color`` adds
    ANSI colours.  Characters that do not print are shown escaped, so that nothing in a policy or a request can drive
    the terminal.
    """
    width = max(width, MIN_WIDTH)
    lines = [text for line in _head(explanation) for text in _wrapped(line, "", "", width, color=color)]
    if explanation.layers:
        lines.append("")
        nodes = [_layer(layer, explanation) for layer in explanation.layers]
        for number, node in enumerate(nodes, 1):
            lines += _drawn(node, "", width, last=number == len(nodes), color=color)
    if explanation.fixes:
        lines.append("")
        lines += [text for line in _fixes(explanation) for text in _wrapped(line, "", "", width, color=color)]
    return "\n".join(lines)


def _head(explanation: Explanation) -> Iterator[_Line]:
    decision, asked = explanation.decision, explanation.asked
    word, style = ("ALLOWED", _GREEN) if decision.allowed else ("DENIED", _RED)
    yield _Line(f"{word:8} ", f"{_shown(asked.action)} on {_shown(asked.resource)}", f"{_BOLD};{style}")
    yield _Line("caller   ", _shown(asked.arn or asked.id or asked.kind.lower()))
    if decision.allowed:
        reason = f"an allow in the {decision.layer.value}" if decision.layer else "an action that needs no permission"
        yield _Line("because  ", reason)
    elif decision.layer is None:
        yield _Line("because  ", "the other account's policies do not allow it")
    else:
        yield _Line("because  ", decision.reason(_shown(asked.action)).removeprefix("because "))


def _fixes(explanation: Explanation) -> Iterator[_Line]:
    if len(explanation.fixes) == 1:
        yield _Line("fix:     ", _shown(explanation.fixes[0].text), _BOLD)
    else:
        for number, fix in enumerate(explanation.fixes, 1):
            yield _Line(f"fix {number}:   ", _shown(fix.text), _BOLD)
    if explanation.needs_more:
        yield _Line("         ", "and more than this")


def _layer(layer: LayerReport, explanation: Explanation) -> _Node:
    needless = explanation.decision.allowed and layer.verdict is Verdict.SILENT
    mark, style = ("–", _PLAIN) if needless else _MARKS[layer.verdict]
    level = f" (level {layer.level})" if layer.level else ""
    decided = " ← decided" if _decided(layer, explanation) else ""
    text = f"{layer.layer.value}{level}: {layer.verdict.value}{decided}"
    if layer.note or needless:
        text += f" ({layer.note or 'and need not'})"
    children = [_policy(policy) for policy in layer.policies]
    if layer.cut:
        children.append(_Node([_Line("", f"… {_counted(layer.cut, 'policy', 'policies')} more")]))
    return _Node([_Line(f"{mark} ", text, style)], children)


def _decided(layer: LayerReport, explanation: Explanation) -> bool:
    decision = explanation.decision
    if layer.layer is not decision.layer:
        return False
    if decision.effect is not Effect.IMPLICIT_DENY or layer.level == 0:
        return layer.level == 0 or layer.verdict is Verdict.DENIES
    silent = [each.level for each in explanation.layers if each.layer is layer.layer and each.verdict is Verdict.SILENT]
    return silent[:1] == [layer.level]


def _policy(policy: PolicyReport) -> _Node:
    lines = [_Line("", _shown(policy.name) or "(unnamed)", _BOLD)]
    if policy.problem:
        lines.append(_Line("", f"cannot be read and denies everything: {_shown(policy.problem)}", _RED))
        return _Node(lines)
    children = [_statement(statement) for statement in policy.matched]
    if policy.cut:
        children.append(_Node([_Line("", f"… {_counted(policy.cut, 'statement', 'statements')} more")]))
    if policy.nearest is not None:
        children.append(_statement(policy.nearest, nearest=True))
    elif not policy.matched:
        children.append(_Node([_Line("", "has no Allow")]))
    return _Node(lines, children)


def _statement(statement: StatementReport, *, nearest: bool = False) -> _Node:
    name = _shown(statement.sid) or str(statement.index + 1)
    denies = statement.effect == "Deny"
    if nearest:
        text, style = f"nearest: {statement.effect} statement {name}", _YELLOW
        checks = statement.failed
    else:
        text, style = f"{statement.effect} statement {name} applies", _RED if denies else _GREEN
        checks = tuple(check for check in statement.checks if denies or check.hint)
    children = [_check(check) for check in checks]
    if statement.cut:
        children.append(_Node([_Line("", f"… {_counted(statement.cut, 'check', 'checks')} more")]))
    return _Node([_Line("", text, style)], children)


def _check(check: Check) -> _Node:
    mark, style = ("✓", _PLAIN) if check.held else ("✗", _RED)
    name = " ".join(filter(None, (check.element, check.operator, _shown(check.key))))
    cut = f" (and {check.cut} more)" if check.cut else ""
    lines = [_Line(f"{mark} ", name, style)]
    lines.append(_Line("  policy   ", _listed(check.wanted) + cut))
    if check.resolved and check.resolved != check.wanted:
        lines.append(_Line("  meaning  ", _listed(check.resolved)))
    lines.append(_Line("  request  ", "(absent)" if check.absent else _listed(check.given)))
    if check.hint:
        lines.append(_Line("  → ", _shown(check.hint), _YELLOW))
    return _Node(lines)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(_quoted(value) for value in values) or "(nothing)"


def _quoted(value: str) -> str:
    shown = _shown(value)
    return f'"{shown}"' if not shown or shown != shown.strip() or ", " in shown else shown


def _shown(text: str) -> str:
    """Text with everything escaped that does not print: control characters, directional marks, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _drawn(node: _Node, indent: str, width: int, *, last: bool, color: bool) -> list[str]:
    """The lines of a node and its children, with the branches that lead to them."""
    below = indent + ("   " if last else "│  ")
    children = below + ("│  " if node.children else "   ")
    drawn: list[str] = []
    branch = indent + ("└─ " if last else "├─ ")
    for line in node.lines:
        rest = below if line is node.lines[0] and not node.children else children if node.children else below
        drawn += _wrapped(line, branch, rest, width, color=color)
        branch = children if node.children else below
    for number, child in enumerate(node.children, 1):
        drawn += _drawn(child, below, width, last=number == len(node.children), color=color)
    return drawn


def _wrapped(line: _Line, first: str, rest: str, width: int, *, color: bool) -> list[str]:
    hanging = " " * len(line.label)
    room = max(width - max(len(first), len(rest)) - len(line.label), 1)
    pieces = textwrap.wrap(line.text, room, break_long_words=False, break_on_hyphens=False) or [""]
    drawn = []
    for number, piece in enumerate(pieces):
        text = f"{hanging if number else line.label}{piece}"
        if color and line.style:
            text = f"\x1b[{line.style}m{text}\x1b[0m"
        drawn.append(f"{rest if number else first}{text}".rstrip())
    return drawn
