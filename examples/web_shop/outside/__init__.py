"""The world outside of the shop, simulated: a bank."""
