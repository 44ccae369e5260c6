"""The world around the shop, simulated: customers, people in the warehouse, the card processor, and fate.

Nothing here is random: what happens to an order follows from its id, so that it can be told beforehand.
"""
