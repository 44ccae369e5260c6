"""The language reference, docs/flow.md, is true: its code runs, in its order, and every element stands in it."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import types
from pathlib import Path

import pytest

import saga
from saga.flow import blocks, decorators

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "flow.md").read_text()


def blocks_of(language: str) -> list[tuple[int, str]]:
    """Return the fenced blocks of this language: line they begin at, text."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [(TEXT.count("\n", 0, match.start(1)) + 1, match[1]) for match in found]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    made = types.ModuleType("flow_in_docs")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_the_code_runs_in_its_order_and_prints_what_it_says(module: types.ModuleType) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for line, code in blocks_of("python"):
            exec(compile("\n" * (line - 1) + code, "docs/flow.md", "exec"), vars(module))
    (said,) = (text for _, text in blocks_of("text"))
    assert printed.getvalue() == said


def test_every_element_is_described() -> None:
    named = set(re.findall(r"^##? (\w+)$", TEXT, re.MULTILINE))
    makers = {name for name in blocks.__all__ if name.islower()} | set(decorators.__all__)
    assert makers - named == {"condition", "items"}  # with `choice` and `each`
    assert makers <= set(re.findall(r"\w+", blocks_of("python")[0][1])), "the examples use them all"
    assert makers <= set(saga.__all__)


def test_links_within_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= anchors
