"""Archives as the settings open them: each with the encoder that made it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from doubleread.composition import embedder_of, open_encoder
from doubleread.core.ports import Encoder
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.encoders import Choice
from doubleread.rag.images import Images
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger_file import check_folder
from doubleread.settings import Settings

AUTO = "auto"


@dataclass(frozen=True)
class Intake:
    """What it takes to bring cases into an archive: the place, and an encoder that fits it."""

    folder: Path
    choice: Choice
    encoder: Encoder
    embedder: CachedEmbedder

    def archive(self) -> Archive:
        """The archive, made where there is none."""
        return Archive(self.folder, self.encoder.fingerprint, dim=self.encoder.dim, name=self.choice.name)


@contextmanager
def open_intake(folder: Path, settings: Settings) -> Iterator[Intake]:
    """Loads the encoder, for an archive that is there its own unless the settings name one; makes nothing.

    Raises ``StoreError`` where no archive can be, and ``EncoderMismatch`` before any image is looked at.
    """
    new = check_folder(folder)
    choice = None if new or settings.encoder.name != AUTO else _own_choice(folder)
    choice, encoder = open_encoder(settings, choice)
    if not new:
        Archive(folder, encoder.fingerprint, dim=encoder.dim, name=choice.name, index=False).close()
    embedder = embedder_of(encoder, Images(), settings)
    try:
        yield Intake(folder, choice, encoder, embedder)
    finally:
        embedder.close()


def _own_choice(folder: Path) -> Choice | None:
    """The encoder that an archive is searched by, where it says which."""
    with Archive.existing(folder) as archive:
        name = next(row.name for row in archive.encoders() if row.fingerprint == archive.fingerprint)
    return Choice(name, "the archive was made with it", fallback=False) if name else None
