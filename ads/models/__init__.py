from ads.models.callbacks import Callback, Verdict
from ads.models.earnings import Basis, EarningCorrection, RevenueDay, TrueUp
from ads.models.impressions import AdFormat, Impression, ImpressionSource, Precision
from ads.models.keys import VerifierKeys
from ads.models.placements import Network, Placement, PlacementReward
from ads.models.revenue_reports import (
    ReportedDay,
    ReportLine,
    ReportOrigin,
    ReportPull,
    RevenueReport,
)
from ads.models.rewards import Reward
from ads.models.sessions import AdSession, SessionState

__all__ = [
    "AdFormat",
    "AdSession",
    "Basis",
    "Callback",
    "EarningCorrection",
    "Impression",
    "ImpressionSource",
    "Network",
    "Placement",
    "PlacementReward",
    "Precision",
    "ReportLine",
    "ReportOrigin",
    "ReportPull",
    "ReportedDay",
    "RevenueDay",
    "RevenueReport",
    "Reward",
    "SessionState",
    "TrueUp",
    "Verdict",
    "VerifierKeys",
]
