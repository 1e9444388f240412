"""The commands that a person types: what ``make`` would run, and what it says where it cannot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs make in the repository, without what an outer make (the one that runs these tests) handed on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for name in ("ARGS", "ONLY", "PYTHON", "UPGRADE", "VENV"):
        environment.pop(name, None)
    command = ["make", "--no-print-directory", *arguments, *(f"{name}={value}" for name, value in variables.items())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


def interpreter(folder: Path, *, version: str, refuses: str) -> Path:
    """A stand-in for python3 that tells its version and fails every ``-c`` program that holds a word."""
    path = folder / "python3"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *{refuses}*) exit 1;; -V) echo "Python {version}";; *) echo ran >> "$0.log";; esac\n'
    )
    path.chmod(0o755)
    return path


def test_make_alone_tells_the_commands() -> None:
    told = make().stdout
    assert all(f"make {name}" in told for name in ("serve", "install", "test", "check"))


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("serve", "locum serve --port 9000"),
        ("test", "--dist loadgroup --port 9000"),
        ("long", "HYPOTHESIS_PROFILE=long"),
        ("lint", "ruff format --check src tests"),
        ("lint", "ruff check src tests"),
        ("lint", "mypy src tests"),
        ("check", "mypy src tests"),
        ("check", "pytest"),
        ("format", "ruff format src tests"),
        ("lock", "--generate-hashes"),
        ("bench", "-m benchmarks --only sigv4 --port 9000"),
        ("ansible", "--require-hashes -r requirements/ansible.lock"),
    ],
)
def test_a_target_runs_its_command_and_hands_options_on(target: str, command: str, tmp_path: Path) -> None:
    run = make("--dry-run", target, VENV=str(tmp_path), ARGS="--port 9000", ONLY="sigv4")
    assert run.returncode == 0, run.stderr
    assert command in run.stdout


def test_the_server_needs_neither_the_tools_nor_the_tests_requirements(tmp_path: Path) -> None:
    planned = make("--dry-run", "serve", VENV=str(tmp_path)).stdout
    assert "requirements/setup.lock" in planned
    assert "requirements/serve.lock" in planned
    assert "dev.lock" not in planned


@pytest.mark.parametrize("lock", ["setup", "serve", "dev"])
def test_an_environment_is_made_from_hashes_only(lock: str, tmp_path: Path) -> None:
    planned = make("--dry-run", "dev", VENV=str(tmp_path)).stdout
    assert f"--require-hashes -r requirements/{lock}.lock" in planned


def test_an_environment_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    for name in ("setup", "serve", "dev"):
        (tmp_path / f".stamp-{name}").touch()
    assert "install" not in make("--dry-run", "dev", VENV=str(tmp_path)).stdout


def test_a_changed_lock_installs_again(tmp_path: Path) -> None:
    for name in ("setup", "serve", "dev"):
        (tmp_path / f".stamp-{name}").touch()
    planned = make("--dry-run", "--what-if=requirements/dev.lock", "dev", VENV=str(tmp_path)).stdout
    assert "requirements/dev.lock" in planned
    assert "requirements/serve.lock" not in planned


@pytest.mark.parametrize(
    ("refuses", "message", "hint"),
    [
        ("version_info", "needs Python 3.11 or newer, and {python} is Python 3.9.2", "PYTHON=python3.12"),
        ("ensurepip", "{python} cannot make a virtual environment", "apt-get install python3-venv"),
    ],
)
def test_an_unfit_interpreter_is_told_in_words(refuses: str, message: str, hint: str, tmp_path: Path) -> None:
    python = interpreter(tmp_path, version="3.9.2", refuses=refuses)
    run = make("install", PYTHON=str(python), VENV=str(tmp_path / "venv"))
    assert run.returncode != 0
    assert f"locum: {message.format(python=python)}\n" in run.stderr
    assert hint in run.stderr
    assert not (tmp_path / "venv").exists()


def test_the_continuous_integration_script_is_sound_and_runs_the_whole_gate() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert all(f"make {target}" in text for target in ("lint", "test", "test-newer"))
