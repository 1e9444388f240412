"""The recipes in ``examples/`` run as they stand and print what their pages say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from tests.gate.test_docs import LINK, Runner, environment_for, read_page

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
PAGES: Final = sorted(EXAMPLES.rglob("*.md"))


def relative(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


@pytest.mark.parametrize("path", [each for each in PAGES if each.parent != EXAMPLES], ids=relative)
def test_a_recipe_does_what_its_page_says(path: Path, tmp_path: Path) -> None:
    page = read_page(path.read_text())
    assert [block for block in page.blocks if block.marker == "run"], "the page runs nothing"
    runner = Runner(relative(path), path.parent, environment_for(tmp_path))
    for block in page.blocks:
        runner.run(block)


def test_every_recipe_is_listed() -> None:
    listed = {found[1] for found in LINK.finditer((EXAMPLES / "README.md").read_text())}
    assert listed == {relative(path) for path in PAGES if path.parent != EXAMPLES}


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_the_links_of_a_recipe_lead_somewhere(path: Path) -> None:
    targets = [found[1] for found in LINK.finditer(path.read_text())]
    assert [target for target in targets if not (path.parent / target).exists()] == []
