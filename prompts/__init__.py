"""Versioned prompt files (``library/`` and the user's folder) and their strict rendering."""
