"""`saga trace ID`: the whole story that an id belongs to, across all files of the store."""

from __future__ import annotations

from collections import Counter

from saga.cli.output import Traced, TracedEntry, write
from saga.cli.terminal import Cell, Terminal
from saga.cli.values import iso
from saga.store import StoreReader
from saga.story import StoredSources, Trace, TraceEntry, gather, tell

__all__ = ["trace_id"]

DEEPEST = 12
"""Levels that are indented, so that a long chain of events stays on the screen."""

TIME = 12
"""Cells of `12:00:00.000`."""


def trace_id(directory: str, id: str, as_json: bool) -> int:
    """Print a story; return the exit code."""
    with StoreReader.open(directory) as reader:
        trace = tell(gather(id, StoredSources(reader)))
    if as_json:
        write(_traced(trace))
    else:
        _print(Terminal.of_stdout(), trace)
    return 0


def _traced(trace: Trace) -> Traced:
    return Traced(
        correlation=trace.correlation,
        truncated=trace.truncated,
        entries=[
            TracedEntry(
                depth=entry.depth,
                at=_at(entry),
                what=entry.what,
                who=entry.who,
                text=entry.text,
                id=entry.id,
                cause=entry.cause,
                type=entry.type,
                outcome=entry.outcome,
            )
            for entry in trace.entries
        ],
    )


def _at(entry: TraceEntry) -> str | None:
    return None if entry.at is None else iso(round(entry.at.timestamp() * 1000))


# --- as text --------------------------------------------------------------------------------------


def _print(terminal: Terminal, trace: Trace) -> None:
    terminal.pairs([("story of", Cell(trace.correlation, "bold")), ("tells of", _count(trace))])
    terminal.line()
    day = ""
    for entry in trace.entries:
        at = (_at(entry) or "").replace("T", " ").removesuffix("Z")
        if at and at[:10] != day:
            day = at[:10]
            terminal.line(day, "dim")
        indent = "  " * min(entry.depth, DEEPEST)
        text = entry.text
        if entry.what == "saga" and entry.outcome is not None:
            text += f" [{entry.outcome}]"
        elif entry.what == "command" and entry.outcome == "open":
            text += " [not answered yet]"
        first = f"{at[11:]:{TIME}}  {indent}"
        terminal.hanging(first, text, _style(entry), "dim", indent=len(first) + 4)
    if trace.truncated:
        terminal.line("and more: a story tells of 1,000 sagas and 10,000 events at most", "yellow")


def _count(trace: Trace) -> str:
    counts: Counter[str] = Counter(entry.what for entry in trace.entries)
    told = [
        f"{counts[what]:,} {one if counts[what] == 1 else f'{one}s'}"
        for what, one in (("saga", "saga"), ("command", "command"), ("event", "event"))
        if counts[what]
    ]
    return ", ".join(told) or "nothing"


def _style(entry: TraceEntry) -> str:
    if entry.what in ("answer", "listener"):
        return _OUTCOMES.get(entry.outcome or "", "")
    return _KINDS.get(entry.what, "")


_KINDS = {"saga": "bold", "event": "cyan", "taken": "green", "note": "dim"}
_OUTCOMES = {
    "done": "green",
    "refused": "yellow",
    "failed": "yellow",
    "attempt failed": "yellow",
    "set aside": "red",
    "open": "dim",
}
