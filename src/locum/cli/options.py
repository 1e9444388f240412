"""Command-line options, made from the declaration of the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from locum.cli.report import as_json
from locum.server.config import CONFIG_VARIABLE, SETTINGS, Setting, Settings, load_settings
from locum.server.data import Data, open_data

__all__ = ["as_json", "data_options", "opened", "settings_from", "settings_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def _option(setting: Setting) -> click.Option:
    notes = setting.variable + (f"; default: {setting.shown_default}" if setting.shown_default else "")
    text = f"{setting.help}  [{notes}]"
    if setting.flag:
        return click.Option([f"--{setting.key}/--no-{setting.key}", setting.name], default=None, help=text)
    return click.Option([f"--{setting.key}"], metavar=setting.metavar, multiple=setting.many, help=text)


def settings_options(*names: str) -> Callable[[click.Command], click.Command]:
    """Give a command ``--config`` and the options of the named settings, or of all that have one."""

    def add(command: click.Command) -> click.Command:
        chosen = [SETTINGS[name] for name in names or SETTINGS]
        command.params += [
            click.Option(["--config"], metavar="FILE", help=f"TOML file with settings.  [{CONFIG_VARIABLE}]"),
            *(_option(each) for each in chosen if each.option is not None),
        ]
        return command

    return add


data_options = settings_options("data", "wrapping_key_command")
"""The options of every command that opens the data directory."""


def settings_from(options: dict[str, Any], *, serving: bool = False) -> Settings:
    """The settings of this command, from its options, the environment and the configuration file."""
    given = {name: str(value) if isinstance(value, bool) else value for name, value in options.items()}
    config = given.pop("config", None)
    return load_settings(given, os.environ, config=config, serving=serving)


@contextmanager
def opened(options: dict[str, Any]) -> Iterator[Data]:
    """The data directory that the options name, open until the block ends; a running server may have it too."""
    data = open_data(settings_from(options))
    try:
        yield data
    finally:
        data.store.close()
