"""One business in two variants: right before and after the change; what is counted is counted from the files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.choreography.__main__ import main
from examples.choreography.comparison.difference import differences
from examples.choreography.comparison.measure import CHANGE, CheckFailed, measure
from examples.choreography.comparison.patches import PatchFailed, apply_patch
from examples.choreography.comparison.story import story_of

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ("by_events", "by_saga")
CONTEXTS = ("checkout", "inventory", "notification", "payment", "shipment")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a comparison, and what was printed on a terminal of 60 columns."""
    folder = tmp_path_factory.mktemp("choreography") / "kept"
    line = [sys.executable, "-m", "examples.choreography", "--keep", str(folder)]
    env = {"COLUMNS": "60", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=55, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_the_saga_touches_no_context_and_the_chain_of_events_three(compared: tuple[Path, str]) -> None:
    report = compared[1]
    assert re.search(r"contexts touched +3 of 5 +0 of 5\n", report)
    assert re.search(r"files +3 +1\n", report)
    assert "Touched in the chain of events: inventory, payment, shipment." in " ".join(report.split())
    assert max(map(len, report.splitlines())) <= 60


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_reported_is_what_the_copies_differ_in(compared: tuple[Path, str], variant: str) -> None:
    """Counted once more, by the system's own `diff`."""
    folder, report = compared
    before, after = (folder / variant / copy / "examples" / "choreography" for copy in ("before", "after"))
    line = ["diff", "-r", "-x", "__pycache__", "-U0", str(before), str(after)]
    diff = subprocess.run(line, capture_output=True, text=True, check=False).stdout
    lines = [each for each in diff.splitlines() if not each.startswith(("---", "+++"))]
    added, removed = (sum(each.startswith(mark) for each in lines) for mark in "+-")
    column = VARIANTS.index(variant)
    counted = dict(re.findall(r"lines (added|removed) +(\d+ +\d+)\n", report[: report.index("Beside that")]))
    assert [int(counted[what].split()[column]) for what in ("added", "removed")] == [added, removed]


def test_an_order_that_was_under_way_stands_still_and_is_seen_to_with_a_saga(
    compared: tuple[Path, str],
) -> None:
    report = " ".join(compared[1].split())
    events, saga = report[report.index("In a chain of events after") :].split("In a saga after")
    assert "it stands still: money taken; goods not reserved; no parcel; no letter" in events
    assert "say of it: nothing; nobody is told" in events
    assert "FulfilOrder version 1 is not known to this runtime; add its class" in saga
    assert "and with what was done for it: fulfilled" in events
    assert "and with what was done for it: fulfilled" in saga


def test_what_can_be_told_of_an_order(compared: tuple[Path, str]) -> None:
    folder = compared[0]
    events = story_of(folder / "by_events" / "store", "before-sold-out")
    chain = [
        line.split(" publishes ")[1].split("/")[0] for line in events.splitlines() if " publishes " in line
    ]
    assert chain == ["OrderPlaced", "PaymentReceived", "GoodsUnavailable", "PaymentReturned"]
    assert "saga" not in events
    assert "sold out" not in events
    saga = " ".join(story_of(folder / "by_saga" / "store", "after-sold-out").split())
    assert "FulfilOrder version 2 starts [COMPENSATED]" in saga
    assert "inventory: refused: teapot is sold out [sold-out]" in saga
    assert saga.endswith("ended: COMPENSATED")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_changed_sources_pass_the_type_checker(
    compared: tuple[Path, str], tmp_path: Path, variant: str
) -> None:
    sources = f"examples/choreography/{variant}"
    line = ["-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", "--python-version=3.11"]
    done = subprocess.run(
        [sys.executable, *line, sources],
        cwd=compared[0] / variant / "kept",  # both patches are in there
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- the checks can fail --------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come is not waited for as long as it is otherwise."""
    monkeypatch.setenv("CHECK_PATIENCE_S", "3")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_change_that_changes_nothing_is_found_out(tmp_path: Path, variant: str) -> None:
    (tmp_path / "nothing.patch").write_text("")
    with pytest.raises(CheckFailed, match=r"after-sold-out: .*'taken', 'returned'"):
        measure(variant, tmp_path / "compared", tmp_path / "nothing.patch")


@pytest.mark.usefixtures("impatient")
def test_new_listeners_that_hear_what_was_before_them_are_found_out(tmp_path: Path) -> None:
    """Without `listen_from = "now"`, what was settled before the change is paid, reserved and sent once more."""
    patch = re.sub(r"(?m)^\+    listen_from = .*\n\+\n", "", (CHANGE / "by_events.patch").read_text("utf-8"))
    (tmp_path / "from-the-beginning.patch").write_text(patch)
    with pytest.raises(CheckFailed, match=r"before-fine: .*'taken', 'taken'"):
        measure("by_events", tmp_path / "compared", tmp_path / "from-the-beginning.patch")


# --- patches and differences ----------------------------------------------------------------------

PATCH = """\
--- a/poem
+++ b/poem
@@ -1,2 +1,2 @@
-one
+eins
 two
@@ -4 +4,2 @@
 four
+five
--- /dev/null
+++ b/more
@@ -0,0 +1 @@
+new
"""


def test_a_patch_changes_files_and_makes_new_ones(tmp_path: Path) -> None:
    (tmp_path / "poem").write_text("one\ntwo\nthree\nfour\n")
    apply_patch(PATCH, tmp_path)
    assert (tmp_path / "poem").read_text() == "eins\ntwo\nthree\nfour\nfive\n"
    assert (tmp_path / "more").read_text() == "new\n"


@pytest.mark.parametrize(
    ("before", "complaint"),
    [("un\ntwo\nthree\nfour\n", "from line 1 it is not as the patch says"), (None, "poem is not there")],
)
def test_a_patch_of_something_else_is_refused(tmp_path: Path, before: str | None, complaint: str) -> None:
    if before is not None:
        (tmp_path / "poem").write_text(before)
    with pytest.raises(PatchFailed, match=complaint):
        apply_patch(PATCH, tmp_path)


def test_differences_are_counted_by_file(tmp_path: Path) -> None:
    for folder, files in (("old", {"a.py": "1\n2\n3\n", "b.py": "x\n"}), ("new", {"a.py": "1\n3\n4\n5\n"})):
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text)
    changes = differences(tmp_path / "old", tmp_path / "new")
    assert [(each.path, each.added, each.removed) for each in changes] == [("a.py", 2, 1), ("b.py", 0, 1)]


def test_a_directory_that_is_there_already_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--keep", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err


# --- the rule of the contexts ---------------------------------------------------------------------


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_context_knows_of_others_their_messages_only(variant: str, context: str) -> None:
    package = "examples.choreography"
    allowed = {f"{package}.{variant}.{other}.messages" for other in CONTEXTS} | {f"{package}.order"}
    for path in (ROOT / "examples" / "choreography" / variant / context).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
                business = (node.module or "").startswith(f"{package}.business.")
                assert business or node.module in allowed, f"{path.name} imports {node.module}"
