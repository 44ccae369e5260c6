"""Checkout: a context of this variant."""
