"""Inspection sessions: images, the panel's readings of them, and the conversation about them."""
