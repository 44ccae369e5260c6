"""What goes wrong, as RFC 9457 wants it said: `application/problem+json`, for programs and for people.

Rules
1. Every answer with a status from 400 on is such a document, also those that the framework gives by itself.
2. What is told is what the caller can use: no stack, no path, and never what was in the body: it may be a card number.
3. `type` is the promise to programs; `detail` may be worded otherwise tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from saga import CommandFailed, Overloaded, RuntimeClosed, SagaConflict, StoreFailed, UnknownSaga, WaitTimeout

__all__ = ["Problem", "install"]

TYPES = "tag:web-shop.example,2026:"
"""What all types begin with: names, not addresses (RFC 4151)."""

ASK_AGAIN = "ask again later, with the same Idempotency-Key: then nothing is done twice"


class Problem(Exception):
    """What is answered instead of what was asked for."""

    def __init__(
        self,
        status: HTTPStatus,
        name: str,
        title: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        """`name`: the last part of the type, "" when the status says it all; `title` is the same for each of a type;
        `errors`: for a body with several mistakes, where and what."""
        super().__init__(detail or title)
        self.status, self.name, self.title, self.detail = status, name, title, detail
        self.headers, self.errors = dict(headers or {}), errors

    def document(self, instance: str) -> dict[str, Any]:
        """Return the members of the document. `instance`: the path that was asked for."""
        members: dict[str, Any] = {
            "type": f"{TYPES}{self.name}" if self.name else "about:blank",
            "title": self.title,
            "status": int(self.status),
            "instance": instance,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.errors is not None:
            members["errors"] = self.errors
        return members


def install(app: FastAPI) -> None:
    """Let `app` answer with problems."""
    for error in (Problem, RequestValidationError, HTTPException, Exception, *SAGA_ERRORS):
        app.add_exception_handler(error, _answer)


SAGA_ERRORS = (UnknownSaga, SagaConflict, Overloaded, WaitTimeout, RuntimeClosed, StoreFailed, CommandFailed)
"""What the runtime says that is the caller's business; all else is ours, and a 500."""


async def _answer(request: Request, error: Exception) -> Response:
    problem = _problem(error)
    return JSONResponse(
        problem.document(request.url.path),
        problem.status,
        problem.headers,
        media_type="application/problem+json",
    )


def _problem(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            return Problem(status, "", status.phrase, headers=error.headers)
        case UnknownSaga():
            return Problem(
                HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order", f"no order {error.saga_id}"
            )
        case SagaConflict():
            return Problem(
                HTTPStatus.CONFLICT,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another order",
                f"order {error.saga_id} was placed with this key and another body; take a new key for a new order",
            )
        case Overloaded():
            return _unavailable("busy", "Too many orders are under way", "nothing was stored")
        case WaitTimeout() | CommandFailed():
            return _unavailable(
                "not-known-yet", "It takes longer than it should", "it may be done all the same"
            )
        case RuntimeClosed() | StoreFailed():
            return _unavailable("closed", "The shop is closed for a moment", "what was acknowledged is kept")
        case _:
            return Problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "", "Something is wrong here, not with the request"
            )


def _unavailable(name: str, title: str, what: str) -> Problem:
    detail, headers = f"{what}; {ASK_AGAIN}", {"Retry-After": "2"}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, name, title, detail, headers=headers)


def _invalid(error: RequestValidationError) -> Problem:
    errors = [{"where": ".".join(map(str, each["loc"])), "what": str(each["msg"])} for each in error.errors()]
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not as it must be", errors=errors
    )
