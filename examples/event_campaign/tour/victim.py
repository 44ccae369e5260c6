"""The process that is killed: a company that calls its campaign off. Arguments: store, address of the provider."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.event_campaign.company import make_company
from examples.event_campaign.planning.messages import CallOff
from examples.event_campaign.tour.ideas import KILLED
from saga import VirtualClock

if __name__ == "__main__":
    store, provider_url = sys.argv[1:]
    with make_company(Path(store), provider_url, VirtualClock()) as company:
        company.send(CallOff(KILLED.campaign_id, "the hall has burnt down"))
        company.handle(KILLED.campaign_id).wait()
