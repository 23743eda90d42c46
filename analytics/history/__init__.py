"""The past of another system: its events into the lake, its purchases beside the ledger."""
