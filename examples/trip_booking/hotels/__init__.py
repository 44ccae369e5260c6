"""Hotels: rooms in each city, and who has which room."""
