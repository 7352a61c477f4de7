"""Inspection sessions: images, what the panel says of them while it reads, and the talk about it."""
