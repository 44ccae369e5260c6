"""The program around the commands: which store, which exit code, one line for each error, nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from saga.cli import output
from saga.cli.main import GONE, INTERRUPTED, NOT_FOUND, OK, STORE_FAILED, USAGE

from .conftest import ENVIRONMENT, ROOT, Run, saga_command

COMMANDS = ("list", "show", "schedules", "verify", "doctor")


def line_for(command: str) -> list[str]:
    return [command, "o-plain"] if command == "show" else [command]


# --- which store ----------------------------------------------------------------------------------


def test_the_store_is_named_before_or_behind_the_command_or_in_the_environment(
    run: Run, filled: Path
) -> None:
    before = run("--store", str(filled), "list", store=None)
    assert before.stdout == run("list", "--store", str(filled), store=None).stdout == run("list").stdout
    assert before.exit_code == OK


def test_what_is_named_behind_the_command_counts_most(run: Run, filled: Path, tmp_path: Path) -> None:
    assert run("--store", str(tmp_path), "list", "--store", str(filled), store=tmp_path).exit_code == OK
    assert run("--store", str(filled), "list", store=tmp_path).exit_code == OK


def test_without_a_name_it_is_where_you_are(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(filled)
    assert run("list", store=None).stdout == run("list").stdout


# --- one line for each error ----------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_store_one_line_says_how_to_name_one(
    run: Run, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*line_for(command), store=None)
    assert result.stderr == (
        "saga: no store here: name its directory with --store DIR or in SAGA_STORE, or go to where saga.db is\n"
    )
    assert (result.exit_code, result.stdout) == (NOT_FOUND, "")


@pytest.mark.parametrize("command", ["list", "show", "verify"])
@pytest.mark.parametrize("place", ["missing", "empty", "new"])
def test_a_directory_without_a_store_is_told(run: Run, command: str, tmp_path: Path, place: str) -> None:
    directory = tmp_path / place
    if place != "missing":
        directory.mkdir()
    if place == "new":
        (directory / "saga.db").touch()
    result = run(*line_for(command), store=directory)
    assert result.stderr == f"saga: no store at {directory}: a store is a directory that holds saga.db\n"
    assert result.exit_code == NOT_FOUND


def test_a_file_is_no_store(run: Run, filled: Path) -> None:
    result = run("list", store=filled / "saga.db")
    assert (
        result.stderr
        == f"saga: {filled}/saga.db is a file, and a store is a directory: try --store {filled}\n"
    )
    assert result.exit_code == NOT_FOUND
    assert "that holds saga.db" in run("list", store=filled / "runtime.lock").stderr


@pytest.mark.parametrize("command", ["list", "show", "verify"])
def test_another_programs_database_is_told_and_left_alone(run: Run, command: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "saga.db")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = (tmp_path / "saga.db").read_bytes()
    result = run(*line_for(command), store=tmp_path)
    assert "saga.db is a SQLite database, but not the saga.db of a store" in result.stderr
    assert (result.exit_code, result.stderr.count("\n")) == (STORE_FAILED, 1)
    assert (tmp_path / "saga.db").read_bytes() == before


@pytest.mark.parametrize("command", ["list", "show", "verify"])
def test_a_newer_schema_is_told(run: Run, command: str, store: Path) -> None:
    connection = sqlite3.connect(store / "saga.db")
    connection.execute("PRAGMA user_version=9")
    connection.close()
    result = run(*line_for(command), store=store)
    assert "has schema 9, this version of saga knows up to 4; upgrade saga-actors" in result.stderr
    assert (result.exit_code, result.stderr.count("\n")) == (STORE_FAILED, 1)


@pytest.mark.parametrize("command", ["list", "show"])
@pytest.mark.parametrize("damage", [b"x" * 8192, b"SQLite format 3\0" + b"x" * 8176])
def test_a_damaged_file_is_told(run: Run, command: str, store: Path, damage: bytes) -> None:
    (store / "saga.db").write_bytes(damage)
    result = run(*line_for(command), store=store)
    assert "saga.db" in result.stderr
    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (STORE_FAILED, 1, "")


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be nobody, who may read only what everybody may; root may read all."""
    if not hasattr(os, "setresuid"):
        pytest.skip("a process cannot be another user for a while here")
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    yield
    os.setresuid(0, 0, 0)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("locked", ["saga.db", "."])
def test_a_store_that_may_not_be_read_is_told(
    run: Run, command: str, store: Path, locked: str, request: pytest.FixtureRequest
) -> None:
    run(*line_for(command))  # loads what the command is made of, which nobody might not read either
    for path in takewhile(lambda path: path != Path(tempfile.gettempdir()), (store, *store.parents)):
        path.chmod(0o755)
    (store / locked).chmod(0)
    request.addfinalizer(lambda: (store / locked).chmod(0o755))  # after `nobody` is somebody again
    request.getfixturevalue("nobody")
    result = run(*line_for(command), store=store)
    told = result.stderr + (result.stdout if command in ("doctor", "verify") else "")
    assert "ermission" in told or "not writable" in told
    assert "Traceback" not in told
    assert result.exit_code in (1, STORE_FAILED)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["nonsense"],
        ["list", "--status", "odd"],
        ["list", "--tag", "no-equals-sign"],
        ["list", "--limit", "0"],
        ["verify", "--nonsense"],
    ],
)
def test_a_wrong_command_line_is_told(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert "Usage: " in result.stderr


def test_what_a_person_typed_is_escaped_in_the_message(run: Run) -> None:
    assert "\x1b" not in run("show", "a\x1b[31mb").stderr
    assert "\x1b" not in run("list", store=Path("a\x1b[31mb")).stderr


# --- as a process ---------------------------------------------------------------------------------


def test_it_runs_as_a_module(filled: Path) -> None:
    done = saga_command("list", "--store", filled)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.startswith("ID ")


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_changed_on_what_a_dead_program_has_left(killed: Path, command: str) -> None:
    def contents() -> dict[str, str]:
        """All but the index of the write-ahead log, which is shared memory and of no meaning without a process."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(killed.iterdir())
            if not path.name.endswith("-shm")
        }

    before = contents()
    assert any(name.endswith("-wal") for name in before)
    line = ["show", "plain-0-0"] if command == "show" else [command]
    assert saga_command(*line, "--store", killed).returncode == OK
    assert contents() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_it_works_beside_a_running_program_that_notices_nothing(running: Path, command: str) -> None:
    done = saga_command(*line_for(command), "--store", running)
    assert done.returncode == (1 if command == "doctor" else OK)
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_somebody_who_reads_no_further_gets_no_complaint(killed: Path, command: str) -> None:
    line = ["show", "plain-0-0"] if command == "show" else [command]
    with subprocess.Popen(
        [sys.executable, "-m", "saga", "--store", str(killed), *line],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == GONE


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is something else there")
def test_an_interrupt_ends_it_with_130(filled: Path) -> None:
    code = (
        "import saga.verification, saga.cli.verifying as v, time, sys\n"
        "def slow(*_, **__):\n    print('checking', flush=True)\n    time.sleep(60)\n    yield\n"
        "v.verify_store = slow\n"
        "from saga.cli.main import main\n"
        f"sys.argv = ['saga', 'verify', '--store', {str(filled)!r}]\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "checking\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1].strip() == ""
        assert process.returncode == INTERRUPTED


def test_help_loads_neither_the_runtime_nor_the_store() -> None:
    code = "import sys, saga.cli.main; print([m for m in %r if m in sys.modules])"
    heavy = [
        "pykka",
        "sqlite3",
        "sqlite_utils",
        "structlog",
        "rich",
        "saga.store",
        "saga.runtime",
        "saga.machine",
    ]
    # measuring coverage, which loads a good deal, would begin in the new process, too
    env = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("COVERAGE_")}
    line = [sys.executable, "-c", code % heavy]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("lines", "loaded"),
    [
        ((["list"], ["show", "o-plain"], ["doctor"]), []),
        ((["verify"],), ["sqlite_utils"]),  # it compares the tables with those that migrations make
    ],
)
def test_no_command_loads_what_runs_sagas(filled: Path, lines: list[list[str]], loaded: list[str]) -> None:
    code = (
        "import sys\nfrom saga.cli.main import program\n"
        f"for line in {lines!r}:\n"
        f"    program(['--store', {str(filled)!r}, *line], standalone_mode=False)\n"
        "print([m for m in ('pykka', 'sqlite_utils', 'structlog', 'saga.runtime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == str(loaded)


def test_exit_codes_stand_in_the_help_of_every_command(run: Run) -> None:
    for line in ([], *([command] for command in COMMANDS)):
        out = run(*line, "--help").stdout
        for code in (0, 1, 2, 4, 70, 130, 141):
            assert re.search(rf"^ +{code}  ", out, re.MULTILINE), (line, code)


def test_the_version_is_told(run: Run) -> None:
    assert re.fullmatch(r"saga (\d+\.\d+\.\d+|\(not installed\))\n", run("--version").stdout)


def test_characters_that_the_terminal_lacks_are_escaped(filled: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "saga", "--store", str(filled), "show", "注文"],
        env={**ENVIRONMENT, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == NOT_FOUND
    assert done.stderr.startswith(b"saga: no saga '\\u6ce8\\u6587' in this store")


# --- the documentation ----------------------------------------------------------------------------


def test_every_field_of_the_json_is_documented() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "cli.md").read_text()))
    for name in output.__all__:
        fields = getattr(getattr(output, name), "__struct_fields__", ())
        assert set(fields) <= documented, name


def test_json_is_one_document_on_stdout(run: Run) -> None:
    for command in COMMANDS:
        assert isinstance(json.loads(run(*line_for(command), "--json").stdout), dict)
