"""The guarded calls of an author's functions: `machine.Evaluate` for one saga.

Rules
1. Whatever a function does wrong (raises anything at all, returns something else than it said, returns a value that
   cannot be stored, sends a command that nobody handles) parks its own saga, with the reason, and disturbs nobody.
2. A function sees the saga through its author's class: `self.input`, `self.<leaf>`. Values are decoded when first read.
3. A compensation sees the values as they were when its step was completed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, get_type_hints

from msgspec import Raw

from saga.codec import TypeCodec, codec_for
from saga.coordination.guard import Busy, describe
from saga.errors import NotEncodable
from saga.flow.definition import Definition, Function
from saga.flow.saga import Saga, forget_value, set_value
from saga.machine.state import Done, Sent, State
from saga.machine.turn import Stuck
from saga.messages import key_field, type_name

__all__ = ["Author", "Routing", "key_text"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999, which is as far as a datetime goes."""


def _milliseconds(span: timedelta) -> int:
    """Return whole milliseconds, rounded up: never early."""
    whole, rest = divmod(span, timedelta(milliseconds=1))
    return whole + (1 if rest else 0)


class Routing(Protocol):
    """Who handles a command, and which number it gets there."""

    def route(self, command: type) -> str | None:
        """Return the name of the participant that handles commands of this type; None when there is none."""

    def next_number(self, participant: str) -> int:
        """Return a new number for a command to this participant."""


def key_text(value: object) -> str:
    """Return a correlation key as text, the same for the event's field and for what a wait returns."""
    if type(value) is str:
        return value
    return codec_for(type(value)).encode(value).decode()


class Author:
    """The author's side of one saga. `state` must be the one that `decide` works on; None before the first record."""

    __slots__ = ("_busy", "_routing", "_twins", "definition", "no", "state", "view")

    def __init__(self, definition: Definition, routing: Routing, busy: Busy, no: int) -> None:
        """`no` is the number of the saga."""
        self.definition = definition
        self.no = no
        self._routing = routing
        self._busy = busy
        self._twins: dict[tuple[str, int], object] = {}
        self.state: State | None = None
        self.view: Saga[Any]

    def begin(self, saga_id: str, input: object, started_ms: int, tags: Mapping[str, str]) -> None:
        """The saga is about to begin: the author's functions are called before there is a state to look at."""
        started_at = datetime.fromtimestamp(started_ms / 1000, UTC)
        self.view = self.definition.saga(
            id=saga_id, input=input, started_at=started_at, tags=tags, load=self._load
        )

    def attach(self, state: State) -> None:
        """The saga was loaded: this is where it is."""
        self.begin(
            state.id,
            codec_for(self.definition.input).decode(bytes(state.input)),
            state.started_ms,
            state.tags,
        )
        self.state = state

    def know(self, element: str, value: object) -> None:
        """The value of a leaf is about to be `value`."""
        set_value(self.view, element, value)

    def forget(self, element: str) -> None:
        """The value of a leaf is about to change; it is decoded again when it is read."""
        forget_value(self.view, element)

    def take_twin(self, sent: Sent, default: object) -> object:
        """Return the decoded twin of a command, once; `default` when it is not here any more."""
        return self._twins.pop((sent.to, sent.number), default)

    def function(self, name: str) -> Function | None:
        """Return the author's function of this name."""
        return self.definition.functions.get(name)

    def can_call(self, element: str, done: Done | None) -> bool:
        """Return whether the function of an element (of its compensation, for one that was done) finds a handler."""
        function = self.definition.functions.get(element if done is None else done.undo)
        if function is None or function.kind not in ("step", "compensation"):
            return True
        return function.message is not None and self._routing.route(function.message) is not None

    # --- machine.Evaluate ---------------------------------------------------------------------------

    def command(self, element: str) -> Sent:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        return self._send(function, self._call(function, self.view))

    def undo(self, function: str, done: Done) -> Sent:
        """See `machine.turn.Evaluate`."""
        called = self.definition.functions[function]
        now = self.view
        then = _Snapshot(self.definition, done.values)
        view = self.definition.saga(
            id=now.id, input=now.input, started_at=now.started_at, tags=now.tags, load=then
        )
        if called.takes_answer:
            answer = None
            if done.answer is not None:
                codec = codec_for(self.definition.functions[done.element].answer)
                try:
                    answer = codec.decode(bytes(done.answer))
                except BaseException as error:  # a class that has become stricter since
                    reason = f"the answer of {done.element} cannot be read: {describe(error, trace=False)}"
                    raise Stuck("function", reason) from None
            return self._send(called, self._call(called, view, answer))
        return self._send(called, self._call(called, view))

    def key(self, element: str) -> str:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        value = self._call(function, self.view)
        assert function.message is not None
        try:
            return key_text(_key_codec(function.message).roundtrip(value)[1])
        except BaseException as error:
            what = f"no key of {type_name(function.message)}: {describe(error, trace=False)}"
            raise Stuck("function", f"{element} returned {_shown(value)}, which is {what}") from None

    def wake_at(self, element: str, now_ms: int) -> int:
        """See `machine.turn.Evaluate`."""
        value = self._call(self.definition.functions[element], self.view)
        wake_ms = None
        try:
            if isinstance(value, timedelta):
                wake_ms = now_ms + _milliseconds(value)
            elif isinstance(value, datetime) and value.tzinfo is not None:
                wake_ms = _milliseconds(value - _EPOCH)
        except BaseException:  # a time zone of the author's own
            wake_ms = None
        if wake_ms is None or wake_ms > LATEST_MS:
            what = "a timedelta or a datetime with a time zone, before the year 10000"
            raise Stuck("function", f"{element} returned {_shown(value)}; return {what}")
        return wake_ms

    def condition(self, name: str) -> bool:
        """See `machine.turn.Evaluate`."""
        value = self._call(self.definition.functions[name], self.view)
        if value is True or value is False:
            return value
        raise Stuck("function", f"{name} returned {_shown(value)}; return True or False")

    def answer(self, element: str) -> Raw:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        data, twin = self._encode(function, codec_for(function.answer), self._call(function, self.view))
        self.know(element, twin)
        return Raw(data)

    # --- detail -------------------------------------------------------------------------------------

    def _load(self, element: str) -> object:
        if self.state is None:
            raise KeyError(element)
        return _Snapshot(self.definition, self.state.results)(element)

    def _call(self, function: Function, *arguments: object) -> Any:
        self._busy.begin(function.name, self.no)
        try:
            return function.call(*arguments)
        except BaseException as error:
            raise Stuck("function", f"{function.name} raised\n{describe(error)}") from None
        finally:
            self._busy.end()

    def _encode(self, function: Function, codec: Any, value: object) -> tuple[bytes, object]:
        try:
            data, twin = codec.roundtrip(value)
        except NotEncodable as error:
            raise Stuck("function", f"{function.name} returned what cannot be stored: {error}") from error
        except BaseException as error:  # out of memory, or KeyboardInterrupt in a method of the value
            reason = describe(error, trace=False)
            raise Stuck("function", f"{function.name} returned what cannot be stored: {reason}") from None
        return data, twin

    def _send(self, function: Function, command: object) -> Sent:
        kind = type(command)
        if kind is not function.message:
            expected = getattr(function.message, "__name__", function.message)
            raise Stuck(
                "function", f"{function.name} returned {kind.__name__}, not the {expected} it promises"
            )
        to = self._routing.route(kind)
        if to is None:
            raise Stuck("no-handler", f"no handler for {type_name(kind)}")
        codec = codec_for(kind)
        data, twin = self._encode(function, codec, command)
        number = self._routing.next_number(to)
        self._twins[to, number] = twin
        return Sent(codec.name, Raw(data), to, number)


_key_codecs: dict[type, TypeCodec[Any]] = {}


def _key_codec(event: type) -> TypeCodec[Any]:
    """Return the codec of the key of an event: what a wait returns must be of its type, else it waits for ever."""
    codec = _key_codecs.get(event)
    if codec is None:
        field = key_field(event)
        codec = codec_for(str if field is None else get_type_hints(event)[field])
        _key_codecs[event] = codec
    return codec


def _shown(value: object) -> str:
    """Return a value as text, whatever it does against that."""
    try:
        return f"{value!r:.200}"
    except BaseException:
        return f"a {type(value).__name__}"


class _Snapshot:
    """Loads values of leaves from their stored form."""

    __slots__ = ("_definition", "_values")

    def __init__(self, definition: Definition, values: Mapping[str, Raw]) -> None:
        self._definition, self._values = definition, values

    def __call__(self, element: str) -> object:
        """Return the decoded value of `element`; KeyError when it was not reached."""
        data = self._values[element]
        function = self._definition.functions[element]
        kind = function.message if function.kind == "wait" else function.answer
        return codec_for(kind).decode(bytes(data))
