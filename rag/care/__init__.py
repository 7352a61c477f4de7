"""Maintenance of an archive: list, correct, back up, export, merge and re-encode its cases."""
