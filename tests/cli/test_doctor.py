"""`saga doctor`: how a store is, and what needs a person."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from saga import Runtime, ScaledClock
from saga.cli import examination
from saga.cli.main import FOUND, NOT_FOUND, OK
from saga.store import Finding

from . import shop
from .conftest import Run, Tamper


def examined(run: Run, store: Path | None = None) -> Any:
    result = run("doctor", "--json", **({} if store is None else {"store": store}))
    found = json.loads(result.stdout)
    assert result.exit_code == (OK if found["ok"] else FOUND)
    return found


def warnings(found: Any) -> list[tuple[str, str]]:
    problems = found["problems"]
    return [(each["subject"], each["what"]) for each in problems if each["severity"] != "note"]


# --- what needs a person --------------------------------------------------------------------------


def test_parked_sagas_missing_handlers_and_deliveries_set_aside_need_a_person(run: Run) -> None:
    found = examined(run)
    assert warnings(found) == [
        ("sagas", "1 is parked (function)"),
        ("sagas", "1 is parked (no-handler)"),
        ("sagas", "1 is parked (undo-refused)"),
        ("notification.db", "1 delivery is set aside"),
    ]
    assert found["missing_handlers"] == [
        {
            "saga": "FulfilOrder",
            "version": 1,
            "element": "send_letter",
            "command": "SendLetter/1",
            "reason": "no handler for SendLetter/1",
            "sagas": 1,
            "example": "o-lettered",
        }
    ]
    parked = found["parked"]
    assert {each["id"]: (each["path"], each["kind"]) for each in parked} == {
        "o-stuck": ("take_payment.1~1", "undo-refused"),
        "o-mistaken": ("ship_goods.1", "function"),
        "o-lettered": ("scope-1.1/send_letter.1", "no-handler"),
    }
    assert parked[0]["next"].startswith("mend the cause, then runtime.retry('o-stuck'); or undo it by hand")


def test_the_text_says_what_to_do_about_each(run: Run) -> None:
    out = run("doctor").stdout
    assert "SendLetter/1: for send_letter in 1 saga FulfilOrder, such as o-lettered: no handler" in out
    assert "o-mistaken at ship_goods.1: function: ZeroDivisionError: a mistake of the author,\\x1b[31m" in out
    assert "event 2, PaymentReceived/1, to notification: given up after 5 attempts: LookupError" in out
    assert "mend the listener, then runtime.retry_deliveries(context)" in out


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(run: Run, width: int) -> None:
    assert max(map(len, run("doctor", width=width).stdout.splitlines())) <= width


def test_a_missing_class_is_told_from_a_missing_handler(tmp_path: Path, run: Run) -> None:
    with shop.make(str(tmp_path / "shop")) as runtime:
        runtime.start(shop.FulfilOrder, shop.order("fetched", "o"), id="o")
        shop.wait_for(lambda: any(entry.what == "wait-begun" for entry in runtime.history("o")))
    with Runtime(tmp_path / "shop", contexts=shop.CONTEXTS) as runtime:
        runtime.publish(shop.GoodsFetched("o", "somebody"))
        shop.wait_for(lambda: runtime.list()[0].status == "PARKED")
    found = examined(run, tmp_path / "shop")
    [missing] = found["missing_handlers"]
    assert (missing["saga"], missing["version"], missing["command"]) == ("FulfilOrder", 1, None)
    assert (
        "class FulfilOrder, version 1: for ship_goods in 1 saga"
        in run("doctor", store=tmp_path / "shop").stdout
    )


def test_several_incidents_of_a_saga_are_told_apart(store: Path, tamper: Tamper, run: Run) -> None:
    tamper("INSERT INTO open_incidents VALUES (9, 'other.1', 'function', 'why', 7)")
    parked = examined(run, store)["parked"]
    [step] = [each["next"] for each in parked if each["path"] == "ship_goods.1"]
    assert step.endswith("runtime.retry('o-mistaken', step='ship_goods.1')")


def test_a_store_in_which_all_is_well_needs_nobody(tmp_path: Path, run: Run) -> None:
    with shop.make(str(tmp_path / "shop")) as runtime:
        assert runtime.start(shop.FulfilOrder, shop.order("plain", "o"), id="o").wait(20).completed
    result = run("doctor", store=tmp_path / "shop")
    assert result.stdout.endswith("nothing needs a person\n")
    assert result.exit_code == OK


# --- who has it open, and what it says about itself -----------------------------------------------


def test_a_store_that_was_closed_says_so(run: Run) -> None:
    store = examined(run)["store"]
    assert (store["last_end"], store["opened"], store["clock"]) == ("closed", 1, "system")
    assert "not running; the last one ended in order (process " in run("doctor").stdout


def test_a_killed_program_is_told_from_one_that_ended(run: Run, killed: Path) -> None:
    found = examined(run, killed)
    store = found["store"]
    lock = found["lock"]
    assert (store["last_end"], lock["held"]) == ("cut-off", False)
    problems = found["problems"]
    assert any("for the program to be started again" in each["what"] for each in problems)
    assert "not running; the last one was cut off (process " in run("doctor", store=killed).stdout


def test_a_running_program_is_named(run: Run, running: Path) -> None:
    found = examined(run, running)
    lock = found["lock"]
    assert lock["held"] is True
    assert f"running: process {lock['pid']} on {lock['host']} since " in run("doctor", store=running).stdout


def test_a_lock_file_that_cannot_be_read_tells_nothing(
    run: Run, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination.os, "access", lambda path, mode: False)
    found = examined(run, running)
    assert (found["lock"]["held"], found["store"]["last_end"]) == (None, "unknown")


def test_the_factor_of_a_scaled_clock_is_told(tmp_path: Path, run: Run) -> None:
    with shop.make(str(tmp_path / "shop"), clock=ScaledClock(5000)):
        pass
    store = examined(run, tmp_path / "shop")["store"]
    assert (store["clock"], store["clock_factor"]) == ("scaled", 5000)
    assert "scaled, 5,000 times as fast" in run("doctor", store=tmp_path / "shop").stdout


def test_files_definitions_and_contexts_are_listed(run: Run) -> None:
    found = examined(run)
    files = found["files"]
    assert [(file["name"], file["kind"], file["schema"], file["known_schema"]) for file in files] == [
        ("saga.db", "saga", 4, 4),
        ("inventory.db", "context", 2, 2),
        ("notification.db", "context", 2, 2),
        ("payment.db", "context", 2, 2),
        ("shipment.db", "context", 2, 2),
    ]
    [definition] = found["definitions"]
    assert (definition["saga"], definition["version"], definition["live"]) == ("FulfilOrder", 1, 7)
    contexts = {each["name"]: each for each in found["contexts"]}
    assert contexts["inventory"]["commands_remembered"] == 14
    assert contexts["notification"]["set_aside"][0]["event_type"] == "PaymentReceived/1"


def test_versions_and_the_verdict_on_sqlite_are_told(run: Run) -> None:
    found = examined(run)
    names = {"saga-actors", "Python", "SQLite", "pykka", "sqlite-utils", "msgspec", "structlog", "click"}
    versions = found["versions"]
    assert versions.keys() == names
    assert versions["msgspec"] in run("doctor").stdout
    assert found["sqlite_verdict"]


def test_json_has_the_documented_fields(run: Run) -> None:
    assert list(examined(run)) == [
        "ok",
        "problems",
        "versions",
        "sqlite_verdict",
        "store",
        "lock",
        "files",
        "sagas",
        "incidents",
        "parked",
        "missing_handlers",
        "definitions",
        "contexts",
        "suspects",
        "schedules",
    ]


# --- what is wrong with the store -----------------------------------------------------------------


def test_a_damaged_context_hides_nothing_else(store: Path, run: Run) -> None:
    (store / "payment.db").write_bytes(b"x" * 8192)
    found = examined(run, store)
    assert any(subject == "payment.db" and "not a database" in what for subject, what in warnings(found))
    assert [file["schema"] for file in found["files"] if file["name"] == "payment.db"] == [None]
    assert [each["name"] for each in found["contexts"]] == ["inventory", "notification", "shipment"]
    assert "payment.db       8.19 KB  0 B  unreadable" in run("doctor", store=store).stdout


def test_a_damaged_coordinators_file_leaves_what_can_still_be_told(store: Path, run: Run) -> None:
    (store / "saga.db").write_bytes(b"x" * 8192)
    found = examined(run, store)
    assert found["store"] is None
    assert (
        "saga.db",
        "is damaged: file is not a database; restore the whole directory from a backup",
    ) in warnings(found)


def test_a_newer_schema_is_told_with_the_number_that_is_known(store: Path, tamper: Tamper, run: Run) -> None:
    import sqlite3

    connection = sqlite3.connect(store / "saga.db")
    connection.execute("PRAGMA user_version=9")
    connection.close()
    found = examined(run, store)
    assert found["files"][0]["schema"] == 9
    assert "has schema 9, this version of saga knows up to 4" in warnings(found)[0][1]


def test_a_missing_context_needs_a_person(store: Path, run: Run) -> None:
    (store / "payment.db").unlink()
    assert any(
        subject == "payment.db" and what.startswith("is missing")
        for subject, what in warnings(examined(run, store))
    )


def test_a_network_file_system_needs_a_person(
    run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        examination,
        "file_system",
        lambda directory: Finding("warning", directory, "is on a network file system (nfs)"),
    )
    found = examined(run)
    assert found["store"]["network_file_system"] is True
    assert (str(filled), "is on a network file system (nfs)") in warnings(found)


def test_a_full_disk_needs_a_person(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(examination.shutil, "disk_usage", lambda directory: usage)
    assert ("disk", "only 1 MB are free; make room") in warnings(examined(run))


def test_a_reader_that_keeps_a_log_from_shrinking_is_good_to_know(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "wal_size", lambda path: 200_000_000)
    problems = examined(run)["problems"]
    assert any(
        each["severity"] == "note" and "write-ahead log has 200 MB" in each["what"] for each in problems
    )


def test_files_of_others_are_left_alone(store: Path, run: Run) -> None:
    import sqlite3

    connection = sqlite3.connect(store / "other.db")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert "other.db" not in run("doctor", store=store).stdout


def test_without_a_store_the_versions_are_still_told(run: Run, tmp_path: Path) -> None:
    result = run("doctor", store=tmp_path)
    assert result.exit_code == NOT_FOUND
    assert "SQLite" in result.stdout
    assert result.stderr == f"saga: no store at {tmp_path}: a store is a directory that holds saga.db\n"
    assert run("doctor", "--json", store=tmp_path).stdout == ""


def test_the_environment_is_not_changed(run: Run, filled: Path) -> None:
    before = sorted(os.listdir(filled))
    run("doctor")
    assert sorted(os.listdir(filled)) == before


# --- what ends the program ------------------------------------------------------------------------


def test_what_was_running_when_the_program_was_cut_off_is_told_and_needs_nobody_yet(
    run: Run, store: Path, tamper: Tamper
) -> None:
    before = warnings(examined(run, store))
    tamper("INSERT INTO suspects VALUES ('payment', 'command', 3, 1, 0, 0), ('payment', 'event', 4, 2, 1, 0)")
    found = examined(run, store)
    assert [tuple(each.values()) for each in found["suspects"]] == [
        ("payment", "event", 4, 2, True, "1970-01-01T00:00:00.000Z"),
        ("payment", "command", 3, 1, False, "1970-01-01T00:00:00.000Z"),
    ]
    assert warnings(found) == before
    text = run("doctor", store=store).stdout
    assert "payment: event 4 was running at 2 ends of the program that were no close" in " ".join(
        text.split()
    )
    assert "command 3" not in text


def test_whatever_stands_in_the_file_of_what_is_running_is_no_problem(run: Run, store: Path) -> None:
    before = examined(run, store)["problems"]
    for content in (b"", b"\xff" * 100):
        (store / "runtime.running").write_bytes(content)
        assert examined(run, store)["problems"] == before
        assert run("verify", store=store).exit_code == run("verify").exit_code
