"""One viewer's time, which passes as they act, and goes with every request."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from config import clock


class ViewersClock:
    """The moment it is for one viewer. `requests` counts what was asked at its moments."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.requests = 0

    def pass_ms(self, milliseconds: float) -> None:
        """Time passes."""
        self.moment += timedelta(milliseconds=round(milliseconds))

    def headers(self) -> Mapping[str, str]:
        """What makes it this moment for the service, signed with the instance's own key."""
        self.requests += 1
        return {clock.HEADER: clock.header_value(self.moment)}
