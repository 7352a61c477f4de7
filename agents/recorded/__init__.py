"""Recorded answers: written to disk, read back and replayed as agents."""
