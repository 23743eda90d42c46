"""Stripe's side of the wire, as far as the adapter speaks to it.

`openapi_fixtures3_subset.json` is of stripe/openapi @f6c2a48, `fixtures3.json`, MIT licence: what is answered has
its members and no others.
"""
