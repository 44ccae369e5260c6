"""DBOS Transact on SQLite, its steps plain functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dbos import DBOS, DBOSConfig
from dbos._dbos import _get_dbos_instance

from benchmarks.peers import steps
from benchmarks.peers.talk import serve

reserve = DBOS.step()(steps.reserve)
release = DBOS.step()(steps.release)
take = DBOS.step()(steps.take)
refund = DBOS.step()(steps.refund)
ship = DBOS.step()(steps.ship)


@DBOS.workflow()
def fulfil(order_id: str) -> bool:
    """Return whether the order was shipped; if not, everything is undone."""
    reserve(order_id)
    payment_id = take(order_id, "12.50")
    try:
        ship(order_id, payment_id)
    except steps.Refused:
        refund(order_id)
        release(order_id)
        return False
    return True


class Dbos:
    """Workflows called as functions, each in the thread that calls it."""

    def run(self, orders: Sequence[str], concurrency: int) -> int:
        if concurrency == 1:
            return sum(map(fulfil, orders))
        with ThreadPoolExecutor(concurrency) as pool:
            return sum(pool.map(fulfil, orders))


def main(directory: Path) -> None:
    url = f"sqlite:///{directory / 'dbos.sqlite'}"
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url,
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    with _get_dbos_instance()._sys_db.engine.connect() as connection:
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    serve(Dbos(), f"SQLite, `synchronous={synchronous}` (2 is FULL), `journal_mode={journal}`", (1, 4, 16))
    DBOS.destroy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
