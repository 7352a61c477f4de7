"""Opens archives with the encoder that made them, according to the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.errors import DataError, EncoderMismatch
from doubleread.core.ports import Encoder
from doubleread.core.stored import Wanted
from doubleread.panel.composition import embedder_of, images_of, open_encoder
from doubleread.rag.case_search import find_like
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.encoders import EncoderChoice
from doubleread.rag.images.case_images import Images
from doubleread.rag.stores.archive import Archive, held_encoder
from doubleread.rag.stores.ledger_folder import check_folder
from doubleread.rag.stores.store_base import EVERYTHING
from doubleread.render.shown import ShownSimilarCases
from doubleread.settings import Settings, load_settings

AUTO = "auto"


@dataclass(frozen=True)
class ArchiveIntake:
    """An archive folder and a matching encoder, for adding cases."""

    folder: Path
    choice: EncoderChoice
    encoder: Encoder
    embedder: CachedEmbedder

    def archive(self) -> Archive:
        """Opens the archive; creates it if there is none."""
        return Archive(self.folder, self.encoder.fingerprint, dim=self.encoder.dim, name=self.choice.name)


@contextmanager
def open_intake(folder: Path, settings: Settings) -> Iterator[ArchiveIntake]:
    """Loads the archive's own encoder, or that of the settings if they name one or there is no archive. Creates
    nothing.

    Raises ``StoreError`` if no archive can be there, and ``EncoderMismatch`` before any image is opened.
    """
    new = check_folder(folder)
    filled = not new and held_encoder(folder) is not None
    choice = _held_choice(folder, None) if filled and settings.encoder.name == AUTO else None
    choice, encoder = open_encoder(settings, choice)
    if filled:
        Archive(folder, encoder.fingerprint, dim=encoder.dim, name=choice.name, index=False).close()
    embedder = embedder_of(encoder, images_of(settings), settings)
    try:
        yield ArchiveIntake(folder, choice, encoder, embedder)
    finally:
        embedder.close()


@dataclass(frozen=True)
class Searchable:
    """A read-only archive and an encoder whose embeddings it holds."""

    archive: Archive
    choice: EncoderChoice
    encoder: Encoder
    images: Images

    def find(
        self, query: Case | str, *, k: int = 10, each: bool = False, wanted: Wanted = EVERYTHING
    ) -> ShownSimilarCases:
        """Returns the stored cases most similar to an image or a text; see ``find_like``."""
        found = find_like(self.archive, self.encoder, query, k=k, each=each, wanted=wanted, images=self.images)
        return ShownSimilarCases.model_validate(found.model_dump())


@contextmanager
def open_searchable(folder: Path, settings: Settings) -> Iterator[Searchable]:
    """Opens an archive for searches, with its active encoder or the one that the settings name by spec or fingerprint.

    Raises ``StoreError`` if there is no archive, and ``EncoderMismatch`` if that encoder has not encoded it.
    """
    named = None if settings.encoder.name == AUTO else settings.encoder.name
    choice, encoder = open_encoder(settings, _held_choice(folder, named))
    if named not in (None, choice.name, encoder.fingerprint):
        raise EncoderMismatch(
            f"{choice.name} as it is loaded here is {encoder.fingerprint}, not {named}: name the weights it was made "
            "with as checkpoint of [encoder] in the settings"
        )
    with Archive(folder, encoder.fingerprint, dim=encoder.dim, read_only=True) as archive:
        yield Searchable(archive, choice, encoder, images_of(settings))


def find(
    folder: Path | str,
    image: Path | str | None = None,
    *,
    text: str | None = None,
    k: int = 10,
    each: bool = False,
    wanted: Wanted = EVERYTHING,
    settings: Settings | None = None,
) -> ShownSimilarCases:
    """Returns the ``k`` cases of an archive most similar to an image file or a text; ``each``: of every label.

    Each call loads the encoder: use ``open_searchable`` for several queries. Raises ``DataError`` unless exactly one of
    image and text is given, and the errors of ``find_like``.
    """
    query = query_of(image, text)
    with open_searchable(Path(folder), settings or load_settings()) as searchable:
        return searchable.find(query, k=k, each=each, wanted=wanted)


def query_of(image: Path | str | None, text: str | None) -> Case | str:
    """Returns the query; raises ``DataError`` for neither or both, and for a file that cannot be read."""
    if image is not None and text is None:
        return Case.from_file(Path(image))
    if text is not None and image is None:
        return text
    raise DataError("name one thing to look for: the file of a picture, or a text")


def _held_choice(folder: Path, fingerprint: str | None) -> EncoderChoice | None:
    """Returns the encoder with a fingerprint, or the active one; None if the archive does not record how to load it."""
    with Archive.existing(folder) as archive:
        sought = fingerprint or archive.fingerprint
        name = next((row.name for row in archive.encoders() if row.fingerprint == sought), "")
    reason = "it was asked for" if fingerprint else "the archive was made with it"
    return EncoderChoice(name, reason, fallback=False) if name else None
