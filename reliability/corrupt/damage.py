"""What happens to the files of a stopped store: one damage each, drawn from a seed."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

from reliability.corrupt.stores import Stopped
from reliability.shop.business import CONTEXT_NAMES
from reliability.shop.pages import DATABASES, Pages, own

__all__ = ["KINDS", "damaged"]

PAGE, FRAME, FILE_HEADER, LOG_HEADER = 4096, 24, 100, 32
"""Bytes: of a page, of the header of a page in a write-ahead log, of the header of a file, and of a log."""

SECTOR = 512

MEMORY = "/dev/shm"

HINTS = ("runtime.lock", "runtime.running")

Files = dict[str, bytes]
Damage = Callable[[Files, Stopped, Stopped, Random], str]
"""Damages the files, of this store, beside a foreign one; returns what it has done, in words."""


def damaged(store: Stopped, foreign: Stopped, kind: str, random: Random) -> tuple[Pages, str]:
    """Return the files of a store with a damage of this kind, and what was done to them."""
    files = dict(store.now)
    what = KINDS[kind](files, store, foreign, random)
    return files, what


def _databases(files: Pages) -> list[str]:
    """Return the files of SQLite: databases, and their write-ahead logs."""
    return [name for name in sorted(files) if name not in HINTS and files[name]]


def _flip(content: bytes, bits: Sequence[int]) -> bytes:
    flipped = bytearray(content)
    for bit in bits:
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def _one_bit(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    name = random.choice(_databases(files))
    bit = random.randrange(8 * len(files[name]))
    files[name] = _flip(files[name], [bit])
    return f"bit {bit % 8} of byte {bit // 8} of {name} flipped"


def _some_bits(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    name = random.choice(_databases(files))
    bits = random.sample(range(8 * len(files[name])), random.randint(2, 16))
    files[name] = _flip(files[name], bits)
    return f"{len(bits)} bits of {name} flipped, the first in byte {min(bits) // 8}"


def _header_bit(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    """One bit of the header of a file, of a page of it, of a log, or of a page in a log."""
    name = random.choice(_databases(files))
    size = len(files[name])
    if name.endswith("-wal"):
        frame = LOG_HEADER + random.randrange(max(1, (size - LOG_HEADER) // (FRAME + PAGE))) * (FRAME + PAGE)
        at = random.choice([random.randrange(LOG_HEADER), min(frame + random.randrange(FRAME), size - 1)])
    else:
        page = random.randrange(max(1, size // PAGE)) * PAGE
        at = random.choice([random.randrange(FILE_HEADER), min(page + random.randrange(12), size - 1)])
    bit = 8 * at + random.randrange(8)
    files[name] = _flip(files[name], [bit])
    return f"bit {bit % 8} of byte {at} of {name}, in a header, flipped"


def _sector(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    """A sector of zeros, of noise, or of what stands elsewhere."""
    name = random.choice(_databases(files))
    content = bytearray(files[name])
    at = random.randrange(-(-len(content) // SECTOR)) * SECTOR
    elsewhere = random.randrange(-(-len(content) // SECTOR)) * SECTOR
    what, data = random.choice(
        [
            ("zeros", bytes(SECTOR)),
            ("noise", random.randbytes(SECTOR)),
            (f"what stands at {elsewhere}", bytes(content[elsewhere : elsewhere + SECTOR])),
        ]
    )
    end = min(at + SECTOR, len(content))
    content[at:end] = data[: end - at].ljust(end - at, b"\0")
    files[name] = bytes(content)
    return f"the sector at {at} of {name} made {what}"


def _cell(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    """One bit of one value of a row, as a bit of a page would change it, in any table; indexes follow."""
    name = random.choice(DATABASES)
    with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as place:
        for each, content in own(files, name).items():
            Path(place, each).write_bytes(content)
        with closing(sqlite3.connect(Path(place, f"{name}.db"), isolation_level=None)) as connection:
            execute = connection.execute
            execute("PRAGMA foreign_keys = OFF")
            execute("PRAGMA ignore_check_constraints = ON")
            tables = [
                table
                for (table,) in execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
            ]
            counts = {table: execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}
            table = random.choice([table for table, count in counts.items() if count])
            keys = [row[1] for row in execute(f'PRAGMA table_info("{table}")') if row[5]] or ["rowid"]
            cursor = execute(
                f'SELECT *, {", ".join(keys)} FROM "{table}" LIMIT 1 OFFSET ?',
                [random.randrange(counts[table])],
            )
            columns = [column[0] for column in cursor.description][: -len(keys)]
            row = cursor.fetchone()
            at = random.choice([at for at in range(len(columns)) if row[at] is not None])
            new = _changed(row[at], random)
            where = " AND ".join(f"{key} = ?" for key in keys)
            try:
                execute(
                    f'UPDATE "{table}" SET "{columns[at]}" = ? WHERE {where}', [new, *row[len(columns) :]]
                )
            except sqlite3.Error as error:
                new = f"nothing ({error})"
        for each in own(files, name):
            del files[each]
        files |= {
            path.name: path.read_bytes() for path in Path(place).iterdir() if not path.name.endswith("-shm")
        }
    return f"{columns[at]} of a row in {name}.{table} made {new!r:.60}, it was {row[at]!r:.60}"


def _changed(value: int | str | bytes, random: Random) -> int | str | bytes:
    if isinstance(value, int):
        return value ^ 1 << random.randrange(max(value.bit_length(), 1) + 1)
    data = bytearray(value.encode() if isinstance(value, str) else value) or bytearray(1)
    for _ in range(99):
        at = random.randrange(len(data))
        changed = bytearray(data)
        changed[at] ^= 1 << random.randrange(7)
        if not isinstance(value, str):
            return bytes(changed)
        try:
            return changed.decode()
        except UnicodeDecodeError:
            continue
    return value


def _cut(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    name = random.choice(_databases(files))
    size = random.randrange(1, len(files[name]))
    unit = random.choice([1, SECTOR, PAGE])
    size = max(1, size // unit * unit)
    files[name] = files[name][:size]
    return f"{name} cut to {size} bytes"


def _grown(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    name = random.choice(_databases(files))
    more = random.randbytes(random.choice([1, SECTOR, PAGE, FRAME + PAGE]))
    files[name] += more
    return f"{len(more)} bytes appended to {name}"


def _missing(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    name = random.choice(_databases(files))
    gone = (
        [name]
        if random.random() < 0.7
        else [each for each in files if each.startswith(name.partition("-")[0])]
    )
    for each in gone:
        del files[each]
    return f"{' and '.join(gone)} missing"


def _empty(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    name = random.choice(_databases(files))
    files[name] = b""
    return f"{name} emptied"


def _exchange(files: Files, name: str, by: Pages, of: str) -> None:
    """Put the files of database `of` in `by`, with its log, in the place of those of `name`."""
    for suffix in (".db", ".db-wal"):
        files.pop(name + suffix, None)
        if of + suffix in by:
            files[name + suffix] = by[of + suffix]


def _swapped(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    one, other = random.sample(CONTEXT_NAMES, 2)
    before = dict(files)
    logs_only = random.random() < 0.3 and f"{one}.db-wal" in files and f"{other}.db-wal" in files
    if logs_only:
        files[f"{one}.db-wal"], files[f"{other}.db-wal"] = before[f"{other}.db-wal"], before[f"{one}.db-wal"]
        return f"the logs of {one} and {other} swapped"
    _exchange(files, one, before, other)
    _exchange(files, other, before, one)
    return f"{one} and {other} swapped"


def _foreign(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    chosen = random.sample(DATABASES, random.randint(1, len(DATABASES) - 1))
    for name in chosen:
        _exchange(files, name, foreign.now, name)
    return f"{', '.join(chosen)} from another store"


def _old(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    """An earlier copy of some files, or of the file only while its log stays, but never of all."""
    some = random.sample(DATABASES, random.randint(1, len(DATABASES) - 1))
    chosen = random.choice([[random.choice(DATABASES)], ["saga"], list(CONTEXT_NAMES), some])
    if len(chosen) == 1 and random.random() < 0.3:
        (name,) = chosen
        files[f"{name}.db"] = store.earlier[f"{name}.db"]
        return f"{name}.db of an earlier day, with its log of today"
    for name in chosen:
        _exchange(files, name, store.earlier, name)
    return f"{', '.join(chosen)} of an earlier day"


def _hints(files: Files, store: Stopped, foreign: Stopped, random: Random) -> str:
    """The lock file and that of what is running: garbage, gone, of another time or another store."""
    name = random.choice(HINTS)
    content = files.get(name, b"")
    bit = random.randrange(8 * len(content)) if content else 0
    ways: list[tuple[str, bytes | None]] = [
        ("missing", None),
        ("emptied", b""),
        ("made noise", random.randbytes(random.choice([1, 200, 5000]))),
        ("made other JSON", random.choice([b"[]", b"{}", b"null", b'{"pid": "x"}', b"1e999", b"[" * 5000])),
        ("of another store", foreign.now.get(name)),
        ("of an earlier day", store.earlier.get(name)),
        ("cut", content[: len(content) // 2]),
        (f"with bit {bit} flipped", _flip(content, [bit]) if content else b""),
        (f"with bit {bit} flipped", _flip(content, [bit]) if content else b""),
    ]
    what, new = random.choice(ways)
    if new is None:
        files.pop(name, None)
    else:
        files[name] = new
    return f"{name} {what}"


KINDS: dict[str, Damage] = {
    "bit": _one_bit,
    "bits": _some_bits,
    "header": _header_bit,
    "cell": _cell,
    "sector": _sector,
    "cut": _cut,
    "grown": _grown,
    "missing": _missing,
    "empty": _empty,
    "swapped": _swapped,
    "foreign": _foreign,
    "old": _old,
    "hints": _hints,
}
"""Kind → what does it."""
