"""``locum completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["SHELLS", "command"]

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete locum's commands and options.

    \b
    bash:  eval "$(locum completion bash)"       in ~/.bashrc
    zsh:   eval "$(locum completion zsh)"        in ~/.zshrc, after compinit
    fish:  locum completion fish | source        in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # one of the three that click has
    click.echo(kind(context.find_root().command, {}, "locum", "_LOCUM_COMPLETE").source())
