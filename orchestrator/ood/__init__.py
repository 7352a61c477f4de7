"""Out-of-distribution detection for single images and for batches."""
