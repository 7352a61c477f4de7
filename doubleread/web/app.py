"""The routes of the server. Changes are POST requests; their results arrive by the session's event stream."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.errors import DoublereadError, ImageError, SessionsAway, SessionsFull
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import MAX_HINT, SessionInfo, person
from doubleread.web._access import AccessMiddleware
from doubleread.web._downloads import picture, pieces, static, write_out
from doubleread.web._intake import BodyLimitMiddleware
from doubleread.web._logins import Logins
from doubleread.web._maps import MapQueue
from doubleread.web._streaming import Streams
from doubleread.web._uploads import Quota, files_of, form_of, not_kept
from doubleread.web._visibility import Visibility, remember, remembered
from doubleread.web.limits import MAX_TEXT, WebLimits, whole_number
from doubleread.web.pages import PanelFacts, error_page, notice, page, session_page
from doubleread.web.rules import Rules

DEFAULTS = WebLimits()


class Web:
    """The handlers of the routes."""

    def __init__(self, sessions: Sessions, about: PanelFacts, limits: WebLimits) -> None:
        self._sessions, self._about, self._visible = sessions, about, Visibility(sessions)
        self._maps, self._quota = MapQueue(sessions, limits), Quota(sessions, limits)
        self._adding, self._exporting = asyncio.Lock(), asyncio.Lock()
        """Images are decoded, and sessions exported, one at a time, since both may need much memory."""
        self.streams = Streams(about)

    # -- pages ------------------------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        return page("start.html", about=self._about, lists=await self._visible.lists(request), here="")

    async def session(self, request: Request) -> Response:
        lists, info = await self._visible.lists(request), await self._visible.seen(request)
        return session_page(self._about, lists, info, await self._visible.view(info.id))

    async def waiting(self, request: Request) -> Response:
        lists, decided = await self._visible.lists(request), await self._visible.decided(request)
        return page("waiting.html", about=self._about, lists=lists, decided=decided, here="waiting")

    async def words(self, request: Request) -> Response:
        lists = await self._visible.lists(request)
        return page("words.html", about=self._about, lists=lists, here="words")

    async def lists(self, request: Request) -> Response:
        here = request.query_params.get("here", "")
        return page("lists.html", lists=await self._visible.lists(request), here=here)

    async def events(self, request: Request) -> Response:
        info = await self._visible.seen(request)
        after = whole_number(request.headers.get("last-event-id") or request.query_params.get("after"))
        return self.streams.open(info.id, self._sessions.follow(info.id), after or 0)

    # -- actions ----------------------------------------------------------------------------------------------------

    async def new(self, request: Request) -> Response:
        """Creates a session from the uploaded images."""
        everybody, mine = await self._sessions.listed(), await self._visible.sees(request)
        own = [info.id for info in everybody if mine(info.id)]
        self._quota.check_sessions(len(own), len(everybody), request.state.owner)
        async with self._quota.upload(request, own), files_of(request) as sent:
            self._quota.check_images(0, len(sent))
            info = await self._sessions.create((sent[0].filename or "")[:120] if sent else "")
            await self._visible.keep(request, info.id)
            status, problems = await self._take(info, sent)
        if problems and not await self._sessions.events(info.id):
            await self._remove(info.id)
            return _told(request, status, *problems)
        return _go(request, f"/s/{info.id}")

    async def add(self, request: Request) -> Response:
        info, mine = await self._visible.own(request), await self._visible.sees(request)
        own = [one.id for one in await self._sessions.listed() if mine(one.id)]
        async with self._quota.upload(request, own), files_of(request) as sent:
            self._quota.check_images(info.images, len(sent))
            status, problems = await self._take(info, sent)
        return _told(request, status, *problems) if problems else _done(request, f"/s/{info.id}")

    async def say(self, request: Request) -> Response:
        info = await self._visible.seen(request)
        async with form_of(request) as form:
            text, case = _text(form, "text").strip(), _text(form, "case") or None
        if not text or len(text) > MAX_TEXT:
            raise HTTPException(422, f"say something of at most {MAX_TEXT} characters")
        await self._sessions.say(info.id, text, case, remembered(request))
        return _done(request, f"/s/{info.id}")

    async def complete(self, request: Request) -> Response:
        """Completes what is being typed."""
        info, asked = await self._visible.seen(request), request.query_params
        found = await self._sessions.complete(info.id, asked.get("text", "")[:MAX_TEXT], asked.get("case") or None)
        return page("completions.html", headers={"Cache-Control": "no-store"}, found=found)

    async def again(self, request: Request) -> Response:
        """Reads the image again, with a hint to the agents that take hints."""
        info = await self._visible.seen(request)
        async with form_of(request) as form:
            hint, case = _text(form, "hint").strip(), _text(form, "case")
        if not hint or len(hint) > MAX_HINT:
            raise HTTPException(422, f"say what the agents should know, in at most {MAX_HINT} characters")
        await self._sessions.say(info.id, f"/read-again look-again hint: {hint}", case, remembered(request))
        return _done(request, f"/s/{info.id}")

    async def where(self, request: Request) -> Response:
        """Shows where the local agents looked for a label; nothing is recorded in the session."""
        info, case = await self._visible.seen(request), request.path_params["case"]
        label = request.query_params.get("label") or None
        try:
            found = await self._maps.get(info.id, case, label, (await self._visible.view(info.id)).read_last(case))
        except DoublereadError as error:
            return page("where.html", found=None, problem=str(error))
        except HTTPException as error:
            return page("where.html", error.status_code, found=None, problem=error.detail)
        if isinstance(found, int):
            return page("where_waits.html", session=info.id, case=case, label=label or "", before=found)
        return page("where.html", about=self._about, session=info.id, found=found, problem="")

    async def decide(self, request: Request) -> Response:
        info = await self._visible.seen(request)
        async with form_of(request) as form:
            reading, label, note = _text(form, "reading"), _text(form, "label"), _text(form, "note")
            name = person(_text(form, "reviewer")) if "reviewer" in form else remembered(request)
        await self._sessions.decide(info.id, reading, label, name, note[:MAX_TEXT])
        return remember(_done(request, f"/s/{info.id}"), name, request)

    async def name(self, request: Request) -> Response:
        """Sets the name recorded with the user's decisions, until the browser is closed."""
        async with form_of(request) as form:
            name = person(_text(form, "reviewer"))
        return remember(_done(request, "/"), name, request)

    async def rename(self, request: Request) -> Response:
        info = await self._visible.own(request)
        async with form_of(request) as form:
            title = _text(form, "title").strip()
        if not title:
            raise HTTPException(422, "a session needs a name")
        await self._sessions.rename(info.id, title[:120])
        return _done(request, f"/s/{info.id}")

    async def delete(self, request: Request) -> Response:
        await self._remove((await self._visible.own(request)).id)
        return _go(request, "/")

    async def export(self, request: Request) -> Response:
        info = await self._visible.seen(request)
        chosen: Literal["markdown", "html"] = "html" if request.path_params["format"] == "html" else "markdown"
        metadata = request.query_params.get("metadata") == "keep"
        with TemporaryDirectory(prefix="doubleread-export-") as scratch:
            async with self._exporting:
                file = await self._sessions.export(info.id, chosen, Path(scratch), metadata=metadata)
                name, media, out = await asyncio.to_thread(write_out, file, Path(scratch))
        headers = {"Content-Disposition": f'attachment; filename="doubleread-{name}"'}
        return StreamingResponse(pieces(out), media_type=media, headers=headers)

    # -- pictures ---------------------------------------------------------------------------------------------------

    async def picture(self, request: Request) -> Response:
        """Serves an image of the session."""
        info = await self._visible.seen(request)
        case = request.path_params["case"]
        return await picture(request, await self._sessions.picture(info.id, case), case)

    async def near(self, request: Request) -> Response:
        """Serves a stored case, if the session's evidence or replies named it."""
        info = await self._visible.seen(request)
        named, case = (await self._visible.view(info.id)).near, request.path_params["case"]
        return await picture(request, named.get(case), case)

    async def _take(self, info: SessionInfo, sent: list[UploadFile]) -> tuple[int, list[str]]:
        """Adds and reads the uploaded images; returns the problems, and the status to report them with."""
        if not sent:
            return 422, ["no image came: choose, drop or paste image files, such as JPEG, PNG or TIFF"]
        problems, names = list[str](), [_name(file) for file in sent]
        for place, file in enumerate(sent):
            try:
                async with self._adding:
                    await self._sessions.bring(info.id, await file.read(MAX_IMAGE_BYTES + 1), names[place])
            except ImageError as error:
                problems.append(f"{names[place]}: {error}")
            except SessionsFull as error:
                return 507, [*problems, not_kept(names[place:], error)]
            finally:
                await file.close()
        return 422, problems

    async def _remove(self, session: str) -> None:
        await self._sessions.delete(session)
        self._visible.forget(session)


def make_app(sessions: Sessions, about: PanelFacts, rules: Rules, limits: WebLimits = DEFAULTS) -> Starlette:
    """Makes the server. The caller closes the sessions, and ends ``state.streams`` when the server stops."""
    web = Web(sessions, about, limits)
    s = "/s/{session}"
    app = Starlette(
        routes=[
            Route("/", web.start),
            Route("/waiting", web.waiting),
            Route("/words", web.words),
            Route("/lists", web.lists),
            Route("/new", web.new, methods=["POST"]),
            Route("/name", web.name, methods=["POST"]),
            Route(s, web.session),
            Route(s + "/events", web.events),
            Route(s + "/images", web.add, methods=["POST"]),
            Route(s + "/say", web.say, methods=["POST"]),
            Route(s + "/where/{case}", web.where),
            Route(s + "/again", web.again, methods=["POST"]),
            Route(s + "/complete", web.complete),
            Route(s + "/decide", web.decide, methods=["POST"]),
            Route(s + "/rename", web.rename, methods=["POST"]),
            Route(s + "/delete", web.delete, methods=["POST"]),
            Route(s + "/export/{format}", web.export),
            Route(s + "/picture/{case}", web.picture),
            Route(s + "/near/{case}", web.near),
            Route("/static/{name}", static),
        ],
        middleware=[
            Middleware(BodyLimitMiddleware, limits=limits),
            Middleware(AccessMiddleware, rules=rules, logins=Logins(sessions, rules)),
        ],
        exception_handlers={
            HTTPException: _refused,
            DoublereadError: _failed,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
    )
    app.state.streams, app.state.limits = web.streams, limits
    return app


def _name(file: UploadFile) -> str:
    return (file.filename or "image").replace("\\", "/").rsplit("/", 1)[-1][:200] or "image"


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _htmx(request: Request) -> bool:
    return "hx-request" in request.headers


def _done(request: Request, page: str) -> Response:
    """Replies without content, since changes arrive by the stream; without scripts, redirects to the page."""
    return Response(status_code=204) if _htmx(request) else RedirectResponse(page, 303)


def _go(request: Request, page: str) -> Response:
    return Response(status_code=204, headers={"HX-Redirect": page}) if _htmx(request) else RedirectResponse(page, 303)


def _told(request: Request, status: int, *problems: str) -> Response:
    return notice(status, problems) if _htmx(request) else error_page(status, "\n".join(problems))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _told(request, error.status_code, error.detail)


async def _failed(request: Request, error: Exception) -> Response:
    status = 503 if isinstance(error, SessionsAway) else 507 if isinstance(error, SessionsFull) else 422
    return _told(request, status, str(error))


async def _gone(_request: Request, _error: Exception) -> Response:
    """Handles a browser that disconnected before sending everything; nobody reads the response."""
    return Response(status_code=400)


async def _broken(request: Request, error: Exception) -> Response:
    problem = f"This is a fault of doubleread ({type(error).__name__}); what was there is not lost"
    return _told(request, 500, f"{problem}. The server's terminal says more.")
