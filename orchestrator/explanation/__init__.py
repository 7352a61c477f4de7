"""Explanations of a verdict: the agents' influence, and what would change it."""
