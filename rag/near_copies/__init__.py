"""Near copies: pictures that are nearly the same, by perceptual hash and embedding."""
