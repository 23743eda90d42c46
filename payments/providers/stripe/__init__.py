"""Stripe: hosted checkout, payments embedded in a page, subscriptions, refunds and disputes."""
