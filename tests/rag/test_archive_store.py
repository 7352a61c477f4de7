"""An archive on disk: reopened, moved, shared, killed, mistaken, damaged."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rag_support import bare_case, units

from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.stored import StoredCase
from doubleread.rag.care.auditing import audit_file
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.exact import ExactStore
from doubleread.rag.stores.ledger_folder import FILE

DIM = 8
CASES = [bare_case(i, "ab"[i % 2], group=f"g{i // 4}", metadata={"n": str(i)}) for i in range(40)]
ROWS = units(40, DIM)


def opened(folder, fingerprint="enc-1", dim=DIM, **options):
    return Archive(folder, fingerprint, dim=dim, index_from=0, **options)


@pytest.fixture(scope="module")
def forty(tmp_path_factory):
    """The folder of a closed archive with forty cases; do not write into it."""
    folder = tmp_path_factory.mktemp("forty") / "store"
    with opened(folder) as store:
        store.add(CASES, ROWS)
    return folder


@pytest.fixture
def folder(forty, tmp_path):
    """A copy of it."""
    return shutil.copytree(forty, tmp_path / "store")


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def nearest(store, row):
    return store.search(row[None], 1)[0][0].case_id


def test_cases_persist_whole(folder):
    with opened(folder) as store:
        assert store.count() == 40
        cases, embeddings = store.export()
        assert cases == sorted(CASES, key=lambda case: case.id)
        assert [one.case for one in store.get([CASES[5].id, "0" * 64, CASES[2].id])] == [CASES[5], CASES[2]]
        assert embeddings.shape == (40, DIM)


def test_a_closed_archive_can_be_moved_and_opened_elsewhere(folder, tmp_path):
    for i in range(3):
        moved = tmp_path / f"moved-{i}"
        folder.rename(moved)
        with opened(moved) as store:
            assert nearest(store, ROWS[0]) == CASES[0].id
            store.add([bare_case(100 + i)], units(1, DIM, seed=100 + i))
            assert store.count() == 41 + i
        folder = moved
    shutil.rmtree(folder)
    with opened(folder) as store:
        assert store.count() == 0


def test_a_closed_archive_says_so(folder):
    store = opened(folder)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.count()


def test_another_encoder_is_refused_with_both_names(folder):
    with pytest.raises(EncoderMismatch, match=r"enc-1 .*enc-2 .*use that encoder"):
        opened(folder, "enc-2")
    with pytest.raises(EncoderMismatch, match="length 9"):
        opened(folder, dim=9)
    opened(folder).close()


def test_two_openings_see_each_others_cases_at_once(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with opened(folder) as one, opened(tmp_path / "link") as other:
        assert one.count() == other.count() == 40
        new, row = bare_case(900, "c"), units(1, DIM, seed=900)
        one.add([new], row)
        assert nearest(other, row[0]) == new.id
        other.remove([new.id])
        assert nearest(one, row[0]) != new.id
        assert not one.holds(new.id)
        other.add([new], row)
        assert nearest(one, row[0]) == new.id


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from rag_support import bare_case, units
from doubleread.rag.stores.archive import Archive
first, n = int(sys.argv[2]), int(sys.argv[3])
with Archive(Path(sys.argv[1]), "enc-1", dim=8, index_from=0) as store:
    for i in range(first, first + n):
        store.add([bare_case(i)], units(1, 8, seed=i))
        print(i, flush=True)
"""


def writer(folder, first, n, tests):
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(n), str(tests)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_write_at_once_lose_nothing(folder, request):
    tests = request.config.rootpath / "tests"
    writers = [writer(folder, first, 60, tests) for first in (1000, 2000, 3000)]
    for process in writers:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with opened(folder) as store:
        assert store.count() == 40 + 180
        for i in (1000, 1059, 2030, 3059):
            assert nearest(store, units(1, DIM, seed=i)[0]) == bare_case(i).id
        assert audit_file(store.file) == []


def test_a_killed_ingest_keeps_every_case_it_told_of(folder, request):
    process = writer(folder, 5000, 100_000, request.config.rootpath / "tests")
    told = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.communicate()[0].split("\n")[:-1]]
    with opened(folder) as store:
        assert all(store.holds(bare_case(i).id) for i in told)
        assert nearest(store, units(1, DIM, seed=told[-1])[0]) == bare_case(told[-1]).id
        assert audit_file(store.file) == []
        store.add([bare_case(6)], units(1, DIM, seed=6))


def test_a_full_disk_loses_no_committed_case(folder):
    with opened(folder) as store:
        pages = store.file.db.execute("pragma page_count").fetchone()[0]
        store.file.db.execute(f"pragma max_page_count = {pages}")
        many = [bare_case(i) for i in range(10_000, 11_000)]
        with pytest.raises(StoreError, match=r"full.*nothing of this step was stored.*free some space"):
            store.add(many, units(1000, DIM, seed=3))
        assert store.count() == 40
        store.file.db.execute("pragma max_page_count = 1000000")
        store.add(many, units(1000, DIM, seed=3))
        assert store.count() == 1040
        assert audit_file(store.file) == []


def test_an_archive_that_cannot_be_written_is_read(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        with opened(folder) as store:
            assert nearest(store, ROWS[3]) == CASES[3].id
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)


def test_read_only_does_not_write(folder, tmp_path):
    with opened(folder, read_only=True) as store:
        for change in (lambda: store.add(CASES, ROWS), lambda: store.remove([CASES[0].id])):
            with pytest.raises(StoreError, match="read-only"):
                change()
    with pytest.raises(StoreError, match="no archive"):
        opened(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.txt"):
        opened(tmp_path)
    assert tree(tmp_path) == {"notes.txt": b"mine"}
    with pytest.raises(StoreError, match="is a file"):
        opened(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, f"no {FILE}"),
        (b"", "is empty"),
        (b"rubbish" * 1000, "no SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "restore it from a backup"),
    ],
)
def test_a_lost_or_damaged_file_is_told_and_left_alone(folder, content, message):
    (folder / FILE).unlink()
    if content is not None:
        (folder / FILE).write_bytes(content)
    before = tree(folder)
    with pytest.raises(StoreError, match=message):
        opened(folder)
    assert tree(folder) == before


def test_a_database_of_something_else_is_told(tmp_path):
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("create table about (key text primary key, value text not null)")
        db.execute("insert into about values ('schema', '99')")
    db.close()
    with pytest.raises(StoreError, match="schema 99; this doubleread reads 3: upgrade doubleread"):
        opened(tmp_path)


@pytest.fixture
def indexed(folder):
    """The data of the archive's index."""
    return folder / "index" / "1" / "chroma"


def test_plain_searches_go_through_the_index(folder, indexed):
    assert (indexed / "chroma.sqlite3").is_file()
    with opened(folder) as store:
        assert store.index() is not None
        assert nearest(store, ROWS[7]) == CASES[7].id
    with opened(folder, index=False) as store:
        assert store.index() is None
        assert nearest(store, ROWS[7]) == CASES[7].id


def test_few_cases_are_looked_at_one_by_one(folder, indexed):
    with Archive(folder, "enc-1", dim=DIM, index_from=41) as store:
        assert store.index() is None
        assert nearest(store, ROWS[7]) == CASES[7].id
        store.add([bare_case(70)], units(1, DIM, seed=70))
        assert store.index().count() == 41
        assert nearest(store, units(1, DIM, seed=70)[0]) == bare_case(70).id


def test_an_archive_of_few_cases_has_no_index(tmp_path):
    with Archive(tmp_path / "store", "enc-1", dim=DIM) as store:
        store.add(CASES, ROWS)
        assert nearest(store, ROWS[7]) == CASES[7].id
    assert not (tmp_path / "store" / "index").exists()


def test_a_query_to_which_nothing_is_near_is_answered_exactly(tmp_path):
    alike = np.eye(DIM, dtype=np.float32)[0] + 0.1 * units(200, DIM)
    stray = np.eye(DIM, dtype=np.float32)[3]
    with opened(tmp_path / "store") as store:
        store.add([bare_case(i) for i in range(201)], np.concatenate([alike, stray[None]]))
        usual = nearest(store, alike[0])
        store.index()._cases.delete(ids=[bare_case(200).id, usual])  # the index misses them
        assert nearest(store, alike[0]) != usual
        assert nearest(store, stray + 0.9 * np.eye(DIM, dtype=np.float32)[4]) == bare_case(200).id


def test_a_lost_index_is_built_again(folder, indexed):
    shutil.rmtree(indexed.parent)
    with opened(folder) as store:
        assert store.index() is not None
        assert [nearest(store, row) for row in ROWS] == [case.id for case in CASES]
    assert (indexed / "chroma.sqlite3").is_file()


@pytest.mark.parametrize("name", ["chroma.sqlite3", "data_level0.bin", "header.bin"])
def test_a_damaged_index_is_built_again(folder, indexed, name):
    """Flipped bytes in Chroma's files would crash the process, or mislead it."""
    with opened(folder) as store:
        store.add([bare_case(i) for i in range(10_000, 12_000)], units(2000, DIM, seed=5))
        store.search(ROWS, 1)
    damaged = list(indexed.rglob(name))
    assert damaged
    for file in damaged:
        content = bytearray(file.read_bytes())
        content[: len(content) // 2] = bytes(255 - byte for byte in content[: len(content) // 2])
        file.write_bytes(content)
    with opened(folder) as store:
        assert [nearest(store, row) for row in ROWS] == [case.id for case in CASES]
        assert store.index() is not None


def test_an_index_that_was_left_in_haste_is_tried_before_it_is_trusted(folder, indexed):
    mark = indexed.parent / "built.json"
    told = json.loads(mark.read_text())
    mark.write_text(json.dumps({**told, "files": None}))
    with opened(folder) as store:
        assert nearest(store, ROWS[7]) == CASES[7].id
    assert json.loads(mark.read_text()) == {**told, "files": json.loads(mark.read_text())["files"]}


def test_what_the_index_missed_is_found_all_the_same(folder):
    with opened(folder, index=False) as store:
        store.add([bare_case(70)], units(1, DIM, seed=70))
    with opened(folder) as store:
        assert nearest(store, units(1, DIM, seed=70)[0]) == bare_case(70).id
        assert store.index() is not None


def test_an_index_that_is_far_behind_catches_up_step_by_step(folder):
    """Nobody who stores one case waits for all of a large archive; meanwhile searches are exact."""
    many = [bare_case(i) for i in range(1000, 8500)]
    with opened(folder, index=False) as store:
        store.add(many, units(7500, DIM, seed=3))
    with opened(folder) as store:
        assert store.index() is None
        store.add([bare_case(70)], units(1, DIM, seed=70))
        assert store.index() is None
        assert nearest(store, units(1, DIM, seed=70)[0]) == bare_case(70).id
        store.add([bare_case(71)], units(1, DIM, seed=71))
        assert store.index().count() == 7542


def test_rewriting_does_not_keep_old_fields(folder):
    changed = bare_case(0, "c")
    with opened(folder) as store:
        store.add([changed], ROWS[:1])
        assert [one.case for one in store.get([changed.id])] == [changed]
        assert store.search(ROWS[:1], 1, exclude_groups=frozenset({"g0"}))[0][0].label == "c"


def test_what_is_given_again_unchanged_is_no_change(folder):
    with opened(folder) as store:
        before, version = store.export().embeddings, store.version()
        store.add(CASES, ROWS + np.float32(1e-5))
        assert np.array_equal(store.export().embeddings, before)
        assert store.version() == version


def test_many_threads_search_at_once(folder):
    with opened(folder) as store:
        found = []
        threads = [threading.Thread(target=lambda: found.append(store.search(ROWS, 3))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert all(one == found[0] for one in found)


def test_an_exact_copy_finds_the_same(folder):
    with opened(folder) as store:
        copy = ExactStore.of(store)
        for ours, theirs in zip(store.search(ROWS, 5), copy.search(ROWS, 5), strict=True):
            assert [one.case_id for one in ours] == [one.case_id for one in theirs]


def test_a_dotenv_of_the_working_folder_is_ignored(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("ALLOW_RESET=nonsense\nIS_PERSISTENT=maybe\n")
    monkeypatch.chdir(tmp_path)
    with opened(tmp_path / "store") as store:
        store.add(CASES, ROWS)
        assert store.index() is not None


def test_the_past_is_on_record(folder):
    with opened(folder) as store:
        first = store.file.version()
        one = store.get([CASES[0].id])[0]
        other = one.case.model_copy(update={"label": "b"})
        store.put([one.model_copy(update={"case": other})], ROWS[:1], reviewer="Ada", note="seen under the lens")
        store.remove([CASES[1].id], reviewer="Ada")
        told = [(c.what, c.before, c.after, c.reviewer, c.note) for c in store.past.history(CASES[0].id)]
        assert told == [("added", "", "a", "", ""), ("relabelled", "a", "b", "Ada", "seen under the lens")]
        then = store.past.at(first)
        assert (then[CASES[0].id].label, then[CASES[1].id].removed) == ("a", False)
        now = store.past.at(store.file.version())
        assert (now[CASES[0].id].label, now[CASES[1].id].removed) == ("b", True)


def test_an_erased_case_leaves_nothing_but_the_fact(folder):
    secret = CASES[4].model_copy(update={"source": "a patient's name.png"})
    with opened(folder) as store:
        store.add([secret], ROWS[4:5])
        store.erase([CASES[4].id], reviewer="Ada", note="on request")
        assert store.count() == 39
        assert nearest(store, ROWS[4]) != CASES[4].id
        assert CASES[4].id not in store.past.at(store.file.version())
        assert [change.what for change in store.past.history(CASES[4].id)] == ["added", "described", "erased"]
        assert audit_file(store.file) == []
    assert secret.source.encode() not in (folder / FILE).read_bytes()
    assert ROWS[4].tobytes() not in (folder / FILE).read_bytes()


def test_an_erased_case_leaves_every_index_of_its_archive(folder):
    """Also the one that is open here, and those of other encoders; while the archive stays open."""
    erased, other = CASES[4], units(40, 3, seed=2)
    with opened(folder) as store:
        store.vectors.embed(store.vectors.encoder("enc-2", 3), [case.id for case in CASES], other)
    with opened(folder, "enc-2", dim=3) as store:
        assert store.index() is not None
    with opened(folder) as store:
        assert store.index() is not None
        assert store.erase([erased.id])
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert not [path for path in files if ROWS[4].tobytes() in path.read_bytes()]
        assert not [path for path in files if other[4].tobytes() in path.read_bytes()]
        holding = {path.name for path in files if erased.id.encode() in path.read_bytes()}
        assert holding == {FILE}, "that it was erased is on record"
        assert nearest(store, ROWS[5]) == CASES[5].id
    with opened(folder) as store:
        assert store.index().count() == 39


def test_an_index_in_other_hands_is_built_again_after_an_erasure(folder, indexed):
    old = list(indexed.rglob("data_level0.bin"))
    with opened(folder) as holder, opened(folder, index=False) as store:
        assert holder.index() is not None
        assert not store.erase([CASES[4].id])
        assert nearest(holder, ROWS[4]) != CASES[4].id
    with opened(folder) as store:
        assert store.index().count() == 39
    assert old
    assert not any(path.exists() for path in old)


def test_threads_search_on_while_cases_are_erased(folder):
    wrong = []

    def searching(store, done):
        while not done.is_set():
            wrong.extend(i for i in range(20, 40) if nearest(store, ROWS[i]) != CASES[i].id)

    with opened(folder) as store:
        done = threading.Event()
        threads = [threading.Thread(target=searching, args=(store, done)) for _ in range(4)]
        for thread in threads:
            thread.start()
        store.index()
        store.erase([case.id for case in CASES[:8]])
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_the_number_of_a_dropped_encoder_is_not_given_again(folder):
    """Whoever has the dropped one open would read another's embeddings under its number."""
    with opened(folder) as store:
        first = store.vectors.encoder("enc-2", 3)
        store.vectors.drop_encoder(first)
        second = store.vectors.encoder("enc-3", 3)
        assert store.vectors.encoder("enc-3", 3) == second
        store.vectors.drop_encoder(second)
        assert store.encoder < first < second < store.vectors.encoder("enc-2", 3)


def test_the_index_of_another_encoder_is_not_taken_for_ones_own(folder, indexed):
    with opened(folder) as store:
        number = store.vectors.encoder("enc-2", DIM)
        store.vectors.embed(number, [case.id for case in CASES], ROWS[::-1])
    shutil.copytree(indexed.parent, folder / "index" / str(number))
    with opened(folder, "enc-2") as store:
        assert store.index() is not None
        assert nearest(store, ROWS[0]) == CASES[39].id


def test_snapshots_and_backups(folder, tmp_path):
    with opened(folder) as store:
        made = store.past.snapshot("before", "as delivered")
        store.remove([case.id for case in CASES[:10]])
        assert store.past.snapshots() == [made]
        assert sum(not one.removed for one in store.past.at(made.version).values()) == 40
        with pytest.raises(StoreError, match="'before' already"):
            store.past.snapshot("before", "")
        store.past.backup(tmp_path / "copy" / FILE)
        with pytest.raises(StoreError, match="exists"):
            store.past.backup(tmp_path / "copy" / FILE)
    with opened(tmp_path / "copy") as copy:
        assert copy.count() == 30
        assert copy.past.snapshots() == [made]


def test_when_a_case_first_came_stays(folder):
    early = datetime.now(UTC) - timedelta(days=400)
    case = bare_case(77)
    with opened(folder) as store:
        store.put([StoredCase(case=case, added=early, origin="the first survey")], units(1, DIM, seed=77))
        time.sleep(0.01)
        store.add([case.model_copy(update={"label": "b"})], units(1, DIM, seed=77))
        (found,) = store.get([case.id])
    assert (found.added, found.origin, found.label) == (early, "the first survey", "b")
