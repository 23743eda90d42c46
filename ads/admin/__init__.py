"""What operators see and change of rewarded ads. Each module registers its own pages."""

from ads.admin import callbacks, goals, parked, placements, sessions

__all__ = ["callbacks", "goals", "parked", "placements", "sessions"]
