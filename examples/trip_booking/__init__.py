"""Trip booking: a car, a hotel, a flight. When one of them fails, what was booked before is cancelled, in reverse.

`README.md` tells the story. To read the code, begin with `book_trip.py`, the process; then `cars`, a context
with its own file, and `flights`, a gateway to a company that we do not own; then `agency.py`, where everything
is put together. `outside` is that company, simulated; `tour` plays four trips and prints their histories.
"""
