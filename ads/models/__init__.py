from ads.models.callbacks import (
    PARKED,
    Callback,
    ParkedCallback,
    Resolution,
    ResolutionKind,
    Verdict,
)
from ads.models.goals import Goal
from ads.models.keys import VerifierKeys
from ads.models.placements import Network, Placement, PlacementAudience, PlacementTitles
from ads.models.rewards import Opening, Reward
from ads.models.sessions import AdSession, SessionState
from ads.models.terms import PlacementReward, Terms

__all__ = [
    "PARKED",
    "AdSession",
    "Callback",
    "Goal",
    "Network",
    "Opening",
    "ParkedCallback",
    "Placement",
    "PlacementAudience",
    "PlacementReward",
    "PlacementTitles",
    "Resolution",
    "ResolutionKind",
    "Reward",
    "SessionState",
    "Terms",
    "Verdict",
    "VerifierKeys",
]
