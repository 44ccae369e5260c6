"""`saga deliveries`: how far listeners are, and what they have failed on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run, Tamper, saga_command

TEXT = """\
LISTENER      EVENT              BEHIND  TO RETRY  SET ASIDE
notification  PaymentReceived/1  0       0         1

Failed deliveries
  event 2, PaymentReceived/1, to notification: set aside after 5 attempts:
    LookupError: no address
    id payment:2, last tried 2026-01-01 00:02:40

mend the listener, then runtime.retry_deliveries(context)
"""


def test_listeners_and_failed_deliveries_are_shown(run: Run) -> None:
    result = run("deliveries", width=80)
    assert result.stdout == TEXT
    assert result.exit_code == 0


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(run: Run, width: int) -> None:
    assert max(map(len, run("deliveries", width=width).stdout.splitlines())) <= width


def test_json_has_the_documented_fields(run: Run) -> None:
    found = json.loads(run("deliveries", "--json").stdout)
    assert found["listeners"] == [
        {
            "context": "notification",
            "event_type": "PaymentReceived/1",
            "position": 10,
            "behind": 0,
            "to_retry": 0,
            "set_aside": 1,
            "away": False,
        }
    ]
    (delivery,) = found["deliveries"]
    assert delivery.pop("reason").endswith("LookupError: no address")
    assert delivery == {
        "context": "notification",
        "event_no": 2,
        "event_id": "payment:2",
        "event_type": "PaymentReceived/1",
        "correlation": "o-refused",
        "attempts": 5,
        "failed_at": "2026-01-01T00:02:40.000Z",
        "next_at": None,
    }
    assert found["next_after"] is None


def test_deliveries_are_chosen_by_context_and_state(run: Run, store: Path, tamper: Tamper) -> None:
    copy = (
        "INSERT INTO _saga_retries SELECT event_no + 1, event_type, 1, 5, reason, 4, 'x', 'y', payload, NULL"
    )
    tamper(f"{copy} FROM _saga_retries", file="notification.db")

    def nos(*arguments: str) -> list[int]:
        out = run("deliveries", "--json", *arguments, store=store).stdout
        return [delivery["event_no"] for delivery in json.loads(out)["deliveries"]]

    assert nos() == [2, 3]
    assert nos("--set-aside") == [2]
    assert nos("--context", "notification") == [2, 3]
    assert nos("--context", "payment") == []
    assert nos("--limit", "1") == [2]
    assert nos("--after", "2") == [3]
    assert "for more: --after 2" in run("deliveries", "--limit", "1", store=store).stdout


def test_a_listener_that_is_behind_or_away_is_told(run: Run, store: Path, tamper: Tamper) -> None:
    tamper("UPDATE _saga_positions SET position = 7", file="notification.db")
    tamper("UPDATE store SET epoch = epoch + 1")
    assert (
        "notification  PaymentReceived/1  3       0         1          away"
        in run("deliveries", store=store).stdout
    )
    doctor = run("doctor", store=store).stdout
    assert "note: notification.db: is not part of the program now; " in doctor
    assert "if it is gone for good: runtime.forget_listener('notification')" in doctor


def test_a_context_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    result = run("deliveries", "--context", "notifications")
    assert result.exit_code == 4
    assert result.stderr == (
        "saga: no context 'notifications' in this store; there are inventory, notification, payment, shipment\n"
    )


def test_it_works_beside_a_running_program_and_on_a_dead_one(running: Path, killed: Path) -> None:
    for store in (running, killed):
        result = saga_command("--store", store, "deliveries")
        assert result.returncode == 0
        assert "notification" in result.stdout
