"""Whether an image, or a batch of them, is like the calibration cases (out-of-distribution detection)."""
