"""Four trips, played one after the other, and their histories printed. Trip 4 is killed in the middle."""
