"""`saga verify`: each damage is found, and nothing is found where there is none."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from random import Random

import pytest

from saga.cli import verifying
from saga.cli.main import FOUND, NOT_FOUND, OK, STORE_FAILED
from saga.store import FIRST, StoreReader, chain
from saga.store.inspection import ContextReader
from saga.verification import MOST, verify_store

from . import shop
from .conftest import Run, Tamper, saga_command

PAGE = 4096


def found(store: Path, *, quick: bool = False) -> list[str]:
    """What is wrong with a store, each finding as `file: what`."""
    return [f"{os.path.basename(each.subject)}: {each.what}" for each in verify_store(store, quick)]


# --- nothing is wrong -----------------------------------------------------------------------------


def test_a_store_that_was_closed_is_whole(run: Run, filled: Path) -> None:
    assert found(filled) == found(filled, quick=True) == []
    result = run("verify")
    assert result.stdout.startswith("nothing is wrong (5 files, 11 sagas, ")
    assert (result.exit_code, result.stderr) == (OK, "")


def test_what_a_killed_program_has_left_is_whole(killed: Path) -> None:
    assert found(killed) == []


def test_beside_a_busy_program_there_is_no_false_alarm(busy: Path) -> None:
    """What is looked at changes between two looks, hundreds of times a second."""
    for _ in range(8):
        assert found(busy) == []
    result = saga_command("verify", "--store", busy)
    assert (result.returncode, result.stderr) == (OK, "")


def test_in_the_process_of_the_runtime_it_does_no_harm(tmp_path: Path) -> None:
    with shop.make(str(tmp_path / "shop")) as runtime:
        shop.fill(runtime)
        assert found(tmp_path / "shop") == []
        assert runtime.start(shop.FulfilOrder, shop.order("plain", "later"), id="later").wait(20).completed


def test_a_store_in_which_nothing_ever_happened_is_whole(tmp_path: Path, run: Run) -> None:
    with shop.make(str(tmp_path / "shop")):
        pass
    assert run("verify", store=tmp_path / "shop").stdout.startswith("nothing is wrong (5 files, 0 sagas, ")


# --- saga.db --------------------------------------------------------------------------------------

ROWS = {
    "status": (
        "UPDATE sagas SET status = 'COMPENSATING' WHERE id = 'o-slow'",
        "saga.db: saga 'o-slow': its status is 'COMPENSATING', by its journal 'RUNNING'",
    ),
    "busy": (
        "UPDATE sagas SET busy = 0 WHERE id = 'o-mailed'",
        "saga.db: saga 'o-mailed': its busy is 0, by its journal 1",
    ),
    "end": (
        "UPDATE sagas SET ended_ms = ended_ms + 1 WHERE id = 'o-plain'",
        "saga.db: saga 'o-plain': its ended_ms is 1767225600001, by its journal 1767225600000",
    ),
    "refusal": (
        "UPDATE sagas SET refusal_code = 'other' WHERE id = 'o-refused'",
        "saga.db: saga 'o-refused': its refusal_code is 'other', by its journal 'no-lorry'",
    ),
    "id": (
        "UPDATE sagas SET id = 'o-slower' WHERE id = 'o-slow'",
        "saga.db: saga 'o-slower': its id is 'o-slower', by its journal 'o-slow'",
    ),
    "tag": (
        "UPDATE tags SET value = 'west' WHERE saga_no = 1",
        "saga.db: saga 'o-plain': its tag 'region' is 'west', by its journal 'south'",
    ),
    "missing timer": (
        "DELETE FROM timers WHERE saga_no = 6 AND name LIKE '%wake'",
        "saga.db: saga 'o-slow': it lacks the timer 'scope-1.1/rest.1|wake'",
    ),
    "other timer": (
        "UPDATE timers SET due_ms = 7 WHERE saga_no = 6 AND name LIKE '%wake'",
        "saga.db: saga 'o-slow': its timer 'scope-1.1/rest.1|wake' is 7, by its journal 1767484800000",
    ),
    "timer too many": (
        "INSERT INTO timers VALUES (6, 'rest.2|wake', 7)",
        "saga.db: saga 'o-slow': it has the timer 'rest.2|wake', which its journal does not know",
    ),
    "missing wait": (
        "DELETE FROM waits WHERE saga_no = 5",
        "saga.db: saga 'o-fetched': it lacks the wait 'scope-1.1/goods_fetched.1'",
    ),
    "other wait": (
        "UPDATE waits SET key = 'x' WHERE saga_no = 5",
        "saga.db: saga 'o-fetched': its wait 'scope-1.1/goods_fetched.1' is ('GoodsFetched/1', 'x'),"
        " by its journal ('GoodsFetched/1', 'o-fetched')",
    ),
    "incident": (
        "UPDATE open_incidents SET kind = 'down' WHERE saga_no = 8",
        "saga.db: saga 'o-lettered': its incident 'scope-1.1/send_letter.1' is ('down', 'no handler for SendLetter/1',"
        " 1767225600000), by its journal ('no-handler', 'no handler for SendLetter/1', 1767225600000)",
    ),
    "event that is waited for": (
        "INSERT INTO events VALUES (1000, 'e', 'GoodsFetched/1', 'o-fetched', '{}', 7, 'x', 'x', NULL, NULL)",
        "saga.db: saga 'o-fetched': 'scope-1.1/goods_fetched.1' waits for GoodsFetched/1 of 'o-fetched',"
        " and event 'e' is there",
    ),
    "number to be given again": (
        "UPDATE participants SET next_number = 1 WHERE name = 'post'",
        "saga.db: saga 'o-mailed': 'scope-1.1/send_mail.1' was sent to 'post' under number 1, which was never given",
    ),
    "time": (
        "UPDATE store SET high_ms = 7",
        "saga.db: saga 'o-slow': time goes back in its journal, or is later than any the store knows",
    ),
    "graph": (
        "UPDATE definitions SET graph = replace(graph, 'take_payment', 'give_payment')",
        "saga.db: the graph of FulfilOrder version 1 does not fit its hash",
    ),
    "definition": (
        "UPDATE definitions SET hash = 'x'",
        "saga.db: the graph of FulfilOrder version 1 does not fit its hash",
    ),
    "unreadable graph": (
        "UPDATE definitions SET graph = '{}'",
        "saga.db: the graph of FulfilOrder version 1 cannot be read: Object missing required field `name`",
    ),
}


@pytest.mark.parametrize(("sql", "finding"), ROWS.values(), ids=ROWS.keys())
def test_a_row_that_does_not_follow_from_the_journal_is_found(
    store: Path, tamper: Tamper, sql: str, finding: str
) -> None:
    tamper(sql)
    assert finding in found(store)


def test_the_end_of_a_journal_that_is_missing_shows_in_the_rows_beside_it(
    store: Path, tamper: Tamper
) -> None:
    tamper("DELETE FROM journal WHERE saga_no = 1 AND seq = (SELECT max(seq) FROM journal WHERE saga_no = 1)")
    assert "saga.db: saga 'o-plain': its status is 'COMPLETED', by its journal 'RUNNING'" in found(store)


def test_a_row_missing_from_a_journal_is_found_once(store: Path, tamper: Tamper) -> None:
    tamper("DELETE FROM journal WHERE saga_no = 1 AND seq = 2")
    assert found(store) == ["saga.db: saga 'o-plain': the journal of saga number 1 lacks row 2"]


def test_records_that_make_no_sense_are_found_even_if_they_fit_their_digest(
    store: Path, tamper: Tamper
) -> None:
    with StoreReader.open(store) as reader:
        row = reader.journal(6)[0]
    records = b'[{"is":"woke","path":"rest.1"}]'
    tamper("DELETE FROM journal WHERE saga_no = 6 AND seq > 1")
    digest = chain(FIRST, 6, 1, row.at_ms, row.cause, 1, records)
    tamper(
        "UPDATE journal SET records = ?, digest = ?, encoding = 1, form_no = NULL WHERE saga_no = 6",
        records.decode(),
        digest,
    )
    assert (
        "saga.db: saga 'o-slow': its journal makes no sense: the first record is Woke, not Started"
        in found(store)
    )


def test_a_flipped_bit_in_the_records_is_found(store: Path) -> None:
    path = store / "saga.db"
    data = bytearray(path.read_bytes())
    data[data.index(b'"path":"take_payment.1"') + 10] ^= 1
    path.write_bytes(data)
    [finding] = found(store, quick=True)
    assert finding.startswith("saga.db: saga 'o-")
    assert finding.endswith("does not fit its digest")


def test_erased_records_of_a_saga_that_has_ended_are_no_damage(store: Path, tamper: Tamper) -> None:
    tamper("UPDATE journal SET records = NULL WHERE saga_no = 1")
    assert found(store) == []


def test_erased_records_of_a_live_saga_are(store: Path, tamper: Tamper) -> None:
    tamper("UPDATE journal SET records = NULL WHERE saga_no = 6 AND seq = 2")
    assert found(store) == ["saga.db: saga 'o-slow': it has not ended, and a part of its journal was erased"]


def test_quick_looks_at_live_sagas_only(store: Path, tamper: Tamper) -> None:
    tamper("UPDATE sagas SET refusal_code = 'other' WHERE id IN ('o-refused', 'o-stuck')")
    assert [each for each in found(store) if "o-refused" in each]
    assert [each.split("'")[1] for each in found(store, quick=True)] == ["o-stuck"]


def test_a_file_that_sqlite_finds_damaged_is_a_finding_and_no_error(store: Path, run: Run) -> None:
    path = store / "saga.db"
    data = bytearray(path.read_bytes())
    data[4096 * 5 : 4096 * 9] = os.urandom(4096 * 4)
    path.write_bytes(data)
    result = run("verify", store=store)
    assert result.exit_code == FOUND
    assert "error: saga.db: " in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("file", ["saga.db", "payment.db"])
def test_a_file_that_is_no_database_is_a_finding(store: Path, run: Run, file: str) -> None:
    (store / file).write_bytes(b"x" * 8192)
    result = run("verify", store=store)
    assert result.exit_code == FOUND
    assert f"error: {file}: " in result.stdout
    assert "file is not a database" in result.stdout


def test_a_lock_file_of_another_store_is_found(store: Path) -> None:
    lock = json.loads((store / "runtime.lock").read_text())
    (store / "runtime.lock").write_text(json.dumps({**lock, "store_id": "other"}))
    [finding] = found(store)
    assert finding.endswith("but runtime.lock says that store other was here")


# --- contexts -------------------------------------------------------------------------------------

CONTEXTS = {
    "forgotten answer": (
        "payment.db",
        "DELETE FROM _saga_inbox WHERE command_id = 'o-slow:take_payment.1'",
        "payment.db: does not remember 'o-slow:take_payment.1' (number 8), whose answer saga.db has acknowledged",
    ),
    "forgotten refusal": (
        "payment.db",
        "DELETE FROM _saga_inbox WHERE command_id = 'o-dear:take_payment.1'",
        "payment.db: does not remember 'o-dear:take_payment.1' (number 6), whose answer saga.db has acknowledged",
    ),
    "forgotten compensation": (
        "inventory.db",
        "DELETE FROM _saga_inbox WHERE command_id = 'o-refused:reserve_goods.1~1'",
        "inventory.db: does not remember 'o-refused:reserve_goods.1~1' (number 3),"
        " whose answer saga.db has acknowledged",
    ),
    "forgotten tombstone": (
        "shipment.db",
        "DELETE FROM _saga_inbox WHERE outcome = 'tombstone'",
        "shipment.db: does not remember 'o-broken:ship_goods.1' (number 3), whose answer saga.db has acknowledged",
    ),
    "another answer": (
        "payment.db",
        "UPDATE _saga_inbox SET answer = '{\"payment_id\":\"p\"}' WHERE command_id = 'o-slow:take_payment.1'",
        "payment.db: remembers another answer to 'o-slow:take_payment.1' than saga.db",
    ),
    "another outcome": (
        "payment.db",
        "UPDATE _saga_inbox SET outcome = 'tombstone', answer = NULL WHERE command_id = 'o-slow:take_payment.1'",
        "payment.db: remembers 'o-slow:take_payment.1' as tombstone, saga.db as done",
    ),
    "another code": (
        "payment.db",
        "UPDATE _saga_inbox SET code = 'x' WHERE command_id = 'o-dear:take_payment.1'",
        "payment.db: has refused 'o-dear:take_payment.1': 'the card is not good for that [x]',"
        " by saga.db 'the card is not good for that [card-refused]'",
    ),
    "command that was never sent": (
        "payment.db",
        "INSERT INTO _saga_inbox VALUES ('o-slow:take_payment.2', 99, 'tombstone', NULL, NULL, NULL, 7, NULL)",
        "payment.db: has answered 'o-slow:take_payment.2', which was never sent to it",
    ),
    "command of an unknown saga": (
        "payment.db",
        "INSERT INTO _saga_inbox VALUES ('o-new:take_payment.1', 99, 'tombstone', NULL, NULL, NULL, 7, NULL)",
        "payment.db: has answered 'o-new:take_payment.1', and saga.db has no such saga",
    ),
    "floor above what is open": (
        "payment.db",
        "UPDATE _saga_file SET floor = 1000",
        "payment.db: would refuse 'o-stuck:take_payment.1~1', number 13, which is open: its floor is 1000",
    ),
    "event lost from the outbox": (
        "payment.db",
        "UPDATE _saga_file SET outbox_no = outbox_no + 1",
        "payment.db: has forgotten the events from 11 to 11, which are not in the log",
    ),
    "name of another context": (
        "payment.db",
        "UPDATE _saga_file SET name = 'inventory'",
        "payment.db: is the file of context 'inventory'",
    ),
    "listener beyond the end": (
        "notification.db",
        "UPDATE _saga_positions SET position = 1000",
        "notification.db: has read PaymentReceived/1 up to event 1000, the last of the log is 10",
    ),
    "retry of no event": (
        "notification.db",
        "UPDATE _saga_retries SET event_no = 1000",
        "notification.db: has failed on event 1000, and read PaymentReceived/1 up to event 10",
    ),
}


@pytest.mark.parametrize(("file", "sql", "finding"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_context_that_does_not_fit_is_found(
    store: Path, tamper: Tamper, file: str, sql: str, finding: str
) -> None:
    tamper(sql, file=file)
    assert finding in found(store)


def test_what_was_forgotten_below_the_floor_is_no_damage(store: Path, tamper: Tamper) -> None:
    tamper("UPDATE _saga_file SET floor = 10", file="payment.db")
    tamper("DELETE FROM _saga_inbox WHERE number < 10", file="payment.db")
    assert found(store) == []


def test_an_older_copy_of_a_context_is_found_with_what_it_has_forgotten(tmp_path: Path) -> None:
    directory = tmp_path / "shop"
    for order_id in ("first", "second"):
        shutil.copytree(directory, tmp_path / order_id) if directory.exists() else None
        with shop.make(str(directory)) as runtime:
            runtime.start(shop.FulfilOrder, shop.order("plain", order_id), id=order_id).wait(20)
    shutil.copy(tmp_path / "second" / "payment.db", directory / "payment.db")
    findings = found(directory)
    assert any(each.startswith("payment.db: is an old copy: it ends at commit ") for each in findings)
    assert any(each.startswith("payment.db: does not remember 'second:take_payment.1'") for each in findings)
    assert not [each for each in findings if "first" in each]


def test_an_older_copy_of_the_coordinators_file_is_found(tmp_path: Path) -> None:
    directory = tmp_path / "shop"
    with shop.make(str(directory)):
        pass
    shutil.copy(directory / "saga.db", tmp_path / "saga.db")
    with shop.make(str(directory)) as runtime:
        runtime.start(shop.FulfilOrder, shop.order("plain", "later"), id="later").wait(20)
    shutil.copy(tmp_path / "saga.db", directory / "saga.db")
    findings = found(directory)
    assert any(each.startswith("saga.db: is an old copy") for each in findings)
    assert "payment.db: has answered 'later:take_payment.1', and saga.db has no such saga" in findings


def test_a_missing_or_empty_context_is_found(store: Path) -> None:
    (store / "payment.db").write_bytes(b"")
    assert [each.partition(",")[0] for each in found(store)] == ["payment.db: is empty"]
    (store / "payment.db").unlink()
    assert [each.partition(",")[0] for each in found(store)] == ["payment.db: is missing"]


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [7_000_000_000_000, -5])
def test_a_number_that_was_damaged_keeps_nobody_counting(store: Path, tamper: Tamper, number: int) -> None:
    tamper("UPDATE sagas SET no = ? WHERE no = 1", number)
    assert any("refers to a row of sagas that is not there" in each for each in found(store))


def test_an_inbox_that_is_out_of_order_is_not_read_for_ever(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ContextReader, "commands", lambda self, after, limit: [("o-plain:a.1", 1)])
    assert found(filled) == []


def test_a_definition_that_is_gone_is_found(store: Path, tamper: Tamper, run: Run) -> None:
    tamper("DELETE FROM definitions")
    assert "saga.db: saga 'o-plain': its definition is not there" in found(store)
    assert run("show", "o-plain", store=store).exit_code == STORE_FAILED


SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_damaged_no_command_fails_with_a_traceback(
    filled: Path, tmp_path: Path, run: Run, seed: int
) -> None:
    """Bits, pages and ends of files at random: each command says something, or one line, and ends."""
    random = Random(seed)
    store = Path(shutil.copytree(filled, tmp_path / "shop"))
    path = store / random.choice(["saga.db", "saga.db", "payment.db", "inventory.db", "runtime.lock"])
    data = bytearray(path.read_bytes())
    match random.choice(["bits", "page", "swap", "end"]):
        case "bits":
            for _ in range(random.choice([1, 10, 100])):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        case "page":
            at = random.randrange(len(data)) // PAGE * PAGE
            data[at : at + PAGE] = random.randbytes(PAGE)
        case "swap":
            one, other = (random.randrange(len(data)) // PAGE * PAGE for _ in range(2))
            data[one : one + PAGE], data[other : other + PAGE] = (
                data[other : other + PAGE],
                data[one : one + PAGE],
            )
        case "end":
            del data[random.randrange(len(data)) :]
    path.write_bytes(data)
    for line in (
        ["list"],
        ["show", "o-stuck", "--full"],
        ["verify"],
        ["verify", "--json"],
        ["doctor"],
        ["doctor", "--json"],
    ):
        result = run(*line, store=store, width=60)
        assert result.exception is None or isinstance(result.exception, SystemExit), line
        assert result.exit_code in (OK, FOUND, NOT_FOUND, STORE_FAILED)
        assert result.stderr.count("\n") == (result.exit_code in (NOT_FOUND, STORE_FAILED))


def test_findings_are_printed_and_change_the_exit_code(store: Path, tamper: Tamper, run: Run) -> None:
    tamper("UPDATE sagas SET refusal_code = 'other' WHERE id = 'o-refused'")
    result = run("verify", store=store, width=60)
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        "error: saga.db: saga 'o-refused': its refusal_code is",
        "       'other', by its journal 'no-lorry'",
    ]
    assert lines[2].startswith("1 finding (5 files, 11 sagas, ")
    assert result.exit_code == FOUND


def test_json_has_the_documented_fields(store: Path, tamper: Tamper, run: Run) -> None:
    tamper("UPDATE sagas SET refusal_code = 'other' WHERE id = 'o-refused'")
    result = run("verify", "--json", "--quick", store=store)
    checked = json.loads(result.stdout)
    assert checked["checked"].pop("seconds") >= 0
    assert checked == {
        "store": str(store),
        "ok": True,
        "quick": True,
        "findings": [],
        "checked": {"files": 5, "sagas": 11},
    }
    result = run("verify", "--json", store=store)
    assert json.loads(result.stdout)["findings"] == [
        {
            "severity": "error",
            "subject": "saga.db",
            "what": "saga 'o-refused': its refusal_code is 'other', by its journal 'no-lorry'",
        }
    ]
    assert result.exit_code == FOUND


def test_of_very_many_findings_only_the_first_are_told(killed: Path, store: Path, tamper: Tamper) -> None:
    shutil.rmtree(store)
    shutil.copytree(killed, store)
    with StoreReader.open(store) as reader:
        count = sum(reader.counts().values())
    tamper("UPDATE sagas SET started_ms = started_ms + 1")
    findings = found(store)
    assert len(findings) == MOST + 1
    assert findings[-1] == f"saga.db: and {count - MOST:,} more findings like these"


def test_whoever_wants_to_know_is_told_how_far_it_is(filled: Path) -> None:
    told: list[tuple[str, int, int]] = []
    assert not list(verify_store(filled, progress=lambda *each: told.append(each)))
    assert told[0] == ("files", 0, 0)
    assert ("sagas", 11, 11) in told
    assert told[-1] == ("inboxes", 3, 4)


def test_on_a_terminal_a_long_check_says_how_far_it_is_and_clears_the_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying._Meter, "AFTER_S", 0.0)
    monkeypatch.setattr(verifying._Meter, "EVERY_S", 0.0)
    monkeypatch.delenv("CI", raising=False)
    assert run("verify").stderr == ""
    monkeypatch.setattr(verifying, "_is_terminal", lambda: True)
    err = run("verify").stderr
    assert "checking sagas: 11 of 11\r" in err
    assert err.endswith("\r")
