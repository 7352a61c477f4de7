"""Bringing data sets into an archive: interrupted, changed, in conflict, corrected by people in between."""

import os
import signal
import subprocess
import sys

import pytest
from kit import photo
from PIL import Image
from rag_support import ScriptedEncoder, image_case, picture, units

from doubleread.core.case import Case, RowProblem
from doubleread.rag.arrivals import IngestSource
from doubleread.rag.care.auditing import audit_file
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.rag.ingest import gone, ingest, remove
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger import CaseEvent

LEAVES = IngestSource(origin="leaves", reviewer="ada")


@pytest.fixture
def archive(tmp_path):
    with Archive(tmp_path / "archive", "scripted-1", dim=8, index=False) as archive:
        yield archive


@pytest.fixture
def cases(tmp_path):
    return [image_case(tmp_path, i, label="ab"[i % 2], group=f"g{i // 2}") for i in range(6)]


def bring(archive, cases, source=LEAVES, encoder=None, progress=lambda _done, _total: None, piece=500):
    embedder = CachedEmbedder(encoder or ScriptedEncoder(), Images())
    try:
        return ingest(archive, cases, embedder, source, progress, piece=piece)
    finally:
        embedder.close()


def counts(found):
    names = ("added", "changed", "unchanged", "kept", "duplicates", "encoded")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


def relabelled(archive, case, label):
    """As a person does it."""
    (stored,) = archive.get([case.id])
    new = stored.model_copy(update={"case": stored.case.model_copy(update={"label": label})})
    archive.write([CaseEvent("relabelled", new, "grace", "looked again")])


def updated(case, **fields):
    return case.model_copy(update=fields)


def test_new_cases_come_with_provenance_and_tags_of_both_kinds(archive, tmp_path):
    case = image_case(tmp_path, 1, label="a", metadata={"tags": " wet;blurred, wet", "site": "north"})
    found = bring(archive, [case], IngestSource(origin="leaves", reviewer="ada", tags=("2024",)))
    (stored,) = archive.get([case.id])
    assert (stored.origin, stored.reviewer, stored.tags) == ("leaves", "ada", ("2024", "blurred", "wet"))
    assert stored.case.metadata == {"site": "north"}
    assert counts(found) == {"added": 1}
    assert found.version == archive.version()


def test_what_is_there_is_neither_decoded_nor_encoded_nor_written_again(archive, cases):
    bring(archive, cases)
    version, encoder, seen = archive.version(), ScriptedEncoder(), []
    for case in cases:
        case.path.unlink()
    found = bring(archive, cases, encoder=encoder, progress=lambda done, total: seen.append((done, total)))
    assert counts(found) == {"unchanged": 6}
    assert (encoder.encoded, archive.version(), seen[-1]) == (0, version, (6, 6))


def test_changes_are_rewritten_without_encoding(archive, cases, tmp_path):
    bring(archive, cases)
    encoder = ScriptedEncoder()
    now = [
        updated(cases[0], label="b"),
        updated(cases[1], group="other"),
        updated(cases[2], path=tmp_path / "moved.png"),
        updated(cases[3], metadata={"tags": "x"}),
        updated(cases[4], split="test"),
        cases[5],
    ]
    found = bring(archive, now, encoder=encoder)
    assert (counts(found), encoder.encoded) == ({"changed": 5, "unchanged": 1}, 0)
    stored = archive.get([case.id for case in cases])
    assert [one.case for one in stored[:3]] == now[:3]
    assert (stored[3].tags, stored[4].case.split) == (("x",), "test")
    assert counts(bring(archive, now)) == {"unchanged": 6}


def test_what_is_gone_is_named_and_a_row_that_cannot_be_used_is_not_gone(archive, cases):
    bring(archive, cases[:3])
    bring(archive, cases[3:], IngestSource(origin="others"))
    problem = RowProblem(where="line 3", path=cases[1].source, problem="the file is missing")
    assert gone(archive, "leaves", cases[:1], [problem]) == [cases[2].id]
    remove(archive, LEAVES, [cases[2].id])
    assert archive.count() == 5
    assert gone(archive, "leaves", cases[:1], [problem]) == []
    assert counts(bring(archive, cases[:3])) == {"changed": 1, "unchanged": 2}
    assert archive.count() == 6


def test_a_pruned_picture_may_come_back_from_another_data_set_and_is_its_own_then(archive, cases):
    bring(archive, cases)
    remove(archive, LEAVES, [cases[0].id])
    assert counts(bring(archive, cases[:1], IngestSource(origin="others"))) == {"changed": 1}
    assert archive.get([cases[0].id])[0].origin == "others"
    assert gone(archive, "leaves", cases[1:], []) == []


def test_unreadable_images_are_reported_and_the_rest_goes_on(archive, cases):
    cases[1].path.write_bytes(b"no image")
    cases[4].path.unlink()
    found = bring(archive, cases)
    assert counts(found) == {"added": 4}
    assert [one.path for one in found.problems] == [cases[1].source, cases[4].source]
    assert "was changed or replaced" in found.problems[0].problem
    assert "does not exist" in found.problems[1].problem


def test_a_picture_with_two_labels_is_left_out_and_both_files_are_named(archive, cases):
    twin = updated(cases[0], label="b", source="twin.png")
    copy = updated(cases[1], source="copy.png")
    found = bring(archive, [*cases, twin, copy])
    assert counts(found) == {"added": 5, "duplicates": 1}
    assert [one.path for one in found.problems] == [cases[0].source, "twin.png"]
    assert f"a ({cases[0].source}), b (twin.png)" in found.problems[0].problem
    assert not archive.holds(cases[0].id)


def test_another_origins_case_is_a_duplicate_or_a_conflict_and_stays(archive, cases):
    bring(archive, cases)
    found = bring(archive, [updated(cases[0], group="x"), updated(cases[1], label="a")], IngestSource(origin="others"))
    assert counts(found) == {"duplicates": 1}
    (problem,) = found.problems
    assert f"as b ({cases[1].source} from leaves), here it is a" in problem.problem
    assert [one.case for one in archive.get([case.id for case in cases])] == cases


# -- what people did in between -----------------------------------------------------------------------------------


def test_a_correction_outlives_every_later_ingest(archive, cases, tmp_path):
    bring(archive, cases)
    relabelled(archive, cases[0], "b")
    assert counts(bring(archive, cases)) == {"kept": 1, "unchanged": 5}
    moved = [updated(cases[0], path=tmp_path / "moved.png"), *cases[1:]]
    for expected in ({"changed": 1, "unchanged": 5}, {"kept": 1, "unchanged": 5}):
        assert counts(bring(archive, moved)) == expected
        (stored,) = archive.get([cases[0].id])
        assert (stored.label, stored.case.path) == ("b", tmp_path / "moved.png")


def test_a_data_set_that_is_corrected_too_agrees_or_is_in_conflict(archive, cases):
    bring(archive, cases)
    relabelled(archive, cases[0], "b")
    assert counts(bring(archive, [updated(cases[0], label="b")])) == {"unchanged": 1}
    found = bring(archive, [updated(cases[0], label="c")])
    assert "as b" in found.problems[0].problem
    assert archive.get([cases[0].id])[0].label == "b"


def test_what_a_person_removed_or_erased_does_not_come_back(archive, cases):
    bring(archive, cases)
    archive.remove([cases[0].id], reviewer="grace")
    archive.erase([cases[1].id], reviewer="grace")
    assert counts(bring(archive, cases)) == {"kept": 2, "unchanged": 4}
    assert archive.count() == 4


def test_a_tag_given_by_a_person_stays(archive, cases):
    bring(archive, cases)
    (stored,) = archive.get([cases[0].id])
    archive.write([CaseEvent("described", stored.model_copy(update={"tags": ("rare",)}), "grace")])
    assert counts(bring(archive, cases)) == {"unchanged": 6}
    assert archive.get([cases[0].id])[0].tags == ("rare",)


def test_near_copies_are_stored_and_told_of(archive, tmp_path):
    first = photo(tmp_path / "first.png", 0, seed=1, side=128)
    near = tmp_path / "near.png"
    Image.open(first).convert("RGB").resize((120, 120)).save(near)
    other = photo(tmp_path / "other.png", 1, seed=2, side=128)
    cases = [Case.from_file(path, label="a") for path in (first, other)]
    assert bring(archive, cases).near_copies == ()
    found = bring(archive, [Case.from_file(near, label="a")])
    assert found.near_copies == ((str(near), str(first)),)
    assert (found.added, archive.count()) == (1, 3)
    assert bring(archive, [Case.from_file(near, label="a")]).near_copies == ()


def test_what_the_encoder_in_use_has_not_encoded_is_encoded(archive, cases, tmp_path):
    """As after a switch to an encoder that has not read everything; from whichever data set the picture comes."""
    bring(archive, cases)
    archive.remove([cases[5].id])
    ids, rows = [case.id for case in cases[:2]], units(2, 8)
    archive.vectors.embed(archive.vectors.encoder("scripted-2", 8), ids, rows)
    with Archive(tmp_path / "archive", "scripted-2", dim=8, index=False) as other:
        version, encoder = other.version(), ScriptedEncoder()
        assert other.count() == 2
        assert counts(bring(other, cases[:3], encoder=encoder)) == {"unchanged": 2, "encoded": 1}
        found = bring(other, cases[1:], IngestSource(origin="elsewhere"), encoder)
        assert counts(found) == {"duplicates": 2, "encoded": 2, "kept": 1}
        assert (encoder.encoded, other.count(), other.version()) == (3, 5, version)
        assert other.search(encoder._row(Images().open(cases[3]))[None], 1)[0][0].case_id == cases[3].id


# -- interrupted --------------------------------------------------------------------------------------------------


def test_an_error_in_a_later_piece_keeps_the_pieces_before_it(archive, cases):

    def stop(done, _total):
        if done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(archive, cases, progress=stop, piece=2)
    assert archive.count() == 4
    encoder = ScriptedEncoder()
    assert counts(bring(archive, cases, encoder=encoder)) == {"added": 2, "unchanged": 4}
    assert (encoder.encoded, archive.count()) == (2, 6)


_KILLED = """
import sys
from pathlib import Path
from rag_support import ScriptedEncoder, image_case
from doubleread.rag import ingest
from doubleread.rag.embedder import CachedEmbedder
from doubleread.rag.images.case_images import Images
from doubleread.rag.stores.archive import Archive
folder = Path(sys.argv[1])
cases = [image_case(folder, i, label="ab"[i % 2]) for i in range(40)]
with Archive(folder / "archive", "scripted-1", dim=8, index=False) as archive:
    embedder = CachedEmbedder(ScriptedEncoder(seconds=0.1), Images(), batch=4)
    report = lambda done, total: print(done, flush=True)
    ingest.ingest(archive, cases, embedder, ingest.IngestSource(origin="leaves"), report, piece=4)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_ingest_goes_on_where_it_was(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    told = 0
    while told < 13:
        told = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    cases = [image_case(tmp_path, i, label="ab"[i % 2]) for i in range(40)]
    with Archive(tmp_path / "archive", "scripted-1", dim=8, index=False) as archive:
        assert audit_file(archive.file) == []
        there = archive.count()
        assert 12 <= there < 40
        assert there % 4 == 0
        encoder = ScriptedEncoder()
        found = bring(archive, cases, IngestSource(origin="leaves"), encoder)
        assert (found.added, found.unchanged) == (40 - there, there)
        assert (encoder.encoded, archive.count()) == (40 - there, 40)


def test_pictures_that_stand_out_are_named_and_added_all_the_same(archive, tmp_path):
    cases = [image_case(tmp_path, i, label="ab"[i % 2]) for i in range(30)]
    (tmp_path / "odd").mkdir()
    for name, image in (("black", Image.new("RGB", (32, 24), (1, 1, 1))), ("wide", picture(99, (200, 24)))):
        image.save(tmp_path / "odd" / f"{name}.png")
        cases.append(Case.from_file(tmp_path / "odd" / f"{name}.png", label="a"))
    found = bring(archive, cases)
    assert found.added == 32
    assert {tuple(one.signs) for one in found.unusual} == {("black",), ("shape",)}
    assert bring(archive, cases).unusual == ()
