"""A web shop: FastAPI in front, the saga runtime inside, in one process that may be killed at any time.

`README.md` tells the story. To read the code, begin with `fulfil_order.py`, the process; then `web/orders.py`, where a
request starts one, waits half a second for it, and tells where it stands; then `web/app.py`, where both are put
together. `outside` is the bank, simulated; `tour` talks to the shop over HTTP and kills it.
"""
