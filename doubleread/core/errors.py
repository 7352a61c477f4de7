"""Every error doubleread raises on purpose; each says what was wrong, what is allowed, and what to do."""

from collections.abc import Iterable

HIDDEN = "hidden"
"""The type of a validation fault whose value is not shown: it may be a secret."""


class DoublereadError(Exception):
    """Base of every error raised on purpose."""


class SettingsError(DoublereadError):
    """The configuration cannot be used; ``problems`` lists every fault found."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(("settings cannot be used:", *(f"  - {p}" for p in self.problems))))


class TaskError(DoublereadError):
    """Labels, prior or costs are inconsistent."""


class DataError(DoublereadError):
    """A data set, manifest or split cannot be used."""


class FileError(DoublereadError):
    """A file is missing, is not safe to read, or cannot be written; the message names it."""


class FileMissing(FileError):
    """A file is not there."""


class ImageError(DoublereadError):
    """One image was rejected.

    ``code`` is machine-readable: ``empty``, ``not-an-image``, ``corrupt``, ``too-many-pixels``, …
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class EncoderError(DoublereadError):
    """An encoder cannot be built or run."""


class WeightsMissing(EncoderError):
    """The encoder's weights are not on this machine."""


class StoreError(DoublereadError):
    """The case store cannot be opened, read or written."""


class StoreBusy(StoreError):
    """Another process holds the case store."""


class EncoderMismatch(StoreError):
    """The case store holds embeddings of another encoder."""


class PromptError(DoublereadError):
    """A prompt file cannot be used, or was given other values than it declares."""


class NotFitted(DoublereadError):
    """A part was used before it was fitted."""


class PanelError(DoublereadError):
    """A panel or a panel folder cannot be used."""


class NotConfirmed(PanelError):
    """A case has no outcome that could be taken back."""


class NotAllowed(PanelError):
    """A panel's settings name addresses, keys or files that this machine's settings do not, and nobody allowed it."""


class RunError(DoublereadError):
    """The folder of a run cannot be used."""


class SessionError(DoublereadError):
    """A session, or what is asked of it, is not there."""


class SessionsAway(SessionError):
    """The database that holds the sessions cannot be reached now; what was kept is not lost."""


class SessionsFull(SessionError):
    """The disk refused to store something of a session; what was stored before is not lost."""


class UnknownPart(DoublereadError):
    """No part of that kind has that name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(sorted(known))}")
