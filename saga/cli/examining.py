"""`saga doctor`: how the store is, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator

from saga.cli import output as o
from saga.cli.examination import Examination, versions
from saga.cli.listing import STYLES as STATUS_STYLES
from saga.cli.scheduling import TITLES as SCHEDULE_TITLES
from saga.cli.scheduling import schedule_cells
from saga.cli.terminal import Cell, Terminal, joined
from saga.cli.values import first_line, moment, size
from saga.cli.verifying import STYLES
from saga.errors import StoreNotFound
from saga.store import StoreFiles

__all__ = ["doctor"]


def doctor(directory: str, as_json: bool) -> int:
    """Print how a store is; return the exit code."""
    files, terminal = StoreFiles.at(directory), Terminal.of_stdout()
    examination = Examination(files)
    if not examination.is_there:
        if not as_json:
            terminal.pairs([("versions", _versions(versions()))])
        raise StoreNotFound(files.directory)
    found = examination.result()
    if as_json:
        o.write(found)
    else:
        _print(terminal, found)
    return 0 if found.ok else 1


def _print(terminal: Terminal, found: o.Doctor) -> None:
    terminal.pairs(list(_head(found)))
    terminal.heading("Files")
    terminal.table(("NAME", "SIZE", "WAL", "SCHEMA"), [_file(file) for file in found.files], "  ")
    if found.store is not None:
        terminal.heading("Sagas")
        terminal.pairs([*_sagas(found)], "  ")
    if found.definitions:
        terminal.heading("Definitions")
        terminal.table(
            ("NAME", "LIVE", "SINCE", "GRAPH"), [_definition(each) for each in found.definitions], "  "
        )
    if found.schedules:
        terminal.heading("Schedules")
        terminal.table(SCHEDULE_TITLES, [schedule_cells(each) for each in found.schedules], "  ")
    if found.contexts:
        terminal.heading("Contexts")
        titles = ("NAME", "REMEMBERS", "TO RELAY", "TO RETRY", "SET ASIDE")
        terminal.table(titles, [_context(each) for each in found.contexts], "  ")
    _print_people(terminal, found)
    _print_problems(terminal, found)


def _head(found: o.Doctor) -> Iterator[tuple[str, str | Cell]]:
    store = found.store
    if store is not None:
        yield "store", Cell(store.directory, "bold")
        yield "id", store.id
        times = "once" if store.opened == 1 else f"{store.opened:,} times"
        last = f", last at {moment(store.last_time_at)} UTC" if store.last_time_at else ""
        yield "opened", f"{times}, {store.commits:,} commits{last}"
        yield "program", _program(store, found.lock)
        factor = f"scaled, {store.clock_factor:,g} times as fast" if store.clock_factor else "scaled"
        yield "clock", "of the system" if store.clock == "system" else factor
        network = ", on a network file system" if store.network_file_system else ""
        yield "disk", f"{size(store.free_bytes)} free{network}"
    yield "versions", _versions(found.versions)


def _versions(found: dict[str, str | None]) -> str:
    return joined(f"{name} {version or '(not installed)'}" for name, version in found.items())


def _program(store: o.Store, lock: o.Lock | None) -> Cell:
    who = ""
    if lock is not None and lock.pid is not None:
        who = f"process {lock.pid} on {lock.host} since {moment(lock.since or '')}"
    match store.last_end:
        case "open":
            return Cell(f"running: {who}", "green")
        case "closed":
            return Cell(f"not running; the last one ended in order{f' ({who})' if who else ''}")
        case "cut-off":
            return Cell(f"not running; the last one was cut off{f' ({who})' if who else ''}", "yellow")
        case "unknown":
            return Cell("whether it runs cannot be told: runtime.lock cannot be read", "yellow")


def _file(file: o.File) -> list[Cell]:
    schema = Cell(str(file.schema)) if file.schema is not None else Cell("unreadable", "red")
    return [Cell(file.name), Cell(size(file.bytes)), Cell(size(file.wal_bytes)), schema]


def _sagas(found: o.Doctor) -> Iterator[tuple[str, str | Cell]]:
    for status, count in found.sagas.items():
        yield status, Cell(f"{count:,}", STATUS_STYLES.get(status, "") if count else "dim")


def _definition(each: o.Definition) -> list[Cell]:
    first = moment(each.first_used_at or "")
    return [
        Cell(f"{each.saga} {each.version}"),
        Cell(f"{each.live:,}"),
        Cell(first),
        Cell(each.graph, "dim"),
    ]


def _context(each: o.ContextFile) -> list[Cell]:
    aside = Cell(f"{each.deliveries_set_aside:,}", "red" if each.deliveries_set_aside else "")
    counts = (each.commands_remembered, each.events_to_relay, each.deliveries_to_retry)
    return [Cell(each.name), *(Cell(f"{count:,}") for count in counts), aside]


def _print_people(terminal: Terminal, found: o.Doctor) -> None:
    """Write what needs a person, one by one."""
    if found.missing_handlers:
        terminal.heading("Missing handlers")
        for missing in found.missing_handlers:
            needed = missing.command or f"class {missing.saga}, version {missing.version}"
            where = (
                f"for {missing.element} in {missing.sagas:,} {_sagas_of(missing)}, such as {missing.example}"
            )
            terminal.hanging(f"  {needed}: ", f"{where}: {first_line(missing.reason)}", "red", indent=4)
    if found.parked:
        count = sum(found.incidents.values())
        newest = f", the newest {len(found.parked)}" if len(found.parked) < count else ""
        terminal.heading(f"Parked ({count:,}{newest})")
        for incident in found.parked:
            text = f"{incident.kind}: {first_line(incident.reason)}"
            terminal.hanging(f"  {incident.id} at {incident.path}: ", text, "red", indent=4)
            terminal.hanging("    ", f"since {moment(incident.since_at or '')}; {incident.next}", "dim")
    aside = [(context.name, each) for context in found.contexts for each in context.set_aside]
    if aside:
        terminal.heading("Deliveries set aside")
        for name, event in aside[:20]:
            text = f"given up after {event.attempts} attempts: {first_line(event.reason)}"
            terminal.hanging(
                f"  event {event.event_no}, {event.event_type}, to {name}: ", text, "red", indent=4
            )
        count = sum(context.deliveries_set_aside for context in found.contexts)
        more = f"; {count - 20:,} more, see saga deliveries" if count > 20 else ""
        terminal.hanging("    ", f"mend the listener, then runtime.retry_deliveries(context){more}", "dim")


def _sagas_of(missing: o.MissingHandler) -> str:
    return f"{'saga' if missing.sagas == 1 else 'sagas'} {missing.saga}"


def _print_problems(terminal: Terminal, found: o.Doctor) -> None:
    terminal.line()
    for each in sorted(found.problems, key=lambda each: list(STYLES).index(each.severity), reverse=True):
        terminal.hanging(f"{each.severity}: ", f"{each.subject}: {each.what}", STYLES[each.severity])
    if found.ok:
        terminal.line("nothing needs a person", "green")
