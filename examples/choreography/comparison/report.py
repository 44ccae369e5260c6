"""The comparison, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from examples.choreography.comparison.difference import Change
from examples.choreography.comparison.measure import Measured, contexts_in
from examples.choreography.comparison.story import story_of
from examples.terminal import heading, paragraph

__all__ = ["report"]

TITLES = {"by_events": "a chain of events", "by_saga": "a saga"}
STORY = "after-no-carrier"
"""The order whose story is told: nobody drives to its town, so what was done is undone."""


def report(events: Measured, saga: Measured, folder: Path) -> None:
    """Print it. `folder`: where each variant has its store, below its name."""
    for measured in (events, saga):
        print(heading(f"The change, in {TITLES[measured.variant]}"))
        print(*_diff(measured), sep="\n")
    print(heading("Reserve goods before payment: what had to be touched"))
    print(*_table(events, saga), sep="\n")
    print(heading("An order that was under way: paid, its goods not reserved yet"))
    print(*_under_way(events), *_under_way(saga), sep="\n")
    print(heading("What can be told about one order: nobody drives there"))
    print(paragraph("Of a chain of events `saga trace` tells what has happened, and because of what:"))
    print(f"\n{story_of(folder / events.variant / 'store', STORY)}\n")
    print(
        paragraph(
            "Of a saga also what was asked for, what came of it, where it turned back, and that it is over:"
        )
    )
    print(f"\n{story_of(folder / saga.variant / 'store', STORY)}")


def _diff(measured: Measured) -> Iterator[str]:
    for change in measured.changes:
        yield f"\n{measured.variant}/{change.path}: {change.added} added, {change.removed} removed"
        for line in change.lines:
            yield paragraph(line, "  ", "      ") if line[1:].strip() else f"  {line[:1]}"


def _table(events: Measured, saga: Measured) -> Iterator[str]:
    yield f"{'':34}{'events':>10}{'saga':>10}"
    yield from _rows(events, saga, events.changes, saga.changes)
    yield f"  {'checks before and after':32}{'right':>10}{'right':>10}"
    yield ""
    yield paragraph(f"Touched in the chain of events: {', '.join(events.touched)}.")
    yield paragraph(f"Touched in the saga's variant: {', '.join(change.path for change in saga.changes)}.")
    yield ""
    yield paragraph("Beside that, to finish by the old rule what was under way:")
    yield from _rows(events, saga, events.more, saga.more)


def _rows(
    events: Measured, saga: Measured, of_events: Sequence[Change], of_saga: Sequence[Change]
) -> Iterator[str]:
    """Yield lines that count two changes."""

    def row(title: str, count: Callable[[Measured, Sequence[Change]], str | int]) -> str:
        return f"  {title:32}{count(events, of_events):>10}{count(saga, of_saga):>10}"

    yield row(
        "contexts touched", lambda m, changes: f"{len(contexts_in(m.contexts, changes))} of {len(m.contexts)}"
    )
    yield row("files", lambda m, changes: len(changes))
    yield row("lines added", lambda m, changes: sum(change.added for change in changes))
    yield row("lines removed", lambda m, changes: sum(change.removed for change in changes))


def _under_way(measured: Measured) -> Iterator[str]:
    yield f"In {TITLES[measured.variant]}"
    for what, fate in (
        ("after the change alone", measured.fate),
        ("and with what was done for it", measured.fate_then),
    ):
        if fate is not None:
            how = "fulfilled" if fate.fulfilled else f"it stands still: {fate.books}"
            yield paragraph(f"{what}: {how}", "  ", "      ")
            if not fate.fulfilled:
                seen = "; ".join(fate.unfinished) or "nothing; nobody is told"
                yield paragraph(f"`saga list` and `saga show` say of it: {seen}", "    ", "      ")
