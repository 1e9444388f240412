"""The pages of the operations say what the contract says, and each shows a call that is really made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from tests.gate.test_docs import read_page
from tools import pages

import locum
from locum.api.shapes import members
from locum.api.sts import COMMANDS
from locum.client import STSClient
from locum.errors import ServiceException

MADE: Final = pages.made()
HINT: Final = "run make pages"


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the table under a heading, its head left out."""
    part = text.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    rows = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def page_of(name: str) -> str:
    return (pages.PAGES / f"{pages.name_of(name)}.md").read_text()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_page_is_what_the_contract_makes_it(path: Path) -> None:
    assert path.read_text() == MADE[path], HINT


def test_there_is_a_page_for_each_operation_and_for_no_other() -> None:
    names = {pages.name_of(name) for name in COMMANDS}
    assert {path.stem for path in pages.PAGES.glob("*.md")} == names, HINT
    assert {path.stem for path in pages.EXAMPLES.glob("*.md")} == names


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_calls_its_operation_and_shows_the_answer(name: str) -> None:
    page = read_page(page_of(name))
    assert page.server or "running_server(" in page_of(name)
    method = pages.name_of(name).replace("-", "_")
    assert hasattr(STSClient, method)
    blocks = [block for block in page.blocks if block.language == "python"]
    assert not any(block.marker.startswith("skip") for block in page.blocks)
    assert any(f".{method}(" in block.text or f"{name}Command(" in block.text for block in blocks)
    assert any(block.marker == "output" for block in page.blocks)
    typed = [block.text for block in page.blocks if block.marker == "run"]
    assert any(f"locum sts {pages.name_of(name)} " in text for text in typed)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_lists_every_member_with_its_presence_limits_and_secrecy(name: str) -> None:
    command = COMMANDS[name]
    text = page_of(name)
    for heading, shape in (("## What is sent", command), ("## What comes back", command.output())):
        rows = table(text, heading)
        assert [row[0].strip("`") for row in rows] == [member.attribute for member in members(shape)]
        for row, member in zip(rows, members(shape), strict=True):
            assert row[1] == f"`{member.wire_name}`"
            assert (row[3] == "yes") == member.required
            assert (row[5] == "**yes**") == member.limits.secret == (row[2] == "`Secret`")
            for bound in (member.limits.least, member.limits.most):
                assert bound is None or f"{bound:,}" in row[4]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_lists_the_errors_that_the_operation_declares(name: str) -> None:
    declared: dict[str, type[ServiceException]] = {error.__name__: error for error in COMMANDS[name].operation.errors}
    rows = table(page_of(name), "## What may go wrong")
    assert {row[0].strip("`") for row in rows} == set(declared)
    for row in rows:
        error = declared[row[0].strip("`")]
        assert row[1:5] == [f"`{error.code}`", str(error.status), error().fault, "yes" if error.retryable else ""]


def test_no_error_of_the_public_face_is_left_out() -> None:
    text = (pages.INDEX).read_text() + "".join(page_of(name) for name in COMMANDS)
    public = [getattr(locum, name) for name in locum.__all__]
    errors = {each.__name__ for each in public if isinstance(each, type) and issubclass(each, ServiceException)}
    listed = set(re.findall(r"^\| `(\w+)` \| `\w+` \| \d{3} ", text, re.MULTILINE))
    assert errors - listed == {"ServiceException", "STSServiceException"}


def test_names_of_pages_are_those_of_the_aws_cli() -> None:
    from botocore import xform_name

    assert [pages.name_of(name) for name in COMMANDS] == [xform_name(name, "-") for name in COMMANDS]
