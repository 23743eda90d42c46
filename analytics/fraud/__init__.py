"""What nobody watched: finding it in the lake, so that no figure rests on it."""
