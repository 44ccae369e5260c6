"""Cars: a fleet in each city, and who has which car."""
