"""What a start of each title is worth, and what of it the pipeline and the feed are told."""
