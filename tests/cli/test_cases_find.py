"""``doubleread cases find``: by a picture with the embedded encoder, by words with a tiny CLIP."""

import json
import shutil

import numpy as np
import pytest
from kit import photo, photo_folder
from rag_support import TINY, bare_case, tiny_clip, units

from doubleread.core.case import Case
from doubleread.core.errors import DataError, EncoderMismatch
from doubleread.panel.archives import find, open_searchable
from doubleread.rag.stores.archive import Archive
from doubleread.settings import load_settings

pytestmark = pytest.mark.usefixtures("offline")
EFFICIENTNET = "efficientnet-lite0"


@pytest.fixture
def archive(doubleread, photos, once, tmp_path, monkeypatch):
    """An archive of thirty pictures of three colours, which says itself how it is searched."""

    def make(folder):
        assert doubleread("cases", "add", folder / "archive", photos, "--tag", "old").code == 0

    made = once("thirty", make)
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "auto")
    return shutil.copytree(made / "archive", tmp_path / "archive")


@pytest.fixture
def green(tmp_path):
    """A green picture that is not in the archive."""
    return photo(tmp_path / "new.png", 1, 999_999)


@pytest.fixture
def clip(archive, doubleread, tmp_path):
    """Another encoder's embeddings in the archive, beside those it is searched by: of a model that reads words."""
    checkpoint = tiny_clip(tmp_path)
    settings = tmp_path / "clip.toml"
    settings.write_text(f'[encoder]\ncheckpoint = "{checkpoint}"\ndevice = "cpu"\n')
    ended = doubleread("cases", "reencode", archive, "--encoder", f"open-clip:{TINY}", "--settings", settings)
    assert ended.code == 0
    return settings


def answer(ended):
    assert ended.code == 0
    return json.loads(ended.out)


def labels(found):
    return [one["label"] for one in found["neighbours"]]


def test_a_picture_finds_its_like_nearest_first(doubleread, archive, green, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ended = doubleread("cases", "find", archive, green, "-k", "4")
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines() if line.strip()[:2] == "0."]
    assert [row[1] for row in rows] == ["green"] * 4
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
    assert f"nearest {rows[0][0]} · 30 cases, v30-" in ended.out
    assert f"{EFFICIENTNET}-" in ended.out
    assert f"encoder: {EFFICIENTNET}: the archive was made with it" in ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    found = answer(doubleread("cases", "find", archive, green, "--json"))
    assert (len(found["neighbours"]), found["query"], found["held_as"]) == (10, str(green), None)


def test_a_picture_of_the_archive_is_left_out_and_said_to_be_there(doubleread, archive, photos):
    own = photos / "red" / "red-000.png"
    ended = doubleread("cases", "find", archive, own, "-k", "30", "--json")
    assert "the picture itself is in the archive, as red, and left out" in ended.err
    found = answer(ended)
    assert (len(found["neighbours"]), found["held_as"]) == (29, "red")
    assert str(own) not in [one["path"] for one in found["neighbours"]]


def test_filters_and_each(doubleread, archive, green):
    found = answer(doubleread("cases", "find", archive, green, "--each", "-k", "2", "--tag", "old", "--json"))
    assert labels(found)[:2] == ["green", "green"]
    assert sorted(labels(found)) == ["blue", "blue", "green", "green", "red", "red"]
    ended = doubleread("cases", "find", archive, green, "--label", "red", "--label", "blue", "-k", "30", "--json")
    assert set(labels(answer(ended))) == {"red", "blue"}
    for none in (("--tag", "new"), ("--label", "no"), ("--split", "no"), ("--until", "2001-01-01"), ("--group", "no")):
        ended = doubleread("cases", "find", archive, green, *none)
        assert (ended.code, "no case matches the filters" in ended.err) == (0, True)


def test_the_page(doubleread, archive, green, tmp_path):
    ended = doubleread("cases", "find", archive, green, "--each", "-k", "1", "-o", tmp_path / "new" / "page.html")
    assert (ended.code, "page.html" in ended.err) == (0, True)
    page = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/webp") == 4
    assert "Cases like new.png" in page
    ended = doubleread("cases", "find", archive, green, "-o", tmp_path / "page.pdf")
    assert (ended.code, "does not end in .html" in ended.err) == (2, True)


def test_words_need_an_encoder_that_reads_them(doubleread, archive):
    ended = doubleread("cases", "find", archive, "--text", "orange spots")
    assert (ended.code, ended.out) == (2, "")
    assert "has no text tower" in ended.err
    assert f"doubleread cases reencode {archive} --encoder open-clip:" in ended.err


def test_words_find_by_the_encoder_that_reads_them_with_no_picture_left(doubleread, clip, tmp_path):
    pictures, archive = photo_folder(tmp_path / "photos", 10), tmp_path / "own"
    assert doubleread("cases", "add", archive, pictures, "--encoder", EFFICIENTNET).code == 0
    reencoded = doubleread("cases", "reencode", archive, "--encoder", f"open-clip:{TINY}", "--settings", clip)
    assert reencoded.code == 0
    shutil.rmtree(pictures)
    with Archive.existing(archive) as opened:
        (row,) = [row for row in opened.encoders() if row.fingerprint != opened.fingerprint]
    query = ("cases", "find", archive, "--text", "a red disc", "--settings", clip, "--encoder")
    by_name = doubleread(*query, row.name)
    assert by_name.code == 0
    assert row.fingerprint in by_name.out
    by_fingerprint = answer(doubleread(*query, row.fingerprint, "--json"))
    assert len(by_fingerprint["neighbours"]) == 10
    assert all(one["case_id"][:12] in by_name.out for one in by_fingerprint["neighbours"])


def test_without_a_text_tower_the_encoder_that_has_one_is_named(doubleread, archive, clip):
    ended = doubleread("cases", "find", archive, "--text", "a red disc")
    assert (ended.code, f"look with --encoder open-clip:{TINY}" in ended.err) == (2, True)


def test_other_weights_than_the_archives_are_refused(archive, clip, tmp_path):
    with Archive.existing(archive) as opened:
        (row,) = [row for row in opened.encoders() if row.fingerprint != opened.fingerprint]
    other = {"name": row.fingerprint, "checkpoint": str(tiny_clip(tmp_path, seed=1)), "device": "cpu"}
    with (
        pytest.raises(EncoderMismatch, match=f"not {row.fingerprint}: name the weights"),
        open_searchable(archive, load_settings(None, {"encoder": other})),
    ):
        pass


def test_cases_that_the_encoder_has_not_seen_are_counted(doubleread, archive, clip, green):
    with Archive.existing(archive) as opened:
        opened.add([bare_case(1)], units(1, opened.dim))
    ended = doubleread("cases", "find", archive, green, "--settings", clip, "--encoder", f"open-clip:{TINY}")
    assert (ended.code, "1 cases are not searched" in ended.err) == (0, True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "name one thing to look for"),
        (("new.png", "--text", "spots"), "name one thing to look for"),
        (("orange spots",), 'to look for words, write --text "orange spots"'),
        (("--text", " "), "the text is empty"),
        (("new.png", "--encoder", "colour-texture"), "not of colour-texture"),
        (("new.png", "--encoder", "nobody"), "unknown encoder 'nobody'"),
        (("broken.png",), "the file begins with"),
    ],
)
def test_what_cannot_be_done_is_one_message(doubleread, archive, green, monkeypatch, given, message):
    monkeypatch.chdir(green.parent)
    (green.parent / "broken.png").write_bytes(b"no image")
    ended = doubleread("cases", "find", archive, *given)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_there_is_no_archive(doubleread, green, tmp_path):
    ended = doubleread("cases", "find", tmp_path / "nowhere", green)
    assert (ended.code, "there is no archive" in ended.err, (tmp_path / "nowhere").exists()) == (2, True, False)


def test_from_python(archive, green, settings):
    assert {one.label for one in find(archive, green, k=3).neighbours} == {"green"}
    assert find(str(archive), str(green), k=1, settings=settings).nearest.label == "green"
    with pytest.raises(DataError, match="one thing"):
        find(archive, green, text="green")


def test_the_cases_of_a_panel(saved, green, doubleread):
    with Archive.existing(saved / "store") as store:
        assert [row.name for row in store.encoders()] == [EFFICIENTNET]
    assert labels(answer(doubleread("cases", "find", saved / "store", green, "-k", "2", "--json"))) == ["green"] * 2


def test_text_of_the_archive_neither_steers_the_terminal_nor_is_markup(doubleread, archive, green):
    evil = "[red]\x1b]0;mine\x07 \u202e<b>"
    with Archive.existing(archive) as opened:
        evil_case = Case.from_file(green, label=evil, source="/".join((evil, evil)))
        opened.add([evil_case, bare_case(1, evil)], np.ones((2, opened.dim), np.float32))
    ended = doubleread("cases", "find", archive, green, "--label", evil)
    assert ended.code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.out + ended.err)
    assert "[red]�]0;mine� �<b>" in ended.out
    assert "[red]�]0;mine� �<b>" in ended.err.replace("\n", " ")
