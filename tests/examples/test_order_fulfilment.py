"""The demonstration in small: it reconciles what is right, and finds what is not."""

from __future__ import annotations

import ast
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from examples.order_fulfilment.__main__ import main
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.baskets import read_baskets
from examples.order_fulfilment.trial.card_search import cards_in
from examples.order_fulfilment.trial.kills import plan_kills

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "examples.order_fulfilment"]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of a trial that went well, and what was printed."""
    folder = tmp_path_factory.mktemp("trial") / "demo"
    size = ["--orders", "60", "--factor", "10000", "--kills", "2", "--seed", "3"]
    line = [*DEMO, *size, "--keep", "--store", str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def folder(trial: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that folder, to be spoilt."""
    return Path(shutil.copytree(trial[0], tmp_path / "demo"))


def words(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without its line breaks."""
    return " ".join(capsys.readouterr().out.split())


def test_a_trial_with_two_kills_is_reconciled(trial: tuple[Path, str]) -> None:
    report = trial[1]
    assert "2 kills with signal 9" in report
    assert "the card had expired and another one was given" in report
    assert "ask_for_card.1: published CardExpired/1" in report  # the timeline reaches into Payment's saga
    assert "Everything is reconciled." in report
    assert "OFF" not in report


def test_what_was_kept_is_reconciled_again(folder: Path) -> None:
    assert main(["--check", "--store", str(folder)]) == 0


SPOILT = {
    "an amount in the book": (
        "shop/payment.db",
        "UPDATE book SET amount_cents = amount_cents + 1"
        " WHERE no = (SELECT min(no) FROM book WHERE kind = 'card charged')",
        "money by Payment's book",
    ),
    "a charge that the shop knows nothing of": (
        "processor.db",
        "INSERT INTO entries SELECT NULL, reference, kind, amount_cents, '' FROM entries WHERE no = 1",
        "money by the card processor's ledger",
    ),
    "a piece that is gone": (
        "shop/inventory.db",
        "UPDATE stock SET on_hand = on_hand - 1 WHERE product_id ="
        " (SELECT product_id FROM stock WHERE on_hand > reserved LIMIT 1)",
        "stock out = goods",
    ),
    "a copy that is late": (
        "shop/checkout.db",
        "UPDATE shelf SET on_hand = on_hand + 1 WHERE product_id = (SELECT min(product_id) FROM shelf)",
        "Checkout's copy",
    ),
    "credit out of nowhere": (
        "shop/payment.db",
        "UPDATE credit SET amount_cents = amount_cents + 1"
        " WHERE customer_id = (SELECT min(customer_id) FROM credit)",
        "credit used and restored",
    ),
    "a voucher that counted twice": (
        "shop/payment.db",
        "INSERT INTO book SELECT NULL, customer_id, NULL, kind, amount_cents FROM book"
        " WHERE no = (SELECT min(no) FROM book WHERE kind = 'voucher')",
        "credit used and restored",
    ),
    "credit that was left, and a card charged all the same": (
        "shop/payment.db",
        "UPDATE book SET kind = 'card charged'"
        " WHERE no = (SELECT min(no) FROM book WHERE kind = 'credit used')",
        "money by the card processor's ledger",
    ),
    "a saga of Payment that nobody has called": (
        "shop/saga.db",
        "UPDATE sagas SET definition_no = (SELECT no FROM definitions WHERE name = 'ReturnPayment')"
        " WHERE no = (SELECT min(no) FROM sagas WHERE id LIKE '%:take_payment.1')",
        "Payment's own sagas",
    ),
    "a question that was not asked": (
        "shop/notification.db",
        "DELETE FROM letters WHERE no = (SELECT min(no) FROM letters WHERE about = 'card expired')",
        "asked as often as Payment's saga says",
    ),
    "a second letter": (
        "shop/notification.db",
        "INSERT INTO letters SELECT NULL, order_id, customer_id, about, text FROM letters"
        " WHERE no = (SELECT min(no) FROM letters WHERE about = 'shipped')",
        "every customer told",
    ),
    "a letter that lies": (
        "shop/notification.db",
        "UPDATE letters SET about = 'sold out'"
        " WHERE no = (SELECT min(no) FROM letters WHERE about = 'shipped')",
        "every customer told",
    ),
    "a second parcel": (
        "shop/shipment.db",
        "INSERT INTO parcels SELECT NULL, order_id, pick_id FROM parcels WHERE no = 1",
        "one parcel",
    ),
    "an order that nobody placed": (
        "shop/checkout.db",
        "DELETE FROM orders WHERE order_id = (SELECT min(order_id) FROM orders)",
        "every order placed once",
    ),
    "a saga that is stuck": (
        "shop/saga.db",
        "UPDATE sagas SET status = 'RUNNING', ended_ms = NULL WHERE no = 1",
        "every saga has ended",
    ),
    "a journal that was changed": (
        "shop/saga.db",
        "UPDATE journal SET at_ms = at_ms + 1 WHERE no = 5",
        "saga's own verification",
    ),
}


@pytest.mark.parametrize(("file", "change", "title"), SPOILT.values(), ids=SPOILT.keys())
def test_books_that_do_not_agree_are_found(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, change: str, title: str
) -> None:
    with closing(sqlite3.connect(folder / file)) as db, db:
        assert db.execute(change).rowcount == 1
    assert main(["--check", "--store", str(folder)]) == 1
    report = words(capsys)
    assert f"OFF {title}" in report
    assert "NOT RECONCILED" in report


@pytest.mark.parametrize("file", ["worker.log", "shop/saga.db", "last-kill/checkout.db-wal"])
@pytest.mark.parametrize(
    ("separator", "whose"), [("", fate.card_of), (" ", fate.new_card_of), ("-", fate.card_of)]
)
def test_a_card_number_outside_of_payments_file_is_found(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, separator: str, whose: Callable[[str], str]
) -> None:
    number = whose(read_baskets(1)[0].customer_id)
    with open(folder / file, "ab") as stream:
        stream.write(b"4111" + number.replace(" ", separator).encode() + b"0")
    assert main(["--check", "--store", str(folder)]) == 1
    assert f"that ends in {number[-4:]} is in {Path(file).name}" in words(capsys)


def test_a_search_that_finds_no_card_at_all_is_not_believed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(folder / "shop/payment.db", isolation_level=None)) as db:
        db.execute("UPDATE cards SET number = ''")
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for log in folder.glob("last-kill/payment.db*"):
        log.unlink()
    assert main(["--check", "--store", str(folder)]) == 1
    assert "it shows nothing" in words(capsys)


def test_a_run_of_digits_may_hide_a_number_anywhere() -> None:
    card = "4000123412341234"
    assert cards_in(f"x{'7' * 30}{card}99".encode(), {card}) == {card}
    assert cards_in(b"4000 1234-12341234", {card}) == {card}
    assert cards_in(b"4000.1234.1234.1234, 400012341234123, 4000123412341235", {card}) == set()


def test_card_numbers_are_right_and_differ() -> None:
    customers = {basket.customer_id for basket in read_baskets()}
    cards = [card(customer) for customer in customers for card in (fate.card_of, fate.new_card_of)]
    numbers = {card.replace(" ", "") for card in cards}
    assert len(numbers) == 2 * len(customers)
    for number in numbers:
        doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(number)]
        assert sum(each // 10 + each % 10 for each in doubled) % 10 == 0  # Luhn, ISO/IEC 7812-1


def test_kills_are_planned_by_the_seed() -> None:
    assert plan_kills(50, 2_000, seed=7) == plan_kills(50, 2_000, seed=7)
    assert plan_kills(50, 2_000, seed=7) != plan_kills(50, 2_000, seed=8)
    assert len(plan_kills(50, 2_000, seed=7)) == 50
    assert any(kill.at_row is None for kill in plan_kills(50, 2_000, seed=7))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--orders", "0"], "0 is not between 1 and 2000"),
        (["--orders", "many"], "'many' is no whole number"),
        (["--kills", "-1"], "-1 is not between 0 and"),
        (["--factor", "nan"], "nan is not between 1 and"),
        (["--factor", "fast"], "'fast' is no number"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    assert main(["--store", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"


def test_a_folder_that_cannot_be_made_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--store", str(tmp_path / "file" / "demo")]) == 2
    assert "cannot be made: Not a directory; give another --store" in capsys.readouterr().err


def test_a_file_that_is_damaged_is_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "shop" / "shipment.db").write_bytes(b"no database" * 1000)
    assert main(["--check", "--store", str(folder)]) == 1
    assert "cannot be read: file is not a database" in capsys.readouterr().err


def test_there_must_be_a_trial_to_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--store", str(tmp_path / "nothing")]) == 2
    assert "there is no trial in" in capsys.readouterr().err


# --- processes ------------------------------------------------------------------------------------


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is true; fail when it takes too long."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


def store_is_free(store: Path) -> bool:
    """Return whether no worker holds the lock of the store any more."""
    from saga.store import StoreFiles, is_locked

    return not is_locked(StoreFiles.at(store))


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a long trial; return when its shop has opened."""
    line = [*DEMO, "--factor", "1000", "--kills", "0", "--store", str(folder)]
    started = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until((folder / "shop" / "notification.db").exists)
    assert not store_is_free(folder / "shop")
    return started


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_worker_in_order(tmp_path: Path) -> None:
    with start(tmp_path / "demo") as trial:
        assert main(["--store", str(tmp_path / "demo")]) == 2  # while it runs, nobody else takes its folder
        trial.send_signal(signal.SIGINT)
        assert trial.wait(30) == 130
        assert store_is_free(tmp_path / "demo" / "shop")
        assert trial.stderr is not None
        assert "the worker has ended" in trial.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    with start(tmp_path / "demo") as trial:
        trial.kill()
        trial.wait(30)
        wait_until(lambda: store_is_free(tmp_path / "demo" / "shop"))


# --- the rule of the contexts ---------------------------------------------------------------------

CONTEXTS = ("checkout", "inventory", "notification", "payment", "shipment")


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_knows_of_others_their_messages_only(context: str) -> None:
    """And nothing at all of the saga, of whoever puts the shop together, and of the trial."""
    package = "examples.order_fulfilment"
    allowed = {f"{package}.{other}.messages" for other in CONTEXTS}
    allowed |= {f"{package}.money", f"{package}.outside"}  # `fate` decides what is outside of our hands
    for path in (ROOT / "examples" / "order_fulfilment" / context).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
                own = (node.module or "").startswith(f"{package}.{context}.")
                assert own or node.module in allowed, f"{path.name} imports {node.module}"


def test_the_process_knows_of_contexts_their_messages_only() -> None:
    """How one is paid is not among them: that has a module of its own."""
    source = (ROOT / "examples" / "order_fulfilment" / "fulfil_order.py").read_text(encoding="utf-8")
    imports = [node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    ours = [module for module in imports if module.startswith("examples.")]
    assert ours == [module for module in ours if module.endswith(".messages")]
