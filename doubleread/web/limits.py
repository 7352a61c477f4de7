"""How much the server takes and keeps, in one place."""

from dataclasses import dataclass

MAX_FILES = 20
"""Images in one upload."""
MAX_UPLOAD = 200_000_000
"""Bytes of one upload; each image is held to its own limit besides."""
MAX_TEXT = 4000
"""Characters that one can say at once."""
FORM_BYTES = 64_000
"""A form without images; ``MAX_TEXT`` characters take up to twelve bytes each."""
ENTRY_BYTES = 4_000
"""What somebody may send who has not entered."""


@dataclass(frozen=True)
class WebLimits:
    """What sessions may use, and how patient the server is."""

    session_images: int = 200
    """Images in one session."""
    user_sessions: int = 500
    all_sessions: int = 5_000
    user_bytes: int = 5_000_000_000
    """Pictures of one user, where there are several."""
    all_bytes: int = 50_000_000_000
    free_bytes: int = 500_000_000
    """Space on the disk that uploads leave free."""
    uploads: int = 32
    """Uploads that are received at a time; more are refused."""
    user_uploads: int = 6
    """Of one user, where there are several."""
    maps_waiting: int = 8
    """Attribution maps that wait for the one that is worked out; more are refused."""
    map_answer_s: float = 2.0
    """How long a request waits for its map before the page is told to ask again."""
    map_left_s: float = 15.0
    """A map that nobody has asked for during this time is given up, or forgotten."""
    grace_s: float = 20.0
    """Seconds that the head of a request may take, and a body beyond its bytes at ``slowest``."""
    slowest: int = 8_000
    """Bytes a second; slower bodies are given up."""
    body_s: float = 900.0
    """Seconds that a body may take at most."""
    connections: int = 500
    """Connections at a time; more are closed at once."""


def whole_number(text: str | None) -> int | None:
    """A whole number of a request, in at most nine plain digits; None for anything else."""
    plain = text is not None and 0 < len(text) < 10 and text.isascii() and text.isdigit()
    return int(text) if text is not None and plain else None
