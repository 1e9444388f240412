"""What type checkers make of the clients: answers are inferred, a missing member or a wrong type is an error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from locum.api.shapes import members
from locum.api.sts import COMMANDS

SOURCE: Final = Path(__file__).parents[2] / "src"
METHODS: Final = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): command for name, command in COMMANDS.items()
}  # fmt: skip

Line = tuple[str, str]
"""A line of a program, and what a checker has to say about it: a pattern."""


def _lines() -> list[Line]:
    lines: list[Line] = []
    for method, command in METHODS.items():
        answer = command.output().__name__
        lines += [
            (f"reveal_type(client.{method})", rf"-> [\w.]*\b{answer}\b"),
            (f"reveal_type(other.{method})", rf"Coroutine\[Any, Any, [\w.]*\b{answer}\b\]"),
        ]
        required = [member for member in members(command) if member.required]
        if required:
            last = required[-1].attribute
            lines += [
                (f"client.{method}()", rf'"{required[0].attribute}"'),
                (f"{command.__name__}()", rf'"{last}"'),
            ]
    role = 'role_arn="arn", role_session_name="me"'
    return [
        *lines,
        (f"reveal_type(client.assume_role({role}))", r'type is "[\w.]*AssumeRoleResponse"|"[\w.]*AssumeRoleResponse"$'),
        (f"reveal_type(client.send(AssumeRoleCommand({role})))", r'"[\w.]*AssumeRoleResponse"'),
        ("reveal_type(client.with_options(timeout=3).get_caller_identity())", r'"[\w.]*GetCallerIdentityResponse"'),
        ("reveal_type(client.get_caller_identity().arn)", r'"(builtins\.)?str"|"ArnText"'),
        ("reveal_type(client.get_session_token().credentials.secret_access_key)", r'"[\w.]*Secret"'),
        (f'client.assume_role({role}, duration_seconds="900")', "duration_seconds|RoleDuration"),
        (f"client.assume_role({role}, tags=(1,))", "tags|Tag"),
        (f"client.assume_role({role}, nothing=1)", "nothing"),
        ('client.assume_role("arn", "me")', "[Pp]ositional"),
        ('client.send("AssumeRole")', "Command"),
        (f'client.send(AssumeRoleCommand({role}), timeout="soon")', "timeout|float"),
        ("client.send(GetCallerIdentityCommand(), regoin=1)", "regoin"),
        ("client.with_options(regoin=1)", "regoin"),
        ('STSClient(regoin="x")', "regoin"),
        ("STSClient(max_attempts='three')", "max_attempts|int"),
        ("STSClient(retry_mode='eager')", "retry_mode|Literal"),
    ]


LINES: Final = _lines()
HEAD: Final = "from locum import *\n\nclient = STSClient()\nother = AsyncSTSClient()\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("types") / "program.py"
    path.write_text(HEAD + "".join(f"{line}\n" for line, _ in LINES))
    return path


def by_mypy(program: Path) -> dict[int, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"),
            *("--python-version", "3.11", "--cache-dir", str(program.parent / "cache"), program.name),
        ],
        cwd=program.parent,
        env=os.environ | {"MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert not done.stderr, done.stderr
    said: dict[int, str] = {}
    for line in done.stdout.splitlines():
        found = re.match(r"program\.py:(\d+): (.*)", line)
        if found is not None:
            said[int(found[1])] = f"{said.get(int(found[1]), '')}{found[2]}\n"
    return said


def by_pyright(program: Path) -> dict[int, str]:
    settings = {
        "include": [program.name],
        "extraPaths": [str(SOURCE)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "reportWildcardImportFromLibrary": False,
    }
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", "."],
            cwd=program.parent,
            env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        report: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        pytest.skip(f"pyright cannot run here (its first run wants a download): {error}")
    said: dict[int, str] = {}
    for each in report["generalDiagnostics"]:
        number = each["range"]["start"]["line"] + 1
        said[number] = f"{said.get(number, '')}{each['message']}\n"
    return said


@pytest.mark.parametrize("checker", [by_mypy, by_pyright])
def test_a_checker_knows_what_goes_in_and_what_comes_out(checker: Any, program: Path) -> None:
    said = checker(program)
    first = HEAD.count("\n") + 1
    wrong = [
        f"{line}: {said.get(number)}"
        for number, (line, expected) in enumerate(LINES, first)
        if re.search(expected, said.get(number, ""), re.MULTILINE) is None
    ]
    assert wrong == []
    assert [said[number] for number in range(1, first) if number in said] == []


def test_every_operation_is_looked_at() -> None:
    assert len(METHODS) == 11
    assert "assume_role_with_web_identity" in METHODS
    assert "assume_role_with_saml" in METHODS
