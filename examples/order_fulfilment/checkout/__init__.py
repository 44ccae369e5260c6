"""Checkout: takes orders. It answers from its own copy of what is on the shelves, without asking anybody."""
