"""Lines that fit, and text that a terminal cannot be misled by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga.cli.terminal import Cell, Terminal, cells, clean, joined, wrapped
from saga.cli.values import iso, lasted, size


@given(st.text(), st.integers(2, 60))
def test_wrapped_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    text = clean(text)
    lines = list(wrapped(text, width))
    assert all(cells(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.text())
def test_cleaned_text_is_printable(text: str) -> None:
    assert clean(text).replace("\N{NO-BREAK SPACE}", "").isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcödé 注文", "plain Ünïcödé 注文"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r\x7f\x9b", "a\\nb\\tc\\r\\x7f\\x9b"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_wide_character_takes_two_cells_and_a_combining_one_none() -> None:
    assert (cells("注文"), cells("e\N{COMBINING ACUTE ACCENT}"), cells("ab")) == (4, 1, 2)
    assert list(wrapped("注文注文", 5)) == ["注文", "注文"]


def test_a_date_is_not_parted_from_its_time() -> None:
    assert list(wrapped("until 2026-01-01 12:00:00", 20)) == ["until", "2026-01-01 12:00:00"]


@given(st.text(min_size=1), st.text(min_size=1), st.integers(40, 100))
def test_hanging_text_fits_and_nothing_is_lost(first: str, text: str, width: int) -> None:
    lines: list[str] = []
    terminal = Terminal(width, colour=False)
    terminal._put = lambda parts: lines.append("".join(part.text for part in parts))  # type: ignore[method-assign]
    terminal.hanging(f"{first}: ", text, indent=4)
    assert all(cells(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == clean(f"{first}:{text}").replace(" ", "")


def test_items_are_broken_between_only(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(40, colour=False).hanging(
        "", f"sagas: {joined(['3 RUNNING', '2 PARKED', '1 COMPENSATING'])}", indent=2
    )
    assert capsys.readouterr().out == "sagas: 3 RUNNING, 2 PARKED,\n  1 COMPENSATING\n"


def test_a_table_puts_below_what_does_not_fit_beside(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        [Cell("a" * 30), Cell("b" * 9), Cell("c"), Cell("d d")],
        [Cell("a"), Cell("b"), Cell(""), Cell("")],
    ]
    Terminal(43, colour=False).table(("A", "B", "C", "D"), rows)
    assert capsys.readouterr().out == (
        f"A{' ' * 31}B\n    C  D\n{'a' * 30}  {'b' * 9}\n    c  d d\na{' ' * 31}b\n"
    )


def test_a_table_is_as_wide_as_it_gets_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(None, colour=False).table(("A", "B"), [[Cell("a" * 100), Cell("b" * 100)]])
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_250, "1.25 s"),
        (59_999, "60 s"),
        (60_000, "1 min"),
        (725_000, "12 min 5 s"),
        (3_600_000, "1 h"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_durations_in_their_two_largest_units(ms: int, text: str) -> None:
    assert lasted(ms) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (36_864, "36.9 KB"), (1_200_000, "1.2 MB"), (5 * 10**12, "5 TB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_times() -> None:
    assert iso(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"
    assert iso(None) is None
    assert iso(2**60) == f"{2**60} ms"
