"""The limits of the server."""

from dataclasses import dataclass

from doubleread.core.case import MAX_IMAGE_BYTES

MAX_FILES = 20
"""Maximum number of images in one upload."""
MAX_UPLOAD = MAX_IMAGE_BYTES + 1_000_000
"""Maximum bytes of one upload: the largest image fits."""
MAX_TEXT = 4000
"""Maximum characters of one message."""
FORM_BYTES = 64_000
"""Maximum bytes of a form without images; ``MAX_TEXT`` characters take up to twelve bytes each."""
ENTRY_BYTES = 4_000
"""Maximum bytes of a request without a login."""


@dataclass(frozen=True)
class WebLimits:
    """Quotas of sessions and users, and timeouts."""

    session_images: int = 200
    """Images in one session."""
    user_sessions: int = 500
    all_sessions: int = 5_000
    user_bytes: int = 5_000_000_000
    """Bytes of pictures per user, if there are several."""
    all_bytes: int = 50_000_000_000
    free_bytes: int = 500_000_000
    """Bytes of disk space that uploads leave free."""
    uploads: int = 32
    """Concurrent uploads; more are refused."""
    user_uploads: int = 6
    """Concurrent uploads per user, if there are several."""
    maps_waiting: int = 8
    """Attribution maps waiting for the one being computed; more are refused."""
    map_answer_s: float = 2.0
    """Seconds a request waits for its map before the page has to ask again."""
    map_left_s: float = 15.0
    """Seconds after which a map that nobody asks for is cancelled or forgotten."""
    grace_s: float = 20.0
    """Seconds allowed for the head of a request, and for a body in addition to its bytes at ``slowest``."""
    slowest: int = 8_000
    """Minimum bytes per second of a body."""
    body_s: float = 900.0
    """Maximum seconds for a body."""
    connections: int = 500
    """Concurrent connections; more are closed at once."""


def whole_number(text: str | None) -> int | None:
    """Parses a whole number of at most nine ASCII digits; None for anything else."""
    plain = text is not None and 0 < len(text) < 10 and text.isascii() and text.isdigit()
    return int(text) if text is not None and plain else None
