"""Uploads: quotas by session, user and disk, and parsing of forms.

Form fields are short; files are kept on disk except for their first kilobytes.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from doubleread.core.errors import DoublereadError
from doubleread.sessions.engine import Sessions
from doubleread.web.limits import FORM_BYTES, MAX_FILES, MAX_UPLOAD, WebLimits

MAX_FIELDS = 20
_DISK = "the disk of the server is nearly full: somebody has to free some space"
_ALL = "the server holds {:.0f} GB of pictures, and no more: delete sessions that are done with"
_USER = "your sessions hold {:.0f} GB of pictures, and no more: delete one that is done with"


class Quota:
    """The quotas of uploads. For one event loop."""

    def __init__(self, sessions: Sessions, limits: WebLimits) -> None:
        self._sessions, self._limits = sessions, limits
        self._coming: Counter[str] = Counter()
        """Uploads in progress, by user."""
        self._promised: Counter[str] = Counter()
        """Bytes reserved for them, by user."""

    @asynccontextmanager
    async def upload(self, request: Request, mine: Collection[str]) -> AsyncIterator[None]:
        """Receives one upload, limited to the space left.

        ``mine`` are the user's sessions. Raises ``HTTPException`` (429, 507) if there is no room.
        """
        user = request.state.owner
        self._check_turn(user)
        self._coming[user] += 1
        try:
            room = await self._room(request, user, mine)
            self._promised[user] += room
            try:
                request.state.body.limit = room
                yield
            finally:
                self._promised[user] -= room
        finally:
            self._coming[user] -= 1

    def check_sessions(self, mine: int, everybody: int, user: str) -> None:
        """Raises ``HTTPException`` (507) if no further session is allowed."""
        if user and mine >= self._limits.user_sessions:
            raise _no_room(f"you have {mine} sessions, and may have no more: delete one that is done with")
        if everybody >= self._limits.all_sessions:
            raise _no_room(f"the server holds {everybody} sessions, and no more: delete one that is done with")

    def check_images(self, there: int, more: int) -> None:
        """Raises ``HTTPException`` (413) if a session would hold too many images."""
        if there + more > self._limits.session_images:
            most = self._limits.session_images
            raise HTTPException(413, f"A session holds at most {most} images: begin another one.")

    def _check_turn(self, user: str) -> None:
        own = bool(user) and self._coming[user] >= self._limits.user_uploads
        if own or self._coming.total() >= self._limits.uploads:
            raise HTTPException(429, "Too many uploads are on their way: wait until they have arrived, and send again.")

    async def _room(self, request: Request, user: str, mine: Collection[str]) -> int:
        """Returns the bytes that this upload may use."""
        stored, limits = await self._sessions.stored(), self._limits
        promised, own = self._promised.total(), sum(stored.bytes.get(session, 0) for session in mine)
        rooms = {
            _DISK: stored.free - promised - limits.free_bytes,
            _ALL.format(limits.all_bytes / 1e9): limits.all_bytes - sum(stored.bytes.values()) - promised,
        }
        if user:
            left = limits.user_bytes - own - self._promised[user]
            rooms[_USER.format(limits.user_bytes / 1e9)] = left
        needed = max(1, min(request.state.body.declared, MAX_UPLOAD))
        short = next((why for why, room in rooms.items() if room < needed), None)
        if short is not None:
            raise _no_room(short)
        return min(MAX_UPLOAD, request.state.body.declared or MAX_UPLOAD, *rooms.values())


def _no_room(why: str) -> HTTPException:
    return HTTPException(507, f"Nothing was added, because {why}. What was there before is kept.")


def not_kept(names: list[str], error: DoublereadError) -> str:
    """Returns the message for pictures not stored because the disk is full."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} not stored; those before are kept and read: {error}"


class _Parser(MultiPartParser):
    spool_max_size = 64 * 1024


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """Parses a form without files."""
    request.state.body.limit = FORM_BYTES
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=FORM_BYTES)
    except (ValueError, LookupError) as error:  # the charset is unknown or no text encoding
        raise _unreadable(str(error)) from None
    yield form


@asynccontextmanager
async def files_of(request: Request) -> AsyncIterator[list[UploadFile]]:
    """Parses the images of a form; the size limit was set before."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        yield []
        return
    try:
        async with aclosing(request.stream()) as stream:
            form = await _Parser(
                request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=FORM_BYTES
            ).parse()
    except MultiPartException as error:
        raise _unreadable(error.message) from None
    except (ValueError, LookupError) as error:
        raise _unreadable(str(error)) from None
    except OSError as error:
        told = f"Nothing was added, because the server cannot write it down ({error.strerror})"
        raise HTTPException(507, f"{told}. What was there before is kept.") from None
    try:
        yield [one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename]
    finally:
        await form.close()


def _unreadable(why: str) -> HTTPException:
    return HTTPException(400, f"The form cannot be read ({' '.join(why.split())[:200]}): send it again.")
