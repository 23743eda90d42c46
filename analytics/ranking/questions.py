"""What the pipeline may ask of the ranking."""

from analytics.ranking.ranking import Horizon
from config.bodies import RequestShape


class RankingsQuery(RequestShape):
    """How long after its start a viewer's revenue counts."""

    horizon: Horizon = Horizon.WEEK
