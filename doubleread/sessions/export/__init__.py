"""A session as a document with its pictures beside it."""

from doubleread.sessions.export.write import Format, write

__all__ = ["Format", "write"]
