"""Registration: seats, who has paid for them, and who gets the money back.

Its sagas answer its commands: `take_registration.py` sells one seat, `refund_everybody.py` gives everything back. Who
sends these commands sees one question and one answer. `provider.py` is its gateway to the payment provider.
"""
