"""The power is cut in a small run: nothing is lost, and without the syncs something is."""

from __future__ import annotations

from random import Random

import pytest
from click.testing import CliRunner

from reliability.power import command
from reliability.power.disk import Disk
from reliability.power.recording import Operation, available
from reliability.result import Result

NAME, PAGE = "saga.db-wal", b"x" * 1_000
WRITE = Operation("write", NAME, 512, PAGE)


def disk(*operations: Operation) -> Disk:
    made = Disk()
    for operation in operations:
        made.do(operation)
    return made


@pytest.mark.skipif(bool(available()), reason=available())
@pytest.mark.timeout(300)
def test_nothing_is_lost_when_the_power_is_cut_and_without_syncs_something_is() -> None:
    done = CliRunner().invoke(command, [], standalone_mode=False)
    assert done.exception is None, done.exception
    result = done.return_value
    assert isinstance(result, Result)
    assert result.violations == []
    assert int(result.figures["control: images that break"]) > 0
    assert int(result.figures["states recovered and drained by the runtime"]) > 0


def test_what_was_not_synced_may_be_lost() -> None:
    cut = disk(Operation("create", NAME), Operation("sync", NAME), WRITE)
    assert cut.image("lost", Random(0)) == {NAME: b""}
    assert cut.image("kept", Random(0)) == {NAME: bytes(512) + PAGE}


def test_what_was_synced_is_certain() -> None:
    cut = disk(Operation("create", NAME), WRITE, Operation("sync", NAME))
    assert all(cut.image(loss, Random(0)) == {NAME: bytes(512) + PAGE} for loss in ("lost", "subset", "torn"))


def test_a_torn_write_leaves_whole_sectors() -> None:
    cut = disk(Operation("create", NAME), Operation("sync", NAME), WRITE)
    found = {cut.image("torn", Random(seed))[NAME] for seed in range(40)}
    assert found == {b"", bytes(512) + PAGE[:512], bytes(512) + bytes(512) + PAGE[512:], bytes(512) + PAGE}


def test_a_deletion_is_certain_when_the_directory_was_synced() -> None:
    made = [Operation("create", NAME), Operation("sync", NAME), Operation("delete", NAME)]
    assert NAME in disk(*made).image("lost", Random(0))
    assert disk(*made, Operation("sync", "")).image("lost", Random(0)) == {}
