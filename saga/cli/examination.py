"""What `saga doctor` looks at. A part that cannot be read is a problem of its own, and hides no other."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Literal

import msgspec

from saga.cli import output as o
from saga.cli.scheduling import schedule_line
from saga.cli.stores import own_files, problem
from saga.cli.values import iso, size
from saga.cli.waiting import advice
from saga.errors import SagaError, SchemaTooNew
from saga.flow.graph import Graph, Scope, Step
from saga.machine import Status
from saga.store import StoreFiles, StoreReader, is_locked, read_owner
from saga.store.batch import DefinitionRow
from saga.store.connection import wal_size
from saga.store.inspection import (
    ContextReader,
    OpenIncident,
    incident_counts,
    kept_for,
    live_by_definition,
    open_incidents,
    suspected,
)
from saga.store.integrity import Finding, check_links, check_rows, file_system, sqlite_finding
from saga.store.schema import CONTEXT, SAGA, Schema
from saga.verification import check_lock

__all__ = ["Examination", "versions"]

NEWEST = 20
"""Parked sagas that are told one by one."""

MOST = 100_000
"""Incidents that are looked at, at most."""

SET_ASIDE = 100
"""Deliveries of one context that are told one by one."""

LITTLE_SPACE = 64 * 1024 * 1024
"""Bytes: as much as one write-ahead log may take."""

LARGE_WAL = 128 * 1024 * 1024
"""Bytes that a write-ahead log grows to only when somebody reads for long."""

PACKAGES = ("pykka", "sqlite-utils", "msgspec", "structlog", "click")


def versions() -> dict[str, str | None]:
    """Return name → version of what this program stands on; None for what is not installed."""
    found: dict[str, str | None] = {"saga-actors": _version("saga-actors")}
    found["Python"] = platform.python_version()
    found["SQLite"] = sqlite_finding().subject.removeprefix("SQLite ")
    return found | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


class Examination:
    """One look over a store."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files
        self._problems: list[o.Problem] = []

    @property
    def is_there(self) -> bool:
        """Whether there is a store at all, be it damaged."""
        try:
            return os.path.getsize(self._files.saga) > 0
        except FileNotFoundError:
            return False
        except OSError:
            return os.path.isdir(self._files.directory)

    def _found(self, *findings: Finding) -> None:
        self._problems += [problem(finding, self._files) for finding in findings]

    def _say(self, severity: Literal["error", "warning", "note"], subject: str, what: str) -> None:
        self._problems.append(o.Problem(severity=severity, subject=subject, what=what))

    @contextmanager
    def _part(self) -> Iterator[None]:
        """Let what cannot be read be a problem of this part only."""
        try:
            yield
        except SagaError as error:
            self._found(Finding("error", getattr(error, "path", self._files.saga), str(error)))
        except OSError as error:
            self._found(
                Finding("error", error.filename or self._files.directory, error.strerror or str(error))
            )
        except Exception as error:  # damage shows as anything at all
            what = f"what is stored makes no sense ({type(error).__name__}: {error})"
            self._found(Finding("error", self._files.saga, what))

    def result(self) -> o.Doctor:
        """Look at everything."""
        verdict = sqlite_finding()
        self._found(verdict)
        lock = self._lock()
        files = [self._file(*each) for each in self._own_files()]
        store: o.Store | None = None
        sagas: dict[str, int] = {}
        incidents: dict[str, int] = {}
        parked: list[o.Incident] = []
        missing: list[o.MissingHandler] = []
        definitions: list[o.Definition] = []
        contexts: list[o.ContextFile] = []
        suspects: list[o.Suspect] = []
        schedules: list[o.ScheduleLine] = []
        with self._part(), StoreReader.open(self._files.directory) as reader:
            with self._part():
                store = self._store(reader, lock)
            with self._part():
                sagas = {status.value: 0 for status in Status} | reader.counts()
                self._idle(sagas, lock)
            with self._part():
                rows = {row.no: row for row in reader.definitions()}
                definitions = _definitions(reader, rows)
                incidents = incident_counts(reader)
                parked = _parked(reader, rows)
                missing = _missing(reader, rows)
                self._incidents(incidents)
            with self._part():
                schedules = [schedule_line(row) for row in reader.schedules()]
                self._held(schedules)
            with self._part():
                self._found(*check_lock(self._files, reader), *check_links(reader), *check_rows(reader))
            with self._part():
                suspects = _suspects(reader)
                self._suspected(suspects)
            with self._part():
                self._away(reader)
            for name, schema, _ in self._own_files():
                if schema is CONTEXT:
                    with self._part():
                        contexts.append(self._context(reader, name))
        problems = list(dict.fromkeys(self._problems))
        return o.Doctor(
            ok=all(each.severity == "note" for each in problems),
            problems=problems,
            versions=versions(),
            sqlite_verdict=verdict.what,
            store=store,
            lock=lock,
            files=files,
            sagas=sagas,
            incidents=incidents,
            parked=parked,
            missing_handlers=missing,
            definitions=definitions,
            contexts=contexts,
            suspects=suspects,
            schedules=schedules,
        )

    # --- files ------------------------------------------------------------------------------------

    def _own_files(self) -> list[tuple[str, Schema, str]]:
        with self._part():
            return list(own_files(self._files))
        return [("saga", SAGA, self._files.saga)]

    def _lock(self) -> o.Lock:
        path = self._files.lock
        readable = os.access(path, os.R_OK) or not os.path.exists(path)
        owner = read_owner(self._files)
        return o.Lock(
            held=is_locked(self._files) if readable else None,
            pid=None if owner is None else owner.pid,
            host=None if owner is None else owner.host,
            since=None if owner is None else owner.since.replace("+00:00", "Z"),
        )

    def _file(self, name: str, schema: Schema, path: str) -> o.File:
        number: int | None = None
        with self._part():
            try:
                header = schema.look(path)
                number = None if header is None else header.user_version
            except SchemaTooNew as error:
                number = error.found
                raise
        wal = wal_size(path)
        if wal > LARGE_WAL:
            what = (
                f"its write-ahead log has {size(wal)}: something reads for long, and keeps it from shrinking"
            )
            self._say("note", f"{name}.db", what)
        return o.File(
            name=f"{name}.db",
            kind="saga" if schema is SAGA else "context",
            bytes=os.stat(path).st_size if os.path.exists(path) else 0,
            wal_bytes=wal,
            schema=number,
            known_schema=schema.version,
        )

    def _store(self, reader: StoreReader, lock: o.Lock) -> o.Store:
        directory = self._files.directory
        network = file_system(directory)
        if network is not None:
            self._found(network)
        free = shutil.disk_usage(directory).free
        if free < LITTLE_SPACE:
            self._say("warning", "disk", f"only {size(free)} are free; make room")
        facts = reader.store()
        end: Literal["closed", "open", "cut-off", "unknown"]
        if facts.clean:
            end = "closed"
        elif lock.held is None:
            end = "unknown"
        else:
            end = "open" if lock.held else "cut-off"
        clock = msgspec.json.decode(facts.clock) if facts.clock else {}
        return o.Store(
            directory=directory,
            id=facts.store_id,
            opened=facts.epoch,
            commits=facts.commit_no,
            last_time_at=iso(facts.high_ms),
            last_end=end,
            clock="scaled" if facts.clock else "system",
            clock_factor=clock.get("factor"),
            network_file_system=network is not None,
            free_bytes=free,
        )

    # --- what is in them --------------------------------------------------------------------------

    def _idle(self, sagas: dict[str, int], lock: o.Lock) -> None:
        moving = sagas[Status.RUNNING.value] + sagas[Status.COMPENSATING.value]
        if lock.held is False and moving:
            what = f"{moving:,} {'waits' if moving == 1 else 'wait'} for the program to be started again"
            self._say("note", "sagas", what)

    def _incidents(self, incidents: dict[str, int]) -> None:
        for kind, count in incidents.items():
            what = f"{count:,} {'is' if count == 1 else 'are'} parked"
            self._say("warning", "sagas", f"{what} ({kind})")

    def _suspected(self, suspects: list[o.Suspect]) -> None:
        for each in suspects:
            if each.stops > 1:
                what = f"{each.kind} {each.no} was running at {each.stops} ends of the program that were no close"
                self._say("note", each.participant, f"{what}; if it goes on, it is parked")

    def _held(self, schedules: list[o.ScheduleLine]) -> None:
        for each in schedules:
            if each.problem is not None:
                self._say("warning", f"schedule {each.name}", f"no run can be started: {each.problem}")

    def _away(self, reader: StoreReader) -> None:
        """Say for whom the log is kept, though the program that was last here does not have it."""
        types: dict[str, dict[str, int]] = {}
        for (name, event_type), position in reader.listeners().items():
            types.setdefault(name, {})[event_type] = position
        epoch = reader.store().epoch
        for name, positions in types.items():
            if name in reader.contexts() and reader.context(name).epoch < epoch:
                count = kept_for(reader, positions)
                kept = f"{count:,} {'event is' if count == 1 else 'events are'} kept for it"
                gone = f"if it is gone for good: runtime.forget_listener({name!r})"
                self._say("note", f"{name}.db", f"is not part of the program now; {kept}; {gone}")

    def _context(self, reader: StoreReader, name: str) -> o.ContextFile:
        facts = reader.context(name)
        with ContextReader.open(self._files, name) as context:
            aside = context.retries(set_aside=True, limit=SET_ASIDE)
        if facts.set_aside:
            count = f"{facts.set_aside:,} {'delivery is' if facts.set_aside == 1 else 'deliveries are'}"
            self._say("warning", f"{name}.db", f"{count} set aside")
        return o.ContextFile(
            name=name,
            commands_remembered=facts.inbox,
            events_to_relay=facts.outbox,
            deliveries_to_retry=facts.to_retry,
            deliveries_set_aside=facts.set_aside,
            set_aside=[
                o.SetAside(
                    event_no=row.event_no,
                    event_id=row.event_id,
                    event_type=row.event_type,
                    attempts=row.attempt,
                    reason=str(row.reason),
                )
                for row in aside
            ],
        )


def _suspects(reader: StoreReader) -> list[o.Suspect]:
    return [
        o.Suspect(
            participant=row.participant,
            kind=row.kind,  # type: ignore[arg-type]
            no=row.no,
            stops=row.stops,
            alone=row.alone,
            last_at=iso(row.last_ms),
        )
        for row in suspected(reader)
    ]


def _definitions(reader: StoreReader, rows: dict[int, DefinitionRow]) -> list[o.Definition]:
    live = live_by_definition(reader)
    return [
        o.Definition(
            saga=row.name,
            version=row.version,
            graph=row.hash,
            first_used_at=iso(row.first_used_ms),
            live=live.get(row.no, 0),
        )
        for row in rows.values()
    ]


def _parked(reader: StoreReader, rows: dict[int, DefinitionRow]) -> list[o.Incident]:
    found = open_incidents(reader, limit=NEWEST)
    several = {each.saga_id for each in found if sum(one.saga_id == each.saga_id for one in found) > 1}
    return [
        o.Incident(
            id=each.saga_id,
            saga=rows[each.definition_no].name,
            version=rows[each.definition_no].version,
            path=each.path,
            kind=each.kind,
            reason=each.reason,
            since_at=iso(each.since_ms),
            next=advice(each.kind, each.saga_id, each.path if each.saga_id in several else ""),
        )
        for each in found
    ]


def _missing(reader: StoreReader, rows: dict[int, DefinitionRow]) -> list[o.MissingHandler]:
    """Group what is parked for want of a handler by what is needed."""
    groups: dict[tuple[int, str, bool, str], list[OpenIncident]] = {}
    for each in open_incidents(reader, kind="no-handler", limit=MOST):
        element, undoing = _element(each.path)
        groups.setdefault((each.definition_no, element, undoing, each.reason), []).append(each)
    return [
        o.MissingHandler(
            saga=rows[no].name,
            version=rows[no].version,
            element=element,
            command=None if _is_absent(rows[no], reason) else _command(rows[no], element, undoing),
            reason=reason,
            sagas=len({each.saga_id for each in incidents}),
            example=incidents[0].saga_id,
        )
        for (no, element, undoing, reason), incidents in groups.items()
    ]


def _is_absent(row: DefinitionRow, reason: str) -> bool:
    """Whether it is the class of the saga that is missing (see `coordination.instances.AbsentAuthor`)."""
    return reason.startswith(f"{row.name} version {row.version} is not known")


def _element(path: str) -> tuple[str, bool]:
    """Return the element that a path is a visit of, and whether it is undone there."""
    visit, tilde, _ = path.rpartition("/")[2].partition("~")
    return visit.rpartition(".")[0], bool(tilde)


def _command(row: DefinitionRow, element: str, undoing: bool) -> str | None:
    try:
        node = Graph.from_json(row.graph).nodes.get(element)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if isinstance(node, Step):
        return node.undo_command if undoing else node.command
    return node.undo_command if isinstance(node, Scope) else None
