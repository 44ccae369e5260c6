"""No failpoint can be forgotten: they are read from the source, and every change of a file stands between two."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.crash.harness import ROOT
from reliability.crash.points import names, points_in, unguarded

ENOUGH = 60


def test_there_are_many_points_and_each_has_a_name_of_its_own() -> None:
    found = names()
    assert len(found) >= ENOUGH
    assert len(set(found)) == len(found)


def test_every_change_of_a_file_has_a_point_before_and_after_it() -> None:
    assert not (found := unguarded(ROOT / "saga" / "store")), "\n".join(["", *found])


GUARDED = """
def commit(self):
    if self.dirty:
        seam("a.before")
        execute("COMMIT")
    seam("a.after")
"""

BARE = {
    "a commit without one before it": GUARDED.replace('        seam("a.before")\n', ""),
    "a commit without one after it": GUARDED.replace('    seam("a.after")\n', ""),
    "a commit whose point does not stand right before it": GUARDED.replace(
        '        execute("COMMIT")\n', '        count()\n        execute("COMMIT")\n'
    ),
    "a commit with a token": "def f():\n    execute(statements.commit)\n",
    "a point in a function inside": "def f():\n    def g():\n        seam('a')\n    execute('COMMIT')\n    seam('b')\n",
    "a checkpoint": "def f():\n    return connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()\n",
    "a file that takes the place of another": "def f():\n    os.replace(a, b)\n    seam('a')\n",
    "a write in a condition": "def f():\n    if os.write(fd, data) < len(data):\n        seam('a')\n",
    "a backup": "def f():\n    self._connection.backup(other)\n    seam('a')\n",
}


@pytest.mark.parametrize("code", BARE.values(), ids=BARE.keys())
def test_a_change_of_a_file_without_points_is_found(tmp_path: Path, code: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.py").write_text(code)
    found = unguarded(tmp_path / "store")
    assert found
    assert all(each.startswith("store/a.py:") for each in found)


def test_a_change_between_two_points_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(GUARDED)
    assert unguarded(tmp_path) == []


def test_a_name_that_is_no_literal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("seam(f'{what}.before')")
    with pytest.raises(ValueError, match="is a literal"):
        points_in(tmp_path)
