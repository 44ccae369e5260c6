"""The tables of Payment."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("payment")


@migrations()
def cards_and_payments(db: Database) -> None:
    """Cards, payments, and the book: one line for each movement of money, none is ever changed."""
    db.execute("""
        CREATE TABLE cards (
            customer_id TEXT PRIMARY KEY,
            number      TEXT NOT NULL              -- here, and nowhere else
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE payments (
            payment_id   TEXT    PRIMARY KEY,
            order_id     TEXT    NOT NULL UNIQUE,
            customer_id  TEXT    NOT NULL REFERENCES cards (customer_id),
            amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
            state        TEXT    NOT NULL CHECK (state IN ('open', 'taken', 'returned', 'cancelled')),
            charge_id    TEXT
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE book (
            no           INTEGER PRIMARY KEY,
            payment_id   TEXT    NOT NULL REFERENCES payments (payment_id),
            kind         TEXT    NOT NULL CHECK (kind IN ('taken', 'returned')),
            amount_cents INTEGER NOT NULL CHECK (amount_cents > 0)
        ) STRICT
    """)
