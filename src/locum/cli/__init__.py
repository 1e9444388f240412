"""The command line: ``locum serve``, the commands that operators run beside a server, and those of callers.

Standard output is the result and nothing else; everything else goes to standard error as ``locum: …`` with a
``hint:``.  Exit status 0: done; 1: failed; 2: wrong usage or settings; 3: denied.  A command's module is imported
when the command is run, so that ``locum --help`` is quick.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from locum import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: Final = {
    "whoami": ("locum.cli.whoami", "Say who the credentials belong to."),
    "assume": ("locum.cli.assume", "Assume a role: for a shell, a program or one command."),
    "login": ("locum.cli.login", "Log in at your company's identity provider."),
    "credentials": ("locum.cli.credentials_serve", "Hand out credentials to programs on this machine."),
    "sts": ("locum.cli.sts", "Call any operation of STS."),
    "presign-identity": ("locum.cli.identity:presign_identity", "Make a proof of who you are."),
    "verify-identity": ("locum.cli.identity:verify_identity", "Ask STS who made such a proof."),
    "serve": ("locum.cli.serve", "Run the server."),
    "keys": ("locum.cli.keys", "Keys that seal session tokens and sign identity tokens."),
    "account": ("locum.cli.account", "Create and list accounts, and set their limits."),
    "apply": ("locum.cli.apply", "Make accounts and everything in them what a file says."),
    "export": ("locum.cli.export", "Print accounts and everything in them as such a file."),
    "root": ("locum.cli.root", "Replace an account's root access key."),
    "sessions": ("locum.cli.sessions", "Revoke sessions, and show what was revoked."),
    "audit": ("locum.cli.audit", "Search the audit files: who did what as which role."),
    "explain": ("locum.cli.explain", "Explain why a request was refused."),
    "doctor": ("locum.cli.doctor", "Say why a token or a SAML assertion opens no session."),
    "policy": ("locum.cli.policy", "Check policy documents, and measure session policies."),
    "simulate": ("locum.cli.simulate", "Say what policies allow, and why."),
    "health": ("locum.cli.health", "Ask a running server whether it is ready."),
    "completion": ("locum.cli.completion", "Print what makes a shell complete commands."),
    "version": ("locum.cli.version", "Print the version."),
}
"""Name → the module whose ``command`` it is, or the one named after the colon, and what the overview says."""


class _Overview(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name or "command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names with what the overview says, for none of which a module has to be imported."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return found if found or not incomplete.startswith("-") else click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else "locum --help shows the commands"
            raise _Unknown(f"there is no command {args[0]!r}", hint)
        return super().resolve_command(ctx, args)


class _Unknown(click.UsageError):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@click.version_option(__version__, message="%(version)s")
@click.group(cls=_Overview, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """A Security Token Service of your own: temporary, limited credentials, wire-compatible with AWS STS and IAM."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    status = 1
    try:
        result = cli.main(arguments, prog_name="locum", standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        status = 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "locum"
        _complain(error.format_message(), getattr(error, "hint", f"{path} --help shows what it takes"))
        status = 2
    except click.ClickException as error:
        _complain(error.format_message())
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:
        # Whoever read the result has seen enough of it.
        sys.stderr.close()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _complain(f"the result cannot be written: {error.strerror}")
        # What is left of it must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        from locum.cli.caller import report_call
        from locum.cli.report import report

        known = report(error)
        if known is None:
            known = report_call(error)
        if known is None:
            raise
        status = known
    sys.exit(status)


def _complain(text: str, hint: str = "") -> None:
    from locum.cli.report import complain

    complain(text, hint)
