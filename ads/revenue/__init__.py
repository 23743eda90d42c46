"""What ads earn: told of one by one, reported by the day, and settled between the two."""
