"""The fake ad network's report of days that are over, brought as an operator brings a file."""

from datetime import datetime

from ads.models import Network, ReportOrigin
from ads.revenue import reports
from ads.revenue.reports import Brought
from demo.facts import fact

_COLUMNS = ("day", "ad_unit_id", "country", "impressions", "revenue")


def bring(content: bytes, *, now: datetime) -> int:
    """Has the service take what the network says of its days; of how many it is news. Raises WrongFact if a
    line is refused."""
    if not content:
        return 0
    taken = reports.take(
        Brought(
            content=content,
            network=Network.FAKE,
            name="fake-network.csv",
            origin=ReportOrigin.COMMAND,
            currency="USD",
            mapping={name: name for name in _COLUMNS},
        ),
        now=now,
    )
    fact("refused lines of the ad network's report", list(taken.refusals), [])
    return len(taken.new_days)
