"""The house's order: who may import whom, what stays pure, and that no two modules need each other.

``MAY_IMPORT`` and ``PURE_IMPORTS`` are the only places where this is written down; ``docs/architecture.md`` draws it.
A new room (a module or package directly under ``locum``) gets a row here, or the first test names it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).parents[2] / "src" / "locum"

VALUES: Final = frozenset({"arn", "errors", "http", "organization_errors", "secret"})
CONTRACT: Final = frozenset({"api", "wire"})
PURE: Final = frozenset({"policy", "core"})
EDGES: Final = frozenset({"store", "guard", "server"})
FACE: Final = "__init__"
"""``locum/__init__.py`` itself: the version, and the client's public face."""

MAY_IMPORT: Final[dict[str, frozenset[str]]] = {
    FACE: frozenset({"api", "client", "errors", "secret"}),
    **dict.fromkeys(VALUES, VALUES),
    "api": VALUES,
    "wire": VALUES | {"api"},
    "policy": VALUES | CONTRACT,
    "core": VALUES | CONTRACT | {"policy"},
    "store": VALUES | CONTRACT | PURE,
    "guard": VALUES | CONTRACT | PURE | {"store"},
    "server": VALUES | CONTRACT | PURE | {"store", "guard", FACE},
    "client": VALUES | CONTRACT | {FACE},
    "cli": VALUES | CONTRACT | PURE | EDGES | {"client", FACE},
    "__main__": frozenset({"cli"}),
    "testing": VALUES | CONTRACT | PURE | EDGES | {"client", FACE},
}
"""Room → the other rooms that it may import.  A room always may import itself."""

PURE_ROOMS: Final = VALUES | CONTRACT | PURE
PURE_IMPORTS: Final = frozenset({
    *("__future__", "abc", "base64", "binascii", "bisect", "calendar", "codecs", "collections", "copy", "dataclasses"),
    *("datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "html"),
    *("inspect", "ipaddress", "itertools", "json", "keyword", "math", "operator", "re", "string", "struct", "sys"),
    *("textwrap", "types", "typing", "unicodedata", "urllib.parse", "weakref", "xml", "zlib"),
    *("cryptography", "joserfc", "lxml", "msgspec", "signxml"),
})  # fmt: skip
"""What the pure rooms may import from outside: nothing that reads a file, a socket, a clock or random bytes.

Signing draws its randomness inside OpenSSL; the XML signature library is always given the time of verification.
"""

PURE_OF_TIME: Final = frozenset({"gmtime", "strftime", "struct_time"})
"""What of :mod:`time` converts a moment that was handed in, and reads no clock."""

IMPURE_ATTRIBUTES: Final = frozenset({
    *("now", "today", "utcnow"),
    *("generate_key", "generate_private_key", "token_bytes", "urandom"),
    *("argv", "stderr", "stdin", "stdout"),
})  # fmt: skip
IMPURE_BUILTINS: Final = frozenset({"breakpoint", "input", "open", "print"})


def modules() -> dict[str, ast.Module]:
    """Dotted name → tree, for every module of the package."""
    trees = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        trees[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text(), str(path))
    return trees


MODULES: Final = modules()
PACKAGES: Final = frozenset(
    ".".join(path.parent.relative_to(SOURCE.parent).parts) for path in SOURCE.rglob("__init__.py")
)


def imports_of(module: str, node: ast.AST, known: frozenset[str]) -> Iterator[str]:
    """The dotted names that an import statement reaches; a name imported from a package counts as its module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        source = node.module or ""
        if node.level:
            package = module if module in PACKAGES else module.rpartition(".")[0]
            above = package.split(".")[: package.count(".") + 2 - node.level]
            source = ".".join([*above, source] if source else above)
        for alias in node.names:
            yield f"{source}.{alias.name}" if f"{source}.{alias.name}" in known else source


def room(module: str) -> str:
    _, _, inner = module.partition(".")
    return inner.partition(".")[0] or FACE


def upward_imports(name: str, tree: ast.Module, known: frozenset[str]) -> list[str]:
    here = room(name)
    return [
        f"{name}:{node.lineno} imports {target}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in imports_of(name, node, known)
        if target.partition(".")[0] == "locum" and room(target) != here and room(target) not in MAY_IMPORT[here]
    ]


def impurities(name: str, tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in imports_of(name, node, frozenset({"urllib.parse"})):
                outer = target if target == "urllib.parse" else target.partition(".")[0]
                if outer == "time" and PURE_OF_TIME.issuperset(
                    alias.name for alias in node.names if alias.name != outer or alias.asname
                ):
                    continue
                if outer != "locum" and outer not in PURE_IMPORTS:
                    found.append(f"{name}:{node.lineno} imports {target}")
        elif isinstance(node, ast.Attribute) and (
            node.attr in IMPURE_ATTRIBUTES or (ast.unparse(node.value) == "time" and node.attr not in PURE_OF_TIME)
        ):
            found.append(f"{name}:{node.lineno} uses {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
            found.append(f"{name}:{node.lineno} calls {node.func.id}()")
    return found


def imported_at_load(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: not functions' bodies, not ``if TYPE_CHECKING``."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """One cycle of the graph as a path that ends where it began, or an empty list."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if found := walk(target, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_every_room_has_a_row_in_the_table() -> None:
    assert {room(name) for name in MODULES} - set(MAY_IMPORT) == set()


def test_the_table_itself_has_no_way_up() -> None:
    assert cycle({name: set(allowed) - VALUES for name, allowed in MAY_IMPORT.items() if name != FACE}) == []


def test_imports_point_down_only() -> None:
    assert [line for name, tree in MODULES.items() for line in upward_imports(name, tree, frozenset(MODULES))] == []


def test_pure_rooms_reach_no_input_output_clock_or_randomness() -> None:
    assert [line for name, tree in MODULES.items() if room(name) in PURE_ROOMS for line in impurities(name, tree)] == []


def test_no_two_modules_need_each_other_to_load() -> None:
    known = frozenset(MODULES)
    graph = {
        name: {
            target
            for node in imported_at_load(tree)
            for target in imports_of(name, node, known)
            if target in known and target != name
        }
        for name, tree in MODULES.items()
    }
    assert cycle(graph) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("locum.core.issue", "from locum.store import Store"),
        ("locum.core.issue", "from locum import server"),
        ("locum.core.issue", "import locum.guard.asgi"),
        ("locum.core.issue", "from ..server.app import App"),
        ("locum.policy.evaluate", "def late():\n    from locum.core import records"),
        ("locum.wire.query", "from locum.policy.document import Policy"),
        ("locum.errors", "from locum.api import shapes"),
        ("locum.guard", "from locum.cli import main"),
    ],
)
def test_the_check_sees_an_upward_import(name: str, line: str) -> None:
    known = frozenset({*MODULES, "locum.server", "locum.core", "locum.core.records"})
    assert len(upward_imports(name, ast.parse(line), known)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from time import monotonic",
        "import time as clock",
        "moment = time.time()",
        "out = sys.stdout",
        "import os.path",
        "from pathlib import Path",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import secrets",
        "import sqlalchemy",
        "moment = datetime.now(UTC)",
        "clock = datetime.utcnow",
        "key = AESGCM.generate_key(256)",
        "text = open('x').read()",
        "print('x')",
    ],
)
def test_the_check_sees_what_is_not_pure(line: str) -> None:
    assert len(impurities("locum.core.issue", ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from urllib.parse import quote",
        "from urllib import parse",
        "import hmac",
        "from ..errors import E",
        "import time\nday = time.strftime('%Y', time.gmtime(now))",
    ],
)
def test_the_check_lets_pure_imports_pass(line: str) -> None:
    assert impurities("locum.core.issue", ast.parse(line)) == []


def test_the_check_sees_a_cycle() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
