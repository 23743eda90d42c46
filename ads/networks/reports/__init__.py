"""Networks' reports of what days earned: bytes in, rows out. No Django, no clock, no database."""
