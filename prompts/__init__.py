"""Versioned prompt files (``library/``), strict rendering, and the user's own beside them."""
