"""Answers that were given once: written down, read back, and replayed as agents."""
