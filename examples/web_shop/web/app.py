"""The application: it opens the runtime when it starts, and closes it when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from examples.web_shop.web import customers, orders, problems
from saga import Runtime

__all__ = ["create_app"]


def create_app(make_shop: Callable[[], Runtime]) -> FastAPI:
    """Return the application. `make_shop` makes the runtime; it is called once, when the application starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with make_shop() as shop:  # what a kill has interrupted goes on here
            app.state.shop = shop
            yield

    app = FastAPI(title="web shop", version="1", lifespan=lifespan)
    problems.install(app)
    app.include_router(orders.router)
    app.include_router(customers.router)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answer: whoever does is alive, and its loop is not blocked."""
        return {"status": "ok"}

    return app
