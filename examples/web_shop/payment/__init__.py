"""Payment: the customers' cards, and the letters that ask for another one.

Card numbers never leave it, but for the bank, which its gateway talks to.
"""
