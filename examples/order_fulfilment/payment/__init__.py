"""Payment: the customers' credit and cards, and the book of what was taken and given back.

`TakePayment` and `RefundPayment` are answered by sagas of its own, `collect_payment.py` and `return_payment.py`:
how one is paid, and how long that takes, is nobody else's business. Card numbers never leave it, but for the
card processor, which its gateway talks to.
"""
