"""Days of money: the ladder of each, the invariants that it keeps, its journal, and its entries' digest.

docs/money.md has the definitions and a worked example.
"""
