"""Warehouse: what there is, what it costs, what of it is reserved for which order, and the parcels."""
