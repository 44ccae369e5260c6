"""Logs, of which nothing comes back: what a processor or an output raises costs a line of the log, and nothing else.

How a log looks and where it goes is the application's (`structlog.configure`), so it is code of the application's that
runs where something has just gone wrong: an actor that has died is restarted although the disk of the log is full.
"""

from __future__ import annotations

import structlog

__all__ = ["Log"]


class Log:
    """A logger of structlog under a name."""

    def __init__(self, name: str) -> None:
        self._logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)

    def info(self, event: str, **facts: object) -> None:
        """Something that is in order, and worth knowing."""
        try:
            self._logger.info(event, **facts)
        except BaseException:
            pass

    def warning(self, event: str, **facts: object) -> None:
        """Something that heals by itself."""
        try:
            self._logger.warning(event, **facts)
        except BaseException:
            pass

    def error(self, event: str, **facts: object) -> None:
        """Something that a person should know."""
        try:
            self._logger.error(event, **facts)
        except BaseException:
            pass
