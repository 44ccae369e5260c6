"""The server: `python -m examples.web_shop.serve --store DIR --bank URL`.

It says on its standard output where it listens. SIGTERM and SIGINT end it in order: requests that are under way are
answered, then the runtime is closed. `kill -9` ends it, too; the next start goes on with what was under way.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from pathlib import Path

import structlog
import uvicorn

from examples.web_shop.shop import make_shop
from examples.web_shop.web.app import create_app

__all__ = ["main", "port", "serve"]

GRACE_S = 10
"""How long requests that are under way may take when the server is told to end."""


def port(word: str) -> int:
    """A type for arguments: the number of a port."""
    if not (word.isdecimal() and int(word) < 2**16):
        raise argparse.ArgumentTypeError(f"{word!r} is no port: write a number from 0 to 65535")
    return int(word)


class _Server(uvicorn.Server):
    """Says where it listens, as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and listen."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()
            print(f"listening http://{host}:{port}", flush=True)


def serve(store: Path, bank_url: str, at: int) -> None:
    """Serve until a signal comes. `at`: the port; 0, any that is free."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    app = create_app(lambda: make_shop(store, bank_url))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=at, log_level="warning", timeout_graceful_shutdown=GRACE_S
    )
    _Server(config).run()


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(prog="web_shop.serve", description="The web shop, as a process.")
    parser.add_argument("--store", type=Path, required=True, help="the directory of its data")
    parser.add_argument("--bank", required=True, metavar="URL", help="where the bank listens")
    parser.add_argument("--port", type=port, default=0, help="0, the default, takes any that is free")
    arguments = parser.parse_args()
    serve(arguments.store, arguments.bank, arguments.port)


if __name__ == "__main__":
    main()
