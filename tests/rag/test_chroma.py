"""A store on disk: reopened, moved, locked, mistaken, damaged."""

import shutil
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest
from rag_support import bare_case, units

from doubleread.core.errors import EncoderMismatch, StoreBusy, StoreError
from doubleread.rag.stores.chroma import ChromaStore
from doubleread.rag.stores.exact import ExactStore

DIM = 8
CASES = [bare_case(i, "ab"[i % 2], group=f"g{i // 4}", metadata={"n": str(i)}) for i in range(40)]
ROWS = units(40, DIM)


def opened(folder, fingerprint="enc-1", dim=DIM, **options):
    return ChromaStore(folder, fingerprint, dim=dim, **options)


@pytest.fixture
def folder(tmp_path):
    """The folder of a closed store with forty cases."""
    with opened(tmp_path / "store") as store:
        store.add(CASES, ROWS)
    return tmp_path / "store"


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_cases_persist_whole(folder):
    with opened(folder) as store:
        assert store.count() == 40
        cases, embeddings = store.export()
        assert cases == sorted(CASES, key=lambda case: case.id)
        assert store.get([CASES[5].id, "0" * 64, CASES[2].id]) == [CASES[5], CASES[2]]
        assert embeddings.shape == (40, DIM)


def test_a_closed_store_can_be_moved_and_opened_elsewhere(folder, tmp_path):
    for i in range(3):
        moved = tmp_path / f"moved-{i}"
        folder.rename(moved)
        with opened(moved) as store:
            assert store.search(ROWS[:1], 1)[0][0].case_id == CASES[0].id
            store.add([bare_case(100 + i)], units(1, DIM, seed=100 + i))
            assert store.count() == 41 + i
        folder = moved
    shutil.rmtree(folder)
    with opened(folder) as store:
        assert store.count() == 0


def test_a_closed_store_says_so(folder):
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


def test_a_second_opening_in_this_process_is_refused(folder):
    with opened(folder), pytest.raises(StoreBusy, match="this process"):
        opened(folder)


def test_two_spellings_of_a_folder_are_one(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with opened(folder), pytest.raises(StoreBusy):
        opened(tmp_path / "link")


HOLDER = """
import sys
from pathlib import Path
from doubleread.rag.stores.chroma import ChromaStore
store = ChromaStore(Path(sys.argv[1]), "enc-1", dim=8, read_only=sys.argv[2] == "read")
print(store.count(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def elsewhere(folder):
    started = []

    def hold(how):
        command = [sys.executable, "-c", HOLDER, str(folder), how]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "40\n"
        return started[-1]

    yield hold
    for process in started:
        process.communicate("\n", timeout=30)


def test_a_writer_elsewhere_is_named(folder, elsewhere):
    process = elsewhere("write")
    for read_only in (False, True):
        with pytest.raises(StoreBusy, match=f"process {process.pid} on "):
            opened(folder, read_only=read_only)
    process.kill()
    process.wait()
    opened(folder).close()


def test_several_processes_read_at_once(folder, elsewhere):
    elsewhere("read")
    with opened(folder, read_only=True) as store, opened(folder, read_only=True) as second:
        assert store.count() == second.count() == 40
        store.close()
        assert len(second.search(ROWS[:1], 3)[0]) == 3
    with pytest.raises(StoreBusy):
        opened(folder)


def test_read_only_does_not_write(folder, tmp_path):
    with opened(folder, read_only=True) as store, pytest.raises(StoreError, match="read-only"):
        store.add(CASES, ROWS)
    with pytest.raises(StoreError, match="no case store"):
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
        (None, "no chroma.sqlite3"),
        (b"", "is empty"),
        (b"rubbish" * 1000, "no SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "damaged"),
    ],
)
def test_a_lost_or_damaged_database_is_told_and_left_alone(folder, content, message):
    database = folder / "chroma.sqlite3"
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    before = tree(folder)
    with pytest.raises(StoreError, match=message):
        opened(folder)
    assert tree(folder) == before


def test_a_database_with_damaged_pages_is_told(folder):
    database = folder / "chroma.sqlite3"
    content = bytearray(database.read_bytes())
    content[len(content) // 3 : 2 * len(content) // 3] = b"\xa5" * len(
        content[len(content) // 3 : 2 * len(content) // 3]
    )
    database.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        opened(folder)


def test_a_database_that_is_not_chromas_is_told(tmp_path):
    with sqlite3.connect(tmp_path / "chroma.sqlite3") as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(StoreError, match="not Chroma's"):
        opened(tmp_path)


def test_rewriting_does_not_keep_old_fields(folder):
    changed = bare_case(0, "c")
    with opened(folder) as store:
        store.add([changed], ROWS[:1])
        assert store.get([changed.id]) == [changed]
        assert store.search(ROWS[:1], 1, exclude_groups=frozenset({"g0"}))[0][0].label == "c"


def test_tiny_numerical_noise_is_not_a_change(folder):
    with opened(folder) as store:
        before = store.export().embeddings
        store.add(CASES, ROWS + np.float32(1e-5))
        assert np.array_equal(store.export().embeddings, before)


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
    opened(tmp_path / "store").close()
