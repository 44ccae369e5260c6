"""Payment: the customers' cards, and the book of what was taken and given back.

Card numbers never leave it, but for the card processor, which its gateway talks to.
"""
