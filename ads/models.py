"""Rewarded ads."""
