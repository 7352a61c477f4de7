"""Exports a session as Markdown. Text by people and models is escaped, never interpreted as markup."""

import re
from collections.abc import Iterable, Iterator

from doubleread.core.terminal_text import harmless
from doubleread.core.verdict import Verdict
from doubleread.render.shown import ShownVerdict
from doubleread.sessions.export._entries import ExportEntry, maps_name
from doubleread.sessions.record import (
    Bars,
    Block,
    Cases,
    Decided,
    Failed,
    Image,
    Maps,
    Reply,
    Said,
    SessionInfo,
    Table,
    Text,
    Undone,
)

_MARKUP = re.compile(r"([\\`*_\[\]|<>~&])")
_AT_START = re.compile(r"^(\d+(?=[.)](?:\s|$))|)([#+\-=]|(?<=\d)[.)])")
"""Characters that make a heading, rule or list at the start of a line."""


def markdown(info: SessionInfo, told: Iterable[ExportEntry], folder: str, note: str) -> str:
    """Renders the document; ``folder`` is the relative path of the pictures, and ``note`` describes them."""
    head = f"# {plain(info.title or 'Session ' + info.id)}"
    return "\n\n".join((head, plain(note), *(part for entry in told for part in _parts(entry, folder)))) + "\n"


def plain(text: str) -> str:
    """Escapes text and puts it on one line."""
    return _AT_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", harmless(" ".join(text.split()))))


def _parts(entry: ExportEntry, folder: str) -> Iterator[str]:
    match entry.what:
        case Image() as image:
            yield f"## {plain(image.name)}"
            yield f"{image.width} × {image.height} pixels, {entry.time}, case {entry.case}"
            if entry.picture is not None:
                yield f"![{plain(image.name)}]({folder}/{entry.picture.name})"
        case Verdict() as verdict:
            yield f"**Verdict on {plain(entry.name)}**, {entry.time}"
            shown = ShownVerdict.of(verdict)
            yield _fenced(f"{shown}\n\n{shown.details}")
        case Said(text=text):
            yield "\n".join(f"> {plain(line)}" for line in text.splitlines() or [""])
        case Reply(blocks=blocks):
            for block in blocks:
                if isinstance(block, Maps) and entry.picture is not None:
                    yield f"![{plain(' '.join(block.found.lines))}]({folder}/{maps_name(block.found)})"
                yield from _block(block)
        case what:
            yield _line(what, entry)


def _line(what: Decided | Undone | Failed, entry: ExportEntry) -> str:
    match what:
        case Decided():
            by = f" by {plain(what.reviewer)}" if what.reviewer else ""
            told = [what.note, f"not kept: {what.kept}" if what.kept else "", "undone later" if entry.undone else ""]
            more = "".join(f"; {plain(one)}" for one in told if one)
            return f"**{plain(entry.name)} was decided{by}: {plain(what.label)}**, {entry.time}{more}"
        case Undone():
            by = f" by {plain(what.reviewer)}" if what.reviewer else ""
            return f"**Undone{by}: {plain(what.what)}**, {entry.time}"
        case Failed():
            return f"**Failed: {plain(what.problem)}**, {entry.time}"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(lines=lines):
            yield from map(plain, lines)
        case Table(head=head, rows=rows):
            yield _table(head, rows)
        case Cases(title=title, cases=cases):
            rows = tuple((one.label, f"{one.similarity:.2f}", one.source or one.case_id[:12]) for one in cases)
            yield from filter(None, [plain(title)])
            yield _table(("label", "similarity", "case"), rows)
        case Maps(found=found):
            yield from map(plain, found.lines)
        case Bars(title=title, shares=shares, before=before):
            rows = tuple((name, f"{share:.1%}", *_was(before, name)) for name, share in shares.items())
            yield from filter(None, [plain(title)])
            yield _table(("label", "probability", *(("before",) if before else ())), rows)


def _was(before: dict[str, float], name: str) -> tuple[str, ...]:
    return () if not before else (f"{before[name]:.1%}" if name in before else "",)


def _table(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    lines = [head, *rows]
    body = [f"| {' | '.join(map(plain, line))} |" for line in lines]
    return "\n".join((body[0], f"|{' --- |' * len(head)}", *body[1:]))


def _fenced(text: str) -> str:
    """Fences text unchanged; the fence is longer than any in the text."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
