"""``python -m tools.pages``: the pages of the operations, from their declarations and the examples beside this file.

``docs/operations.md`` lists the operations, and each has a page in ``docs/operations/``.  What a declaration says is
taken from it; the rest, the example above all, stands in ``tools/operations/NAME.md``.  A test compares.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from click import Option

import locum
from locum.api.shapes import Command, Kind, Limits, Member, Shape, Target, members
from locum.api.sts import COMMANDS
from locum.cli.members import member_options
from locum.cli.sts import command_name as name_of
from locum.core.admission import admit
from locum.core.session import Caller, CallerKind, Session, SessionKind
from locum.errors import AccessDenied, ServiceException
from locum.policy.principals import Principal
from locum.secret import Secret

__all__ = ["EXAMPLES", "INDEX", "PAGES", "common_errors", "made", "name_of"]

ROOT: Final = Path(__file__).parents[1]
INDEX: Final = ROOT / "docs" / "operations.md"
PAGES: Final = ROOT / "docs" / "operations"
EXAMPLES: Final = Path(__file__).parent / "operations"

_ACCOUNT: Final = "111122223333"
_WIDTH: Final = 125
_WIDE: Final = re.compile(r"\s*\((?:(?:STS|POL|IAM)-[A-Z0-9-]+(?:, |…)?)+\)|\s*\(R\d+\)")
_ROLE: Final = re.compile(r":(?:class|meth|mod|data):`~?([\w.]+)`")
_ASKED_FOR: Final = frozenset({"saml_assertion", "trade_in_token", "web_identity_token"})
"""Members that are required and secret: who leaves them out is asked for them."""
_CALLERS: Final = {
    "root's key": (CallerKind.ROOT, None),
    "a user's key": (CallerKind.USER, None),
    "a role session": (CallerKind.ROLE_SESSION, SessionKind.ROLE),
    "a user's session": (CallerKind.USER_SESSION, SessionKind.USER),
    "root's session": (CallerKind.ROOT_SESSION, SessionKind.ROOT),
    "a federated user": (CallerKind.FEDERATED_USER, SessionKind.FEDERATED),
    "a root task's session": (CallerKind.ASSUMED_ROOT, SessionKind.ROOT_TASK),
}


def common_errors() -> list[type[ServiceException]]:
    """The errors of locum's public face that no operation declares for itself."""
    own = {error for command in COMMANDS.values() for error in command.operation.errors}
    public = [getattr(locum, name) for name in locum.__all__]
    bases = (ServiceException, locum.STSServiceException)
    return [
        each
        for each in public
        if isinstance(each, type) and issubclass(each, ServiceException) and each not in own and each not in bases
    ]


def made() -> dict[Path, str]:
    """Every page and its text."""
    pages = {INDEX: "\n".join([*_index(), ""])}
    for operation, command in COMMANDS.items():
        name = name_of(operation)
        pages[PAGES / f"{name}.md"] = "\n".join([*_page(command, (EXAMPLES / f"{name}.md").read_text()), ""])
    return pages


def _index() -> Iterator[str]:
    yield "# Operations"
    yield "<!-- made by `make pages` from the contract -->"
    yield ""
    yield _filled(
        "The operations of STS. Each is a method of both [clients](client.md), a command of `locum sts`, and what "
        "every AWS SDK calls by the same name. [Migration](migration.md) shows the three side by side."
    )
    yield ""
    yield "| operation | what it does | needs |"
    yield "|---|---|---|"
    for operation, command in COMMANDS.items():
        purpose = _prose(command)[0].split(". ")[0].split(": ")[0].split("; ")[0].rstrip(".")
        yield f"| [{operation}](operations/{name_of(operation)}.md) | {purpose} | {_needs(command)} |"
    yield ""
    yield "## Errors of every call"
    yield ""
    yield _filled(
        "Any operation may answer these; the ones of its own are on its page. In Python they are classes of `locum`, "
        "with the attributes `code`, `status`, `fault`, `retryable`, `message`, `request_id`, `attempts` and "
        "`total_retry_delay`. A code that is in no table is an `STSServiceException` with that code."
    )
    yield ""
    yield from _errors(common_errors())
    yield ""
    yield _filled(
        "*Tried again* tells whether the client makes the call again by itself; besides, any answer with status 500, "
        "502, 503 or 504 is, as [retries](client.md#retries-and-time) says."
    )


def _page(command: type[Command[Any]], example: str) -> Iterator[str]:
    operation = command.operation
    name = name_of(operation.name)
    output = command.output()
    yield f"# {operation.name}"
    yield f"<!-- made by `make pages` from the contract and tools/operations/{name}.md -->"
    yield ""
    for paragraph in _prose(command):
        yield _filled(paragraph)
        yield ""
    yield example.strip()
    yield ""
    yield "## How it is called"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| Python | `client.{name.replace('-', '_')}(…)` or `client.send({command.__name__}(…))` |"
    yield f"| command line | `locum sts {name}` |"
    yield f"| signed | {'yes' if operation.signed else 'no: what is sent is the proof'} |"
    yield f"| permission | {_needs(command)} |"
    if operation.authorization is not None and operation.authorization.keys:
        keys = ", ".join(f"`{key}{'…' if key.endswith('/') else ''}`" for key in operation.authorization.keys)
        yield f"| condition keys of its own | {keys} |"
    yield ""
    yield from _callers(command)
    yield from _line(command)
    yield "## What is sent"
    yield ""
    yield from _members(command, asked=True)
    yield "## What comes back"
    yield ""
    yield f"`{output.__name__}`: {_prose(output)[0]}"
    yield ""
    yield from _members(output, asked=False)
    yield "## What may go wrong"
    yield ""
    if operation.errors:
        yield from _errors(sorted(operation.errors, key=lambda error: error.__name__))
        yield ""
        yield "Besides, the [errors of every call](../operations.md#errors-of-every-call)."
    else:
        yield "The [errors of every call](../operations.md#errors-of-every-call); it has none of its own."


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _prose(documented: type[Shape]) -> list[str]:
    """The paragraphs of a docstring, as Markdown and without the ids of facts."""
    text = inspect.cleandoc(documented.__doc__ or "")
    text = _ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", text).replace("``", "`")
    return [_WIDE.sub("", paragraph.replace("\n", " ")).replace(".  ", ". ") for paragraph in text.split("\n\n")]


def _needs(command: type[Command[Any]]) -> str:
    operation = command.operation
    rule = operation.authorization
    if rule is None:
        return "nothing: no policy can deny it"
    if isinstance(rule.resource, Target):
        on = {
            "role": "the role",
            "account": "the account's root",
            "federated-user": "the federated user",
        }[rule.resource.kind]
    else:
        on = "`*`" if rule.resource == "*" else f"`{rule.resource.format(partition='aws', account='ACCOUNT')}`"
    if not operation.signed:
        return f"`{operation.action}` in {on}'s trust policy"
    if rule.trust:
        return f"`{operation.action}` in {on}'s trust policy, and mostly in the caller's own policies too"
    return f"`{operation.action}` on {on}"


def _callers(command: type[Command[Any]]) -> Iterator[str]:
    """Which kinds of callers the operation takes at all."""
    if not command.operation.signed:
        return
    refused = {who: text for who, text in ((who, _refused(command, who)) for who in _CALLERS) if text}
    yield "## Who may call it"
    yield ""
    yield f"| {' | '.join(_CALLERS)} |"
    yield f"|{'---|' * len(_CALLERS)}"
    yield f"| {' | '.join('no' if who in refused else 'yes' for who in _CALLERS)} |"
    yield ""
    if refused:
        yield "Others are refused whatever policies say:"
        yield ""
        for text in dict.fromkeys(refused.values()):
            yield f"- `{text}`"
        yield ""


def _refused(command: type[Command[Any]], who: str) -> str:
    kind, session = _CALLERS[who]
    caller = Caller(
        kind=kind,
        partition="aws",
        account=_ACCOUNT,
        arn="ARN",
        user_id="",
        principal_id="",
        principal_arn="ARN",
        access_key_id="",
        principal=Principal.root(_ACCOUNT),
        session=None if session is None else Session(session, "", Secret(""), _ACCOUNT, "", "", 0, 0),
    )
    given: dict[str, Any] = {member.attribute: None for member in members(command) if member.required}
    if "role_arn" in given:
        given["role_arn"] = "ROLE-ARN"
    if "target_principal" in given:
        given["target_principal"] = _ACCOUNT
    try:
        admit(caller, command(**given))
    except AccessDenied as error:
        return error.message
    return ""


def _line(command: type[Command[Any]]) -> Iterator[str]:
    """The command line, one option a line."""
    yield "## On the command line"
    yield ""
    yield "```text"
    options = [_option(option) for option in member_options(command)]
    yield " \\\n    ".join([f"locum sts {name_of(command.operation.name)}", *options, "[--json]"])
    yield "```"
    yield ""


def _option(option: Option) -> str:
    text = f"{option.opts[0]} {option.metavar}"
    if option.multiple:
        return f"[{text}]…"
    return text if option.required or option.name in _ASKED_FOR else f"[{text}]"


def _members(shape: type[Shape], *, asked: bool) -> Iterator[str]:
    declared = members(shape)
    if not declared:
        yield "Nothing."
        yield ""
        return
    inside: list[type[Shape]] = []
    seen = {shape}
    yield from _table(declared, inside, asked=asked)
    yield ""
    while inside:
        inner = inside.pop(0)
        if inner in seen:
            continue
        seen.add(inner)
        yield f"### {inner.__name__}"
        yield ""
        yield _prose(inner)[0]
        yield ""
        yield from _table(members(inner), inside, asked=asked)
        yield ""


def _table(declared: tuple[Member, ...], inside: list[type[Shape]], *, asked: bool) -> Iterator[str]:
    yield f"| member | on the wire | type | {'required' if asked else 'always there'} | limits | secret |"
    yield "|---|---|---|---|---|---|"
    for member in declared:
        cells = (
            f"`{member.attribute}`",
            f"`{member.wire_name}`",
            _type(member, inside),
            "yes" if member.required else "",
            _limits(member),
            "**yes**" if member.limits.secret else "",
        )
        yield f"| {' | '.join(cells)} |".replace("  |", " |")


def _type(member: Member, inside: list[type[Shape]]) -> str:
    if member.kind is Kind.STRUCTURE and member.shape is not None:
        inside.append(member.shape)
        return f"`{member.shape.__name__}`"
    if member.kind is Kind.LIST and member.element is not None:
        return f"tuple of {_type(member.element, inside)}"
    if member.kind is Kind.TEXT:
        return "`Secret`" if member.limits.secret else "`str`"
    return {Kind.INTEGER: "`int`", Kind.TIMESTAMP: "`datetime`, UTC", Kind.BOOLEAN: "`bool`"}[member.kind]


def _limits(member: Member) -> str:
    measures = {Kind.TEXT: " characters", Kind.LIST: " of them"}
    said = [_range(member.limits, measures.get(member.kind, "")), _pattern(member.limits)]
    if member.kind is Kind.LIST and member.element is not None and member.element.kind is Kind.TEXT:
        each = [_range(member.element.limits, " characters"), _pattern(member.element.limits)]
        if any(each):
            said.append(f"each {', '.join(part for part in each if part)}")
    return ", ".join(part for part in said if part)


def _range(limits: Limits, measure: str) -> str:
    least, most = limits.least, limits.most
    if least is None and most is None:
        return ""
    if most is None:
        return f"at least {least:,}{measure.removesuffix('s') if least == 1 and measure else measure}"
    if least is None:
        return f"at most {most:,}{measure}"
    return f"{least:,}{measure}" if least == most else f"{least:,} to {most:,}{measure}"


def _pattern(limits: Limits) -> str:
    return "" if limits.pattern is None else f"`{limits.pattern.printed}`".replace("|", "\\|")


def _errors(errors: list[type[ServiceException]]) -> Iterator[str]:
    yield "| class | code | status | fault | tried again | when |"
    yield "|---|---|---|---|---|---|"
    for error in errors:
        when = _WIDE.sub("", (inspect.getdoc(error) or "").splitlines()[0]).rstrip(".").rstrip()
        again = "yes" if error.retryable else ""
        yield (
            f"| `{error.__name__}` | `{error.code}` | {error.status} | {error().fault} | {again} | {when} |".replace(
                "|  |", "| |"
            )
        )


def main() -> int:
    """Write the pages, and remove those of operations that are gone."""
    pages = made()
    PAGES.mkdir(exist_ok=True)
    for old in set(PAGES.glob("*.md")) - set(pages):
        old.unlink()
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(pages)} pages are written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
