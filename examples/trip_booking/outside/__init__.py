"""The world outside of the agency, simulated: an airline."""
