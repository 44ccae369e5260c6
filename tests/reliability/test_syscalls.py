"""The command `syscalls`: some faults, a protection that is taken away, and the line that shows a violation again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

import reliability.syscalls as syscalls
from reliability.result import Result
from reliability.syscalls import command, evenly
from reliability.syscalls.faults import DISK_FULL, FAILED, Fault, Place, Traced, _places, faults_at, strace

needs_strace = pytest.mark.skipif(strace() is None, reason="needs strace, and the right to trace")


def run(*arguments: str) -> Result:
    result = command.main(list(arguments), standalone_mode=False)
    assert isinstance(result, Result)
    return result


@needs_strace
def test_some_faults_do_no_harm() -> None:
    result = run("--faults", "7")
    assert result.holds, result.violations
    assert result.figures["faults that happened"] == 7
    assert result.figures["killed"] >= 1
    assert result.figures["stopped with one line"] >= 1


@needs_strace
def test_without_a_protection_a_violation_is_told_in_one_line_with_what_shows_it_again() -> None:
    """A runtime that went on after a failed sync would lose what it has acknowledged."""
    fault = "fdatasync saga.db-wal 6 EIO+"
    result = run("--scenario", "refusal", "--fault", fault, "--without", "failure")
    (line,) = result.violations
    assert not result.holds
    assert "\n" not in line
    assert line.endswith(f"syscalls --scenario refusal --fault '{fault}' --without failure")


def test_without_strace_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "strace", lambda: None)
    told = CliRunner().invoke(command)
    assert told.exit_code == 1
    assert (
        told.output
        == "Error: strace is needed, on Linux, and the right to trace processes; there is none here\n"
    )


@pytest.mark.parametrize(
    ("kind", "traced", "fine"),
    [
        ("EIO", Traced(0, "", "", True), True),
        ("EIO", Traced(0, "", "a word", True), False),
        ("EIO", Traced(FAILED, "", "saga: why", True), True),
        ("EIO", Traced(FAILED, "", "saga: why", False), False),
        ("EIO", Traced(FAILED, "", "Traceback\nsaga: why", True), False),
        ("EIO", Traced(1, "", "why", True), False),
        ("EIO", Traced(-signal.SIGKILL, "", "", True), False),
        ("KILL", Traced(-signal.SIGKILL, "", "", True), True),
        ("EIO", Traced(-signal.SIGALRM, "", "", True), False),
        ("ENOSPC", Traced(DISK_FULL, "", "saga: full", True), False),
        ("ENOSPC+", Traced(DISK_FULL, "", "saga: full", True), True),
    ],
)
def test_a_program_may_go_on_or_stop_with_one_line(kind: str, traced: Traced, fine: bool) -> None:
    fault = Fault("fdatasync", "saga.db-wal", 1, kind)
    if fine:
        syscalls._check_end(fault, traced)
    else:
        with pytest.raises(AssertionError):
            syscalls._check_end(fault, traced)


def test_calls_on_files_of_the_store_are_counted_by_thread() -> None:
    log = """
1 pwrite64(3</s/store/saga.db-wal>, "x", 1, 0) = 1
1 pwrite64(3</s/store/saga.db-wal>, "x", 1, 0 <unfinished ...>
2 pwrite64(4</s/store/saga.db-wal>, "x", 1, 0) = 1
1 <... pwrite64 resumed>) = 1
2 openat(AT_FDCWD</s>, "/s/store/saga.db", O_RDWR) = 5</s/store/saga.db>
2 pwrite64(4</s/other/saga.db>, "x", 1, 0) = 1
3 fdatasync(6</s/store>) = 0
4 rename("/s/store/runtime.running.new", "/s/store/runtime.running") = 0
"""
    assert set(_places(log, Path("/s/store"))) == {
        Place("pwrite64", "saga.db-wal", 2),
        Place("openat", "saga.db", 1),
        Place("fdatasync", ".", 1),
        Place("rename", "runtime.running.new", 1),
    }


def test_what_is_tried_is_spread_over_everything_and_over_all_kinds() -> None:
    faults = faults_at([Place("pwrite64", "a.db", 40), Place("fdatasync", "a.db", 10)])
    assert len(faults) == 250
    some = evenly(faults, 10)
    assert len(some) == 10
    assert {fault.kind for fault in some} == {"KILL", "EIO", "ENOSPC", "EIO+", "ENOSPC+"}
    assert {fault.call for fault in some} == {"pwrite64", "fdatasync"}
    assert evenly(faults, None) == faults


def test_a_fault_is_read_as_it_is_told() -> None:
    fault = Fault("pwrite64", "saga.db-wal", 12, "ENOSPC+")
    assert Fault.read(str(fault)) == fault
    assert fault.options == ["-e", "inject=pwrite64:error=ENOSPC:when=12+"]


@pytest.mark.parametrize(
    "text", ["nonsense", "pwrite64 a.db x EIO", "pwrite64 a.db 1 EPERM", "read a.db 1 EIO"]
)
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no fault"):
        Fault.read(text)
