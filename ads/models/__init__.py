from ads.models.callbacks import Callback, Verdict
from ads.models.check_ins import CheckInStreak
from ads.models.keys import VerifierKeys
from ads.models.limits import LimitCount
from ads.models.placements import Network, Placement, PlacementReward
from ads.models.referrals import Invite, Referral, ReferralState, VoidReason
from ads.models.rewards import Reward
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
from ads.models.watching import WatchDay

__all__ = [
    "AdSession",
    "Callback",
    "CheckInDay",
    "CheckInStreak",
    "Invite",
    "LimitCount",
    "Network",
    "Placement",
    "PlacementReward",
    "Referral",
    "ReferralState",
    "Reward",
    "SessionState",
    "Task",
    "TaskCampaign",
    "TaskClaim",
    "TaskKind",
    "TaskPeriod",
    "TaskText",
    "Verdict",
    "VerifierKeys",
    "VoidReason",
    "WatchDay",
]
