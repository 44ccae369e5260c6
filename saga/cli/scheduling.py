"""`saga schedules`: which sagas are started again and again, and when the next time is."""

from __future__ import annotations

import msgspec

from saga.cli.output import ScheduleLine, Schedules, write
from saga.cli.terminal import Cell, Terminal
from saga.cli.values import iso, moment
from saga.schedules import run_id
from saga.store import ScheduleRow, StoreReader

__all__ = ["TITLES", "list_schedules", "schedule_cells", "schedule_line"]

TITLES = ("NAME", "SAGA", "CRON", "ZONE", "NEXT RUN", "LAST RUN", "RUNS", "MISSED")


def list_schedules(directory: str, as_json: bool) -> int:
    """Print the schedules of a store; return the exit code."""
    with StoreReader.open(directory) as reader:
        lines = [schedule_line(row) for row in reader.schedules()]
    if as_json:
        write(Schedules(schedules=lines))
    else:
        _print(Terminal.of_stdout(), lines)
    return 0


def schedule_line(row: ScheduleRow) -> ScheduleLine:
    """Return a schedule as `--json` prints it."""
    return ScheduleLine(
        name=row.name,
        saga=row.saga,
        input_type=row.input_type,
        tags=msgspec.json.decode(row.tags, type=dict[str, str]),
        cron=row.cron,
        time_zone=row.time_zone,
        missed=row.missed,
        overlap=row.overlap,
        since_at=iso(row.since_ms) or "",
        next_at=iso(row.next_ms),
        last_at=iso(row.last_ms),
        last_id=None if row.last_ms is None else run_id(row.name, row.last_ms),
        runs=row.runs,
        problem=row.problem,
    )


def _print(terminal: Terminal, lines: list[ScheduleLine]) -> None:
    if lines:
        terminal.table(TITLES, [schedule_cells(line) for line in lines])
        terminal.line()
    for line in lines:
        if line.problem is not None:
            terminal.hanging(f"{line.name}: ", f"no run can be started: {line.problem}", "red")
    terminal.line(f"{len(lines):,} {'schedule' if len(lines) == 1 else 'schedules'}")


def schedule_cells(line: ScheduleLine) -> list[Cell]:
    """Return a line of a table below `TITLES`."""
    held = line.problem is not None
    after = "held" if held else "never" if line.next_at is None else moment(line.next_at)
    policy = line.missed if line.overlap == "allow" else f"{line.missed}, no overlap"
    return [
        Cell(line.name),
        Cell(line.saga),
        Cell(line.cron),
        Cell(line.time_zone),
        Cell(after, "red" if held else ""),
        Cell("" if line.last_at is None else moment(line.last_at), "dim"),
        Cell(f"{line.runs:,}"),
        Cell(policy),
    ]
