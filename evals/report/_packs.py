"""Cards and pictures in blocks that a page opens when it needs them; a block is written as soon as it is full.

Cards lie gzipped in lists of JSON, pictures one a line; each picture is there once, however many cards show it.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from doubleread.core.case import Case
from doubleread.evals.runs.row import Row
from doubleread.render.html import unread_html, verdict_html
from doubleread.render.thumbnail import case_thumbnail

CARDS_A_BLOCK = 40
PICTURES_A_BLOCK = 64
_NEIGHBOUR_SIDE = 96
NONE = -1
"""In place of a picture's number: it could not be shown."""


def packed(data: object) -> str:
    """JSON, gzipped, in letters that mean nothing in HTML."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), compresslevel=6, mtime=0)).decode()


def block(name: str, contents: str) -> str:
    """A block of data that no browser runs; ``contents`` holds no ``<``."""
    return f'<script type="application/octet-stream" id="{name}">{contents}</script>\n'


class Pictures:
    """Numbers pictures as cards ask for them. ``side`` is that of the cases' own, in pixels."""

    def __init__(self, out: TextIO, side: int) -> None:
        self._out, self._side = out, side
        self._numbers: dict[tuple[Path, str], int] = {}
        self._waiting: list[str] = []
        self._count = self._blocks = 0

    def number(self, path: Path | None, case: str, side: int) -> int:
        """The number of a case's picture; ``NONE`` where it cannot be shown."""
        if path is None:
            return NONE
        if (path, case) not in self._numbers:
            self._numbers[path, case] = self._take(case_thumbnail(path, case, side=side))
        return self._numbers[path, case]

    def of_case(self, case: Case) -> int:
        """The number of a case's own picture."""
        return self.number(case.path, case.id, self._side)

    def __call__(self, path: Path | None, case: str, *, side: int) -> str | None:  # noqa: ARG002  (the page has one size)
        """For a card: an address that the page puts the picture in place of."""
        number = self.number(path, case, _NEIGHBOUR_SIDE)
        return None if number == NONE else f"#picture-{number}"

    def close(self) -> None:
        """Writes what has not filled a block."""
        if self._waiting:
            self._out.write(block(f"pictures-{self._blocks}", "\n".join(self._waiting)))
            self._blocks, self._waiting = self._blocks + 1, []

    def _take(self, picture: str | None) -> int:
        if picture is None:
            return NONE
        self._waiting.append(picture)
        self._count += 1
        if len(self._waiting) == PICTURES_A_BLOCK:
            self.close()
        return self._count - 1


class Packs:
    """Writes the cards of the rows that pass through it, and remembers where each is."""

    def __init__(self, out: TextIO, side: int) -> None:
        self._out, self._pictures = out, Pictures(out, side)
        self._cards: list[str] = []
        self._words: list[str] = []
        self._count = self._blocks = 0
        self.read: list[tuple[int, int]] = []
        """Number of the card and of the picture, of each case with a verdict."""
        self.unread: list[tuple[int, int, str, str]] = []
        """The same of each case without, its id and its source."""

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows; each is packed on its way, the last ones when there are no more."""
        for row in rows:
            self._take(row)
            yield row
        self._flush()
        self._pictures.close()

    def _take(self, row: Row) -> None:
        picture = self._pictures.of_case(row.case)
        if row.verdict is not None:
            self.read.append((self._count, picture))
            self._cards.append(verdict_html(row.verdict, styled=False, pictures=self._pictures))
        elif row.unread is not None:
            self.unread.append((self._count, picture, row.case.id, row.case.source))
            self._cards.append(unread_html(row.unread))
        self._words.append(_words(row))
        self._count += 1
        if len(self._cards) == CARDS_A_BLOCK:
            self._flush()

    def _flush(self) -> None:
        if self._cards:
            self._out.write(block(f"cards-{self._blocks}", packed({"cards": self._cards, "words": self._words})))
            self._blocks, self._cards, self._words = self._blocks + 1, [], []


def _words(row: Row) -> str:
    """What can be searched besides names and labels: everything that was said in words."""
    said = [*row.case.metadata.values(), row.case.group or ""]
    if row.unread is not None:
        said += [row.unread.code, row.unread.problem]
    if row.verdict is not None:
        v = row.verdict
        said += [opinion.reason for opinion in v.opinions]
        said += [absent.detail or absent.cause for absent in v.abstentions]
        said += [*v.warnings, *v.decision.reasons, *(v.second_look.reasons if v.second_look else ())]
    return " ".join(dict.fromkeys(filter(None, said)))
