"""The web shop over real HTTP: uvicorn on a free port of this machine, as a process or in a thread."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from examples.web_shop.__main__ import main
from examples.web_shop.fulfil_order import FulfilOrder
from examples.web_shop.outside.bank_company import BankCompany
from examples.web_shop.payment.bank import Bank
from examples.web_shop.payment.context import Payment
from examples.web_shop.shop import make_shop
from examples.web_shop.tour.server import Server, ServerFailed
from examples.web_shop.warehouse.context import Warehouse
from examples.web_shop.web import orders
from examples.web_shop.web.app import create_app
from saga import Runtime, VirtualClock
from saga.store import StoreReader

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0

GOOD = {"number": "4000000000000001", "expires": "2099-12"}
EXPIRED = {"number": "4000000000000019", "expires": "2020-01"}
DECLINED = {"number": "4000000000000002", "expires": "2099-12"}


def order(customer: str = "ada", product: str = "tea", quantity: int = 2) -> dict[str, Any]:
    return {"customer_id": customer, "lines": [{"product": product, "quantity": quantity}]}


def place(client: httpx.Client, body: Any = None, key: str | None = None) -> httpx.Response:
    return client.post("/orders", json=body or order(), headers={"Idempotency-Key": key} if key else {})


def give_card(client: httpx.Client, card: dict[str, str] = GOOD, customer: str = "ada") -> None:
    assert client.put(f"/customers/{customer}/card", json=card).status_code == 204


def wait_for(client: httpx.Client, path: str, status: str) -> dict[str, Any]:
    """Look again until an order stands so; return where it stands."""
    until = time.monotonic() + DEADLINE
    while True:
        told: dict[str, Any] = client.get(path).json()
        if told["status"] == status:
            return told
        assert time.monotonic() < until, told


def assert_problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Fail unless it is a problem document as RFC 9457 has it; return it."""
    problem: dict[str, Any] = response.json()
    assert response.status_code == problem["status"] == status, problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == (f"tag:web-shop.example,2026:{name}" if name else "about:blank")
    assert problem["title"]
    assert problem["instance"] == response.request.url.path
    return problem


def rows(store: Path, context: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"{(store / f'{context}.db').as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(statement).fetchall()


def stock(store: Path, product: str) -> tuple[int, int]:
    """Pieces on hand, and reserved ones."""
    [found] = rows(store, "warehouse", f"SELECT on_hand, reserved FROM goods WHERE product = '{product}'")
    return found


@pytest.fixture
def bank() -> Iterator[BankCompany]:
    with BankCompany() as company:
        yield company


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "shop"


# --- in a thread of this process, where time is moved by hand -------------------------------------


@contextmanager
def serving(make: Callable[[], Runtime]) -> Iterator[httpx.Client]:
    """Serve the application from a thread; yield a client of it."""
    config = uvicorn.Config(create_app(make), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        until = time.monotonic() + DEADLINE
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server takes too long to start"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=DEADLINE) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def client(store: Path, bank: BankCompany, clock: VirtualClock) -> Iterator[httpx.Client]:
    with serving(lambda: make_shop(store, bank.url, clock)) as client:
        yield client


def test_an_order_that_is_done_at_once_is_answered_with_200(client: httpx.Client, store: Path) -> None:
    give_card(client)
    placed = place(client)
    assert placed.status_code == 200
    assert placed.json() == {
        "order_id": placed.json()["order_id"],
        "status": "completed",
        "total": "7.00",
        "parcel_id": "parcel-1",
        "reason": None,
    }
    assert placed.headers["location"] == f"/orders/{placed.json()['order_id']}"
    assert client.get(placed.headers["location"]).json() == placed.json()
    assert stock(store, "tea") == (998, 0)


def test_an_order_that_takes_longer_is_answered_with_202_and_where_to_look(
    client: httpx.Client, bank: BankCompany
) -> None:
    give_card(client)
    bank.slow()
    placed = place(client)
    assert placed.status_code == 202
    assert placed.json()["status"] == "in progress"
    assert placed.headers["retry-after"] == "1"
    assert placed.elapsed < timedelta(seconds=5)  # half a second, on a machine that is not busy
    looked = client.get(placed.headers["location"])
    assert (looked.status_code, looked.headers["retry-after"]) == (200, "1")
    bank.fast()
    wait_for(client, placed.headers["location"], "completed")


@pytest.mark.parametrize(
    ("card", "body", "code"),
    [
        (DECLINED, order(), "card-declined"),
        (GOOD, order(product="teapot", quantity=4), "sold-out"),
        (GOOD, order(product="gold"), "unknown-product"),
    ],
)
def test_an_order_that_is_refused_is_over_and_says_why(
    client: httpx.Client, store: Path, card: dict[str, str], body: dict[str, Any], code: str
) -> None:
    give_card(client, card)
    placed = place(client, body)
    assert (placed.status_code, placed.json()["status"]) == (200, "refused")
    assert placed.json()["reason"]["code"] == code
    assert stock(store, "tea") == (1000, 0)


def test_the_same_request_is_the_same_order(client: httpx.Client, bank: BankCompany) -> None:
    give_card(client)
    first, second = place(client, key="k"), place(client, key="k")
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert len(bank.ledger.charges) == 1


def test_the_same_key_with_another_body_is_a_conflict(client: httpx.Client) -> None:
    give_card(client)
    place(client, key="k")
    problem = assert_problem(place(client, order(quantity=3), key="k"), 409, "idempotency-key-reused")
    assert "take a new key" in problem["detail"]


def test_keys_of_two_customers_do_not_meet(client: httpx.Client) -> None:
    """Else one could find out about orders of others, or keep them from being placed, by guessing keys."""
    for customer in ("ada", "ben"):
        give_card(client, customer=customer)
    first, second = place(client, key="k"), place(client, order("ben"), key="k")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["order_id"] != second.json()["order_id"]


def test_without_a_key_each_request_is_an_order(client: httpx.Client) -> None:
    give_card(client)
    assert place(client).json()["order_id"] != place(client).json()["order_id"]


def test_a_new_card_lets_all_orders_of_its_customer_go_on(client: httpx.Client, bank: BankCompany) -> None:
    give_card(client, EXPIRED)
    places = [place(client).headers["location"] for _ in range(2)]
    for path in places:
        wait_for(client, path, "waiting for a new card")
    give_card(client, EXPIRED, customer="ben")  # of somebody else: that changes nothing
    give_card(client, EXPIRED)  # no better than the first: they go on waiting
    give_card(client)
    for path in places:
        wait_for(client, path, "completed")
    assert sorted(amount for _, amount in bank.ledger.charges) == [700, 700]


def test_a_card_that_comes_while_the_bank_still_thinks_counts(
    client: httpx.Client, bank: BankCompany, store: Path
) -> None:
    """It is there before the order begins to wait for it."""
    give_card(client, EXPIRED)
    bank.slow()
    placed = place(client)
    give_card(client)
    bank.fast()
    wait_for(client, placed.headers["location"], "completed")


def test_after_fourteen_days_without_a_card_the_order_is_given_up(
    client: httpx.Client, bank: BankCompany, clock: VirtualClock, store: Path
) -> None:
    give_card(client, EXPIRED)
    placed = place(client)
    wait_for(client, placed.headers["location"], "waiting for a new card")
    assert stock(store, "tea") == (1000, 2)
    clock.advance(timedelta(days=14) - timedelta(seconds=1))
    assert client.get(placed.headers["location"]).json()["status"] == "waiting for a new card"
    clock.advance(timedelta(seconds=1))
    told = wait_for(client, placed.headers["location"], "refused")
    assert told["reason"] == {"code": "no-card", "text": "no new card came in 14 days"}
    assert stock(store, "tea") == (1000, 0)
    assert bank.ledger.charges == []


def test_an_order_that_waits_can_be_cancelled_and_twice_does_no_harm(
    client: httpx.Client, store: Path
) -> None:
    give_card(client, EXPIRED)
    path = place(client).headers["location"]
    first, second = client.post(f"{path}/cancellation"), client.post(f"{path}/cancellation")
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()["status"] == "cancelled"
    assert stock(store, "tea") == (1000, 0)


def test_a_charge_that_is_under_way_when_the_order_is_cancelled_is_given_back(
    client: httpx.Client, bank: BankCompany, store: Path
) -> None:
    give_card(client)
    bank.slow()
    path = place(client).headers["location"]
    cancelled = client.post(f"{path}/cancellation")
    assert cancelled.status_code == 202
    assert cancelled.headers["location"] == path
    bank.fast()
    wait_for(client, path, "cancelled")
    assert bank.ledger.refunds == bank.ledger.charges != []
    assert stock(store, "tea") == (1000, 0)


def test_an_order_that_was_sent_cannot_be_cancelled(client: httpx.Client) -> None:
    give_card(client)
    placed = place(client)
    refused = client.post(f"{placed.headers['location']}/cancellation")
    problem = assert_problem(refused, 409, "too-late-to-cancel")
    assert "it was sent as parcel-1" in problem["detail"]
    assert client.get(placed.headers["location"]).json()["status"] == "completed"


def test_what_is_not_there_is_a_404(client: httpx.Client) -> None:
    assert_problem(client.get("/orders/nobody"), 404, "unknown-order")
    assert_problem(client.post("/orders/nobody/cancellation"), 404, "unknown-order")
    assert_problem(client.get("/nowhere"), 404, "")
    assert "GET" in client.delete("/health").headers["allow"]
    assert_problem(client.delete("/health"), 405, "")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (order(quantity=0), "body.lines.0.quantity"),
        ({**order(), "coupon": "X"}, "body.coupon"),
        ({"customer_id": "ada", "lines": []}, "body.lines"),
        (order(customer="../ada"), "body.customer_id"),
        ({}, "body.customer_id"),
    ],
)
def test_a_body_that_is_not_right_is_a_422_that_says_where(
    client: httpx.Client, body: dict[str, Any], where: str
) -> None:
    problem = assert_problem(client.post("/orders", json=body), 422, "invalid-request")
    assert where in [error["where"] for error in problem["errors"]]


def test_too_many_orders_at_once_are_told_to_come_again(
    store: Path, bank: BankCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "ROOM_S", 0.1)

    def small_shop() -> Runtime:
        contexts = [Warehouse, Payment, lambda: Bank(bank.url)]
        return Runtime(store, contexts=contexts, sagas=[FulfilOrder], max_active=1)

    with serving(small_shop) as client:
        give_card(client)
        bank.slow()
        first = place(client)
        second = place(client, key="k")
        assert_problem(second, 503, "busy")
        assert second.headers["retry-after"] == "2"
        bank.fast()
        wait_for(client, first.headers["location"], "completed")
        assert place(client, key="k").status_code == 200


def test_what_is_wrong_with_us_is_a_500_that_tells_nothing(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runtime, "find", lambda self, id: 1 / 0)
    problem = assert_problem(client.get("/orders/x"), 500, "")
    assert set(problem) == {"type", "title", "status", "instance"}


def test_a_card_number_is_in_payments_file_only(client: httpx.Client, store: Path) -> None:
    give_card(client)
    place(client)
    wrong = client.put("/customers/ada/card", json={**GOOD, "number": f"{GOOD['number']} "})
    assert GOOD["number"] not in wrong.text
    found = {path.name for path in store.iterdir() if GOOD["number"].encode() in path.read_bytes()}
    assert found
    assert found <= {"payment.db", "payment.db-wal"}


def test_fifty_orders_at_once_each_placed_twice_are_fifty_orders(
    client: httpx.Client, bank: BankCompany, store: Path
) -> None:
    async def place_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=client.base_url, timeout=DEADLINE, limits=limits) as crowd:
            requests = [
                crowd.post("/orders", json=order(f"c{n}"), headers={"Idempotency-Key": f"key-{n}"})
                for n in range(50)
                for _ in range(2)
            ]
            return await asyncio.gather(*requests)

    for n in range(50):
        give_card(client, {**GOOD, "number": f"4000000000{n:05}1"}, f"c{n}")
    answers = asyncio.run(place_all())
    assert {answer.status_code for answer in answers} <= {200, 202}
    paths = Counter(answer.headers["location"] for answer in answers)
    assert len(paths) == 50
    assert {*paths.values()} == {2}
    for path in paths:
        wait_for(client, path, "completed")
    assert sorted(bank.ledger.charges) == sorted((path.split("/")[2], 700) for path in paths)
    assert stock(store, "tea") == (900, 0)
    assert len(rows(store, "warehouse", "SELECT * FROM parcels")) == 50


def test_the_last_teapots_are_sold_once(client: httpx.Client, bank: BankCompany, store: Path) -> None:
    async def place_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=DEADLINE) as crowd:
            body = order(product="teapot", quantity=1)
            return await asyncio.gather(*(crowd.post("/orders", json=body) for _ in range(10)))

    give_card(client)
    paths = [answer.headers["location"] for answer in asyncio.run(place_all())]
    until = time.monotonic() + DEADLINE
    ended: Counter[str] = Counter()
    while ended.total() < 10 and time.monotonic() < until:
        told = [client.get(path).json()["status"] for path in paths]
        ended = Counter(status for status in told if status in ("completed", "refused"))
    assert ended == {"completed": 3, "refused": 7}
    assert len(bank.ledger.charges) == 3
    assert stock(store, "teapot") == (0, 0)


# --- as a process of its own, which is killed -----------------------------------------------------


@pytest.fixture
def server(store: Path, bank: BankCompany) -> Iterator[Server]:
    with Server(store, bank.url) as server:
        yield server


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=DEADLINE)


def test_an_order_whose_server_is_killed_is_finished_by_the_next_one(
    server: Server, bank: BankCompany, store: Path
) -> None:
    """One order's charge is under way when the server dies, another order waits for a card."""
    with client_of(server) as client:
        give_card(client)
        give_card(client, EXPIRED, "ben")
        waiting = place(client, order("ben")).headers["location"]
        bank.slow()
        placed = place(client, key="k")
    assert placed.status_code == 202
    server.kill()
    bank.fast()
    server.start()
    with client_of(server) as client:
        told = wait_for(client, placed.headers["location"], "completed")
        assert place(client, key="k").json() == told
        assert_problem(place(client, order(quantity=3), key="k"), 409, "idempotency-key-reused")
        assert bank.ledger.charges == [(told["order_id"], 700)]
        assert bank.ledger.asked.count(("/charges", told["order_id"])) == 2
        assert client.get(waiting).json()["status"] == "waiting for a new card"
        give_card(client, customer="ben")
        wait_for(client, waiting, "completed")
    assert len(rows(store, "warehouse", "SELECT * FROM parcels")) == 2


def test_the_loop_is_not_blocked_by_a_bank_that_is_slow(server: Server, bank: BankCompany) -> None:
    """Sixty orders wait for the bank, which is silent. Were one of them to block the loop, nobody else would be
    answered until the bank speaks, and that it does not before all the answers about health are here."""

    async def look_while_orders_wait() -> tuple[list[float], list[httpx.Response]]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE, limits=limits) as client:
            placing = [asyncio.create_task(client.post("/orders", json=order())) for _ in range(60)]
            assert await asyncio.to_thread(bank.wait_until_asked, 60)
            took = []
            for _ in range(50):
                began = time.perf_counter()
                assert (await client.get("/health")).status_code == 200
                took.append(time.perf_counter() - began)
            return took, await asyncio.gather(*placing)

    with client_of(server) as client:
        give_card(client)
        bank.slow()
        took, placed = asyncio.run(look_while_orders_wait())
        assert {answer.status_code for answer in placed} == {202}
        assert statistics.median(took) < 0.1, f"median {statistics.median(took):.3f} s"
        assert max(took) < 1.0, f"at most {max(took):.3f} s"
        bank.fast()
        for answer in placed:
            wait_for(client, answer.headers["location"], "completed")
    assert len(bank.ledger.charges) == 60


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_told_to_end_the_server_answers_first_and_the_order_goes_on_later(
    server: Server, bank: BankCompany, store: Path
) -> None:
    with client_of(server) as client:
        give_card(client)
        bank.slow()
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(place(client)))
        asking.start()
        assert bank.wait_until_asked(1)
        os.kill(server.process.pid, signal.SIGTERM)
        asking.join()
        releasing = threading.Timer(0.2, bank.fast)  # the runtime waits for a call that is under way
        releasing.start()
        assert server.stop() in (0, -signal.SIGTERM)
        releasing.join()
    assert [answer.status_code for answer in answers] == [202]
    with StoreReader.open(store) as reader:
        assert reader.store().clean == 1
    server.start()
    with client_of(server) as client:
        wait_for(client, answers[0].headers["location"], "completed")
    assert len(bank.ledger.charges) == 1


def test_a_second_server_on_the_same_store_does_not_start(server: Server, store: Path) -> None:
    second = Server(store, server.url)
    with pytest.raises(ServerFailed, match="did not start"):
        second.start()
    assert second.process.stdout is not None
    second.process.stdout.close()


# --- the tour -------------------------------------------------------------------------------------


def test_the_tour_ends_well_and_fits_the_terminal() -> None:
    line = [sys.executable, "-m", "examples.web_shop"]
    env = {**os.environ, "COLUMNS": "60", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 60
    text = " ".join(done.stdout.split())
    assert "The bank was asked 2 times and has charged 14.40, once." in text
    assert "ended by that signal" in text


def test_the_tour_takes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path)]) == 2
    assert "--store goes with --serve" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit):
        main(["--serve", f"--port={word}"])
    assert f"'{word}' is no port" in capsys.readouterr().err
