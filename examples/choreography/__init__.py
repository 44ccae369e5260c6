"""The same business twice: as a chain of events without a coordinator, and as a saga. Then both are changed.

`README.md` tells what comes of it. To read the code, begin with `business`, which is what each context can do, the same
in both variants; then `by_saga/fulfil_order.py`; then the contexts in `by_events`, one after the other, in the order in
which they hear of each other. `change` holds the change of each variant as a patch; `comparison` measures it.
"""
