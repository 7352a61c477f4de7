"""Forms as they are received: fields are short, and files lie on the disk but for their first kilobytes."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from doubleread.web.limits import FORM_BYTES, MAX_FILES

MAX_FIELDS = 20


class _Parser(MultiPartParser):
    spool_max_size = 64 * 1024


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """A form without files."""
    request.state.body.limit = FORM_BYTES
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=FORM_BYTES)
    except (ValueError, LookupError) as error:  # a charset that is none of text
        raise _unreadable(str(error)) from None
    yield form


@asynccontextmanager
async def files_of(request: Request) -> AsyncIterator[list[UploadFile]]:
    """The images of a form; how large it may be was settled before."""
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
