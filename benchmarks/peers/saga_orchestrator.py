"""python-saga-orchestrator on SQLite, through SQLAlchemy and aiosqlite."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loguru import logger
from pydantic import BaseModel
from saga_orchestrator import (
    BaseStep,
    SagaBuilder,
    SagaOrchestrator,
    SagaStateMixin,
    SagaStatus,
    SagaStepHistoryMixin,
)
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from benchmarks.peers import steps
from benchmarks.peers.talk import serve


class Base(DeclarativeBase):
    """The tables."""


class OrderHistory(Base, SagaStepHistoryMixin):
    """What happened."""

    __tablename__ = "order_history"
    saga_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("order_state.id", ondelete="CASCADE"), index=True)


class OrderState(Base, SagaStateMixin):
    """Where a saga stands."""

    __tablename__ = "order_state"
    step_history: Mapped[list[OrderHistory]] = relationship(
        "OrderHistory", cascade="all, delete-orphan", order_by="OrderHistory.id"
    )


class Order(BaseModel):
    """The input of the first step."""

    order_id: str


class Reserved(BaseModel):
    """What the first step gives, the input of the second."""

    order_id: str
    reservation_id: str


class Paid(BaseModel):
    """What the second step gives, the input of the third."""

    order_id: str
    payment_id: str


class Shipped(BaseModel):
    """What the third step gives."""

    order_id: str


class Reserve(BaseStep[Order, Reserved]):
    """The first step."""

    async def execute(self, inp: Order, event_type: str | None = None, event_payload: Any = None) -> Reserved:
        return Reserved(order_id=inp.order_id, reservation_id=steps.reserve(inp.order_id))

    async def compensate(
        self, inp: Order, out: Reserved, event_type: str | None = None, event_payload: Any = None
    ) -> None:
        steps.release(inp.order_id)


class Take(BaseStep[Reserved, Paid]):
    """The second step."""

    async def execute(self, inp: Reserved, event_type: str | None = None, event_payload: Any = None) -> Paid:
        return Paid(order_id=inp.order_id, payment_id=steps.take(inp.order_id, "12.50"))

    async def compensate(
        self, inp: Reserved, out: Paid, event_type: str | None = None, event_payload: Any = None
    ) -> None:
        steps.refund(inp.order_id)


class Ship(BaseStep[Paid, Shipped]):
    """The third step."""

    async def execute(self, inp: Paid, event_type: str | None = None, event_payload: Any = None) -> Shipped:
        steps.ship(inp.order_id, inp.payment_id)
        return Shipped(order_id=inp.order_id)


class Orchestrator:
    """Sagas that `start` runs to their end."""

    def __init__(self, engine: AsyncEngine, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._sagas: SagaOrchestrator[Any, Any] = SagaOrchestrator(
            model_class=OrderState,
            history_model_class=OrderHistory,
            session_maker=async_sessionmaker(engine, expire_on_commit=False),
        )
        builder = SagaBuilder()
        reserved = builder.add_step(
            step=Reserve(), input_map=lambda context: Order(order_id=context.initial_data["order_id"])
        )
        paid = builder.add_step(step=Take(), depends_on=reserved, input_map=lambda out: out)
        builder.add_step(step=Ship(), depends_on=paid, input_map=lambda out: out)
        self._sagas.register("order", builder.build())

    def run(self, orders: Sequence[str], concurrency: int) -> int:
        return self._runner.run(self._run_all(orders, concurrency))

    async def _run_all(self, orders: Sequence[str], concurrency: int) -> int:
        room = asyncio.Semaphore(concurrency)

        async def one(order_id: str) -> bool:
            async with room:
                saga_id = await self._sagas.start(
                    saga_name="order", initial_data={"order_id": order_id}, aggregation_id=order_id
                )
                status = (await self._sagas.get_snapshot(saga_id)).status
            if status not in (SagaStatus.COMPLETED, SagaStatus.COMPENSATED):
                raise RuntimeError(f"{order_id} is {status}")
            return status == SagaStatus.COMPLETED

        return sum(await asyncio.gather(*map(one, orders)))


async def prepare(engine: AsyncEngine) -> str:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
        journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
    return f"SQLite, `synchronous={synchronous}` (2 is FULL), `journal_mode={journal}`"


def main(directory: Path) -> None:
    logger.remove()
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{directory / 'sagas.db'}", connect_args={"timeout": 60}
    )
    with asyncio.Runner() as runner:
        how = runner.run(prepare(engine))
        serve(Orchestrator(engine, runner), how, (1, 4))
        runner.run(engine.dispose())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
