from ads.models.callbacks import (
    PARKED,
    Callback,
    ParkedCallback,
    Resolution,
    ResolutionKind,
    Verdict,
)
from ads.models.check_ins import CheckInStreak
from ads.models.earnings import Basis, EarningCorrection, RevenueDay, TrueUp
from ads.models.goals import Goal
from ads.models.impressions import AdFormat, Impression, ImpressionSource, Precision
from ads.models.keys import VerifierKeys
from ads.models.limits import LimitCount
from ads.models.origins import AdOrigin, OriginKind
from ads.models.placements import (
    Network,
    Placement,
    PlacementAudience,
    PlacementTitles,
)
from ads.models.referrals import Invite, Referral, ReferralState, VoidReason
from ads.models.revenue_reports import (
    ReportedDay,
    ReportLine,
    ReportOrigin,
    ReportPull,
    RevenueReport,
)
from ads.models.rewards import Opening, Reward
from ads.models.sessions import AdSession, SessionState
from ads.models.tasks import (
    CheckInDay,
    Task,
    TaskCampaign,
    TaskClaim,
    TaskKind,
    TaskPeriod,
    TaskText,
)
from ads.models.terms import PlacementReward, Terms
from ads.models.watching import WatchDay

__all__ = [
    "PARKED",
    "AdFormat",
    "AdOrigin",
    "AdSession",
    "Basis",
    "Callback",
    "CheckInDay",
    "CheckInStreak",
    "EarningCorrection",
    "Goal",
    "Impression",
    "ImpressionSource",
    "Invite",
    "LimitCount",
    "Network",
    "Opening",
    "OriginKind",
    "ParkedCallback",
    "Placement",
    "PlacementAudience",
    "PlacementReward",
    "PlacementTitles",
    "Precision",
    "Referral",
    "ReferralState",
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
    "Task",
    "TaskCampaign",
    "TaskClaim",
    "TaskKind",
    "TaskPeriod",
    "TaskText",
    "Terms",
    "TrueUp",
    "Verdict",
    "VerifierKeys",
    "VoidReason",
    "WatchDay",
]
