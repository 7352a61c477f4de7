"""Searches stored cases by an image or by text, for browsing: only the image itself is excluded, not its group."""

from collections.abc import Sequence

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DataError, EncoderError, EncoderMismatch
from doubleread.core.evidence import Neighbour
from doubleread.core.ports import CaseStore, Encoder, ImageSource, TextEncoder
from doubleread.core.stored import Wanted
from doubleread.core.types import Embeddings
from doubleread.rag.encoders.encoder_registry import ENCODERS, TEXT
from doubleread.rag.images.case_images import Images
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.store_base import EVERYTHING
from doubleread.rag.view_encoder import DECODE_SIDE

_EXAMPLE = "open-clip:ViT-B-32/datacomp_xl_s13b_b90k"


class SimilarCases(Record):
    """The stored cases that are similar to an image or a text."""

    query: str
    """The image's source, or the text."""
    encoder: str
    """Fingerprint of the encoder that the cosine similarities come from."""
    neighbours: tuple[Neighbour, ...]
    """Nearest first. A search for ``each`` label lists them by label, the label with the nearest case first."""
    held_as: str | None = None
    """The label under which the image itself is stored; the image is left out."""

    @property
    def nearest(self) -> Neighbour | None:
        """The nearest case, if any."""
        return self.neighbours[0] if self.neighbours else None


def find_like(
    store: CaseStore,
    encoder: Encoder,
    query: Case | str,
    *,
    k: int = 10,
    each: bool = False,
    wanted: Wanted = EVERYTHING,
    images: ImageSource | None = None,
) -> SimilarCases:
    """Returns the ``k`` stored cases most similar to a case's image or a text, nearest first; ``each``: of every label.

    Only ``wanted`` cases are searched. A stored copy of the image is excluded, its group is not. Raises ``ImageError``
    for an image that cannot be read, ``EncoderError`` for a text if the encoder has no text tower, ``DataError`` for an
    empty text, ``StoreError`` for a ``k`` below 1, and ``EncoderMismatch`` if the store holds embeddings of another
    encoder.
    """
    if store.fingerprint != encoder.fingerprint:
        raise EncoderMismatch(
            f"the cases are encoded by {store.fingerprint}, not by {encoder.fingerprint}: look with that encoder"
        )
    if isinstance(query, str):
        rows, itself = _words(store, encoder, query), frozenset[str]()
    else:
        rows, itself = encoder.encode([(images or Images()).open(query, max_side=DECODE_SIDE)]), frozenset({query.id})
    if each:
        labels = sorted(wanted.labels or set(store.columns().labels.tolist()))
        neighbours = _by_nearest(store.search_each(rows[0], labels, k, wanted=wanted, exclude_ids=itself))
    else:
        (neighbours,) = store.search(rows, k, wanted=wanted, exclude_ids=itself)
    return SimilarCases(
        query=query if isinstance(query, str) else query.source or query.id,
        encoder=encoder.fingerprint,
        neighbours=tuple(neighbours),
        held_as=next((one.label for one in store.get(sorted(itself))), None),
    )


def _words(store: CaseStore, encoder: Encoder, text: str) -> Embeddings:
    if not text.strip():
        raise DataError("the text is empty: say in a few words what a picture should show")
    if not isinstance(encoder, TextEncoder):
        raise EncoderError(_no_words(store, encoder.fingerprint))
    return encoder.encode_text([text])


def _no_words(store: CaseStore, fingerprint: str) -> str:
    """Explains why the store cannot be searched by text, and what to do."""
    able = sorted(ENCODERS.having(TEXT))
    trouble = f"{fingerprint} has no text tower and cannot look for words; {', '.join(able)} models can"
    if not isinstance(store, Archive):
        return f"{trouble}: encode the cases with one, such as {_EXAMPLE}"
    held = [row for row in store.encoders() if any(row.fingerprint.startswith(f"{kind}-") for kind in able)]
    if held:
        names = " or ".join(f"--encoder {row.name or row.fingerprint}" for row in held)
        return f"{trouble}. The archive holds embeddings of such a model too: look with {names}"
    return (
        f"{trouble}. Encode the archive with one beside the embeddings it has: `doubleread cases reencode "
        f"{store.folder} --encoder {_EXAMPLE}`, then look with that --encoder"
    )


def _by_nearest(neighbours: Sequence[Neighbour]) -> list[Neighbour]:
    """Sorts cases by label, the label with the nearest case first."""
    best: dict[str, float] = {}
    for one in neighbours:
        best.setdefault(one.label, one.similarity)
    return sorted(neighbours, key=lambda one: (-best[one.label], one.label))
