"""Label shares: of a batch without labels, and posteriors under other shares."""
