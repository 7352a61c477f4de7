"""Rendering of verdicts: cards for terminals, web pages and notebooks."""
