"""Times, durations and sizes, as programs and as people read them."""

from __future__ import annotations

from saga.times import utc

__all__ = ["first_line", "iso", "lasted", "moment", "size"]


def iso(ms: int | None) -> str | None:
    """Return UTC ms as `2026-01-31T12:00:00.000Z`; None stays None."""
    if ms is None:
        return None
    try:
        text = utc(ms).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"  # beyond the year 9999: only damage, or a sleep of centuries
    return text.replace("+00:00", "Z")


def moment(at: str) -> str:
    """Return a time of `iso` for people: `2026-01-31 12:00:00`. It is UTC, which is said elsewhere."""
    return at[:19].replace("T", " ") if "T" in at else at


def lasted(ms: int) -> str:
    """Return a duration in its two largest units: `3 d 4 h`, `12 min 5 s`, `1.25 s`, `7 ms`."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.3g} s"
    units = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))
    at = next(number for number, (_, unit) in enumerate(units) if ms >= unit)
    (large, large_ms), (small, small_ms) = units[at], units[at + 1]
    rest = ms % large_ms // small_ms
    return f"{ms // large_ms} {large}" + (f" {rest} {small}" if rest else "")


def size(count: int) -> str:
    """Return bytes as `512 B`, `36 KB`, `1.2 MB`."""
    if count < 1_000:
        return f"{count} B"
    number = float(count)
    for unit in ("KB", "MB", "GB", "TB"):
        number /= 1_000
        if number < 1_000 or unit == "TB":
            break
    return f"{number:.3g} {unit}"


def first_line(reason: str) -> str:
    """Return the line of a reason that says most: of a traceback the last one, as `saga.history` does."""
    lines = reason.strip().splitlines()
    return lines[-1].strip() if lines else ""
