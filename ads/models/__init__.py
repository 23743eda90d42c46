from ads.models.callbacks import Callback, Verdict
from ads.models.keys import VerifierKeys
from ads.models.origins import AdOrigin, OriginKind
from ads.models.placements import Network, Placement, PlacementReward
from ads.models.rewards import Reward
from ads.models.sessions import AdSession, SessionState

__all__ = [
    "AdOrigin",
    "AdSession",
    "Callback",
    "Network",
    "OriginKind",
    "Placement",
    "PlacementReward",
    "Reward",
    "SessionState",
    "Verdict",
    "VerifierKeys",
]
