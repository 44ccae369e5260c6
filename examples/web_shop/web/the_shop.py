"""How a request gets at the runtime that its application has opened."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from saga import Runtime

__all__ = ["TheShop"]


def _the_shop(request: Request) -> Runtime:
    shop: Runtime = request.app.state.shop
    return shop


TheShop = Annotated[Runtime, Depends(_the_shop)]
