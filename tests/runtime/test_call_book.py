"""The book of a gateway's calls: what an inquiry is told stays true, wherever the call stands in a queue."""

from __future__ import annotations

from msgspec import Raw

from saga.coordination.envelopes import Deliver, Inquire
from saga.coordination.gateway import CallBook

ID = "saga-1:charge.1"


def command(attempt: int = 1) -> Deliver:
    return Deliver(ID, 1, "charge.1", "Charge/1", Raw(b"{}"), None, 1, 1, attempt, "saga-1", "saga-1", 1)


def inquiry(*, delivered: bool = True, repeated: bool = False) -> Inquire:
    return Inquire(ID, 1, "charge.1", 1, delivered, repeated, 1)


def test_a_call_that_has_not_begun_when_an_inquiry_is_posted_never_begins() -> None:
    book = CallBook()
    book.posted([command()])
    book.posted([inquiry()])
    book.accept(ID)
    assert not book.begin(ID)
    assert book.inquire(inquiry()) == "not-done"


def test_a_call_that_waits_for_a_thread_when_the_inquiry_is_answered_never_begins() -> None:
    book = CallBook()
    book.posted([command()])
    book.accept(ID)
    book.posted([inquiry()])
    assert book.inquire(inquiry()) == "not-done"
    assert not book.begin(ID)


def test_a_call_that_was_sent_twice_never_begins_after_the_inquiry_was_answered() -> None:
    """A gateway that has died is sent again what was with it, and some of that is still in its mailbox."""
    book = CallBook()
    for _ in range(2):
        book.posted([command()])
        book.accept(ID)
    book.posted([inquiry()])
    assert book.inquire(inquiry()) == "not-done"
    assert not book.begin(ID)
    assert not book.begin(ID)


def test_a_call_whose_queue_is_gone_does_not_count_as_waiting() -> None:
    book = CallBook()
    book.accept(ID)
    book.lost(ID)
    book.accept(ID)
    assert book.begin(ID)
    assert book.end(ID) is None
    book.posted([inquiry()])
    assert book.inquire(inquiry()) == "unknown"


def test_a_void_call_whose_queue_is_gone_was_never_made() -> None:
    book = CallBook()
    book.accept(ID)
    book.posted([inquiry()])
    book.lost(ID)
    assert book.inquire(inquiry()) == "not-done"


def test_the_inquiry_about_a_running_call_waits_for_its_end() -> None:
    book = CallBook()
    book.posted([command()])
    book.accept(ID)
    assert book.begin(ID)
    book.posted([inquiry()])
    assert book.inquire(inquiry()) is None
    assert book.end(ID) == inquiry()


def test_what_became_of_a_call_that_has_ended_is_unknown_here() -> None:
    """Its answer left before; whatever it was counts."""
    book = CallBook()
    book.accept(ID)
    assert book.begin(ID)
    assert book.end(ID) is None
    book.posted([inquiry()])
    assert book.inquire(inquiry()) == "unknown"


def test_a_call_of_an_earlier_attempt_may_have_had_an_effect() -> None:
    book = CallBook()
    book.posted([command(2)])
    book.accept(ID)
    book.posted([inquiry(repeated=True)])
    assert book.inquire(inquiry(repeated=True)) == "unknown"
    assert not book.begin(ID)


def test_a_command_that_never_left_was_not_done() -> None:
    book = CallBook()
    book.posted([inquiry(delivered=False)])
    assert book.inquire(inquiry(delivered=False)) == "not-done"


def test_a_command_that_is_sent_again_after_the_inquiry_may_begin() -> None:
    book = CallBook()
    book.accept(ID)
    book.posted([inquiry()])
    assert book.inquire(inquiry()) == "not-done"
    assert not book.begin(ID)
    book.posted([command(2)])
    book.accept(ID)
    assert book.begin(ID)


def test_of_two_calls_of_one_command_one_is_made_at_a_time() -> None:
    book = CallBook()
    book.accept(ID)
    assert book.begin(ID)
    book.accept(ID)
    assert not book.begin(ID)
    book.end(ID)


def test_nothing_is_remembered_of_what_is_over() -> None:
    book = CallBook()
    for _ in range(3):
        book.posted([command()])
        book.accept(ID)
        book.posted([inquiry()])
        book.inquire(inquiry())
        book.begin(ID)
    for left in (book._void, book._waiting, book._running, book._dropped, book._inquiries):
        assert not left
