"""Promotion: advertisements, and what they cost."""
