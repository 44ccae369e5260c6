"""Inventory: what is on the shelves, what of it is reserved for whom, and what is to be fetched."""
