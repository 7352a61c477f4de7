"""Finding stored cases by a picture or by words. It is for looking: only the picture itself is left out."""

from collections.abc import Sequence

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DataError, EncoderError, EncoderMismatch
from doubleread.core.evidence import Neighbour
from doubleread.core.ports import CaseStore, Encoder, TextEncoder
from doubleread.core.stored import Wanted
from doubleread.core.types import Embeddings
from doubleread.rag.embedder import DECODE_SIDE
from doubleread.rag.encoders.encoder_registry import ENCODERS, TEXT
from doubleread.rag.safe_images import Images
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.searched import EVERYTHING

_EXAMPLE = "open-clip:ViT-B-32/datacomp_xl_s13b_b90k"


class Found(Record):
    """What a store holds that is like a picture or a text."""

    query: str
    """The picture's source, or the text."""
    encoder: str
    """Fingerprint of the encoder whose cosine similarities these are."""
    neighbours: tuple[Neighbour, ...]
    """Nearest first. Those of ``each`` label lie label by label, the label with the nearest case first."""
    held_as: str | None = None
    """The label under which the picture itself is stored; it is left out."""

    @property
    def nearest(self) -> Neighbour | None:
        """The nearest of them, where there is one."""
        return self.neighbours[0] if self.neighbours else None


def find_like(
    store: CaseStore,
    encoder: Encoder,
    query: Case | str,
    *,
    k: int = 10,
    each: bool = False,
    wanted: Wanted = EVERYTHING,
) -> Found:
    """The ``k`` stored cases that are most like a case's picture or a text, nearest first; ``each``: of every label.

    Only what is ``wanted`` is looked at. A picture that is stored itself is left out, its group is not. For a text no
    picture is opened. Raises ``ImageError`` for a picture that cannot be read, ``EncoderError`` for a text where the
    encoder has no text tower, ``DataError`` for an empty text, ``StoreError`` for a ``k`` below 1, and
    ``EncoderMismatch`` where the store holds embeddings of another encoder.
    """
    if store.fingerprint != encoder.fingerprint:
        raise EncoderMismatch(
            f"the cases are encoded by {store.fingerprint}, not by {encoder.fingerprint}: look with that encoder"
        )
    rows = _words(store, encoder, query) if isinstance(query, str) else _picture(encoder, query)
    itself = frozenset() if isinstance(query, str) else frozenset({query.id})
    if each:
        labels = sorted(wanted.labels or set(store.columns().labels.tolist()))
        neighbours = _by_nearest(store.search_each(rows[0], labels, k, wanted=wanted, exclude_ids=itself))
    else:
        (neighbours,) = store.search(rows, k, wanted=wanted, exclude_ids=itself)
    return Found(
        query=query if isinstance(query, str) else query.source or query.id,
        encoder=encoder.fingerprint,
        neighbours=tuple(neighbours),
        held_as=next((one.label for one in store.get(sorted(itself))), None),
    )


def _picture(encoder: Encoder, case: Case) -> Embeddings:
    return encoder.encode([Images().open(case, max_side=DECODE_SIDE)])


def _words(store: CaseStore, encoder: Encoder, text: str) -> Embeddings:
    if not text.strip():
        raise DataError("the text is empty: say in a few words what a picture should show")
    if not isinstance(encoder, TextEncoder):
        raise EncoderError(_no_words(store, encoder.fingerprint))
    return encoder.encode_text([text])


def _no_words(store: CaseStore, fingerprint: str) -> str:
    """Why no words can be looked for, and what to do about it, from what the store holds."""
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
    """Cases that lie label by label, nearest first: the label with the nearest case first."""
    best: dict[str, float] = {}
    for one in neighbours:
        best.setdefault(one.label, one.similarity)
    return sorted(neighbours, key=lambda one: (-best[one.label], one.label))
