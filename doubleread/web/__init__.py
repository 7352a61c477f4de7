"""Inspection sessions in the browser: ``doubleread serve``."""
