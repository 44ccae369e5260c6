"""`saga`: its commands and options, its exit codes, and what becomes of errors.

Each command is imported when it is called, so that `--help` and completion answer at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import click

from saga.cli.terminal import clean
from saga.errors import SagaError, StoreNotFound, UnknownSaga

__all__ = ["FOUND", "GONE", "INTERRUPTED", "NOT_FOUND", "OK", "STORE_FAILED", "USAGE", "main", "program"]

OK = 0
FOUND = 1
USAGE = 2
NOT_FOUND = 4
STORE_FAILED = 70
INTERRUPTED = 130
GONE = 141

EXIT_CODES = """\b
Exit codes:
    0   all is well
    1   there are findings (verify), or something needs a person (doctor)
    2   the command line is wrong
    4   there is no such saga (or id, or context), or no store
   70   the store cannot be used: damaged, not readable, of a newer version; or no copy could be made
  130   interrupted
  141   whoever read the output has gone, as `head` does
"""

STATUSES = ("RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED", "PARKED", "SUSPENDED")
"""Those of `saga.machine.Status`, which would take a while to import."""

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
"""Of an age on the command line."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Failure(click.ClickException):
    """One line on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = exit_code

    def show(self, file: Any = None) -> None:
        """Write the line."""
        click.echo(f"saga: {clean(self.message)}", err=True)


def _failure(error: Exception) -> Failure:
    """Return what an error comes down to for somebody at a terminal."""
    if isinstance(error, UnknownSaga | StoreNotFound):
        return Failure(str(error), NOT_FOUND)
    if isinstance(error, SagaError):
        return Failure(str(error), STORE_FAILED)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return Failure(f"{name}{error.strerror or error}", STORE_FAILED)
    # Damage shows as anything at all: a number where a text was, a name that is no UTF-8.
    what = f"what is stored makes no sense ({type(error).__name__}: {error})"
    return Failure(f"{what}; see `saga verify`, and for the place SAGA_TRACEBACK=1", STORE_FAILED)


class Program(click.Group):
    """A group of commands whose errors are one line, and whose exit codes are those of `EXIT_CODES`."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run, and exit with the code that the command returned."""
        run: Callable[..., Any] = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **options)
        _write_anything()
        try:
            code = run(*args, standalone_mode=False, **options)
            sys.stdout.flush()
        except click.Abort:
            _exit(INTERRUPTED)
        except click.ClickException as error:
            error.show()
            _exit(error.code if isinstance(error, Failure) else error.exit_code)
        except BrokenPipeError:
            _exit(GONE)
        return _exit(code if isinstance(code, int) else OK)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return GONE
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if not isinstance(error, SagaError | OSError) and os.environ.get("SAGA_TRACEBACK"):
                raise
            raise _failure(error) from error


def _exit(code: int) -> NoReturn:
    if code == GONE:  # or the interpreter would complain when it flushes what nobody reads
        with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _write_anything() -> None:
    """Let characters that the terminal's encoding lacks be written as escapes, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


# --- the store ------------------------------------------------------------------------------------


def _store_option(function: Function) -> Function:
    return click.option("--store", metavar="DIR", help="Directory of the store; also before the command.")(
        function
    )


def _json_option(function: Function) -> Function:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON; see docs/cli.md for its schema."
    )(function)


def _directory(ctx: click.Context, store: str | None) -> str:
    """Return the directory of the store that is meant."""
    chosen: str | None = store or ctx.find_root().params.get("store")
    if chosen is None:
        if os.path.isfile("saga.db"):
            return "."
        raise Failure(
            "no store here: name its directory with --store DIR or in SAGA_STORE, or go to where saga.db is",
            NOT_FOUND,
        )
    if os.path.isfile(chosen):
        directory, name = os.path.split(chosen)
        hint = f": try --store {directory or '.'}" if name == "saga.db" else " that holds saga.db"
        raise Failure(f"{chosen} is a file, and a store is a directory{hint}", NOT_FOUND)
    return chosen


def _tags(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    tags = {}
    for value in values:
        key, equals, wanted = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} has no '='; write --tag KEY=VALUE")
        tags[key] = wanted
    return tags


def _age(ctx: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    number, unit = value[:-1], value[-1:]
    if not (number.isascii() and number.isdigit() and unit in UNITS and len(number) < 7):
        raise click.BadParameter(
            f"{value!r} is no age; write a number and one of {', '.join(UNITS)}, such as 30d"
        )
    return int(number) * UNITS[unit]


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from saga.cli.examination import versions

        click.echo(f"saga {versions()['saga-actors'] or '(not installed)'}")
        ctx.exit()


# --- the commands ---------------------------------------------------------------------------------


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.option(
    "--store",
    metavar="DIR",
    envvar="SAGA_STORE",
    show_envvar=True,
    help="Directory of the store. Default: where you are, if saga.db is there.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Say which version this is.",
)
def program(store: str | None) -> None:
    """Look at the sagas of a store, and keep it.

    Works beside the program that runs them, and on what a dead one has left; needs none of its code. Only prune
    changes anything in a store. Times are UTC.
    """


@program.command("list", epilog=EXIT_CODES)
@click.option("--saga", metavar="NAME", help="Only sagas of this name.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES, case_sensitive=False),
    help="Only sagas of this status; may be repeated.",
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_tags,
    help="Only with this tag; may be repeated.",
)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, at most.")
@click.option("--after", type=int, metavar="NO", help="Go on behind the saga of this number.")
@_json_option
@_store_option
@click.pass_context
def list_command(
    ctx: click.Context,
    saga: str | None,
    statuses: tuple[str, ...],
    tags: dict[str, str],
    limit: int,
    after: int | None,
    as_json: bool,
    store: str | None,
) -> int:
    """List sagas, the newest first.

    Below them stands how many there are of each status.
    """
    from saga.cli.listing import Wanted, list_sagas

    return list_sagas(_directory(ctx, store), Wanted(saga, statuses, tags, limit, after), as_json)


@program.command("show", epilog=EXIT_CODES)
@click.argument("saga_id", metavar="ID")
@click.option("--full", is_flag=True, help="Show tracebacks, commands, answers and events as well.")
@_json_option
@_store_option
@click.pass_context
def show_command(ctx: click.Context, saga_id: str, full: bool, as_json: bool, store: str | None) -> int:
    """Show one saga and its history.

    Where it stands, what it waits for, and everything that has happened to it.
    """
    from saga.cli.showing import show_saga

    return show_saga(_directory(ctx, store), saga_id, full, as_json)


@program.command("schedules", epilog=EXIT_CODES)
@_json_option
@_store_option
@click.pass_context
def schedules_command(ctx: click.Context, as_json: bool, store: str | None) -> int:
    """List the sagas that are started again and again.

    Their runs are sagas like all others: saga list --tag schedule=NAME.
    """
    from saga.cli.scheduling import list_schedules

    return list_schedules(_directory(ctx, store), as_json)


@program.command("trace", epilog=EXIT_CODES)
@click.argument("any_id", metavar="ID")
@_json_option
@_store_option
@click.pass_context
def trace_command(ctx: click.Context, any_id: str, as_json: bool, store: str | None) -> int:
    """Tell the whole story that an id belongs to.

    Who commanded, who answered, who published and who listened, in order, across all contexts and child sagas.
    ID is that of a saga, an event, a command, a send or a publish.
    """
    from saga.cli.tracing import trace_id

    return trace_id(_directory(ctx, store), any_id, as_json)


@program.command("deliveries", epilog=EXIT_CODES)
@click.option("--context", metavar="NAME", help="Only to the listeners of this context.")
@click.option("--set-aside", is_flag=True, help="Only those that are not tried again by themselves.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, at most.")
@click.option("--after", type=int, default=0, metavar="NO", help="Go on behind the event of this number.")
@_json_option
@_store_option
@click.pass_context
def deliveries_command(
    ctx: click.Context,
    context: str | None,
    set_aside: bool,
    limit: int,
    after: int,
    as_json: bool,
    store: str | None,
) -> int:
    """Show how far listeners are, and which events they have failed on.

    An event that a listener has failed on too often is set aside for that listener, and holds up no other.
    """
    from saga.cli.delivering import Asked, list_deliveries

    return list_deliveries(_directory(ctx, store), Asked(context, set_aside, limit, after), as_json)


@program.command("verify", epilog=EXIT_CODES)
@click.option("--quick", is_flag=True, help="Leave out SQLite's check of indexes, and sagas that have ended.")
@_json_option
@_store_option
@click.pass_context
def verify_command(ctx: click.Context, quick: bool, as_json: bool, store: str | None) -> int:
    """Check that the store is whole.

    Files are checked by SQLite, journals against their digests, files against each other. Every journal is
    replayed and held against what is stored beside it, every answer in it against what its context remembers.
    """
    from saga.cli.verifying import verify

    return verify(_directory(ctx, store), quick, as_json)


@program.command("backup", epilog=EXIT_CODES)
@click.argument("directory", metavar="DIR")
@_json_option
@_store_option
@click.pass_context
def backup_command(ctx: click.Context, directory: str, as_json: bool, store: str | None) -> int:
    """Copy the whole store to DIR, also while it is run.

    DIR is not there yet, or empty. The copy is of one moment across all files, and a store of its own. A program that
    runs the store makes it without stopping.
    """
    from saga.cli.copying import backup

    return backup(_directory(ctx, store), directory, as_json)


@program.command("restore", epilog=EXIT_CODES)
@click.argument("backup", metavar="BACKUP")
@click.argument("directory", metavar="DIR")
@_json_option
def restore_command(backup: str, directory: str, as_json: bool) -> int:
    """Make a store in DIR of a backup.

    DIR is not there yet, or empty. What goes on there is another life: files of the store that was backed up, and of
    other restores, are refused in it.
    """
    from saga.cli.copying import restore

    return restore(backup, directory, as_json)


@program.command("prune", epilog=EXIT_CODES)
@click.option(
    "--older-than",
    required=True,
    metavar="AGE",
    callback=_age,
    help="What ended longer ago: 90m, 12h, 30d, 8w.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be let go of, and change nothing.")
@_json_option
@_store_option
@click.pass_context
def prune_command(
    ctx: click.Context, older_than: timedelta, dry_run: bool, as_json: bool, store: str | None
) -> int:
    """Let go of sagas that ended long ago, and of events that nobody needs.

    Sagas go with their journals, tags, what they have called and what contexts remember of them. A program that runs
    the store does it without stopping. The ids can begin anew.
    """
    from saga.cli.pruning import prune

    return prune(_directory(ctx, store), older_than, dry_run, as_json)


@program.command("doctor", epilog=EXIT_CODES)
@_json_option
@_store_option
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool, store: str | None) -> int:
    """Say how the store is, and what needs a person."""
    from saga.cli.examining import doctor

    return doctor(_directory(ctx, store), as_json)


def main() -> None:
    """Run the command line of this process, and exit."""
    program()
