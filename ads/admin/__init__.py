"""What operators see and change of rewarded ads. Each module registers its own pages."""

from ads.admin import callbacks, placements, sessions

__all__ = ["callbacks", "placements", "sessions"]
