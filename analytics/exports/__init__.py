"""Files that are made later: reports, and rows of events and money, each continued where the last ended."""
