"""Some damaged stores: each damage is noticed or harmless, and without the checks some are not noticed."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from reliability.corrupt import command
from reliability.result import Result


@pytest.mark.skipif(sys.platform == "win32", reason="it needs os.fork")
@pytest.mark.timeout(300)
def test_damage_is_noticed_or_harmless_and_without_the_checks_it_is_not() -> None:
    done = CliRunner().invoke(command, [], standalone_mode=False)
    assert done.exception is None, done.exception
    result = done.return_value
    assert isinstance(result, Result)
    assert result.violations == []
    assert int(result.figures["control: silent divergences"]) > 0
