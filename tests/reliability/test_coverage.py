"""The count of lines and branches: what is missing is told, with where."""

from __future__ import annotations

from click.testing import CliRunner

from reliability.__main__ import main
from reliability.coverage import counted

FILES = {
    "saga/codec/a.py": {
        "summary": {"num_statements": 90, "num_branches": 10, "covered_lines": 90, "covered_branches": 9},
        "missing_lines": [],
        "missing_branches": [[7, -3]],
    },
    "saga/codec/b.py": {
        "summary": {"num_statements": 98, "num_branches": 2, "covered_lines": 97, "covered_branches": 2},
        "missing_lines": [12],
        "missing_branches": [],
    },
    "saga/messages.py": {
        "summary": {"num_statements": 10, "num_branches": 0, "covered_lines": 10, "covered_branches": 0},
        "missing_lines": [],
        "missing_branches": [],
    },
}


def test_lines_and_branches_are_counted_for_each_package() -> None:
    codec = counted("codec", FILES)
    assert (codec.all, codec.taken, codec.percent) == (200, 198, 99.0)
    assert codec.missing == ["saga/codec/a.py 7->end", "saga/codec/b.py 12"]
    assert counted("messages", FILES).percent == 100
    assert counted("nothing", FILES).percent == 0


def test_what_few_tests_leave_out_is_told_with_the_line_that_shows_it_again() -> None:
    words = ["coverage", "--tests", "tests/codec/test_codec_times.py", "--package", "codec", "--least", "99"]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 1
    assert "saga/codec: " in told.output
    assert "saga/codec/fingerprint.py" not in told.output.partition("missing")[0]
    assert told.output.strip().endswith(
        "python3 run.py reliability coverage --tests tests/codec/test_codec_times.py --package codec"
    )
