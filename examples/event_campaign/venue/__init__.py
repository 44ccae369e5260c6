"""Venue: halls, and who has which hall on which day."""
