"""A company of its own, reached by HTTP: what stands outside of the process of an example, where no kill touches it."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["Company", "Reply"]

Reply = tuple[HTTPStatus, Mapping[str, object]]
"""The status, and what becomes the JSON of the body."""


class Company:
    """A company that is open for business, on a free port of this machine, while it is used as a context manager.

    It is to define `answer`; each wish is answered on a thread of its own.
    """

    def __init__(self) -> None:
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._serve, name=type(self).__name__, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, key: str, path: str, wish: dict[str, Any]) -> Reply | None:
        """Carry out a wish, which came with an idempotency key; None: the line breaks before the answer is through."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, company: Company) -> None:
        self.company = company
        super().__init__(("127.0.0.1", 0), _Clerk)

    def handle_error(self, *_: object) -> None:
        """Whoever is killed hangs up in the middle of a call: that is no error here."""
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


class _Clerk(BaseHTTPRequestHandler):
    """Takes one wish."""

    server: _Server

    def do_POST(self) -> None:
        """Have the wish carried out; answer, unless the line breaks."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed in the middle of the question
        answer = self.server.company.answer(self.headers["Idempotency-Key"], self.path, json.loads(body))
        if answer is None:
            return
        status, reply = answer
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """It keeps its own books, and writes nothing to the screen."""
