"""What is to happen in one play: drawn from a seed, as a list of entries that can be left out one by one.

An entry is something that the application does, something that goes wrong in a handler, or a fault of the world.
Who goes next, and how many messages are taken at once, is drawn while it is played, from `chance`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from reliability.sim.business import EVENTS, FLOWS
from reliability.sim.props import OUTCOMES

__all__ = ["Entry", "Knobs", "Plan", "draw"]

MINUTE, HOUR = 60_000, 3_600_000
ACTORS = ("coordinator", "stock", "bank", "letters", "cards")
PARTICIPANTS = ACTORS[1:]
CONTEXTS = ("stock", "bank")

LABELS = {
    "Order": ("reserve", "charge", "ship", "confirm", "unreserve", "uncharge", "reserve()", "unreserve()"),
    "Trip": ("hotel", "flight", "plan_b", "tell", "tour", "guide", "seal", "unhotel", "unflight", "untour"),
    "Party": ("seat", "serve", "unseat", "unserve", "seat!"),
    "Fork": ("left", "lefter", "thank", "right", "last", "unleft", "unlefter", "unright"),
    "Rounds": ("draw", "lend", "unlend", "undraw", "enough()", "note"),
    "Family": ("begin", "help", "collect", "close", "unbegin", "unhelp", "uncollect"),
    "Asking": ("prepare", "remind", "reply", "look", "unprepare", "unreply"),
}
"""What may go wrong in each flow, by the names that handlers ask the props for."""

TECHNICAL = frozenset({"raise", "late", "end", "exit", "lost"})
"""Such endings may come several times in a row."""

ENDINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("seal", "last", "close"), ("refuse",)),
    "note": ("raise", "late", "exit", "end", "lost"),
}
"""How these end; the others in any way. The end of a flow is best refused, and a listener cannot refuse."""

SUFFIXES = {
    "seat": ("-ada", "-ben", "-cleo"),
    "unseat": ("-ada", "-ben"),
    "seat!": ("-ada", "-ben"),
    "serve": ("-ada-soup", "-cleo-soup", "-cleo-cake"),
    "unserve": ("-ada-soup", "-cleo-soup"),
    "help": ("-c",),
    "unhelp": ("-c",),
    "note": ("/rounds", "/reserve"),
}
"""What follows the key of the saga in the keys of these."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happens, or goes wrong: not before this step."""

    step: int
    kind: str
    who: str = ""
    """A saga, a key, or an actor."""
    what: str = ""
    n: int = 0

    def __str__(self) -> str:
        parts = [f"step {self.step:>3}" if self.step else "always  ", f"{self.kind:<10}", self.who, self.what]
        return " ".join(part for part in parts if part) + (f" {self.n:,}" if self.n else "")


@dataclass(frozen=True, slots=True)
class Knobs:
    """Limits of the runtime, small enough to be reached, and how the scheduler is disposed."""

    cache: int
    credit: int
    max_active: int
    prune_every: int
    """Numbers by which a floor moves before an inbox is pruned."""
    events_kept: int
    """Events after which the log is pruned."""
    window: int
    """Events on their way to a listener."""
    haste: int
    """Of a thousand steps, so many let time pass to the next timer although there is work."""
    greed: int
    """Of ten turns of an actor, so many take everything that is there."""
    cut: int
    """Of ten turns of a context, so many are cut into several batches."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One play."""

    seed: int
    chance: int
    """What decides who goes next."""
    knobs: Knobs
    entries: tuple[Entry, ...]

    def only(self, entries: list[Entry], chance: int | None = None) -> Plan:
        """Return the play with these entries alone."""
        ordered = tuple(sorted(entries, key=lambda entry: entry.step))
        return replace(self, entries=ordered, chance=self.chance if chance is None else chance)


def draw(seed: int) -> Plan:
    """Return the play of a seed."""
    rng = Random(seed)
    knobs = Knobs(
        cache=rng.choice((1, 3, 50)),
        credit=rng.choice((1, 2, 64)),
        max_active=rng.choice((1, 2, 5, 100, 100)),
        prune_every=rng.choice((1, 4, 256)),
        events_kept=rng.choice((3, 10, 10_000)),
        window=rng.choice((2, 4, 512)),
        haste=rng.choice((0, 5, 20, 60)),
        greed=rng.choice((1, 5, 9)),
        cut=rng.choice((0, 3)),
    )
    names = list(FLOWS)
    sagas = [(f"{rng.choice(names)}", f"s{n}") for n in range(1, 2 + rng.randrange(3))]
    horizon = 60 * len(sagas)
    entries: list[Entry] = []
    for flow, id in sagas:
        entries += _saga(rng, flow, id, horizon)
    for _ in range(3 if rng.randrange(8) == 0 else 1):
        entries += _faults(rng, horizon)
    if rng.randrange(12) == 0:
        entries.append(Entry(rng.randrange(horizon // 2), "schedule", "nightly", rng.choice(("once", "all"))))
        entries.append(Entry(rng.randrange(horizon), "clock", n=rng.randrange(50) * HOUR))
    for n in range(rng.choice((0, 0, 1, 2))):
        step, again, what = rng.randrange(horizon), rng.randrange(horizon), rng.choice(("Do", "Do", "Post"))
        for at in (step, again)[: rng.choice((1, 2))]:
            entries.append(Entry(at, "send", f"direct-{n}", what))
    entries.sort(key=lambda entry: entry.step)
    return Plan(seed, rng.randrange(1 << 30), knobs, tuple(entries))


def _saga(rng: Random, flow: str, id: str, horizon: int) -> list[Entry]:
    """What has to do with one saga: its start, perhaps twice, what goes wrong in it, and what is done about it."""
    begins = rng.randrange(horizon // 2)
    later = rng.randrange(20) * MINUTE if rng.randrange(8) == 0 else 0
    entries = [Entry(begins, "start", id, flow, later)]
    if rng.randrange(4) == 0:
        entries.append(Entry(rng.randrange(horizon), "start", id, flow, later))
    if rng.randrange(10) == 0:
        entries.append(Entry(rng.randrange(horizon), "conflict", id, flow))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        label = rng.choice(LABELS[flow])
        key = id + rng.choice(SUFFIXES.get(label, ("",)))
        outcome = rng.choice(ENDINGS.get(label, OUTCOMES))
        times = rng.choice((1, 1, 2, 3, 4, 12)) if outcome in TECHNICAL else 1
        entries.append(Entry(0, "quirk", key, f"{label}:{outcome}", times))
    for event in ("Came", "Stop"):
        for _ in range(rng.choice((0, 1, 1, 2) if event == "Came" else (0, 0, 1, 2))):
            key = id + ("-c" if flow == "Family" and rng.randrange(2) else "")
            entries.append(Entry(rng.randrange(horizon), "publish", key, event, rng.randrange(3)))
    for kind, weights in (
        ("cancel", (0, 0, 1)),
        ("suspend", (0, 0, 0, 1)),
        ("task", (0, 1, 1)),
        ("retry", (0, 1)),
        ("skip", (0, 0, 1)),
        ("mark", (0, 0, 1)),
        ("assign", (0, 0, 0, 1)),
    ):
        for _ in range(rng.choice(weights)):
            step = begins + rng.randrange(horizon // 2)
            entries.append(Entry(step, kind, id))
            if kind == "suspend":
                entries.append(Entry(step + rng.randrange(40), "resume", id))
    return entries


def _faults(rng: Random, horizon: int) -> list[Entry]:
    """What the world does to us."""
    entries: list[Entry] = []

    def some(kind: str, times: tuple[int, ...], who: tuple[str, ...] = ("",), most: int = 0) -> None:
        for _ in range(rng.choice(times)):
            n = rng.randrange(most) if most else 0
            entries.append(Entry(rng.randrange(horizon), kind, rng.choice(who), n=n))

    some("crash", (0, 1, 2, 3), most=40)
    if rng.randrange(4) == 0:  # one right after the other: while it recovers
        step = rng.randrange(horizon)
        entries += [Entry(step, "crash", n=rng.randrange(20)), Entry(step, "crash", n=rng.randrange(30))]
    some("close", (0, 0, 0, 1))
    some("die", (0, 0, 1, 2), PARTICIPANTS, 4)
    some("full", (0, 0, 0, 1), ("coordinator", *CONTEXTS), 4)
    some("lower", (0, 0, 0, 0, 0, 1), PARTICIPANTS)
    some("hold", (0, 1, 2), ACTORS, 60)
    some("twice", (0, 1, 2, 4), ("coordinator", *CONTEXTS, *CONTEXTS, "cards", "letters"), 100)
    some("shuffle", (0, 0, 2), ("coordinator", *CONTEXTS), 100)
    for _ in range(rng.choice((0, 0, 1, 2))):
        n = rng.choice((1, -1)) * rng.choice((5_000, 20 * MINUTE, 2 * HOUR, 13 * HOUR))
        entries.append(Entry(rng.randrange(horizon), "clock", n=n))
    return entries


assert set(LABELS) == set(FLOWS)
assert set(EVENTS) >= {"Came", "Stop"}
