"""Archives as the settings open them: each with the encoder that made it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.errors import DataError, EncoderMismatch
from doubleread.core.ports import Encoder
from doubleread.core.stored import Wanted
from doubleread.panel.composition import embedder_of, open_encoder
from doubleread.rag.case_search import Found, find_like
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.encoders import Choice
from doubleread.rag.safe_images import Images
from doubleread.rag.stores.archive import Archive, held_encoder
from doubleread.rag.stores.ledger_folder import check_folder
from doubleread.rag.stores.searched import EVERYTHING
from doubleread.settings import Settings, load_settings

AUTO = "auto"


@dataclass(frozen=True)
class ArchiveIntake:
    """What it takes to bring cases into an archive: the place, and an encoder that fits it."""

    folder: Path
    choice: Choice
    encoder: Encoder
    embedder: CachedEmbedder

    def archive(self) -> Archive:
        """The archive, made where there is none."""
        return Archive(self.folder, self.encoder.fingerprint, dim=self.encoder.dim, name=self.choice.name)


@contextmanager
def open_intake(folder: Path, settings: Settings) -> Iterator[ArchiveIntake]:
    """Loads the encoder, for an archive that is there its own unless the settings name one; makes nothing.

    Raises ``StoreError`` where no archive can be, and ``EncoderMismatch`` before any image is looked at.
    """
    new = check_folder(folder)
    filled = not new and held_encoder(folder) is not None
    choice = _held_choice(folder, None) if filled and settings.encoder.name == AUTO else None
    choice, encoder = open_encoder(settings, choice)
    if filled:
        Archive(folder, encoder.fingerprint, dim=encoder.dim, name=choice.name, index=False).close()
    embedder = embedder_of(encoder, Images(), settings)
    try:
        yield ArchiveIntake(folder, choice, encoder, embedder)
    finally:
        embedder.close()


@dataclass(frozen=True)
class Searchable:
    """An archive, read only, and an encoder whose embeddings it holds."""

    archive: Archive
    choice: Choice
    encoder: Encoder

    def find(self, query: Case | str, *, k: int = 10, each: bool = False, wanted: Wanted = EVERYTHING) -> Found:
        """The stored cases that are most like a picture or a text, as ``find_like`` finds them."""
        return find_like(self.archive, self.encoder, query, k=k, each=each, wanted=wanted)


@contextmanager
def open_searchable(folder: Path, settings: Settings) -> Iterator[Searchable]:
    """An archive with the encoder it is searched by, or with the one of several that the settings name, by its spec
    or by its fingerprint; many questions may be asked while it is open.

    Raises ``StoreError`` where there is no archive, and ``EncoderMismatch`` where it was not encoded by that encoder.
    """
    named = None if settings.encoder.name == AUTO else settings.encoder.name
    choice, encoder = open_encoder(settings, _held_choice(folder, named))
    if named not in (None, choice.name, encoder.fingerprint):
        raise EncoderMismatch(
            f"{choice.name} as it is loaded here is {encoder.fingerprint}, not {named}: name the weights it was made "
            "with as checkpoint of [encoder] in the settings"
        )
    with Archive(folder, encoder.fingerprint, dim=encoder.dim, read_only=True) as archive:
        yield Searchable(archive, choice, encoder)


def find(
    folder: Path | str,
    image: Path | str | None = None,
    *,
    text: str | None = None,
    k: int = 10,
    each: bool = False,
    wanted: Wanted = EVERYTHING,
    settings: Settings | None = None,
) -> Found:
    """The ``k`` cases of an archive that are most like the picture in a file, or like a text; ``each``: of every label.

    The encoder is loaded for each call: ask several questions with ``open_searchable``. Raises ``DataError`` for
    neither a picture nor a text, or both, and whatever ``find_like`` raises.
    """
    query = query_of(image, text)
    with open_searchable(Path(folder), settings or load_settings()) as searchable:
        return searchable.find(query, k=k, each=each, wanted=wanted)


def query_of(image: Path | str | None, text: str | None) -> Case | str:
    """What to look for; raises ``DataError`` for neither or both, and for a file that cannot be read."""
    if image is not None and text is None:
        return Case.from_file(Path(image))
    if text is not None and image is None:
        return text
    raise DataError("name one thing to look for: the file of a picture, or a text")


def _held_choice(folder: Path, fingerprint: str | None) -> Choice | None:
    """The encoder of a fingerprint, or the one an archive is searched by, where the archive says how to load it."""
    with Archive.existing(folder) as archive:
        sought = fingerprint or archive.fingerprint
        name = next((row.name for row in archive.encoders() if row.fingerprint == sought), "")
    reason = "it was asked for" if fingerprint else "the archive was made with it"
    return Choice(name, reason, fallback=False) if name else None
