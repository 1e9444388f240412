"""Shared by every test: the record of proved facts, and hypothesis profiles.

A test names the facts of the reference that it proves with ``@pytest.mark.facts("STS-AR-012", "R17")``.  At the end
of a run of the whole suite the ids whose every marked test passed are in ``build/facts.txt``, one a line.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", settings.get_profile("default"), max_examples=20)
settings.register_profile("long", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests of one ``xdist_group`` run in one process.

    pytest-xdist 3.8 writes the group into an attribute that pytest 9.2 does not read any more, so that the mark did
    nothing: every process would start the servers that a module's tests share.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        suffix = f"@{'_'.join(groups)}"
        if groups and not item.nodeid.endswith(suffix):
            item._id = item.id.parse(f"{item.nodeid}{suffix}")
            assert item.nodeid.endswith(suffix)


_passed: set[str] = set()
_failed: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    ids = [str(fact) for mark in item.iter_markers("facts") for fact in mark.args]
    report.user_properties += [("fact", fact) for fact in ids]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    facts = {str(value) for name, value in report.user_properties if name == "fact"}
    if report.failed:
        _failed.update(facts)
    elif report.when == "call" and report.passed:
        _passed.update(facts)


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workerinput") or [Path(each).name for each in config.args] != ["tests"]:
        return
    page = Path(session.config.rootpath) / "build" / "facts.txt"
    page.parent.mkdir(exist_ok=True)
    page.write_text("".join(f"{fact}\n" for fact in sorted(_passed - _failed)))
