"""The guarded calls of an author's functions: `machine.Evaluate` for one saga.

Rules
1. Whatever a function does wrong (raises anything at all, returns something else than it said, returns a value that
   cannot be stored, sends a command that nobody handles) parks its own saga, with the reason, and disturbs nobody.
2. A function sees the saga through its author's class: `self.input`, `self.<leaf>`. Values are decoded when first read.
3. A compensation sees the values as they were when its step was completed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol, get_type_hints

import msgspec
from msgspec import Raw

from saga.codec import TypeCodec, codec_for
from saga.coordination.guard import Busy, describe, readable, words_of
from saga.errors import NotEncodable
from saga.flow.definition import Definition, Function, definition_of
from saga.flow.graph import Each
from saga.flow.per_item import PerItem
from saga.flow.saga import forget_value, make_view, set_value
from saga.machine.state import REVERSAL, Done, Item, Sent, State, call_to, is_call
from saga.machine.turn import Stuck
from saga.messages import key_field, type_name
from saga.times import utc

__all__ = ["Author", "Routing", "key_text"]

NULL = Raw(b"null")

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
        """Return where commands of this type go (see `Sent.to`); None when nobody handles them."""

    def next_number(self, participant: str) -> int:
        """Return a new number for a command to this participant."""


def key_text(value: object) -> str:
    """Return a correlation key as text, the same for the event's field and for what a wait returns."""
    if type(value) is str:
        return value
    return codec_for(type(value)).encode(value).decode()


class Author(msgspec.Struct, gc=False, eq=False):
    """The author's side of one saga; make it with a definition, the routing and who watches the author's functions.

    Nothing in it leads back to it (the view has its values from `_Latest`), so that a saga that is over is gone at
    once, without garbage collection.
    """

    definition: Definition
    _routing: Routing
    _busy: Busy
    no: int = 0
    """Number of the saga."""
    _twins: dict[tuple[str, int], object] = {}
    view: Any = None
    """The instance of the author's class."""
    _latest: Any = None

    def begin(self, saga_id: str, input: object, started_ms: int, tags: Mapping[str, str]) -> None:
        """The saga is about to begin; its state follows before any of the author's functions is called."""
        latest = self._latest = _Latest(self.definition)
        self.view = make_view(self.definition.saga, saga_id, input, _moment(started_ms), tags, latest)

    def follow(self, state: State) -> None:
        """The saga has begun: values are those of `state`, which is the one that `decide` works on."""
        self._latest.state = state

    def attach(self, state: State) -> None:
        """The saga was loaded: this is where it is."""
        self.begin(
            state.id,
            codec_for(self.definition.input).decode(bytes(state.input)),
            state.started_ms,
            state.tags,
        )
        self.follow(state)

    def know(self, element: str, value: object) -> None:
        """The value of a leaf is about to be `value`."""
        if element in self.definition.eaches:
            forget_value(self.view, element)
        else:
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
            return True  # a call names its saga, which is here if its caller is
        return function.message is not None and self._routing.route(function.message) is not None

    # --- machine.Evaluate ---------------------------------------------------------------------------

    def command(self, element: str, item: Item | None) -> Sent:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        value = self._call(function, item)
        return self._call_saga(function, value) if function.kind == "call" else self._send(function, value)

    def undo(self, function: str, done: Done) -> Sent:
        """See `machine.turn.Evaluate`."""
        called = self.definition.functions[function]
        if called.kind == "call":
            return Sent(REVERSAL, NULL, self._destination(called), 0)
        then = self._view(_Snapshot(self.definition, done.values, done.path))
        arguments = [then, *self._item(called, done.item)]
        if called.takes_answer:
            arguments.append(self._answer_of(done))
        return self._send(called, self._run(called, *arguments))

    def _answer_of(self, done: Done) -> object:
        if done.answer is None:
            return None
        codec = codec_for(self.definition.functions[done.element].answer)
        try:
            return codec.decode(bytes(done.answer))
        except BaseException as error:  # a class that has become stricter since
            reason = f"the answer of {done.element} cannot be read: {describe(error, trace=False)}"
            raise Stuck("function", reason) from None

    def key(self, element: str, item: Item | None) -> str:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        value = self._call(function, item)
        assert function.message is not None
        try:
            return key_text(_key_codec(function.message).roundtrip(value)[1])
        except BaseException as error:
            what = f"no key of {type_name(function.message)}: {describe(error, trace=False)}"
            raise Stuck("function", f"{element} returned {_shown(value)}, which is {what}") from None

    def wake_at(self, element: str, item: Item | None, now_ms: int) -> int:
        """See `machine.turn.Evaluate`."""
        value = self._call(self.definition.functions[element], item)
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

    def subject(self, element: str, item: Item | None) -> Raw:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        data, _ = self._encode(function, codec_for(function.message), self._call(function, item))
        return Raw(data)

    def event(self, element: str, item: Item | None) -> tuple[str, str | None, Raw]:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        event = self._call(function, item)
        self._check_class(function, event)
        codec = codec_for(type(event))
        data, twin = self._encode(function, codec, event)
        field = key_field(type(event))
        return codec.name, None if field is None else key_text(getattr(twin, field)), Raw(data)

    def items(self, element: str, item: Item | None) -> list[Raw]:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        data, twin = self._encode(function, codec_for(function.answer), self._call(function, item))
        self.know(element, twin)
        return _read_items(data)

    def condition(self, name: str, item: Item | None) -> bool:
        """See `machine.turn.Evaluate`."""
        value = self._call(self.definition.functions[name], item)
        if value is True or value is False:
            return value
        raise Stuck("function", f"{name} returned {_shown(value)}; return True or False")

    def answer(self, element: str, item: Item | None) -> Raw:
        """See `machine.turn.Evaluate`."""
        function = self.definition.functions[element]
        data, twin = self._encode(function, codec_for(function.answer), self._call(function, item))
        self.know(element, twin)
        return Raw(data)

    # --- detail -------------------------------------------------------------------------------------

    def _view(self, load: _Snapshot) -> Any:
        """Return what a function sees where not everything is as it is at the top and now."""
        now = self.view
        return make_view(self.definition.saga, now.id, now.input, now.started_at, now.tags, load)

    def _call(self, function: Function, item: Item | None) -> Any:
        """Call a function as things are; with the item of an `each` if it is about one."""
        if item is None:
            return self._run(function, self.view)
        view = self._view(_Snapshot(self.definition, item.results, item.path, self._latest.state))
        return self._run(function, view, *self._item(function, item.value))

    def _item(self, function: Function, item: Raw | None) -> list[object]:
        """Return the item as an argument, if the function takes it."""
        if not function.takes_item or item is None:
            return []
        try:
            return [codec_for(function.item).decode(bytes(item))]
        except BaseException as error:  # a class that has become stricter since
            reason = f"the item of {function.name} cannot be read: {describe(error, trace=False)}"
            raise Stuck("function", reason) from None

    def _run(self, function: Function, *arguments: object) -> Any:
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
            reason = f"{function.name} returned what cannot be stored: {words_of(error)}"
            raise Stuck("function", reason) from error
        except BaseException as error:  # out of memory, or KeyboardInterrupt in a method of the value
            reason = describe(error, trace=False)
            raise Stuck("function", f"{function.name} returned what cannot be stored: {reason}") from None
        return data, twin

    def _send(self, function: Function, command: object) -> Sent:
        self._check_class(function, command)
        kind = type(command)
        to = self._routing.route(kind)
        if to is None:
            raise Stuck("no-handler", f"no handler for {type_name(kind)}")
        codec = codec_for(kind)
        data, twin = self._encode(function, codec, command)
        if is_call(to):
            return Sent(codec.name, Raw(data), to, 0)
        number = self._routing.next_number(to)
        self._twins[to, number] = twin
        return Sent(codec.name, Raw(data), to, number)

    def _call_saga(self, function: Function, input: object) -> Sent:
        self._check_class(function, input)
        codec = codec_for(type(input))
        data, _ = self._encode(function, codec, input)
        return Sent(codec.name, Raw(data), self._destination(function), 0)

    def _destination(self, call: Function) -> str:
        graph = definition_of(self.definition.calls[call.name]).graph
        return call_to(graph.name, graph.version)

    def _check_class(self, function: Function, value: object) -> None:
        if type(value) is not function.message:
            expected = getattr(function.message, "__name__", function.message)
            kind = type(value).__name__
            raise Stuck("function", f"{function.name} returned {kind}, not the {expected} it promises")


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
        return readable(f"{value!r:.200}")
    except BaseException:
        return f"a {type(value).__name__}"


class _Snapshot:
    """Loads values of leaves from their stored form, as they are seen from a place in the flow.

    `path` is of a visit or scope instance there: it says which items of which `each` it is about. `state`: of now,
    None for what was seen earlier.
    """

    __slots__ = ("_definition", "_path", "_state", "_values")

    def __init__(
        self, definition: Definition, values: Mapping[str, Raw], path: str, state: State | None = None
    ) -> None:
        self._definition, self._values, self._path, self._state = definition, values, path, state

    def __call__(self, element: str) -> object:
        """Return the decoded value of `element`; KeyError when it was not reached."""
        eaches = self._definition.eaches.get(element)
        if eaches is not None:
            return self._per_item(element, eaches)
        return self._decoder(element)(bytes(self._values[element]))

    def _per_item(self, element: str, eaches: tuple[str, ...]) -> PerItem[object]:
        saga, decode = self._definition.graph.name, self._decoder(element)
        shared = self._shared(eaches)
        if shared == len(eaches):
            data = bytes(self._values[element])
            return PerItem(saga, element, here=lambda: decode(data))
        if element not in self._values and self._is_completed(eaches[shared]):
            return PerItem(saga, element)  # there were no items, or none came to this leaf
        levels = len(eaches) - shared
        return PerItem(saga, element, dict(_flattened(self._values[element], levels, decode, ())))

    def _is_completed(self, each: str) -> bool:
        """Return whether an `each` was reached, and is not under way (as far as that can be told)."""
        node = self._definition.graph.nodes[each]
        if not isinstance(node, Each) or node.items not in self._values:
            return False
        scopes = () if self._state is None else self._state.scopes.values()
        return not any(scope.element == each and scope.path.startswith(self._path) for scope in scopes)

    def _decoder(self, element: str) -> Callable[[bytes], object]:
        function = self._definition.functions[element]
        return codec_for(function.message if function.kind == "wait" else function.answer).decode

    def _shared(self, eaches: tuple[str, ...]) -> int:
        """Return in how many of these `each`, from the outermost on, the place is."""
        around = [part.rpartition(".")[0] for part in self._path.split("/")]
        return next((n for n, each in enumerate(eaches) if each not in around), len(eaches))


def _flattened(
    data: Raw, levels: int, decode: Callable[[bytes], Any], index: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield index and value of each item, from what an `each` has collected."""
    for no, inner in _read_collected(bytes(data)).items():
        if levels == 1:
            yield (*index, int(no)), decode(bytes(inner))
        else:
            yield from _flattened(inner, levels - 1, decode, (*index, int(no)))


_read_items = msgspec.json.Decoder(list[Raw]).decode
_read_collected = msgspec.json.Decoder(dict[str, Raw]).decode


class _Latest:
    """Loads values of leaves as they are now. There is a state before any of the author's functions is called."""

    __slots__ = ("_definition", "state")

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self.state: State | None = None

    def __call__(self, element: str) -> object:
        """See `_Snapshot`."""
        assert self.state is not None
        return _Snapshot(self._definition, self.state.results, "", self.state)(element)


@lru_cache(maxsize=64)
def _moment(ms: int) -> datetime:
    """Return a time in UTC ms as a datetime; many sagas begin at the same one."""
    return utc(ms)
