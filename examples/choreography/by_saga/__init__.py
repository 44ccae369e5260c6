"""The same contexts, told what to do by a saga. The whole stands in `fulfil_order.py`."""
