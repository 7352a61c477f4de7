"""Finding by a picture and by words: the right order is known by hand."""

import numpy as np
import pytest
from rag_support import TINY, ScriptedEncoder, bare_case, image_case, picture, tiny_clip, units

from doubleread.core.errors import DataError, EncoderError, EncoderMismatch, ImageError, StoreError
from doubleread.core.ports import TextEncoder
from doubleread.core.stored import Wanted
from doubleread.rag.case_search import find_like
from doubleread.rag.encoders import build
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.exact import ExactStore

DIM = 3
COSINES = (("rust", 0.6), ("scab", 0.9), ("rust", 0.8), ("healthy", 0.1), ("scab", 0.2))
PLACES = {"orange spots": (1, 0, 0), "green": (0, 1, 0)}
CASES = [bare_case(i, label, group="plant", split="ab"[i % 2]) for i, (label, _) in enumerate(COSINES)]


class Reader(ScriptedEncoder):
    """An encoder with a text tower: pictures lie on the first axis, and each text where it was told."""

    fingerprint, dim, logit_scale = "reader-1", DIM, 100.0

    def encode(self, images):
        super().encode(images)
        return np.tile(np.eye(1, DIM, dtype=np.float32), (len(images), 1))

    def encode_text(self, texts):
        return np.array([PLACES[text] for text in texts], np.float32)


@pytest.fixture
def reader():
    made = Reader()
    assert isinstance(made, TextEncoder)
    return made


@pytest.fixture
def store():
    """Five cases at known cosines to the first axis, all of one group."""
    made = ExactStore("reader-1", dim=DIM)
    made.add(CASES, np.array([(c, np.sqrt(1 - c**2), 0) for _, c in COSINES], np.float32))
    return made


def order(found):
    return [one.case_id for one in found.neighbours]


def ids(*positions):
    return [CASES[i].id for i in positions]


def test_words_find_the_nearest_cases_first_and_open_no_picture(store, reader):
    found = find_like(store, reader, "orange spots", k=3)
    assert order(found) == ids(1, 2, 0)
    assert [one.similarity for one in found.neighbours] == pytest.approx([0.9, 0.8, 0.6])
    assert (found.query, found.encoder, found.held_as) == ("orange spots", "reader-1", None)
    assert found.nearest == found.neighbours[0]
    assert order(find_like(store, reader, "green")) == ids(3, 4, 0, 2, 1)
    assert reader.encoded == 0


def test_a_picture_finds_what_its_embedding_is_near(store, reader, tmp_path):
    case = image_case(tmp_path, 1)
    found = find_like(store, reader, case, k=2)
    assert order(found) == ids(1, 2)
    assert found.query == str(case.path)
    assert reader.encoded == 1


def test_a_picture_that_is_stored_is_left_out_and_its_group_is_not(store, reader, tmp_path):
    own = image_case(tmp_path, 1, label="mildew", group="plant")
    store.add([own], np.eye(1, DIM, dtype=np.float32))
    found = find_like(store, reader, own)
    assert order(found) == ids(1, 2, 0, 4, 3)
    assert found.held_as == "mildew"


def test_each_label_has_its_nearest_and_the_nearest_label_comes_first(store, reader):
    assert order(find_like(store, reader, "orange spots", k=1, each=True)) == ids(1, 2, 3)
    assert order(find_like(store, reader, "orange spots", k=2, each=True)) == ids(1, 4, 2, 0, 3)
    only = Wanted(labels=frozenset({"rust", "healthy"}))
    assert order(find_like(store, reader, "orange spots", k=1, each=True, wanted=only)) == ids(2, 3)


def test_only_what_is_wanted_is_found(store, reader):
    wanted = Wanted(labels=frozenset({"rust", "healthy"}), splits=frozenset("b"))
    assert order(find_like(store, reader, "orange spots", wanted=wanted)) == ids(3)
    nothing = find_like(store, reader, "orange spots", wanted=Wanted(labels=frozenset({"none"})))
    assert (nothing.neighbours, nothing.nearest) == ((), None)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_an_error(store, reader, text):
    with pytest.raises(DataError, match="the text is empty"):
        find_like(store, reader, text)


def test_what_cannot_be_looked_for_is_an_error(store, reader, tmp_path):
    with pytest.raises(StoreError, match="at least 1"):
        find_like(store, reader, "green", k=0)
    with pytest.raises(ImageError):
        find_like(store, reader, bare_case(99))
    with pytest.raises(EncoderMismatch, match=r"reader-1, not by scripted-1"):
        find_like(store, ScriptedEncoder(), image_case(tmp_path, 1))


def test_an_encoder_without_a_text_tower_says_which_have_one(tmp_path):
    blind = ScriptedEncoder()
    with pytest.raises(EncoderError, match=r"scripted-1 has no text tower .* open-clip models can: encode"):
        find_like(ExactStore("scripted-1", dim=8), blind, "rust")
    with Archive(tmp_path / "store", "scripted-1", dim=8, index=False) as archive:
        archive.add([bare_case(1)], units(1))
        with pytest.raises(EncoderError, match=r"cases reencode \S+store --encoder open-clip:"):
            find_like(archive, blind, "rust")
        archive.vectors.encoder("open-clip-0a1b2c3d4e5f", 512, "open-clip:ViT-B-32/openai")
        with pytest.raises(EncoderError, match=r"such a model too: look with --encoder open-clip:ViT-B-32/openai$"):
            find_like(archive, blind, "rust")


def test_a_real_text_tower_orders_by_its_own_cosines(tmp_path):
    clip = build(f"open-clip:{TINY}", device="cpu", checkpoint=tiny_clip(tmp_path))
    rows = clip.encode([picture(i) for i in range(6)])
    cases = [bare_case(i) for i in range(6)]
    store = ExactStore(clip.fingerprint, dim=clip.dim)
    store.add(cases, rows)
    (text,) = clip.encode_text(["orange spots on a leaf"])
    found = find_like(store, clip, "orange spots on a leaf", k=6)
    assert order(found) == [cases[i].id for i in np.argsort(-(rows @ text))]
    assert [one.similarity for one in found.neighbours] == pytest.approx(sorted(rows @ text, reverse=True), abs=1e-5)
