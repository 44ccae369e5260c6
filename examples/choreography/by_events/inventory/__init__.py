"""Inventory: a context of this variant."""
