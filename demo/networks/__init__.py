"""The ad networks' side of the wire, for demo and tests: one process that signs and sends as each of them does."""
