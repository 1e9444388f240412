"""The hash-locked requirements: complete, in agreement with pyproject.toml, no registry named, no old release."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[2]
REQUIREMENTS: Final = ROOT / "requirements"
NODE: Final = (ROOT / "tests" / "interop", ROOT / "benchmarks" / "node")
"""The folders with a package.json of their own."""
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())

FLOORS: Final = {
    "alembic": "1.18",
    "click": "8.2",
    "cryptography": "46",
    "httptools": "0.6",
    "joserfc": "1.7.4",
    "lxml": "6.1",
    "msgspec": "0.20",
    "prometheus-client": "0.24",
    "signxml": "5.2",
    "sqlalchemy": "2.1",
    "starlette": "1.0",
    "urllib3": "2.6",
    "uvicorn": "0.35",
}
"""The oldest release of each dependency that we have tried and that no advisory names; see docs/dependencies.md."""

INTERPRETERS: Final = ("3.11", "3.12", "3.13", "3.14")

STANDARD: Final = [
    requirement
    for extra in ("async", "cli", "mfa", "saml", "yaml")
    for requirement in PROJECT["project"]["optional-dependencies"][extra]
]
"""What the extra ``standard`` stands for."""

LOCKS: Final = {
    "setup.lock": PROJECT["dependency-groups"]["setup"],
    "serve.lock": [*PROJECT["project"]["dependencies"], *STANDARD],
    "dev.lock": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]],
    "bench.lock": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["bench"]],
    "fuzz.lock": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["fuzz"]],
    "ansible.lock": PROJECT["dependency-groups"]["ansible"],
}
"""Lock → the requirements of pyproject.toml that it was made from."""

REGISTRY: Final = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|^-[if]\b", re.MULTILINE)


def entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of a lock with its hashes."""
    text = re.sub(r"^\s*#.*\n", "", (REQUIREMENTS / lock).read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=")
        found.append((Requirement(requirement.strip()), [value.strip() for value in hashes]))
    return found


def versions(lock: str) -> dict[str, set[str]]:
    """Name → the pinned versions (more than one where a marker decides)."""
    found: dict[str, set[str]] = {}
    for requirement, _ in entries(lock):
        found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier).removeprefix("=="))
    return found


def test_every_lock_in_the_folder_is_known() -> None:
    assert {path.name for path in REQUIREMENTS.iterdir()} == set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_one_version_and_its_sha256_for_each_package(lock: str) -> None:
    for requirement, hashes in entries(lock):
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), requirement
        assert requirement.url is None


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock: str) -> None:
    assert REGISTRY.search((REQUIREMENTS / lock).read_text()) is None


@pytest.mark.parametrize("line", ["--index-url x", "-i x", "--find-links x", "a @ https://x/a.whl"])
def test_the_check_sees_a_registry(line: str) -> None:
    assert REGISTRY.search(f"a==1\n{line}\n") is not None


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_lock_meets_every_requirement_of_the_project_on_each_interpreter(lock: str, python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    pins = {
        canonicalize_name(requirement.name): Version(str(requirement.specifier).removeprefix("=="))
        for requirement, _ in entries(lock)
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }
    for line in LOCKS[lock]:
        wanted = Requirement(line)
        pin = pins.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted} is not in {lock}: run make lock"
        assert pin in wanted.specifier, f"{lock} has {pin}, the project wants {wanted}: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_release_below_the_floors(lock: str) -> None:
    below = {
        f"{name}=={version}"
        for name, pins in versions(lock).items()
        for version in pins
        if name in FLOORS and Version(version) < Version(FLOORS[name])
    }
    assert below == set()


@pytest.mark.parametrize("line", PROJECT["project"]["dependencies"])
def test_the_project_asks_for_no_release_below_the_floors(line: str) -> None:
    requirement = Requirement(line)
    floor = FLOORS.get(requirement.name)
    lowest = min(Version(clause.version) for clause in requirement.specifier if clause.operator == ">=")
    assert floor is None or lowest >= Version(floor)


@pytest.mark.parametrize("other", ["setup.lock", "serve.lock", "bench.lock", "ansible.lock"])
def test_locks_agree_on_every_version_that_they_share(other: str) -> None:
    """So that ``make serve`` after ``make test`` changes nothing in the environment."""
    dev = versions("dev.lock")
    assert {name: pins for name, pins in versions(other).items() if name in dev and dev[name] != pins} == {}


def test_the_tests_environment_holds_all_that_the_server_has() -> None:
    assert set(versions("serve.lock")) <= set(versions("dev.lock"))


def test_the_lowest_interpreter_that_the_project_names_is_the_lowest_that_is_tested() -> None:
    wanted = SpecifierSet(PROJECT["project"]["requires-python"])
    assert INTERPRETERS[0] in wanted
    assert "3.10" not in wanted


@pytest.mark.parametrize("folder", NODE, ids=lambda folder: folder.name)
def test_the_node_lock_names_no_registry_and_has_a_digest_for_each_package(folder: Path) -> None:
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    for entry in packages.values():
        entry.pop("funding", None)  # where a package's authors take donations
    assert not re.search(r"resolved|https?:", json.dumps(packages))
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    assert packages[""]["dependencies"] == wanted
    assert all(entry["integrity"].startswith("sha512-") for name, entry in packages.items() if name)


@pytest.mark.parametrize("folder", NODE, ids=lambda folder: folder.name)
def test_the_node_settings_keep_registries_out_of_the_lock_and_run_no_scripts(folder: Path) -> None:
    lines = (folder / ".npmrc").read_text().splitlines()
    assert {"omit-lockfile-registry-resolved=true", "ignore-scripts=true"} <= set(lines)
