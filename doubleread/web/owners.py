"""Whose a session is, where several people use one server: kept beside the sessions, by the hash of a cookie."""

import json
from pathlib import Path


class Owners:
    """Session ids and their owners. An owner "" (the one user of a loopback server) sees every session."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._owners: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def may(self, owner: str, session: str) -> bool:
        """Whether the session is the owner's."""
        return not owner or self._owners.get(session) == owner

    def keep(self, owner: str, session: str) -> None:
        """From now on the session is the owner's."""
        if owner:
            self._owners[session] = owner
            self._write()

    def forget(self, session: str) -> None:
        """The session is gone."""
        if self._owners.pop(session, None) is not None:
            self._write()

    def _write(self) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(self._owners), encoding="utf-8")
        part.replace(self._file)
