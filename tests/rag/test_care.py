"""Care of an archive: found, corrected, taken back, moved, merged, encoded anew."""

import importlib.util
import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from rag_support import bare_case, image_case, units

from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.stored import Wanted
from doubleread.core.verdict import Unread
from doubleread.rag.bulk_embedding import EmbeddedCases
from doubleread.rag.care.auditing import audit_file
from doubleread.rag.care.bundle import ABOUT, export
from doubleread.rag.care.case_corrections import relabel, restore, tag, undo
from doubleread.rag.care.listing import listed, whole_id
from doubleread.rag.care.parcel import Conflict, merge, parcel_of
from doubleread.rag.care.reencoding import forget, named_encoder, reencode, use
from doubleread.rag.care.statistics import drawn_at_random, layout, statistics
from doubleread.rag.care.unbundling import import_bundle, read_bundle
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger_folder import FILE

DIM = 8
CASES = [bare_case(i, "ab"[i % 2], group=f"g{i // 4}", metadata={"n": str(i)}) for i in range(12)]
ROWS = units(12, DIM)


def opened(folder, fingerprint="enc-1", dim=DIM, **options):
    return Archive(folder, fingerprint, dim=dim, index=False, **options)


@pytest.fixture
def archive(tmp_path):
    """An open archive of twelve cases, six of each label, three groups."""
    with opened(tmp_path / "store", name="first") as store:
        store.add(CASES, ROWS)
        yield store


def state(archive):
    """Everything but the order of things."""
    parcel = parcel_of(archive)
    return parcel.cases, {name: rows.tobytes() for name, rows in parcel.rows.items()}


def labels(archive):
    return {one.case.id: one.label for one in archive.ledger.records()}


# -- names and lists ----------------------------------------------------------------------------------------------


def test_the_beginning_of_an_id_names_a_case(archive):
    one = CASES[3].id
    assert whole_id(archive, one[:6]) == whole_id(archive, one.upper()) == one
    near = bare_case(3).model_copy(update={"id": one[:8] + "0" * 56})
    archive.add([near], units(1, DIM, seed=9))
    with pytest.raises(StoreError, match="several cases begin with"):
        whole_id(archive, one[:8])
    assert whole_id(archive, one[:10]) == one


@pytest.mark.parametrize("given", ["", "abc", "*" * 8, "xyzxyz", "0" * 65])
def test_what_is_no_beginning_of_an_id_is_refused(archive, given):
    with pytest.raises(StoreError, match="is no case id: give 6 to 64"):
        whole_id(archive, given)
    with pytest.raises(StoreError, match="has no case ffffff0"):
        whole_id(archive, "ffffff0")


def test_lists_are_filtered_and_limited(archive):
    tag(archive, [CASES[0].id, CASES[2].id], add=["x", "y"])
    tag(archive, [CASES[2].id], remove=["y"])
    archive.remove([CASES[4].id])
    assert listed(archive, Wanted(labels=frozenset("a"))).total == 5
    assert [one.case for one in listed(archive, Wanted(tags=frozenset("xy"))).cases] == [CASES[0]]
    assert listed(archive, Wanted(groups=frozenset({"g0", "g2"})), limit=3).total == 8
    assert len(listed(archive, Wanted(), limit=3).cases) == 3
    assert [one.case for one in listed(archive, Wanted(), removed=True).cases] == [CASES[4]]
    when = archive.get([CASES[0].id])[0].added
    assert listed(archive, Wanted(since=when)).total == 11
    assert listed(archive, Wanted(until=when)).total == 0


def test_statistics_count_what_is_there(tmp_path):
    """Two groups a label on four axes: the nearest case outside a group is known by hand."""
    axes = np.eye(4, DIM, dtype=np.float32)
    cases = [bare_case(i, "aabb"[i % 4], group=f"g{i}") for i in range(4)]
    rows = np.stack([axes[0], axes[0] + 0.1 * axes[1], axes[0] + 0.2 * axes[1], axes[3]])
    with opened(tmp_path / "s") as store:
        store.add([*cases, bare_case(9, "c")], np.concatenate([rows, axes[3:4]]))
        store.remove([bare_case(9).id])
        found = statistics(store)
    assert [(one.label, one.cases, one.groups, one.removed, one.share) for one in found.labels] == [
        ("a", 2, 2, 0, 0.5), ("b", 2, 2, 0, 0.5), ("c", 0, 0, 1, 0.0),
    ]  # fmt: skip
    # a0 → a1; a1 → b2 or a0 at similar angles: 0.0997 to a0 against 0.0977 to b2, so b2; b2 → a1; b3 is orthogonal.
    assert (found.labels[0].asked, found.labels[0].agreeing) == (2, 1)
    assert (found.labels[1].asked, found.labels[1].agreeing) == (2, 0)
    assert (found.cases, found.removed, found.encoders[0].cases) == (4, 1, 4)


# -- corrections --------------------------------------------------------------------------------------------------


def test_a_new_label_is_found_at_once_and_can_be_taken_back(archive):
    one = CASES[0].id
    assert relabel(archive, one, "b", reviewer="Ada", note="lens").label == "a"
    assert archive.search(ROWS[:1], 1)[0][0].label == "b"
    assert archive.get([one])[0].reviewer == "Ada"
    version = archive.version()
    relabel(archive, one, "b")
    assert archive.version() == version
    assert undo(archive, one).after.label == "a"
    assert undo(archive).after.label == "b"
    told = [(c.what, c.after, c.note) for c in archive.past.history(one)]
    back = ("relabelled", "a", "took back: relabelled"), ("relabelled", "b", "took back: relabelled")
    assert told == [("added", "a", ""), ("relabelled", "b", "lens"), *back]


def test_an_addition_is_taken_back_by_removal_and_a_removal_by_return(archive):
    one = CASES[7].id
    assert undo(archive, one).after.removed
    assert not archive.holds(one)
    assert not undo(archive, one).after.removed
    assert archive.search(ROWS[7:8], 1)[0][0].case_id == one


def test_what_cannot_be_corrected(archive):
    archive.remove([CASES[0].id])
    with pytest.raises(StoreError, match=r"removed, or not there.*undo"):
        relabel(archive, CASES[0].id, "b")
    with pytest.raises(StoreError, match="a label cannot be empty"):
        relabel(archive, CASES[1].id, " ")
    with pytest.raises(StoreError, match="a tag cannot be empty"):
        tag(archive, [CASES[1].id], add=[""])


def test_an_erased_case_is_not_taken_back(tmp_path):
    with opened(tmp_path / "s") as store:
        store.add(CASES, ROWS)
        assert store.erase([CASES[0].id])
        assert whole_id(store, CASES[0].id[:8], erased=True) == CASES[0].id
        with pytest.raises(StoreError, match="erased for good"):
            undo(store, CASES[0].id)
        store.add([CASES[0]], ROWS[:1])
        assert undo(store, CASES[0].id).after.removed
        assert audit_file(store.file) == []


def test_going_back_to_a_version_loses_nothing(archive):
    tag(archive, [CASES[1].id], add=["kept"])
    archive.remove([CASES[2].id])
    before, made = state(archive), archive.past.snapshot("then", "")
    relabel(archive, CASES[0].id, "b")
    tag(archive, [CASES[1].id], add=["other"])
    archive.add([bare_case(50), CASES[2]], units(2, DIM, seed=5))
    archive.remove([CASES[3].id])
    archive.erase([CASES[11].id])
    changes = len(archive.past.history())
    done = restore(archive, "then", reviewer="Ada")
    assert (done.changed, done.erased) == (5, 1)
    cases, _ = state(archive)
    assert cases == [one for one in before[0] if one.case.id != CASES[11].id]
    assert len(archive.past.history()) == changes + 5
    assert restore(archive, made.version.id).changed == restore(archive, f"v{made.version.seq}").changed == 0
    assert audit_file(archive.file) == []


@pytest.mark.parametrize("name", ["never", "v999", "v3-ffff", "v", "vv1", "3", "v²"])
def test_an_unknown_state_is_refused(archive, name):
    archive.past.snapshot("one", "")
    with pytest.raises(StoreError, match=r"no snapshot or version .*snapshots: one; it is now v12-"):
        restore(archive, name)


def test_going_back_leaves_pictures_where_they_are(archive):
    made = archive.past.snapshot("then", "")
    moved = CASES[0].model_copy(update={"path": Path("/elsewhere/0.png"), "label": "b"})
    archive.add([moved], ROWS[:1])
    restore(archive, made.name)
    assert archive.get([moved.id])[0].case == moved.model_copy(update={"label": "a"})


# -- audits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            'update changes set record = replace(record, \'"n":"8"\', \'"n":"7"\') where seq = 9',
            "altered from outside: change 9",
        ),
        ("update changes set record = null where seq = 9", "change 9 .* lost its record"),
        ("update cases set label = 'b' where seq = 9", "is searched as 'b'"),
        ("update embeddings set row = zeroblob(32) where stamp = 9", "not finite or not of length 1"),
        ("update embeddings set row = zeroblob(31) where stamp = 9", "has 31 bytes instead of 32"),
        ("delete from cases where seq = 9", "belongs to no case"),
        ("update snapshots set digest = 'x'", "snapshot 'one' names a state"),
    ],
)
def test_an_audit_finds_what_was_altered(archive, statement, told):
    archive.past.snapshot("one", "")
    assert audit_file(archive.file) == []
    with sqlite3.connect(archive.folder / FILE) as db:
        db.execute(statement)
    db.close()
    found = audit_file(archive.file)
    assert [line for line in found if re.search(told, line)]
    assert not [line for line in found if "cannot be read" in line]


# -- moving -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_encoders(archive):
    """The archive with a second encoder that has read half of the cases."""
    number = archive.vectors.encoder("enc-2", 3, "second")
    archive.vectors.embed(number, [case.id for case in CASES[:6]], units(6, 3, seed=2))
    tag(archive, [CASES[0].id], add=["x"])
    return archive


def test_what_is_exported_and_imported_is_the_same(two_encoders, tmp_path):
    done = export(two_encoders, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ABOUT, "cases.jsonl", "embeddings-1.npy", "embeddings-2.npy",
    ]  # fmt: skip
    assert (done.about.version, done.about.cases) == (two_encoders.version(), 12)
    taken = import_bundle(tmp_path / "new", tmp_path / "out")
    assert (taken.added, taken.same, taken.conflicts, taken.without) == (12, 0, (), ())
    with Archive.existing(tmp_path / "new") as copy:
        theirs, ours = state(copy), state(two_encoders)
        assert [one.model_copy(update={"origin": ""}) for one in theirs[0]] == ours[0]
        assert theirs[1] == ours[1]
        assert {one.origin for one in theirs[0]} == {"out"}
        assert (copy.fingerprint, [one.name for one in copy.encoders()]) == ("enc-1", ["first", "second"])
    again = import_bundle(tmp_path / "new", tmp_path / "out")
    assert (again.added, again.same) == (0, 12)


def test_rows_of_an_export_are_in_the_order_of_its_lines(two_encoders, tmp_path):
    export(two_encoders, tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / "cases.jsonl").read_text().splitlines()]
    rows = np.load(tmp_path / "out" / "embeddings-1.npy", mmap_mode="r")
    by_id = {case.id: row for case, row in zip(CASES, ROWS, strict=True)}
    for line, row in zip(lines, rows, strict=True):
        assert np.allclose(by_id[line["case"]["id"]], row, atol=1e-6)
    assert np.isnan(np.load(tmp_path / "out" / "embeddings-2.npy")).all(axis=1).sum() == 6


def test_pictures_travel_along(tmp_path):
    cases = [image_case(tmp_path, seed, label="a") for seed in range(4)]
    with opened(tmp_path / "store") as store:
        store.add(cases, units(4, DIM))
        cases[2].path.unlink()
        cases[3].path.write_bytes(b"something private")
        done = export(store, tmp_path / "out", images=True)
    assert set(done.gone) == {cases[2].source, cases[3].source}
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2
    (tmp_path / "out").rename(tmp_path / "moved")
    import_bundle(tmp_path / "new", tmp_path / "moved")
    with Archive.existing(tmp_path / "new") as copy:
        found = {one.case.id: one.case.path for one in copy.get([case.id for case in cases])}
    assert found[cases[0].id] == tmp_path / "moved" / "images" / f"{cases[0].id}.png"
    assert found[cases[0].id].read_bytes() == cases[0].path.read_bytes()
    assert found[cases[2].id] == cases[2].path


def edit_about(folder, **fields):
    told = json.loads((folder / ABOUT).read_text())
    (folder / ABOUT).write_text(json.dumps({**told, **fields}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: (out / ABOUT).unlink(), "holds no about.json"),
        (lambda out: (out / ABOUT).write_text("{"), "no description of an export"),
        (lambda out: edit_about(out, format=2), "has format 2; this doubleread reads 1"),
        (lambda out: edit_about(out, cases=13), "holds 12 cases instead of 13"),
        (lambda out: edit_about(out, file="../cases.jsonl"), "does not vouch"),
        (lambda out: (out / "cases.jsonl").unlink(), "is missing"),
        (lambda out: (out / "cases.jsonl").write_text("{}\n"), "is not what was exported"),
        (lambda out: np.save(out / "embeddings-1.npy", ROWS[:3]), "is not what was exported"),
    ],
)
def test_a_spoilt_export_is_refused(archive, tmp_path, spoil, message):
    export(archive, tmp_path / "out")
    spoil(tmp_path / "out")
    with pytest.raises(StoreError, match=message):
        import_bundle(tmp_path / "new", tmp_path / "out")
    assert not (tmp_path / "new").exists()


def test_an_export_needs_an_empty_folder(archive, tmp_path):
    export(archive, tmp_path / "out")
    with pytest.raises(StoreError, match="is not empty"):
        export(archive, tmp_path / "out")


def test_parquet_says_what_it_needs_or_works(two_encoders, tmp_path):
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(StoreError, match="pip install pyarrow"):
            export(two_encoders, tmp_path / "out", format="parquet")
        assert not (tmp_path / "out").exists()
    else:
        export(two_encoders, tmp_path / "out", format="parquet")
        assert read_bundle(tmp_path / "out").parcel.cases == parcel_of(two_encoders).cases


@pytest.mark.parametrize("theirs", [False, True])
def test_where_two_archives_differ_one_of_them_is_believed(archive, tmp_path, theirs):
    archive.remove([CASES[1].id])
    with opened(tmp_path / "other") as other:
        changed = [CASES[0].model_copy(update={"label": "b"}), *CASES[1:3], bare_case(30, "c")]
        other.add(changed, np.concatenate([ROWS[:3], units(1, DIM, seed=30)]))
        done = merge(archive, other, theirs=theirs)
        assert len(labels(other)) == 4
    assert (done.added, done.same) == (1, 1)
    expected = {Conflict(CASES[0].id, "a", "b"), Conflict(CASES[1].id, "b, removed", "b")}
    assert set(done.conflicts) == expected
    assert labels(archive)[CASES[0].id] == ("b" if theirs else "a")
    assert archive.holds(CASES[1].id) == theirs
    assert archive.search(units(1, DIM, seed=30), 1)[0][0].case_id == bare_case(30).id
    assert audit_file(archive.file) == []


def test_archives_of_other_encoders_or_of_one_place_are_not_merged(archive, tmp_path):
    with opened(tmp_path / "other", "enc-9") as other:
        other.add(CASES[:1], ROWS[:1])
        with pytest.raises(EncoderMismatch, match=r"searched by enc-1, and other holds embeddings of enc-9.*reencode"):
            merge(archive, other)
    with pytest.raises(StoreError, match="named twice"):
        merge(archive, archive)


# -- encoders -----------------------------------------------------------------------------------------------------


class Reader:
    """Embeds every case but some; stops in the middle if told to."""

    def __init__(self, unread=(), stop_after=None):
        self.unread, self.stop_after, self.asked = set(unread), stop_after, []

    def __call__(self, cases):
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += [case.id for case in cases]
        kept = tuple(i for i, case in enumerate(cases) if case.id not in self.unread)
        gone = tuple(Unread(source=c.source, code="missing", problem="gone") for c in cases if c.id in self.unread)
        return EmbeddedCases(units(len(kept), 3, seed=4)[:, None], kept, gone)


def test_an_interrupted_encoding_goes_on_where_it_stopped(tmp_path):
    many = [bare_case(i) for i in range(600)]
    with opened(tmp_path / "s") as store:
        store.add(many, units(600, DIM))
        number, seen = store.vectors.encoder("enc-2", 3, "second"), []
        with pytest.raises(KeyboardInterrupt):
            reencode(store, number, 3, Reader(stop_after=256), lambda *_: None)
        second = Reader()
        assert reencode(store, number, 3, second, lambda *told: seen.append(told)) == []
        assert len(second.asked) == 600 - 256
        assert (seen[0], seen[-1]) == ((256, 600), (600, 600))
        assert use(store, named_encoder(store, "second")) == 0
    with Archive.existing(tmp_path / "s") as store:
        assert (store.fingerprint, store.dim, store.count()) == ("enc-2", 3, 600)
        assert audit_file(store.file) == []


def test_an_encoder_that_is_not_whole_is_not_switched_to(archive):
    number = archive.vectors.encoder("enc-2", 3, "second")
    (unread,) = reencode(archive, number, 3, Reader([CASES[5].id]), lambda *_: None)
    assert unread.source == CASES[5].source
    chosen = named_encoder(archive, "enc-2")
    with pytest.raises(StoreError, match=r"1 of 12 cases have no embedding of enc-2 yet.*--partial"):
        use(archive, chosen)
    assert use(archive, chosen, partial=True) == 1
    with Archive.existing(archive.folder) as store:
        assert (store.fingerprint, store.count()) == ("enc-2", 11)


def test_a_forgotten_encoder_leaves_no_index_to_its_successor(tmp_path):
    with Archive(tmp_path / "s", "enc-1", dim=DIM, index_from=0) as store:
        store.add(CASES, ROWS)
        number = store.vectors.encoder("enc-2", 3)
        reencode(store, number, 3, Reader(), lambda *_: None)
    with Archive(tmp_path / "s", "enc-2", dim=3, index_from=0) as store:
        assert store.index() is not None
    with opened(tmp_path / "s") as store:
        with pytest.raises(StoreError, match="is in use"):
            forget(store, named_encoder(store, "enc-1"))
        forget(store, named_encoder(store, "enc-2"))
        assert [one.fingerprint for one in store.encoders()] == ["enc-1"]
        assert not (tmp_path / "s" / "index" / str(number) / "chroma").exists()
        successor = store.vectors.encoder("enc-3", 5)
        store.vectors.embed(successor, [case.id for case in CASES], units(12, 5, seed=3))
    with Archive(tmp_path / "s", "enc-3", dim=5, index_from=0) as store:
        found = [found[0].case_id for found in store.search(units(12, 5, seed=3), 1)]
        assert found == [case.id for case in CASES]
        assert store.index() is not None


def test_encoders_are_named_without_doubt(archive):
    archive.vectors.encoder("enc-2", 3, "first")
    with pytest.raises(StoreError, match=r"several encoders are named 'first'; it holds enc-1 \(first\), enc-2"):
        named_encoder(archive, "first")
    with pytest.raises(StoreError, match="no encoder of the archive is 'enc-7'"):
        named_encoder(archive, "enc-7")
    assert named_encoder(archive, "enc-2").dim == 3


# -- places on a map ----------------------------------------------------------------------------------------------


def test_clusters_stay_together_on_the_map():
    rng = np.random.default_rng(0)
    middles = np.eye(3, 60)
    rows = np.repeat(middles, 20, axis=0) + 0.02 * rng.normal(size=(60, 60))
    places = layout(rows.astype(np.float32))
    assert np.array_equal(places, layout(rows.astype(np.float32)))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.where(np.eye(60), np.inf, 0)
    assert (apart.argmin(axis=1) // 20 == np.arange(60) // 20).all()


@pytest.mark.parametrize("n", [0, 1, 2, 4, 5, 7])
def test_few_or_equal_cases_have_places(n):
    assert layout(units(n, DIM) if n else np.zeros((0, DIM), np.float32)).shape == (n, 2)
    assert np.isfinite(layout(np.ones((n, DIM), np.float32))).all()


def test_the_sample_is_always_the_same():
    assert drawn_at_random(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert drawn_at_random(100, 10).tolist() == drawn_at_random(100, 10).tolist()
    assert len(set(drawn_at_random(100, 10).tolist())) == 10
