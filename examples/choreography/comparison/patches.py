"""Applies a patch in the unified format, strictly: what it says is there must be there, at the line it names."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["PatchFailed", "apply_patch"]

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@.*\n")


class PatchFailed(Exception):
    """The patch is not about these files as they are."""


def apply_patch(patch: str, folder: Path) -> None:
    """Change the files in `folder`, to which the names in the patch are relative. Raises PatchFailed."""
    for part in re.split(r"(?m)^--- ", patch)[1:]:
        head, *hunks = re.split(r"(?m)^(?=@@ )", part)
        old_name, new_name = head.splitlines()[:2]
        path = folder / new_name.removeprefix("+++ b/")
        is_new = old_name == "/dev/null"
        if path.exists() == is_new:
            raise PatchFailed(f"{path.name} is{' ' if is_new else ' not '}there; make the patch anew")
        lines = [] if is_new else path.read_text(encoding="utf-8").splitlines(keepends=True)
        for hunk in reversed(hunks):  # from the end, so that the numbers of the lines before still hold
            _apply(hunk.splitlines(keepends=True), lines, path)
        path.write_text("".join(lines), encoding="utf-8")


def _apply(hunk: list[str], lines: list[str], path: Path) -> None:
    found = _HUNK.fullmatch(hunk[0])
    if found is None:
        raise PatchFailed(f"{path.name}: {hunk[0]!r} is no head of a hunk")
    at = max(0, int(found[1]) - 1)
    old = [line[1:] for line in hunk[1:] if line[0] in " -"]
    new = [line[1:] for line in hunk[1:] if line[0] in " +"]
    if lines[at : at + len(old)] != old:
        raise PatchFailed(f"{path.name}: from line {at + 1} it is not as the patch says; make the patch anew")
    lines[at : at + len(old)] = new
