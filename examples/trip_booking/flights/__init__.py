"""Flights: a gateway to an airline. It keeps nothing itself; what is booked, the airline knows."""
