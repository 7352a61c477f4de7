"""Label shares of unlabelled batches, and posteriors under other label shares."""
