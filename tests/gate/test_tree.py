"""What holds for every file of the repository."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "locum"

LINES: Final = 600
"""The longest module; a longer one has two subjects."""

SETTINGS: Final = frozenset({"", ".cfg", ".ini", ".json", ".lock", ".md", ".sh", ".toml", ".txt", ".yaml", ".yml"})
"""Suffixes of the text files in which an absolute path is someone's machine (Makefile and ``.ci/run`` have none)."""

ELSEWHERE: Final = re.compile(r"(?<![A-Za-z0-9_.-])/(?:home|root|tmp|work)/[A-Za-z0-9_.-]+")
ELSEWHERE_IN_CODE: Final = re.compile(r"(?<![A-Za-z0-9_.:-])/(?:home|root|work)/[A-Za-z0-9_.-]+")

UNFINISHED: Final = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b|not implemented", re.IGNORECASE)

VAGUE: Final = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})

FACT: Final = re.compile(
    r"R[1-9]\d?|(?:STS|POL|IAM|ORG|TF|CLI)(?:-[A-Z]{1,5})?-T?\d{2,3}|(?:IAM|ORG)-OP-[A-Za-z]+",
)


def tracked() -> list[Path]:
    """The repository's files, those not yet committed included; without git (a source archive) its own folders."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listing.returncode == 0:
        return sorted(path for name in set(listing.stdout.split("\0")) if name and (path := ROOT / name).is_file())
    folders = ("src", "tests", "docs", "requirements")
    files = [path for path in ROOT.glob("*.*") if path.is_file()]
    return [*files, *(path for name in folders for path in (ROOT / name).rglob("*") if path.is_file())]


FILES: Final = tracked()
PYTHON: Final = [path for path in FILES if path.suffix == ".py"]
MODULES: Final = [path for path in PYTHON if path.is_relative_to(SOURCE)]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def exported(tree: ast.Module) -> list[str] | None:
    """The literal ``__all__`` of a module, or None where it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def fact_ids(tree: ast.Module) -> list[str]:
    """The ids that a test file writes out; those of a data file are its runner's to check."""
    return [
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.facts"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def marks(pattern: re.Pattern[str], path: Path) -> list[str]:
    return [
        f"{relative(path)}:{number}: {found[0]}"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (found := pattern.search(line))
    ]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_is_not_longer_than_one_subject_needs(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.stem == "__init__" or not path.stem.startswith("_")], ids=relative
)
def test_a_public_module_says_what_it_exports(path: Path) -> None:
    """Ruff keeps the list sorted (RUF022) and every name in it defined (F822)."""
    tree = ast.parse(path.read_text())
    names = exported(tree)
    defines = [node for node in tree.body if not isinstance(node, ast.Expr) and "annotations" not in ast.unparse(node)]
    assert names is not None or not defines, f"{relative(path)} has no __all__"
    assert len(set(names or ())) == len(names or ())


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_has_a_docstring_and_a_name_that_says_something(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body
    assert not VAGUE & set(path.relative_to(SOURCE).with_suffix("").parts)


def test_nothing_in_the_package_is_unfinished() -> None:
    assert [line for path in MODULES for line in marks(UNFINISHED, path)] == []


def test_no_settings_or_text_file_names_a_path_of_one_machine() -> None:
    texts = [path for path in FILES if path.suffix in SETTINGS and ".git" not in path.parts]
    assert [line for path in texts for line in marks(ELSEWHERE, path)] == []


def test_no_code_names_a_path_of_one_machine() -> None:
    others = [path for path in PYTHON if path != Path(__file__)]
    assert [line for path in others for line in marks(ELSEWHERE_IN_CODE, path)] == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("see /work/shared/x.md", True),
        ("`/root/.config`", True),
        ("/tmp/x", True),
        ("arn:aws:iam::111122223333:role/work/x", False),
        ("../work/x", False),
        ("a/tmp/x", False),
    ],
)
def test_the_check_tells_a_path_of_a_machine_from_others(line: str, seen: bool) -> None:
    assert (ELSEWHERE.search(line) is not None) == seen


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in PYTHON if path.name.startswith("test_")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_fact_that_a_test_names_has_the_form_of_an_id() -> None:
    wrong = [
        f"{relative(path)}: {fact!r}"
        for path in PYTHON
        if path.is_relative_to(ROOT / "tests")
        for fact in fact_ids(ast.parse(path.read_text()))
        if not FACT.fullmatch(fact)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"])
def test_the_papers_are_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert all(f"\n   {number}. " in text for number in range(1, 10))
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_has_a_place_for_what_is_not_released_yet() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
