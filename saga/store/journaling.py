"""What writes rows of the journal, and the forms that they are the first to need (`forms`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from saga.seams import seam
from saga.store.batch import JournalTuple
from saga.store.bulk import MAYBE, NOTHING, Execute, Inserts

__all__ = ["JournalWriter"]


class JournalWriter:
    """Writes rows of the journal of one store, and knows the forms that are there."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {b"": 0}
        self.forms: dict[int, bytes] = {}
        """Number → form, of all that are there: reading one with each of its rows takes longer than the row."""
        self._new: list[bytes] = []
        self._next = 1
        self._rows = Inserts(
            "INSERT INTO journal (saga_no, seq, at_ms, cause, encoding, records, digest, form_no)",
            f"(?,?,?,{MAYBE},?,?,?,nullif(?,0))",
            flatten=self._flat,
        )

    def open(self, execute: Execute) -> None:
        """Learn which forms there are."""
        for no, text in execute("SELECT no, CAST(text AS BLOB) FROM forms").fetchall():
            self._numbers[text], self.forms[no] = no, text
            self._next = max(self._next, no + 1)

    def write(self, execute: Execute, rows: Sequence[JournalTuple]) -> None:
        """Write these rows in the transaction at hand, of which `written` or `undone` must tell the end."""
        numbers = self._numbers
        for row in rows:
            if row[7] not in numbers:
                execute("INSERT INTO forms (no, text) VALUES (?, ?)", (self._next, row[7].decode()))
                seam("saga-db.form-added")
                numbers[row[7]], self.forms[self._next] = self._next, row[7]
                self._new.append(row[7])
                self._next += 1
        self._rows.run(execute, rows)

    def written(self) -> None:
        """The transaction was committed."""
        self._new.clear()

    def undone(self) -> None:
        """It was rolled back."""
        for form in self._new:
            del self.forms[self._numbers.pop(form)]
        self._next -= len(self._new)
        self._new.clear()

    def _flat(self, rows: Iterable[JournalTuple]) -> list[Any]:
        values: list[Any] = []
        numbers = self._numbers
        for saga_no, seq, at_ms, cause, encoding, records, digest, form in rows:
            values += (
                saga_no,
                seq,
                at_ms,
                NOTHING if cause is None else cause,
                encoding,
                records.decode(),
                bytearray(digest),
                numbers[form],
            )
        return values
