"""The client's page lists every option, and where each can be set from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from locum.client.options import SETTINGS, CallOptions, ClientOptions
from locum.client.retry import MODES

PAGE: Final = Path(__file__).parents[2] / "docs" / "client.md"
MARK: Final = "<!-- settings: those of locum.client.options; held by tests/client/test_client_page.py -->\n"


def rows() -> dict[str, list[str]]:
    """Option → the other cells of its row."""
    lines = PAGE.read_text().partition(MARK)[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r" ?\| ?", line)[1:-1]] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_the_page_lists_every_option_and_no_other() -> None:
    assert set(rows()) == set(ClientOptions.__annotations__)
    assert list(CallOptions.__annotations__) == ["timeout", "middleware", "credentials", "region"]


def test_the_page_knows_where_each_is_set() -> None:
    listed = rows()
    for setting in SETTINGS:
        variables, profile, _ = listed[setting.option]
        assert re.findall(r"`([A-Z_]+)`", variables) == list(setting.variables)
        assert profile == f"`{setting.setting}`"


def test_the_page_knows_the_retry_modes() -> None:
    attempts = rows()["max_attempts"][2]
    assert attempts == f"{MODES['standard'].attempts}; in `legacy` mode {MODES['legacy'].attempts}"
    text = PAGE.read_text()
    assert all(f"`{mode}`" in text for mode in MODES)
