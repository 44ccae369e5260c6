"""The tables of Payment."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("payment")


@migrations()
def cards_credit_and_payments(db: Database) -> None:
    """Cards, credit, payments, and the book: one line for each movement of money, none is ever changed."""
    db.execute("""
        CREATE TABLE cards (
            customer_id TEXT PRIMARY KEY,
            number      TEXT NOT NULL              -- here, and nowhere else
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE credit (
            customer_id  TEXT    PRIMARY KEY,
            amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0)  -- nobody pays with what he has not
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE payments (
            payment_id   TEXT    PRIMARY KEY,
            order_id     TEXT    NOT NULL UNIQUE,
            customer_id  TEXT    NOT NULL,
            amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
            credit_cents INTEGER NOT NULL DEFAULT 0 CHECK (credit_cents BETWEEN 0 AND amount_cents),
            state        TEXT    NOT NULL CHECK (state IN ('open', 'taken', 'returned', 'failed')),
            charge_id    TEXT
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE book (
            no           INTEGER PRIMARY KEY,
            customer_id  TEXT    NOT NULL,
            payment_id   TEXT    REFERENCES payments (payment_id),   -- NULL: a voucher
            kind         TEXT    NOT NULL CHECK (kind IN
                         ('voucher', 'credit used', 'credit restored', 'card charged', 'card refunded')),
            amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
            CHECK ((payment_id IS NULL) = (kind = 'voucher'))
        ) STRICT
    """)
