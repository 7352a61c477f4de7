"""The name under which somebody decides: kept by their browser until it is closed, on record with a decision."""

from typing import TypeVar
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from doubleread.core.errors import SessionError
from doubleread.sessions.record import person

NAME_COOKIE = "doubleread-name"
Answer = TypeVar("Answer", bound=Response)


def remembered(request: Request) -> str:
    """The name that the browser keeps; empty where it keeps none that can be one."""
    try:
        return person(unquote(request.cookies.get(NAME_COOKIE, "")))
    except SessionError:
        return ""


def remember(answer: Answer, name: str, request: Request) -> Answer:
    """The answer, which has the browser keep a name, or forget it where that is empty."""
    secure = request.url.scheme == "https"
    if name:
        answer.set_cookie(NAME_COOKIE, quote(name, safe=""), httponly=True, samesite="lax", secure=secure)
    else:
        answer.delete_cookie(NAME_COOKIE, httponly=True, samesite="lax", secure=secure)
    return answer
