"""Order fulfilment: five contexts, two thousand real shopping baskets, and `kill -9`.

`README.md` tells the story. To read the code, begin with `fulfil_order.py`, the process; then one context,
such as `inventory`; then `payment`, which answers with sagas of its own; then `shop.py`, where everything is
put together. `outside` is the world around the shop, simulated; `trial` runs the shop, kills it, and checks its
books.
"""
