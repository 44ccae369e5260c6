"""`python3 run.py reliability COMMAND`: run one of the fault tests, print its result, and with `--record` keep it."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from reliability.report import record, shown
from reliability.result import Result

COMMANDS = {
    "sim": "deterministic simulation: one thread, a seed decides who goes next, what is lost, when it crashes",
    "crash": "kill -9 at every failpoint in every scenario; with --pairs again while it recovers",
    "power": "the power is cut after every write and sync of a run",
    "syscalls": "kill, EIO and ENOSPC at every n-th write and sync of an unmodified program",
    "corrupt": "bits flipped, files cut, emptied, swapped, missing or old",
    "soak": "real threads under load without end, killed and stopped at random",
    "faults": "user code that raises anything, hangs, forks, exits, or returns the wrong type, in every hook",
    "fuzz": "random input for the codec, the command line, stored definitions and flow definitions",
    "model": "the exhaustive model of the step protocol, and each of its rules switched off",
    "backups": "backups of a store under load, each restored, verified and brought to its end",
    "mutants": "the pure core changed in small ways; the tests must notice",
    "coverage": "branches of core, store and actors that the tests take",
}
"""Name of a command, which is that of its module, and what it does."""


class _Commands(click.Group):
    """Imports a command when it is asked for: each has needs of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"reliability.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, help=__doc__)
@click.option("--record", "keep", is_flag=True, help="write the result into docs/reliability.md")
@click.pass_context
def main(context: click.Context, keep: bool) -> None:
    """Run one command."""
    context.obj = keep


@main.result_callback()
@click.pass_context
def finish(context: click.Context, result: Result, keep: bool) -> None:
    """Print what a command has found; exit with 1 when it is not what must be."""
    click.echo(shown(result))
    if keep:
        record(result, sys.argv[1:])
    context.exit(0 if result.holds else 1)


if __name__ == "__main__":
    main(prog_name="run.py reliability", standalone_mode=True)
