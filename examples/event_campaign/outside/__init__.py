"""The world outside of the company, simulated: a payment provider."""
