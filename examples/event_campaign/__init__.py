"""An event campaign: a company plans a conference, from the idea to the evaluation, or calls it off and owes nobody.

`README.md` tells the story. To read the code, begin with `run_campaign.py`, the process; then `speakers`, with the saga
that it calls for each talk; then `registration`, whose sagas answer its commands and which takes money through a
gateway; then `company.py`, where everything is put together. `outside` is a payment provider, simulated; `tour` plays
four campaigns and prints what happened on which day.
"""
