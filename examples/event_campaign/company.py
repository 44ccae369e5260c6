"""Where the company is put together: the one place that knows contexts, gateway and sagas."""

from __future__ import annotations

from pathlib import Path

from examples.event_campaign.feedback.context import Feedback
from examples.event_campaign.planning.context import Planning
from examples.event_campaign.promotion.context import Promotion
from examples.event_campaign.registration.context import Registration
from examples.event_campaign.registration.provider import Provider
from examples.event_campaign.registration.refund_everybody import RefundRegistrations
from examples.event_campaign.registration.take_registration import TakeRegistration
from examples.event_campaign.run_campaign import RunCampaign
from examples.event_campaign.speakers.context import Speakers
from examples.event_campaign.speakers.find_speaker import FindSpeaker
from examples.event_campaign.venue.context import Venue
from saga import Runtime, ScaledClock, VirtualClock

__all__ = ["make_company"]


def make_company(store: Path, provider_url: str, clock: VirtualClock | ScaledClock | None = None) -> Runtime:
    """Return the company whose data is in the directory `store`; it opens with `with`. No `clock`: the real one."""
    return Runtime(
        store,
        contexts=[
            Planning,
            Venue,
            Speakers,
            Promotion,
            Registration,
            lambda: Provider(provider_url),
            Feedback,
        ],
        sagas=[RunCampaign, FindSpeaker, TakeRegistration, RefundRegistrations],
        clock=clock,
    )
