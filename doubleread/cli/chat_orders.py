"""What a line typed at the terminal does: add images, run a command about the session, or ask the session."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from doubleread.cli.chat_paths import dropped, paths_in
from doubleread.cli.chat_room import Room
from doubleread.cli.image_arguments import chat_images
from doubleread.core.errors import DoublereadError, SessionError
from doubleread.sessions.actions.arguments import exact_label
from doubleread.sessions.names import Unclear, known_of
from doubleread.sessions.record import Reply, Table

if TYPE_CHECKING:
    from doubleread.sessions.export import Format

KEEP = "--keep-metadata"
FORMATS: "dict[str, Format]" = {".md": "markdown", ".html": "html"}


@dataclass(frozen=True)
class Order:
    """One command; ``do`` receives the text after the command's name."""

    usage: str
    about: str
    do: Callable[[Room, str], Awaitable[None]]
    completes: Literal["", "files", "labels"] = ""
    """What Tab completes after the name."""


async def take(room: Room, text: str) -> bool:
    """Carries out one line. Returns False when the user leaves."""
    text = text.strip()
    word, _, rest = text.partition(" ")
    try:
        if images := dropped(text):
            if ask := room.together(await room.bring(images)):
                room.show.hint(f"if they show one subject, {ask} gives one verdict for them")
        elif word.startswith("/") and word[1:] in ORDERS:
            await ORDERS[word[1:]].do(room, rest.strip())
        elif text:
            await room.say(text)
            if text == "/help":
                room.show.reply(_own_help())
    except DoublereadError as error:
        room.fail(str(error))
    return not room.over


def _own_help() -> Reply:
    rows = tuple((f"/{name} {order.usage}".rstrip(), order.about) for name, order in ORDERS.items())
    return Reply(blocks=(Table(head=("command", "what it does"), rows=rows),))


async def _add(room: Room, rest: str) -> None:
    if not rest:
        raise SessionError("name an image file: /add leaf.jpg")
    await room.bring(chat_images([str(path) for path in paths_in(rest)]))


async def _subject(room: Room, rest: str) -> None:
    if len(paths_in(rest)) < 2:
        raise SessionError("name at least two images of the subject: /subject plant7-1.jpg plant7-2.jpg")
    if ask := room.together(await room.bring(paths_in(rest))):
        await room.say(ask)


async def _decide(room: Room, rest: str) -> None:
    session, waiting = room.session(), await room.sessions.waiting()
    here = [one for one in waiting if (one.session, one.case) == (session, room.current)]
    if not here:
        about = room.current_name or "this session"
        raise SessionError(
            f"nothing waits for a decision on {about}: /waiting lists what does, /correct gives the true label"
        )
    try:
        label = exact_label(rest, known_of(room.standing))
    except Unclear as problem:
        labels = ", ".join(room.panel.task.names)
        raise SessionError(f"there is no label “{rest}”; nothing was decided. Labels: {labels}") from problem
    await room.sessions.decide(session, here[0].reading, label, room.reviewer)
    await room.watch()
    if others := len(waiting) - 1:
        room.show.hint(f"{others} more {'waits' if others == 1 else 'wait'}: /next")


async def _waiting(room: Room, _rest: str) -> None:
    room.show.work(await room.sessions.waiting())
    room.tell_who()


async def _next(room: Room, _rest: str) -> None:
    """Takes up the waiting image after the current one, or the first."""
    waiting = await room.sessions.waiting()
    if not waiting:
        raise SessionError("nothing waits for a decision")
    places = [i for i, one in enumerate(waiting) if (one.session, one.case) == (room.id, room.current)]
    await room.take_up(waiting[(places[0] + 1) % len(waiting) if places else 0])


async def _rename(room: Room, rest: str) -> None:
    if not rest:
        raise SessionError("name the title: /rename Leaves of June")
    info = await room.sessions.rename(room.session(), rest)
    room.show.sessions([info])


async def _export(room: Room, rest: str) -> None:
    named = rest.removesuffix(KEEP).strip()
    metadata, paths = rest.endswith(KEEP), paths_in(named)
    if len(paths) != 1 or paths[0].suffix.lower() not in FORMATS:
        raise SessionError(f"name one file that ends in {' or '.join(FORMATS)}: /export session.html")
    kind, folder = FORMATS[paths[0].suffix.lower()], paths[0].parent
    document = await room.sessions.export(room.session(), kind, folder, metadata=metadata)
    try:
        document.replace(paths[0])
    except OSError as error:
        raise SessionError(f"{paths[0]} cannot be written ({error.strerror}); the session is in {document}") from None
    bare = f"without metadata (place, owner, device), which {KEEP} keeps"
    told = "with the metadata that is in them" if metadata else bare
    room.show.hint(f"written to {paths[0]}; its pictures are copies {told}")


async def _delete(room: Room, rest: str) -> None:
    session = room.session()
    if rest != "yes":
        raise SessionError("this deletes the session and its images for good; to do so: /delete yes")
    await room.sessions.delete(session)
    room.leave()
    room.show.hint("the session is deleted; the panel keeps what it learned from confirmed images")


async def _quit(room: Room, _rest: str) -> None:
    room.over = True


ORDERS = {
    "add": Order("FILE…", "Add images and read them; dropping files does the same.", _add, "files"),
    "subject": Order("FILE FILE…", "Add images of one subject and give one verdict for all.", _subject, "files"),
    "decide": Order("LABEL", "Give the label of an image that waits for a person.", _decide, "labels"),
    "waiting": Order("", "List the images that wait for a person, in all sessions.", _waiting),
    "next": Order("", "Open the next image that waits.", _next),
    "rename": Order("TITLE", "Give the session a title.", _rename),
    "export": Order(
        f"FILE [{KEEP}]", "Write the session as .md or .html, with its pictures in a folder.", _export, "files"
    ),
    "delete": Order("yes", "Delete the session for good.", _delete),
    "quit": Order("", "Leave; the session stays.", _quit),
}
