"""Where user code is called: one table. What must come of a deed there follows from the kind of the hook.

attempt     a handler: what goes wrong is a failed attempt, tried again, then the saga is undone
undo        the handler of a compensation: what goes wrong parks the saga there
function    a function of a saga: parks it, naming the function
listener    the event is tried again, then set aside for this listener
send        the call of `Runtime.send` raises one clear error
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reliability.faults import business as b
from reliability.faults.deeds import Deed

__all__ = ["HOOKS", "Hook", "senseless"]

Kind = Literal["attempt", "undo", "function", "listener", "send"]


@dataclass(frozen=True)
class Hook:
    """A place at which user code is called."""

    name: str
    kind: Kind
    saga: type[Any] | None = None
    """Which saga comes there."""
    element: str = "faulty"
    """What the reason names when it is parked there."""
    has: frozenset[str] = frozenset({"value", "runtime", "fork", "arguments"})
    """What a deed may need; see `Deed.needs`."""
    turns_back: bool = False
    """Whether all ends well when the saga is undone."""
    child: str = ""
    """What is added to the saga's id for that which is parked."""

    @property
    def waits(self) -> bool:
        """Whether somebody who hangs here holds up the coordinator, and so everybody."""
        return self.kind == "function"


_DB = frozenset({"value", "runtime", "fork", "arguments", "db"})
_LOOP = frozenset({"value", "runtime", "arguments", "loop", "fork"})
_NO_VALUE = frozenset({"runtime", "fork", "arguments", "db"})

HOOKS = {
    hook.name: hook
    for hook in (
        Hook("context-handler", "attempt", b.AtContext, "work", _DB),
        Hook("compensation-handler", "undo", b.AtContext, "work", _DB, turns_back=True),
        Hook("listener", "listener", None, "Press.hear", _NO_VALUE),
        Hook("context-send", "send", None, "Office.sent_work", _DB),
        Hook("gateway", "attempt", b.AtGateway, "single"),
        Hook("gateway-pool", "attempt", b.AtGateway, "pooled"),
        Hook("gateway-async", "attempt", b.AtGateway, "looped", _LOOP),
        Hook("gateway-async-concurrent", "attempt", b.AtGateway, "together", _LOOP),
        Hook("gateway-send", "send", None, "Single.sent_dial"),
        Hook("step", "function", b.AtStep),
        Hook("compensation", "function", b.AtCompensation, turns_back=True),
        Hook("wait-key", "function", b.AtWait),
        Hook("sleep", "function", b.AtSleep),
        Hook("condition", "function", b.AtCondition),
        Hook("until", "function", b.AtUntil),
        Hook("answer", "function", b.AtAnswer),
        Hook("task-subject", "function", b.AtTask),
        Hook("publish", "function", b.AtPublish),
        Hook("items", "function", b.AtItems),
        Hook("item-step", "function", b.AtItemStep),
        Hook("call-input", "function", b.AtCall),
        Hook("called-saga", "function", b.AtChild, child=":child.1"),
        Hook("answering-saga", "function", b.AtAnswering, child=":ask.1"),
    )
}

_WHY = {
    "db": "there is no database at hand that could be written",
    "value": "what it returns is not looked at",
    "loop": "it does not run in an event loop of ours",
    "runtime": "there is no runtime yet",
    "arguments": "it has no arguments",
    "fork": "a fork of an event loop is not made from inside of it",
}


def senseless(hook: Hook, deed: Deed) -> str | None:
    """Return why a deed makes no sense at a hook; None when it does."""
    lacking = sorted(deed.needs - hook.has)
    if lacking:
        return _WHY[lacking[0]]
    if deed.name.startswith("returns") and "value" not in hook.has:
        return _WHY["value"]
    return None
