from ads.models.callbacks import (
    PARKED,
    Callback,
    ParkedCallback,
    Resolution,
    ResolutionKind,
    Verdict,
)
from ads.models.earnings import Basis, EarningCorrection, RevenueDay, TrueUp
from ads.models.goals import Goal
from ads.models.impressions import AdFormat, Impression, ImpressionSource, Precision
from ads.models.keys import VerifierKeys
from ads.models.placements import Network, Placement, PlacementAudience, PlacementTitles
from ads.models.revenue_reports import (
    ReportedDay,
    ReportLine,
    ReportOrigin,
    ReportPull,
    RevenueReport,
)
from ads.models.rewards import Opening, Reward
from ads.models.sessions import AdSession, SessionState
from ads.models.terms import PlacementReward, Terms

__all__ = [
    "PARKED",
    "AdFormat",
    "AdSession",
    "Basis",
    "Callback",
    "EarningCorrection",
    "Goal",
    "Impression",
    "ImpressionSource",
    "Network",
    "Opening",
    "ParkedCallback",
    "Placement",
    "PlacementAudience",
    "PlacementReward",
    "PlacementTitles",
    "Precision",
    "ReportLine",
    "ReportOrigin",
    "ReportPull",
    "ReportedDay",
    "Resolution",
    "ResolutionKind",
    "RevenueDay",
    "RevenueReport",
    "Reward",
    "SessionState",
    "Terms",
    "TrueUp",
    "Verdict",
    "VerifierKeys",
]
