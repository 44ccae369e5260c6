"""`saga show ID`: where one saga stands, what it waits for, and everything that happened to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from saga.cli.listing import STYLES
from saga.cli.output import CalledSaga, Entry, Refusal, SagaDetails, Waiting, write
from saga.cli.terminal import Cell, Terminal
from saga.cli.values import first_line, iso, lasted, moment
from saga.cli.waiting import advice, replayed, sentence, waiting_for
from saga.errors import CorruptStore, UnknownSaga
from saga.history import HistoryEntry, read_history
from saga.journal import records_of
from saga.machine import State, Status, Unfitting, command_id
from saga.machine.records import CommandSent, UndoSent
from saga.machine.state import REVERSAL, called, is_call
from saga.store import JournalRow, SagaRow, StoreReader
from saga.store.inspection import ids_with_prefix

__all__ = ["NoSuchSaga", "show_saga"]

CALLS = 20
"""Called sagas that are shown without `--full`, those that have not ended first."""

SIMILAR_AMONG = 2_000
"""Ids that a wrong one is compared with: those of the sagas started last."""

SIMILAR = 5
"""Ids that are offered instead, at most."""

PAYLOADS = ("input", "command", "answer", "event", "stimulus")
"""Fields of records that hold values of the author."""


class NoSuchSaga(UnknownSaga):
    """There is no such saga, but some have a similar id."""

    def __init__(self, saga_id: str, similar: list[str]) -> None:
        super().__init__(saga_id)
        if similar:
            offered = ", ".join(map(repr, similar))
            self.args = (f"no saga {saga_id!r} in this store; did you mean {offered}?",)


def show_saga(directory: str, saga_id: str, full: bool, as_json: bool) -> int:
    """Print all about a saga; return the exit code."""
    with StoreReader.open(directory) as reader:
        with reader.moment():
            row = reader.saga(saga_id)
            if row is None:
                raise NoSuchSaga(saga_id, _similar(reader, saga_id))
            saga = _details(reader, row, reader.journal(row.no))
        path = reader.files.saga
    if as_json:
        write(saga)
    else:
        _print(Terminal.of_stdout(), saga, full)
    if saga.problem is not None:
        raise CorruptStore(path, f"the journal of saga {saga_id!r} cannot be read: {saga.problem}")
    return 0


def _similar(reader: StoreReader, saga_id: str) -> list[str]:
    """Return ids that may have been meant: those that begin like this, then those that look like it."""
    begin = ids_with_prefix(reader, saga_id, SIMILAR)
    newest = [row.id for row in reader.overview(limit=SIMILAR_AMONG)]
    close = difflib.get_close_matches(saga_id, newest, SIMILAR)
    folded = [id_ for id_ in newest if id_.casefold() == saga_id.casefold()]
    return list(dict.fromkeys([*folded, *begin, *close]))[:SIMILAR]


def _details(reader: StoreReader, row: SagaRow, journal: list[JournalRow]) -> SagaDetails:
    definition = reader.definition(row.definition_no)
    state: State | None = None
    problem: str | None = None
    try:
        state = replayed(journal)
        waiting = waiting_for(state, journal)
    except Unfitting as error:
        problem = str(error)
        waiting = [Waiting(kind="unknown", path="", reason="its journal cannot be read")]
    history = []
    try:
        for entry in read_history(journal):
            history.append(_entry(entry))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        problem = problem or str(error)
    calls: list[CalledSaga] = []
    if problem is None:
        calls = list(_calls(reader, row.id, journal))
    refusal = None
    if row.refusal_code is not None:
        refusal = Refusal(code=row.refusal_code, reason=row.refusal_reason or "")
    elif state is not None and state.failure is not None:
        refusal = Refusal(code=state.failure.code, reason=state.failure.reason)
    return SagaDetails(
        no=row.no,
        id=row.id,
        saga=definition.name,
        version=definition.version,
        graph=definition.hash,
        status=row.status,
        started_at=iso(row.started_ms) or "",
        ended_at=iso(row.ended_ms),
        lasted_ms=None if row.ended_ms is None else row.ended_ms - row.started_ms,
        refusal=refusal,
        tags=reader.tags(row.no),
        correlation=row.correlation,
        causation=row.causation,
        caller=None if state is None else state.parent or None,
        calls=calls,
        input_type=row.input_type,
        input=None if state is None else state.input,
        answer=None if state is None else state.answer,
        waiting_for=waiting,
        history=history,
        problem=problem,
    )


def _calls(reader: StoreReader, saga_id: str, journal: list[JournalRow]) -> Iterator[CalledSaga]:
    """Yield the sagas that have carried out commands of this one, in the order in which they were called."""
    for record in records_of(journal):
        if isinstance(record, CommandSent | UndoSent) and is_call(record.to) and record.type != REVERSAL:
            name, version = called(record.to)
            there = reader.saga(command_id(saga_id, record.path))
            yield CalledSaga(
                path=record.path,
                id=command_id(saga_id, record.path),
                saga=name,
                version=version,
                status=None if there is None else there.status,
            )


def _entry(entry: HistoryEntry) -> Entry:
    at = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Entry(
        seq=entry.seq,
        at=at,
        what=entry.what,
        path=entry.path,
        text=entry.text,
        cause=entry.cause,
        data=entry.data,
    )


# --- as text --------------------------------------------------------------------------------------


def _print(terminal: Terminal, saga: SagaDetails, full: bool) -> None:
    terminal.pairs(list(_head(saga, full)))
    if saga.ended_at is None:
        terminal.heading("Waits for")
        if not saga.waiting_for:
            terminal.hanging("  ", "nothing")
        people = sum(waiting.kind == "person" for waiting in saga.waiting_for)
        for waiting in saga.waiting_for:
            _print_waiting(terminal, waiting, saga.id, waiting.path if people > 1 else "", full)
    if saga.calls:
        terminal.heading("Calls")
        _print_calls(terminal, saga.calls, full)
    terminal.heading("History")
    _print_history(terminal, saga.history, full)


def _head(saga: SagaDetails, full: bool) -> Iterator[tuple[str, str | Cell]]:
    yield "saga", Cell(saga.id, "bold")
    yield "status", Cell(saga.status, STYLES.get(saga.status, ""))
    yield "definition", f"{saga.saga} version {saga.version}" + (f", graph {saga.graph}" if full else "")
    yield "started", f"{_exact(saga.started_at)} UTC"
    if saga.ended_at is not None and saga.lasted_ms is not None:
        yield "ended", f"{_exact(saga.ended_at)} UTC, after {lasted(saga.lasted_ms)}"
    if saga.refusal is not None:
        yield "refused", Cell(f"{first_line(saga.refusal.reason)} [{saga.refusal.code}]", "yellow")
    if saga.tags:
        yield "tags", ", ".join(f"{key}={value}" for key, value in saga.tags.items())
    if saga.correlation != saga.id:
        yield "correlation", saga.correlation
    if saga.caller is not None:
        yield "called by", saga.caller
    elif saga.causation is not None:
        yield "caused by", saga.causation
    if full:
        yield "input", f"{saga.input_type} {_plain(saga.input)}"
    if saga.answer is not None and saga.ended_at is not None:
        yield "answer", _plain(saga.answer)


def _exact(at: str) -> str:
    """Return a time with its milliseconds."""
    return at.replace("T", " ").removesuffix("Z")


def _plain(data: Raw | None) -> str:
    return "" if data is None else bytes(data).decode("utf-8", "backslashreplace")


def _print_waiting(terminal: Terminal, waiting: Waiting, saga_id: str, step: str, full: bool) -> None:
    """Write what is waited for; `step` is what an operator must say to mean this."""
    first = f"  {waiting.path}: " if waiting.path else "  "
    terminal.hanging(first, sentence(waiting), "red" if waiting.kind == "person" else "", indent=4)
    if waiting.kind != "person":
        return
    reason = (waiting.reason or "").strip()
    if full and "\n" in reason:
        _print_lines(terminal, "    ", reason)
    since = f"since {moment(waiting.since_at)}; " if waiting.since_at else ""
    terminal.hanging("    ", f"{since}{advice(waiting.incident or '', saga_id, step)}", "dim")


def _print_calls(terminal: Terminal, calls: list[CalledSaga], full: bool) -> None:
    """Write the called sagas, those that have not ended first."""
    ended = (Status.COMPLETED, Status.COMPENSATED)
    ordered = sorted(calls, key=lambda each: each.status is None or each.status in ended)
    shown = ordered if full else ordered[:CALLS]
    for each in shown:
        status = each.status or "not there"
        text = f"{status}, {each.saga} {each.version}"
        terminal.hanging(f"  {each.id}: ", text, STYLES.get(status, "dim"), indent=4)
    if len(shown) < len(ordered):
        terminal.hanging("  ", f"and {len(ordered) - len(shown):,} more, see --full", "dim")


def _print_lines(terminal: Terminal, indent: str, text: str) -> None:
    """Write a text of several lines, such as a traceback."""
    for line in text.strip().splitlines():
        bare = line.lstrip(" ")
        terminal.hanging(indent + " " * (len(line) - len(bare)), bare, "dim")


def _print_history(terminal: Terminal, history: list[Entry], full: bool) -> None:
    """Write the entries: each date once, above its first one, and each time once."""
    day = time = reason = ""
    for entry in history:
        at = _exact(entry.at)
        if at[:10] != day:
            day, time = at[:10], ""
            terminal.hanging("  ", day, "dim")
        shown, time = (at[11:] if at[11:] != time else ""), at[11:]
        terminal.hanging(f"  {shown:12}  ", entry.text, _STYLES.get(entry.what, ""), "dim", indent=18)
        if full:
            reason = _print_data(terminal, entry, reason)


def _print_data(terminal: Terminal, entry: Entry, reason_before: str) -> str:
    """Write what the sentence leaves out: what was sent and answered, and reasons of several lines.

    Returns the reason that was written last: what follows from it has the same, which is not repeated.
    """
    indent = " " * 20
    for key in PAYLOADS:
        if key in entry.data:
            value = msgspec.json.encode(entry.data[key]).decode()
            terminal.hanging(f"{indent}{key} ", value, "dim", "dim", indent=22)
    reason = str(entry.data.get("reason", "")).strip()
    if "\n" not in reason or reason == reason_before:
        return reason_before
    _print_lines(terminal, indent, reason)
    return reason


_STYLES = {
    "ended": "bold",
    "step-completed": "green",
    "event-taken": "green",
    "attempt-failed": "yellow",
    "step-refused": "yellow",
    "step-failed": "yellow",
    "scope-failed": "yellow",
    "wait-expired": "yellow",
    "parked": "red",
    "suspended": "magenta",
    "resumed": "magenta",
    "acted": "magenta",
    "ignored": "dim",
    "erased": "dim",
}
