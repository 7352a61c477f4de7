"""The errors that doubleread raises. Each message says what was wrong, what is allowed, and what to do.

Examples:
    >>> try:
    ...     doubleread.Task.of("leaves", ["rust"])
    ... except doubleread.DoublereadError as error:
    ...     print(error)
    task 'leaves' has 1 label(s) ['rust']; a diagnosis needs at least 2
"""

from collections.abc import Iterable

HIDDEN = "hidden"
"""Type of a validation fault whose value is not shown, because it may be a secret."""


class DoublereadError(Exception):
    """Base class of all errors of doubleread."""


class SettingsError(DoublereadError):
    """The settings cannot be used. All faults are reported together, in ``problems``."""

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
    """An image was rejected.

    ``code`` names the reason for programs: ``missing``, ``empty``, ``not-an-image``, ``corrupt``, ``too-many-pixels``…
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
    """A case has no confirmed outcome to take back."""


class NotAllowed(PanelError):
    """A panel's settings name addresses, keys or files that are not allowed on this machine."""


class RunError(DoublereadError):
    """The folder of a run cannot be used."""


class SessionError(DoublereadError):
    """A session, or something asked of it, does not exist."""


class SessionsAway(SessionError):
    """The database that holds the sessions cannot be reached. Nothing that was stored is lost."""


class SessionsFull(SessionError):
    """The disk refused to store something of a session. Nothing that was stored before is lost."""


class UnknownPart(DoublereadError):
    """No part of that kind has this name. The message lists the known names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(sorted(known))}")


__all__ = [
    "DataError",
    "DoublereadError",
    "EncoderError",
    "EncoderMismatch",
    "FileError",
    "FileMissing",
    "ImageError",
    "NotAllowed",
    "NotConfirmed",
    "NotFitted",
    "PanelError",
    "PromptError",
    "RunError",
    "SessionError",
    "SessionsAway",
    "SessionsFull",
    "SettingsError",
    "StoreBusy",
    "StoreError",
    "TaskError",
    "UnknownPart",
    "WeightsMissing",
]
