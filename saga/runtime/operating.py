"""What an operator does so that nothing stays where it is for ever; each is journaled with its reason."""

from __future__ import annotations

from concurrent.futures import Future

from msgspec import Raw

from saga.arguments import checked_text
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.envelopes import RetryDeliveries
from saga.coordination.instances import Instance
from saga.errors import NotAllowed, NotEncodable
from saga.event_log import event_type_of
from saga.handle import refuse_in_actor
from saga.line import Reply
from saga.machine import Stimulus
from saga.machine import stimuli as s
from saga.machine.acting import parked_visit
from saga.messages import Event
from saga.participants import Context
from saga.runtime.wired import Wired, context_name

__all__ = ["Operating"]


class Operating(Wired):
    """Acts on sagas, deliveries and listeners."""

    def cancel(self, id: str, reason: str = "cancelled by the application", *, timeout: float = 30.0) -> None:
        """Give a saga up: what was done is undone; return when that is decided, and on disk.

        While it is being undone, or over, a cancel changes nothing. Raises UnknownSaga, and NotAllowed when a pivot was
        passed or is under way, or the saga is suspended.
        """
        self._act(id, "cancel", s.Cancel(_reason(reason)), timeout)

    def retry(self, id: str, reason: str = "", *, step: str = "", timeout: float = 30.0) -> None:
        """Try again what is parked. `step`: the element or path, needed when several are.

        Raises UnknownSaga, NotAllowed.
        """
        self._act(
            id,
            "retry",
            s.Retry(_reason(reason) or "retried by an operator", checked_text("step", step)),
            timeout,
        )

    def skip(self, id: str, reason: str, *, step: str = "", timeout: float = 30.0) -> None:
        """Let the saga go on without what is parked; `self.<step>` is not reached then. Raises as `retry`."""
        self._act(id, "skip", s.Skip(_reason(reason), checked_text("step", step)), timeout)

    def mark_done(
        self, id: str, answer: object, reason: str, *, step: str = "", timeout: float = 30.0
    ) -> None:
        """Let the saga go on as if the parked step, or compensation, had been done with this answer.

        Raises as `retry`, and NotEncodable when `answer` is not of the type that the step's command is answered with.
        """

        why, step = _reason(reason), checked_text("step", step)

        def make(instance: Instance) -> Stimulus:
            visit = parked_visit(instance.state, step)
            data = b"null"
            if visit.undoes is None:
                function = instance.author.function(visit.element)
                if function is None or function.kind not in ("step", "call"):
                    raise NotAllowed(id, "mark_done", f"{visit.element} is no step; retry it or skip it")
                try:
                    data = codec_for(function.answer).encode(answer)
                except NotEncodable as error:
                    error.add_note(
                        f"mark_done of {visit.path} in saga {id!r} takes what its command is answered with"
                    )
                    raise
            return s.MarkDone(why, Raw(data), visit.path)

        self._act(id, "mark_done", make, timeout)

    def suspend(self, id: str, reason: str, *, timeout: float = 30.0) -> None:
        """Stop a saga: what comes in is held, no timer fires, until `resume`. Raises as `retry`."""
        self._act(id, "suspend", s.Suspend(_reason(reason)), timeout)

    def resume(self, id: str, reason: str = "", *, timeout: float = 30.0) -> None:
        """Let a suspended saga go on, with what came in meanwhile. Raises as `retry`."""
        self._act(id, "resume", s.Resume(_reason(reason) or "resumed by an operator"), timeout)

    def retry_deliveries(
        self, context: type[Context] | str, event: type[Event] | str | None = None, *, timeout: float = 30.0
    ) -> int:
        """Let a context try events again that its listeners have failed on: all, or those of one type.

        `context` and `event` are classes or their names. Returns how many that are, when it is on disk that they are
        due; they are tried at once, those that were set aside once. Raises UsageError when this runtime has no such
        context, WaitTimeout (the context is busy; it will still be done), RuntimeClosed, StoreFailed.
        """
        refuse_in_actor("retry_deliveries")
        name = self._context_here(context)
        reply: Future[int] = Reply()
        request = RetryDeliveries(None if event is None else event_type_of(event), reply)
        return self._line.ask_context(name, request, reply, timeout)

    def forget_listener(
        self, context: type[Context] | str, event: type[Event] | str | None = None, *, timeout: float = 30.0
    ) -> int:
        """A context that is not here will never listen again (to this type of event): keep the log for it no longer.

        Returns to how many types it did, 0 when nothing is known of it. If it comes back all the same, it goes on
        behind what it took last, with what the log still has. Raises UsageError when it is here, RuntimeClosed,
        StoreFailed.
        """
        refuse_in_actor("forget_listener")
        event_type = None if event is None else event_type_of(event)
        request = q.ForgetListener(context_name(context), event_type, Reply())
        return self._line.ask(request, request.reply, timeout)


def _reason(reason: str) -> str:
    return checked_text("reason", reason)
