"""Near copies: pictures that are almost the same, found by perceptual hash and embedding."""
