"""Feedback: what the visitors say afterwards."""
