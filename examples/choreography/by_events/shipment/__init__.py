"""Shipment: a context of this variant."""
