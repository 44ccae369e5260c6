#!/usr/bin/env python3
"""Set the project up and run one of its commands; needs nothing but Python (3.11 or later) and its pip.

    python3 run.py demo     order fulfilment on real baskets, killed three times     (--kills 50 --seed 3)
    python3 run.py example  one of the examples; without a name it lists them        (trip_booking)
    python3 run.py test     the tests, with pytest; all of them: on all cores        (-k timer -x)
    python3 run.py lint     ruff check, ruff format --check, mypy --strict           (--fix)
    python3 run.py bench    the benchmarks, with --peers beside other engines        (--quick --json FILE)
    python3 run.py reliability    the fault tests; without a command it lists them   (sim --seeds 1000)

What follows the command is passed on to it; for `lint`, to `ruff check`. The exit code is the command's.
Everything runs in the project's folder, and relative file names are taken from there.

Another interpreter is chosen with `--python 3.13`, anywhere in the line. The default one has its packages in
`.venv`, another one in `.venv-3.13`. Packages are installed when pyproject.toml, constraints.txt or what the
command needs has changed since the last time; an environment that a kill left half built is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
STAMP = "installed.json"  # in the environment: what it holds; written when all of it is there

EXTRAS: dict[str, set[str]] = {
    "demo": {"demo"},
    "test": {"demo", "reliability", "test", "web-shop"},  # the examples and fault tests run as tests
    "lint": {
        "cron",
        "demo",
        "lint",
        "reliability",
        "web-shop",
    },  # mypy reads what the examples and extras import
    "bench": set(),
    "reliability": {"reliability"},
}
MODULES = {
    "demo": "examples.order_fulfilment",
    "test": "pytest",
    "bench": "benchmarks",
    "reliability": "reliability",
}

ALL_TESTS = ["-n", "auto", "--dist", "loadfile"]  # by file: some share what is dear to make

EXAMPLES: dict[str, tuple[str, set[str]]] = {  # name: what it shows, the extras it needs
    "order_fulfilment": ("2,000 real orders, a process that is killed; the same as `demo`", {"demo"}),
    "trip_booking": ("car, hotel, flight; when one fails, what was booked is cancelled", set()),
    "web_shop": ("orders over HTTP, with FastAPI: at once, later, after a kill", {"web-shop"}),
    "event_campaign": ("a conference: half a year of waiting, calling off, refunds, an evaluation", set()),
    "choreography": ("a chain of events beside a saga; both are changed and compared", set()),
}


class Interpreter(NamedTuple):
    """A Python that runs."""

    path: str
    version: str  # such as "3.13"


class Stamp(NamedTuple):
    """What an environment holds: digest of the files it was installed from, place of the project, extras."""

    digest: str
    root: str
    extras: list[str]


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` ask for and return its exit code."""
    wanted, words = take_python(arguments)
    if words[:1] == ["example"] and (len(words) == 1 or words[1] not in EXAMPLES):
        return list_examples(words[1:])
    if not words or words[0] not in {"example", *EXTRAS}:
        asked_for_help = words[:1] in (["-h"], ["--help"], ["help"])
        print(__doc__, file=sys.stdout if asked_for_help else sys.stderr)
        return 0 if asked_for_help else 2
    if words[0] == "example":
        name, passed_on = words[1], words[2:]
        extras, module = EXAMPLES[name][1], f"examples.{name}"
    else:
        name, passed_on = words[0], words[1:]
        extras, module = EXTRAS[name], MODULES.get(name, "")
    if words == ["test"]:
        passed_on = ALL_TESTS
    interpreter = find_interpreter(wanted) if wanted else this_interpreter()
    if tuple(map(int, interpreter.version.split("."))) < OLDEST:
        sys.exit(f"run.py: saga needs Python 3.11 or later, this is {interpreter.version}; try --python 3.12")
    venv = ROOT / (f".venv-{wanted}" if wanted else ".venv")
    set_up(venv, interpreter, extras)
    os.chdir(ROOT)
    return run(module, str(python_in(venv)), passed_on)


def list_examples(words: list[str]) -> int:
    """Print the examples there are; return 0 when that was asked for, 2 when another one was."""
    asked_for = words[:1] in ([], ["-h"], ["--help"])
    out = sys.stdout if asked_for else sys.stderr
    if not asked_for:
        print(f"run.py: there is no example {words[0]!r}; there are:", file=out)
    for name, (shows, _) in EXAMPLES.items():
        print(f"    python3 run.py example {name}\n        {shows}", file=out)
    return 0 if asked_for else 2


def run(module: str, python: str, passed_on: list[str]) -> int:
    """Run `module`, "" for the checks of `lint`, with the Python of its environment; return its exit code."""
    if not module:  # all the checks, also after one that failed
        checks = (["ruff", "check", *passed_on], ["ruff", "format", "--check"], ["mypy", "--strict"])
        return max([abs(subprocess.call([python, "-m", *check])) for check in checks])
    line = [python, "-m", module, *passed_on]
    if sys.platform != "win32":
        os.execv(python, line)  # takes this process's place: signals reach it, its exit code is ours
    return subprocess.call(line)


def take_python(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Take `--python X.Y` or `--python=X.Y` out of the line; return the version, or None, and the rest."""
    version, others, words = None, [], iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name != "--python":
            others.append(word)
            continue
        version = value if equals else next(words, "")
        if not re.fullmatch(r"\d+\.\d+", version):
            sys.exit("run.py: --python takes a version with two parts, such as 3.13")
    return version, others


def this_interpreter() -> Interpreter:
    """Return the Python that runs this file; when that is one of an environment, the one it was made from."""
    path = getattr(sys, "_base_executable", "") or sys.executable
    return Interpreter(path, f"{sys.version_info[0]}.{sys.version_info[1]}")


def find_interpreter(version: str) -> Interpreter:
    """Find a Python of this version that runs; what bears its name may not (pyenv's stand-ins can refuse)."""
    names = (sys.executable, shutil.which(f"python{version}"), shutil.which("python3"))
    candidates = [[name] for name in names if name]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += [[str(path)] for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    if sys.platform == "win32":
        candidates.append(["py", f"-{version}"])
    question = "import sys; print('%d.%d' % sys.version_info[:2], sys._base_executable)"
    for candidate in candidates:
        found, _, path = output_of([*candidate, "-c", question]).strip().partition(" ")
        if found == version and path:
            return Interpreter(path, version)
    sys.exit(f"run.py: no Python {version} found: no working python{version} on the PATH, none from pyenv")


def output_of(line: list[str]) -> str:
    """Return what a program printed, or "" when it cannot be started or fails."""
    try:
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def set_up(venv: Path, interpreter: Interpreter, extras: set[str]) -> None:
    """Make `venv` hold the project and its `extras`, in the versions of constraints.txt.

    One run at a time installs; others wait for it. The lock file has a word in it while somebody builds: who
    gets the lock and finds the word knows that the builder died, and starts from nothing.
    """
    if is_ready(venv, interpreter, extras):
        return
    with only_one(ROOT / f"{venv.name}.lock") as lock:
        if is_ready(venv, interpreter, extras):  # the run we waited for did it
            return
        builder_died = lock.read() != b""
        lock.write(b"building")
        stamp = read_stamp(venv) or Stamp("", str(ROOT), [])
        (venv / STAMP).unlink(missing_ok=True)
        anew = builder_died or stamp.root != str(ROOT) or not works(venv, interpreter)
        task = "updating" if not anew else "rebuilding" if venv.exists() else "setting up"
        note = " (first run)" if task == "setting up" else ""
        print(f"run.py: {task} {venv.name}{note} ...", file=sys.stderr, flush=True)
        if anew:
            create(venv, interpreter)
        everything = sorted({*extras, *stamp.extras})
        install(venv, everything)
        done = Stamp(digest(), str(ROOT), everything)
        (venv / STAMP).write_text(json.dumps(done._asdict()), encoding="utf-8")
        lock.truncate(0)


def is_ready(venv: Path, interpreter: Interpreter, extras: set[str]) -> bool:
    """Say whether `venv` works, is of this project in this place, and holds what is needed."""
    stamp = read_stamp(venv)
    if stamp is None or (stamp.digest, stamp.root) != (digest(), str(ROOT)):
        return False
    return extras.issubset(stamp.extras) and works(venv, interpreter)


def read_stamp(venv: Path) -> Stamp | None:
    """Read what `venv` holds; None when that is not known."""
    try:
        return Stamp(**json.loads((venv / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def digest() -> str:
    """Return the digest of the files that say what is installed."""
    files = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def works(venv: Path, interpreter: Interpreter) -> bool:
    """Say whether the Python in `venv` runs, has pip, and has the version of `interpreter`."""
    question = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    return output_of([str(python_in(venv)), "-c", question]).strip() == interpreter.version


def python_in(venv: Path) -> Path:
    """Return the Python of `venv`."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def create(venv: Path, interpreter: Interpreter) -> None:
    """Make an empty environment, in place of what was there."""
    if not output_of([interpreter.path, "-c", "import ensurepip, venv; print('both')"]):
        remedy = f"on Debian and Ubuntu: apt install python3-venv (or python{interpreter.version}-venv)"
        sys.exit(f"run.py: {interpreter.path} cannot make environments, it has no ensurepip; {remedy}")
    do([interpreter.path, "-m", "venv", "--clear", str(venv)], f"{venv.name} could not be made")


def install(venv: Path, extras: list[str]) -> None:
    """Install the project and its `extras`; a change in the project itself needs no new installation."""
    project = f".[{','.join(extras)}]" if extras else "."
    # Without --no-compile, a quarter of the time would go into byte code that nobody uses.
    line = [str(python_in(venv)), "-m", "pip", "install", "--quiet", "--no-input", "--no-compile"]
    do([*line, "-c", "constraints.txt", "-e", project], "the packages could not be installed")


def do(line: list[str], failure: str) -> None:
    """Run a step of the installation in silence; when it fails, show the end of what it said and leave."""
    # A person's setting "user" would go past the environment. The child inherits the lock (close_fds), so
    # that nobody builds beside it when only this process is killed.
    env = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    out, err = subprocess.PIPE, subprocess.STDOUT
    done = subprocess.run(line, cwd=ROOT, env=env, stdout=out, stderr=err, close_fds=False, check=False)
    if done.returncode != 0:
        tail = "\n    ".join(done.stdout.decode(errors="replace").strip().splitlines()[-20:])
        sys.exit(f"run.py: {failure}:\n    {tail}")


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[BinaryIO]:
    """Hold the lock on the file at `path`, waiting for it; the system frees it when its holder dies."""
    with open(path, "a+b", buffering=0) as lock:
        lock.seek(0)
        if sys.platform == "win32":
            import msvcrt

            while True:
                with contextlib.suppress(OSError):  # raised after ten seconds of waiting
                    msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)
        yield lock


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
