"""Exports a session as a document with its pictures."""

from doubleread.sessions.export._session_export import Format, write

__all__ = ["Format", "write"]
