"""Wrong uses: mypy and pyright must flag each line marked with W and a number, and no other line."""

from __future__ import annotations

from datetime import timedelta

from payment import CardCharged, ChargeCard
from saga import (
    Context,
    Gateway,
    Retry,
    Runtime,
    Saga,
    again,
    answer,
    choice,
    condition,
    end,
    parallel,
    refuse,
    scope,
    sleep,
    step,
    wait,
)
from shop import (
    FulfilOrder,
    GoodsFetched,
    GoodsReserved,
    OrderPlaced,
    PaymentTaken,
    RefundPayment,
    ReserveGoods,
    ShipGoods,
    TakePayment,
)


class A(Context):
    @ReserveGoods.handler  # W1 another answer
    def a(self, command: ReserveGoods) -> PaymentTaken:
        raise NotImplementedError

    @ReserveGoods.handler  # W2 another command
    def b(self, command: TakePayment) -> GoodsReserved:
        raise NotImplementedError


class B(Saga[OrderPlaced]):
    @step()
    def pay(self) -> TakePayment:
        return TakePayment(self.input.order_idd, self.input.total)  # W3 a field the input does not have

    @step()
    def pay2(self) -> TakePayment:
        return TakePayment(self.input.order_id, "5")  # W4 a field of another type

    @pay.compensation  # W5 no command
    def w5(self) -> GoodsFetched:
        raise NotImplementedError

    @pay.compensation
    def w6(self) -> RefundPayment:
        return RefundPayment(self.pay.typo)  # W6 a field the answer does not have

    @pay.compensation  # W7 the answer of another step
    def w7(self, x: CardCharged | None) -> RefundPayment:
        raise NotImplementedError

    @pay.compensation  # W7 does not accept None
    def w7b(self, x: PaymentTaken) -> RefundPayment:
        raise NotImplementedError

    @step()  # W8 no command
    def w8(self) -> GoodsFetched:
        raise NotImplementedError

    @wait(TakePayment)  # W9 no event
    def w9(self) -> str:
        return ""

    @step()
    def w10(self) -> ShipGoods:
        return ShipGoods("", self.pay().payment_id)  # W10 a value is no function

    @condition  # W11 no bool
    def w11(self) -> str:
        return ""

    flow = choice((pay, pay2))  # W12 a step is no condition


@B.pay.compensation  # W13 of another saga
def w13(self: FulfilOrder) -> RefundPayment:
    raise NotImplementedError


def w14(runtime: Runtime) -> None:
    runtime.start(FulfilOrder, GoodsFetched("a", "b"), id="x")  # W14 another input


# W15, a leaf of another saga, is found when the class is made: see wrong_at_import.py.


class D(Gateway):
    @ChargeCard.handler  # W16 async, another answer
    async def a(self, command: ChargeCard) -> PaymentTaken:
        raise NotImplementedError

    @ChargeCard.handler  # W17 async, another command
    async def b(self, command: TakePayment) -> CardCharged:
        raise NotImplementedError


class E(Saga[OrderPlaced]):
    @step(retry=3)  # W18 no Retry
    def w18(self) -> TakePayment:
        raise NotImplementedError

    @step(retry=Retry(first=100))  # W19 no timedelta
    def w19(self) -> TakePayment:
        raise NotImplementedError

    @step(timeout=5)  # W20 no timedelta
    def w20(self) -> TakePayment:
        raise NotImplementedError

    @step  # W21 without parentheses
    def w21(self) -> TakePayment:  # W21
        raise NotImplementedError

    @step()  # W22 async
    async def w22(self) -> TakePayment:
        raise NotImplementedError

    @sleep  # W23 no time
    def w23(self) -> int:
        return 3

    @sleep()  # W24 with parentheses
    def w24(self) -> timedelta:
        return timedelta(days=1)

    @wait(GoodsFetched, otherwise="late")  # W25 no block
    def w25(self) -> str:
        return ""

    @step()
    def fine(self) -> TakePayment:
        raise NotImplementedError

    @fine.compensation
    def undo_fine(self) -> RefundPayment:
        raise NotImplementedError

    @wait(GoodsFetched)
    def fetched(self) -> str:
        return ""

    @condition
    def is_fine(self) -> bool:
        return True

    @answer
    def w26(self) -> GoodsFetched:
        return self.fine  # W26 a value of another type

    w27 = scope(fine, compensation=fetched)  # W27 no step
    w28 = scope(fine, compensation=undo_fine)  # W28 a compensation is no step
    w29 = scope(fine, catch={"code": is_fine})  # W29 a condition is no block
    w30 = scope(fine, catch={7: fetched})  # W30 a code is a string
    w31 = end(3)  # W31 nothing to say
    w32 = again(3)  # W32 at_most is named
    w33 = again()  # W33 without a limit
    w34 = refuse("no")  # W34 without a code
    w35 = parallel(fine, "fetched")  # W35 a string is no block
    w36 = choice((is_fine, fine, fetched))  # W36 no pair
    w37 = choice(is_fine)  # W37 no pair


class F(Saga[OrderPlaced], context=FulfilOrder): ...  # W38 no context
