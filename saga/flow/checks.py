"""The rules about names and values: what a leaf may be called, and what options may be.

Rules
1. A saga is data that the runtime fills in: `id`, `input`, `started_at` and `tags` are its own, and names
   that begin with `_saga`. A leaf is also a node of the graph, which has a `start` and an `end`, and part of the paths
   of visits, in which an item of an `each` is `item`.
2. A step has one compensation at most. A method that takes the name of another one takes its place, and what
   hung on that one is lost.
3. Durations are positive and at most a hundred years; counts are whole numbers from 1 to a thousand million.
4. `timeout`, `failed` and `cancelled` are codes of the machine. A scope may catch the first two.

See `structure` for where things stand, `functions` for annotations, `pivot` for what follows a pivot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from saga.errors import Problem
from saga.flow.blocks import Again, Each, Race, Refuse, Repeat, Scope
from saga.flow.elements import Compensation, Condition, Method, Retry, Step, Task, Wait
from saga.flow.header import LONGEST
from saga.flow.parts import Part
from saga.messages import RESERVED_CODES

__all__ = ["name_problems", "value_problems"]

FIELDS = frozenset({"id", "input", "started_at", "tags"})
MADE_BY_RUNTIME = frozenset({"__init__", "__new__"})
MOST = 1_000_000_000
"""The largest count: a graph is stored, and numbers in JSON have an end."""
NODES = frozenset({"start", "end"})
PATHS = frozenset({"item"})
"""What is no element, and stands in the paths of visits."""


# --- names ----------------------------------------------------------------------------------------


def name_problems(saga: type) -> Iterator[Problem]:
    """Yield what is wrong with the names in the body of `saga`."""
    namespace = vars(saga)
    methods = {
        name: thing for name, thing in namespace.items() if isinstance(thing, Method) and thing.owner is saga
    }
    for name in namespace:
        if name in FIELDS:
            yield Problem(name, "is a name that every saga has", f"rename it; {_OWN}")
        elif name.startswith("_saga") and name not in _OURS:
            yield Problem(name, "begins with _saga, as only the library's own names do", "rename it")
        elif name in MADE_BY_RUNTIME:
            yield Problem(name, "is defined, but sagas are made by the runtime", f"take it out; {_OWN}")
    for name, method in methods.items():
        if name == "flow" and method.name == "flow":
            yield Problem(name, "is the name of the flow", "rename the method, and write flow = (...)")
        elif name in NODES:
            yield Problem(name, "is a node that every graph has", f"rename it, such as {name}_it")
        elif name in PATHS:
            yield Problem(name, "is what an item of an each is called", f"rename it, such as {name}_it")
        elif not name.isidentifier():
            yield Problem(name, "is no name that Python allows", "write letters, digits and '_'")
        elif name == "otherwise" and isinstance(method, Condition):
            yield Problem(name, "is what the last way of a choice is called", "rename the condition")
    yield from _lost_compensations(methods)


_OWN = "self.id, self.input, self.started_at and self.tags are there in every method"
_OURS = frozenset({"_saga_definition", "_saga_load"})


def _lost_compensations(methods: Mapping[str, Method]) -> Iterator[Problem]:
    declared: set[Compensation[Any]] = set()
    for step in {id(method): method for method in methods.values()}.values():
        if not isinstance(step, Step):
            continue
        declared.update(step.compensations)
        if len(step.compensations) > 1:
            names = ", ".join(each.name for each in step.compensations)
            yield Problem(
                step.name, f"has several compensations: {names}", "keep one, which sends one command"
            )
        for each in step.compensations:
            if methods.get(each.name) is not each:
                what = f"is the compensation of {step.name}, but another method took its name"
                yield Problem(each.name, what, "give each method a name of its own")
    for name, method in methods.items():
        if isinstance(method, Compensation) and method not in declared:
            what = "is the compensation of a step whose name another method took"
            yield Problem(name, what, "give each method a name of its own")


# --- values ---------------------------------------------------------------------------------------


def value_problems(root: Part) -> Iterator[Problem]:
    """Yield what is wrong with the options of the leaves and blocks in the flow."""
    for part in root.walk():
        match part.block:
            case Step():
                yield from _step(part.block)
            case Wait() | Task():
                yield from _wait(part.block)
            case Race():
                yield from _after(part.id, part.block.after)
            case Repeat():
                yield from _whole(part.id, "at_most", part.block.at_most)
            case Each():
                yield from _whole(part.id, "concurrency", part.block.concurrency)
            case Scope():
                yield from _scope(part.id, part.block)
            case Again():
                yield from _whole(part.id, "at_most", part.block.at_most)
            case Refuse():
                yield from _refuse(part.id, part.block)
            case _:
                pass


def _step(step: Step[Any, Any]) -> Iterator[Problem]:
    yield from _duration(step.name, "timeout", step.timeout)
    pivot: object = step.pivot
    if not isinstance(pivot, bool):
        yield Problem(step.name, f"pivot is {pivot!r}", "write True or False")
    retry: object = step.retry
    if retry is None:
        return
    if not isinstance(retry, Retry):
        yield Problem(step.name, f"retry is {retry!r}", "write Retry(attempts=...)")
        return
    yield from _whole(step.name, "attempts of Retry", retry.attempts)
    first = list(_duration(step.name, "first of Retry", retry.first, optional=False))
    longest = list(_duration(step.name, "max of Retry", retry.max, optional=False))
    yield from (*first, *longest)
    if not first and not longest and retry.max < retry.first:
        what = f"max of Retry is {retry.max!r}, less than first"
        yield Problem(step.name, what, "write a longest pause that is not shorter than the first")
    if not _is_number(retry.factor) or retry.factor < 1:
        yield Problem(step.name, f"factor of Retry is {retry.factor!r}", "write a number from 1")
    if not _is_number(retry.jitter) or not 0 <= retry.jitter <= 1:
        yield Problem(step.name, f"jitter of Retry is {retry.jitter!r}", "write a number from 0 to 1")


def _wait(wait: Wait[Any, Any] | Task[Any, Any]) -> Iterator[Problem]:
    yield from _duration(wait.name, "within", wait.within)
    if wait.otherwise is not None and wait.within is None:
        what = "has otherwise=..., but no time after which it would happen"
        yield Problem(wait.name, what, "give it within=timedelta(...) too")
    yield from _every(wait.name, wait.every)


def _every(name: str, every: object) -> Iterator[Problem]:
    """Yield what is wrong with a reminder: an interval, a block, and at most how often."""
    if every is None:
        return
    if not isinstance(every, tuple) or len(every) not in (2, 3):
        what = f"every is {every!r:.80}, which is no pair"
        yield Problem(
            name, what, "write every=(timedelta(...), block), and a third value for at most how often"
        )
        return
    yield from _duration(name, "the interval of every", every[0], optional=False)
    if len(every) == 3:
        yield from _whole(name, "the third value of every", every[2])
    if _is_empty(every[1]):
        yield Problem(
            name, "has every=..., and nothing that happens then", "write a block beside the interval"
        )


def _is_empty(block: object) -> bool:
    return isinstance(block, tuple) and all(map(_is_empty, block))


def _after(name: str, after: object) -> Iterator[Problem]:
    if after is None:
        return
    if not isinstance(after, tuple) or len(after) != 2:
        yield Problem(
            name, f"after is {after!r:.80}, which is no pair", "write after=(timedelta(...), block)"
        )
        return
    yield from _duration(name, "the duration of after", after[0], optional=False)


def _scope(name: str, scope: Scope) -> Iterator[Problem]:
    yield from _duration(name, "timeout", scope.timeout)
    yield from _every(name, scope.every)
    catch: object = scope.catch
    if not isinstance(catch, Mapping):
        yield Problem(name, f"catch is {catch!r}", 'write catch={"code": block}')
        return
    for code in catch:
        if not isinstance(code, str) or not code:
            yield Problem(
                name, f"catches {code!r}", "write the code of a refusal, a string that is not empty"
            )
        elif code == "cancelled":
            what = "catches 'cancelled', which is never caught: a cancel undoes the whole saga"
            yield Problem(name, what, "take it out")


def _refuse(name: str, refuse: Refuse) -> Iterator[Problem]:
    code: object = refuse.code
    reason: object = refuse.reason
    if not isinstance(code, str) or not code:
        yield Problem(name, f"its code is {code!r}", "write a string that is not empty")
    elif code in RESERVED_CODES:
        yield Problem(name, f"its code {code!r} is reserved for the machine", "write another code")
    if not isinstance(reason, str) or not reason:
        yield Problem(name, f"its reason is {reason!r}", "write a sentence for people")


def _duration(name: str, what: str, given: object, optional: bool = True) -> Iterator[Problem]:
    if given is None and optional:
        return
    if not isinstance(given, timedelta):
        yield Problem(name, f"{what} is {given!r}, which is no timedelta", "write timedelta(seconds=...)")
    elif given <= timedelta():
        yield Problem(name, f"{what} is {given}, which is not positive", "write a positive timedelta")
    elif given > LONGEST:
        yield Problem(name, f"{what} is {given}, more than a hundred years", "write a shorter one, or none")


def _whole(name: str, what: str, given: object) -> Iterator[Problem]:
    if type(given) is not int or not 1 <= given <= MOST:
        yield Problem(name, f"{what} is {given!r:.40}", f"write a whole number from 1 to {MOST}")


def _is_number(given: object) -> bool:
    return type(given) in (int, float) and math.isfinite(given)  # type: ignore[arg-type]
