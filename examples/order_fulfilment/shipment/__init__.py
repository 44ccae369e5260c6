"""Shipment: hands parcels to a carrier."""
