"""Turns the list of commands into a click group that imports a command only when it is called."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from hoplon.cli import Command
from hoplon.cli.errors import EXIT_INTERNAL, exit_code, report
from hoplon.errors import HoplonError
from hoplon.spelling import nearest


class CommandList(click.Group):
    """A group whose commands are known by name and help line before their modules are imported."""

    def __init__(self, commands: Sequence[Command], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._known = {command.name: command for command in commands}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = self._known.get(cmd_name)
        if command is None:
            return None
        module, _, attribute = command.target.partition(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._known and not args[0].startswith("-"):
            match = nearest(args[0], self._known)
            raise click.UsageError(f"no command `{args[0]}`" + (f"; did you mean `{match}`?" if match else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.help) for command in self._known.values()])


def run(commands: Sequence[Command], arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its documented code."""
    group = CommandList(
        commands,
        name="hoplon",
        help="A shield for your API: sees every operation, says what is at risk, enforces what you allow.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    try:
        code = group.main(args=arguments, prog_name="hoplon", standalone_mode=False)
    except click.ClickException as error:
        report(error.format_message(), _usage_hint(error))
        code = error.exit_code
    except click.Abort:
        code = 130
    except HoplonError as error:
        report(error.message, error.hint, error.problems)
        code = exit_code(error)
    except BrokenPipeError:
        _forget_output()
        code = 0
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever failed is told, with an exit code
        message = f"Hoplon itself failed: {type(error).__name__}: {error}"
        report(message, "please report it; HOPLON_TRACEBACK=1 shows where it happened")
        _show_traceback()
        code = EXIT_INTERNAL
    sys.exit(code if isinstance(code, int) else 0)


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help` shows how it is used" if context is not None else None


def _forget_output() -> None:
    """The reader of our pipe is gone (`| head`): give stdout a place where flushing at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_traceback() -> None:
    if os.environ.get("HOPLON_TRACEBACK"):
        traceback.print_exc()
