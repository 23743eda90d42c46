"""What analysts read: definitions, queries over lake and ledger, and the figures they make."""
