"""The stores' side of the wire, for demo and tests: each a process of its own, spoken to over HTTP."""
