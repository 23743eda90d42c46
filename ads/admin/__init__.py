"""What operators see and change of rewarded ads and of tasks. Each module registers its own pages."""

from ads.admin import callbacks, placements, referrals, sessions, tasks

__all__ = ["callbacks", "placements", "referrals", "sessions", "tasks"]
