"""`each`: the same for every item, some at a time; known, refused and undone item by item."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from saga import (
    Command,
    Context,
    Rejected,
    Runtime,
    Saga,
    SagaParked,
    answer,
    choice,
    condition,
    each,
    items,
    parallel,
    publish,
    scope,
    sleep,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    CallOff,
    Confirmed,
    Desk,
    File,
    Gate,
    Job,
    Phone,
    Receipt,
    Script,
    Telephone,
    code_of,
    entered,
    rows,
    sound,
    texts,
    wait_until_it_happened,
)


@dataclass(frozen=True, slots=True)
class Place(Command[int]):
    """Answered with how many were placed before it."""

    item: str


@dataclass(frozen=True, slots=True)
class Remove(Command[None]):
    item: str
    number: int


class Shelf(Context):
    """Places items and removes them, and has it in order."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()

    def opened(self) -> None:
        self.db.execute("CREATE TABLE IF NOT EXISTS moves (what TEXT, item TEXT, number INTEGER)")

    @Place.handler
    def place(self, command: Place) -> int:
        self.opened()
        (number,) = self.db.execute("SELECT count(*) FROM moves WHERE what = 'place'").fetchone()
        self.db.execute("INSERT INTO moves VALUES ('place', ?, ?)", [command.item, number])
        return self.script.play("place", command.item, number)

    @Remove.handler
    def remove(self, command: Remove) -> None:
        self.opened()
        self.db.execute("INSERT INTO moves VALUES ('remove', ?, ?)", [command.item, command.number])
        self.script.play("remove", command.item)


def moves(store: Path, what: str) -> list[tuple[str, int]]:
    return rows(store, "shelf", f"SELECT item, number FROM moves WHERE what = '{what}' ORDER BY rowid")


class Shelve(Saga[Job]):
    """Places so many items, five at a time, then files."""

    @items
    def things(self) -> list[str]:
        return [f"{self.input.key}{n}" for n in range(self.input.size)]

    @step()
    def placing(self, thing: str) -> Place:
        return Place(thing)

    @placing.compensation
    def removing(self, thing: str, number: int | None) -> Remove:
        return Remove(thing, -1 if number is None else number)

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @answer
    def numbers(self) -> list[int]:
        return list(self.placing)

    flow = (each(things, placing, concurrency=5), filing, numbers)


@pytest.mark.parametrize("size", [0, 1, 5, 6, 1_000])
def test_it_is_done_for_every_item_once(open_runtime: OpenRuntime, store: Path, size: int) -> None:
    runtime = open_runtime(Desk, Shelf, sagas=[Shelve])
    numbers = runtime.start(Shelve, Job("a", size=size), id="a").wait(DEADLINE).answer
    assert sorted(numbers) == list(range(size))
    if size:
        assert moves(store, "place") == sorted(
            ((f"a{n}", number) for n, number in enumerate(numbers)), key=lambda each: each[1]
        )
    sound(store)


class Choosy(Saga[Job]):
    """Places nothing, since no item is to be placed."""

    @items
    def things(self) -> list[str]:
        return ["a", "b"]

    @condition
    def is_wanted(self, thing: str) -> bool:
        return False

    @step()
    def placing(self, thing: str) -> Place:
        return Place(thing)

    @answer
    def numbers(self) -> list[int]:
        return list(self.placing)

    flow = (each(things, choice((is_wanted, placing))), numbers)


def test_a_leaf_that_no_item_came_to_has_no_values(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Shelf, sagas=[Choosy])
    assert runtime.start(Choosy, Job("a")).wait(DEADLINE).answer == []


class AtOnce(Saga[Job]):
    """Does all in the turn in which it begins."""

    @items
    def shelves(self) -> list[str]:
        return ["a", "b"]

    @items
    def places(self, shelf: str) -> list[str]:
        return [f"{shelf}{n}" for n in range(len(self.shelves))]

    @publish
    def named(self, place: str) -> Confirmed:
        return Confirmed(f"{place} of {len(self.places.here)}")

    @answer
    def all_places(self) -> list[list[str]]:
        return list(self.places)

    flow = (each(shelves, each(places, named)), all_places)


def test_values_of_items_are_known_in_the_turn_in_which_a_saga_begins(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[AtOnce])
    assert runtime.start(AtOnce, Job("a")).wait(DEADLINE).answer == [["a0", "a1"], ["b0", "b1"]]


class Hasty(Saga[Job]):
    """Reads the values of the items while they are under way."""

    @items
    def numbers(self) -> list[int]:
        return [1]

    @wait(Confirmed)
    def confirmed(self, number: int) -> str:
        return self.input.key

    @answer
    def count(self) -> int:
        return len(self.confirmed)

    flow = parallel(each(numbers, confirmed), count)


def test_values_of_items_that_are_under_way_are_not_reached(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Hasty])
    handle = runtime.start(Hasty, Job("a"), id="a")
    with pytest.raises(SagaParked, match="NotReached"):
        handle.wait(DEADLINE)
    runtime.publish(Confirmed("a"))
    runtime.retry("a")
    assert handle.wait(DEADLINE).answer == 1


class Early(Saga[Job]):
    """Reads what there will be of each item, before there are items."""

    @step()
    def filing(self) -> File:
        return File(str(len(self.confirmed)))

    @items
    def numbers(self) -> list[int]:
        return [1]

    @wait(Confirmed)
    def confirmed(self, number: int) -> str:
        return self.input.key

    flow = (filing, each(numbers, confirmed))


def test_values_of_items_that_are_not_there_yet_are_not_reached(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Early])
    with pytest.raises(SagaParked, match="NotReached"):
        runtime.start(Early, Job("a"), id="a").wait(DEADLINE)


def test_a_refused_item_undoes_all_that_were_done_in_reverse_each_with_its_own_answer(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("place", "a7", Rejected("too heavy", code="heavy"))
    runtime = open_runtime(Desk, lambda: Shelf(script), sagas=[Shelve])
    outcome = runtime.start(Shelve, Job("a", size=50), id="a").wait(DEADLINE)
    assert code_of(outcome) == "heavy"
    placed, removed = moves(store, "place"), moves(store, "remove")
    assert sorted(removed) == sorted(placed)
    assert 7 <= len(placed) < 20
    sound(store)


def test_all_items_are_undone_when_something_behind_them_is_refused(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), Shelf, sagas=[Shelve])
    assert code_of(runtime.start(Shelve, Job("a", size=30), id="a").wait(DEADLINE)) == "paper"
    assert moves(store, "remove") == moves(store, "place")[::-1]
    sound(store)


def test_an_item_that_is_parked_holds_up_no_other(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("remove", "a3", Rejected("stuck", code="stuck"), None)
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), lambda: Shelf(script), sagas=[Shelve])
    handle = runtime.start(Shelve, Job("a", size=5), id="a")
    with pytest.raises(SagaParked, match="stuck"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    while runtime.list(status="PARKED"):
        pass
    assert code_of(handle.wait(DEADLINE)) == "paper"
    sound(store)


class Tolerant(Saga[Job]):
    """What is refused of an item is caught in it."""

    @items
    def things(self) -> tuple[str, ...]:
        return tuple(f"{self.input.key}{n}" for n in range(self.input.size))

    @step()
    def placing(self, thing: str) -> Place:
        return Place(thing)

    @answer
    def placed(self) -> list[bool]:
        return [self.placing.has(n) for n in range(self.input.size)]

    flow = (each(things, scope(placing, catch={"heavy": ()}), concurrency=3), placed)


def test_a_refusal_that_an_item_catches_is_its_own_affair(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("place", "a1", Rejected("too heavy", code="heavy"))
    runtime = open_runtime(lambda: Shelf(script), sagas=[Tolerant])
    assert runtime.start(Tolerant, Job("a", size=4), id="a").wait(DEADLINE).answer == [
        True,
        False,
        True,
        True,
    ]
    sound(store)


class Nested(Saga[Job]):
    """Rows, and places in each row."""

    @items
    def shelves(self) -> list[str]:
        return ["a", "b", "c"]

    @items
    def places(self, shelf: str) -> list[str]:
        return [f"{shelf}{n}" for n in range(self.input.size)]

    @step()
    def placing(self, place: str) -> Place:
        return Place(place)

    @placing.compensation
    def removing(self, place: str) -> Remove:
        return Remove(place, self.placing.here)

    @step()
    def filing(self, shelf: str) -> File:
        return File(f"{shelf} {len(self.placing)}")

    @step()
    def end_filing(self) -> File:
        return File(self.input.key)

    @answer
    def numbers(self) -> list[int]:
        return [self.placing.of(shelf, place) for shelf in range(3) for place in range(self.input.size)]

    flow = (
        each(shelves, each(places, placing, concurrency=2), filing, concurrency=2),
        end_filing,
        numbers,
    )


def test_an_each_in_an_each_knows_its_values_by_both_indexes(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, Shelf, sagas=[Nested])
    numbers = runtime.start(Nested, Job("x", size=4), id="x").wait(DEADLINE).answer
    assert sorted(numbers) == list(range(12))
    placed = dict(moves(store, "place"))
    assert numbers == [placed[f"{shelf}{n}"] for shelf in "abc" for n in range(4)]
    assert [entered(store, f"{shelf} 4") for shelf in "abc"] == [["file"]] * 3
    sound(store)


def test_an_each_in_an_each_is_undone_with_the_values_of_the_innermost_item(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("file", "x", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), Shelf, sagas=[Nested])
    assert code_of(runtime.start(Nested, Job("x", size=3), id="x").wait(DEADLINE)) == "paper"
    assert sorted(moves(store, "remove")) == sorted(moves(store, "place"))
    sound(store)


class Calling(Saga[Job]):
    """Phones for every item, three at a time."""

    @items
    def numbers(self) -> list[int]:
        return list(range(self.input.size))

    @step()
    def phoning(self, number: int) -> Phone:
        return Phone(str(number))

    @phoning.compensation
    def calling_off(self, number: int, receipt: Receipt | None) -> CallOff:
        return CallOff(str(number), receipt is not None)

    flow = each(numbers, phoning, concurrency=3)


def test_not_more_items_than_allowed_are_under_way(open_runtime: OpenRuntime, script: Script) -> None:
    gates = [Gate() for _ in range(4)]
    for n, gate in enumerate(gates):
        script.on("phone", str(n), gate)

    class Exchange(Telephone):
        concurrency = 10

    runtime = open_runtime(lambda: Exchange(script), sagas=[Calling])
    handle = runtime.start(Calling, Job("a", size=4), id="a")
    for gate in gates[:3]:
        gate.wait_for_somebody()
    assert not any("phoning.1 " in text and "item.4" in text for text in texts(runtime, "a"))
    assert script.calls["phone", "3"] == 0
    gates[1].open()
    gates[3].wait_for_somebody()
    for gate in gates:
        gate.open()
    assert handle.wait(DEADLINE).completed


def test_an_each_goes_on_after_a_restart_with_the_items_that_are_left(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Confirming]) as runtime:
        runtime.start(Confirming, Job("a", size=5), id="a")
        runtime.publish(Confirmed("a1", "one"))
        wait_until_it_happened(runtime, "a", "event-taken")
    runtime = open_runtime(Desk, sagas=[Confirming])
    for n in (4, 3, 2, 0):
        runtime.publish(Confirmed(f"a{n}", str(n)))
    assert runtime.handle("a").wait(DEADLINE).answer == "0 one 2 3 4"
    sound(store)


class Confirming(Saga[Job]):
    """Waits for every item, then sleeps for it."""

    @items
    def numbers(self) -> list[int]:
        return list(range(self.input.size))

    @wait(Confirmed)
    def confirmed(self, number: int) -> str:
        return f"{self.input.key}{number}"

    @condition
    def is_odd(self, number: int) -> bool:
        return number % 2 == 1

    @sleep
    def nap(self, number: int) -> timedelta:
        return timedelta(milliseconds=number)

    @answer
    def text(self) -> str:
        return " ".join(event.text for event in self.confirmed)

    flow = (each(numbers, confirmed, choice((is_odd, nap)), concurrency=2), text)
