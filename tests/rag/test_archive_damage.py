"""An archive that is damaged, changed by something else, hostile, or met by a full disk at a bad moment."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from archive_mutations import MUTATIONS
from rag_support import bare_case, units

from doubleread.core.errors import StoreBusy, StoreError
from doubleread.core.folder_lock import LOCK_NAME, FolderLock
from doubleread.rag.care.auditing import audit_file
from doubleread.rag.stores.archive import ACTIVE, Archive
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.ledger_folder import FILE

DIM = 8
CASES = [bare_case(i, "ab"[i % 2], group=f"g{i // 4}", metadata={"n": str(i)}) for i in range(60)]
ROWS = units(60, DIM)
SEEDS = 20


def opened(folder, **options):
    return Archive(folder, "enc-1", dim=DIM, create=False, **{"index": False, **options})


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A closed archive: sixty cases, one of them removed, one erased, and a snapshot."""
    folder = tmp_path_factory.mktemp("sound") / "store"
    with Archive(folder, "enc-1", dim=DIM, index=False) as store:
        store.add(CASES, ROWS)
        store.remove([CASES[40].id])
        store.erase([CASES[41].id])
        store.past.snapshot("one", "")
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(sound, tmp_path / "store")


def seen(folder):
    """Everything that an answer may rest on."""
    with opened(folder) as store:
        columns = store.columns()
        ids = columns.ids.tolist()
        found = store.search(units(5, DIM, seed=9), 5)
        values = (ids, columns.labels.tolist(), columns.groups.tolist(), columns.embeddings.tobytes())
        return values, columns.hashes.tolist(), found, store.get(ids), store.version()


def altered(folder, statement):
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.executescript(statement)


# -- what is not as it was left -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MUTATIONS)
def test_no_change_from_outside_goes_unnoticed(kind, sound, tmp_path):
    """Each is an error that names the file, or nothing that is read has changed."""
    before, errors = seen(sound), []
    for seed in range(SEEDS):
        folder = shutil.copytree(sound, tmp_path / f"{seed}")
        MUTATIONS[kind](folder / FILE, random.Random(f"{kind} {seed}"))
        try:
            assert seen(folder) == before, seed
        except StoreError as error:
            errors.append(str(error))
    assert errors, "a mutation that is never noticed may not be one"
    assert all(FILE in one for one in errors)


def test_the_check_itself_can_fail(folder):
    """Control: a label that was changed together with its digest and the seal is taken for what was stored."""
    before = seen(folder)
    with opened(folder) as store, store.file.writing() as step:
        row = step.db.execute(
            "select id, 'b', grp, split, source, path, tags, added, hash, removed, seq from cases where seq = 1"
        ).fetchone()
        step.put_cases([row])
    assert before[0][1][0] == "a"
    assert seen(folder)[0][1][0] == "b"
    with opened(folder) as store:
        assert any("its last change says otherwise" in line for line in audit_file(store.file))


@pytest.mark.parametrize("kind", ["sql", "page", "exchanged pages"])
def test_what_was_damaged_is_not_made_good_by_a_later_change(kind, sound, tmp_path):
    def written(folder):
        with opened(folder) as store:
            store.add([bare_case(500)], units(1, DIM, seed=500))
            store.remove([CASES[3].id])
        return seen(folder)[0]

    expected = written(shutil.copytree(sound, tmp_path / "expected"))
    errors = 0
    for seed in range(SEEDS):
        folder = shutil.copytree(sound, tmp_path / f"{seed}")
        MUTATIONS[kind](folder / FILE, random.Random(f"{kind} {seed}"))
        try:
            assert written(folder) == expected, seed
        except StoreError:
            errors += 1
    assert errors


@pytest.mark.parametrize(
    "statement",
    [
        "update cases set label = 'b' where seq = (select max(seq) from cases)",
        "update embeddings set row = (select row from embeddings where stamp = 1) where stamp = 61",
        "delete from cases where seq = (select max(seq) from cases)",
    ],
)
def test_what_another_process_wrote_is_checked_too(folder, statement):
    with opened(folder) as reader:
        assert reader.count() == 58
        with opened(folder) as writer:
            writer.add([bare_case(70)], units(1, DIM, seed=70))
        altered(folder, statement)
        with pytest.raises(StoreError, match="is damaged, or was changed by something other"):
            reader.count()


def test_an_audit_of_a_damaged_archive_names_the_cases(folder):
    altered(folder, f"update cases set label = 'c' where id = '{CASES[7].id}'; delete from about where key = 'seal'")
    with pytest.raises(StoreError, match="it has no seal"):
        opened(folder)
    file = LedgerFile(folder, create=False, check=False)
    try:
        found = audit_file(file)
    finally:
        file.close()
    assert any(CASES[7].id[:12] in line and "'c'" in line for line in found)
    assert any("no seal" in line for line in found)


def test_a_panel_can_pin_a_state(folder):
    with opened(folder) as store:
        version = store.file.version()
        assert store.digest_at(version.seq) == version.digest
        store.add([bare_case(70)], units(1, DIM, seed=70))
        assert store.digest_at(version.seq) == version.digest
        assert store.digest_at(version.seq + 5) is None


# -- hostile folders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [FILE, f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal"])
@pytest.mark.parametrize("kind", ["pipe", "link", "device"])
def test_an_archive_is_regular_files(folder, tmp_path, name, kind):
    private = tmp_path / "private"
    private.write_bytes((folder / FILE).read_bytes())
    (folder / name).unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(folder / name)
        case "link":
            (folder / name).symlink_to(private)
        case _:
            (folder / name).symlink_to("/dev/zero")
    before = private.read_bytes()
    with pytest.raises(StoreError, match="is a link or no regular file"):
        opened(folder)
    assert private.read_bytes() == before


def test_an_index_that_leads_elsewhere_is_neither_written_nor_cleared(folder, tmp_path):
    other = tmp_path / "home"
    (other / "1" / "chroma").mkdir(parents=True)
    (other / "1" / "chroma" / "letter").write_text("mine")
    (folder / "index").symlink_to(other)
    with opened(folder, index=True, index_from=0) as store:
        assert store.index() is None
        assert store.search(ROWS[:1], 1)[0][0].case_id == CASES[0].id
        assert store.erase([CASES[9].id])
    assert sorted(path.name for path in other.rglob("*")) == ["1", "chroma", "letter"]


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_lock_is_a_regular_file(tmp_path, kind):
    letter = tmp_path / "letter"
    letter.write_text("mine")
    if kind == "pipe":
        os.mkfifo(tmp_path / LOCK_NAME)
    else:
        (tmp_path / LOCK_NAME).symlink_to(letter)
    with pytest.raises(StoreError, match="cannot be written"):
        FolderLock(tmp_path, shared=False)
    assert letter.read_text() == "mine"


def test_a_lock_names_its_holder(tmp_path):
    lock = FolderLock(tmp_path, shared=False)
    with pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
        FolderLock(tmp_path, shared=False)
    lock.release()
    FolderLock(tmp_path, shared=False).release()


# -- the index ----------------------------------------------------------------------------------------------------


@pytest.fixture
def indexed(tmp_path):
    """A closed archive with an index."""
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index_from=0) as store:
        store.add(CASES, ROWS)
        assert store.index() is not None
    return tmp_path / "store"


def test_an_index_whose_files_were_changed_is_built_again(indexed):
    """One flipped bit in the vectors, the file's time as it was: Chroma itself would answer something else."""
    (file,) = (indexed / "index").rglob("data_level0.bin")
    told, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 64
    file.write_bytes(data)
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    with opened(indexed, index=True, index_from=0) as store:
        assert any("is built again" in line for line in audit_file(store.file))
        store.index()
        assert [store.search(ROWS[i : i + 1], 1)[0][0].case_id for i in range(60)] == [case.id for case in CASES]
    with opened(indexed, index=True, index_from=0) as store:
        assert audit_file(store.file) == []


def test_an_index_only_proposes(indexed):
    """Its vectors are not the archive's: similarities stay those of the archive."""
    with opened(indexed, index=True, index_from=0) as store, opened(indexed) as exact:
        index = store.index()
        index._cases.update(ids=[case.id for case in CASES], embeddings=ROWS[::-1])  # as if it had been misled
        assert store.search(ROWS[:3], 4) == exact.search(ROWS[:3], 4)


# -- an archive of the schema before ------------------------------------------------------------------------------


OLDER = """
update about set value = '2' where key = 'schema'; delete from about where key = 'seal';
alter table cases drop column digest; alter table embeddings drop column digest;
"""


def test_an_older_archive_is_brought_up_to_date_and_loses_nothing(folder):
    before = seen(folder)
    altered(folder, OLDER)
    assert seen(folder) == before
    with opened(folder) as store:
        assert store.file.about("schema") == "3"
        assert audit_file(store.file) == []
        assert len(store.past.snapshots()) == 1
        store.add([bare_case(70)], units(1, DIM, seed=70))
    assert len(seen(folder)[0][0]) == 59


def test_an_older_archive_that_is_damaged_is_left_as_it_was(folder):
    altered(folder, f"{OLDER} update cases set label = 'c' where seq = 5")
    before = (folder / FILE).read_bytes()
    with pytest.raises(StoreError, match=r"older schema and was not brought up to date.*searched as 'c'"):
        opened(folder)
    assert (folder / FILE).read_bytes() == before


# -- dead ends ----------------------------------------------------------------------------------------------------


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from rag_support import bare_case, units
from doubleread.core.errors import StoreError
from doubleread.rag.stores.archive import Archive
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with Archive(Path(sys.argv[1]), "enc-1", dim=8) as store:
        for i in range(0, 1000, 10):
            store.add([bare_case(j) for j in range(i, i + 10)], units(10, 8, seed=i))
            print(i + 10, flush=True)
except StoreError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


@pytest.mark.parametrize("room", [5_000, 40_000, 100_000, 300_000])
def test_a_disk_that_is_full_from_some_point_on_leaves_an_archive_that_goes_on(tmp_path, request, room):
    folder, tests = tmp_path / "store", request.config.rootpath / "tests"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder), str(room), str(tests)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert FILE in done.stderr
    told = int(done.stdout.split()[-1]) if done.stdout else 0
    if not told and folder.exists():
        with pytest.raises(StoreError, match="begun and holds no embeddings yet: give `doubleread cases add"):
            Archive.existing(folder)
    with Archive(folder, "enc-1", dim=DIM) as store:
        assert store.count() >= told
        store.add([bare_case(j) for j in range(1000)], units(1000, DIM))
        assert store.count() == 1000
        assert audit_file(store.file) == []
    assert [path.name for path in folder.iterdir()] == [FILE]


@pytest.mark.parametrize("left", ["", "no encoder", "no word of which"])
def test_an_archive_that_was_begun_by_a_killed_process_goes_on(tmp_path, left):
    """An empty file; tables without an encoder; an encoder without the word that it is searched by."""
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / f".{FILE}.0123").write_bytes(b"a draft")
    if not left:
        (folder / FILE).touch()
    else:
        file = LedgerFile(folder, create=True)
        with file.writing() as step:
            if left == "no word of which":
                step.db.execute("insert into encoders values (1, 'enc-1', 8, '')")
        file.close()
        with pytest.raises(StoreError, match="begun and holds no embeddings yet"):
            opened(folder)
    with Archive(folder, "enc-1", dim=DIM) as store:
        store.add(CASES, ROWS)
        assert store.file.about(ACTIVE) == "enc-1"
    with Archive.existing(folder) as store:
        assert store.count() == 60
    assert [path.name for path in folder.iterdir()] == [FILE]


def deny_vacuum(action: int, *_: object) -> int:
    """A disk that is too full for a second copy of the file."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def test_erasing_says_what_is_done_where_the_file_cannot_be_made_smaller(folder):
    secret = CASES[4].model_copy(update={"source": "a patient's name.png"})
    with opened(folder) as store:
        store.add([secret], ROWS[4:5])
        store.file.db.set_authorizer(deny_vacuum)
        with pytest.raises(StoreError, match=r"1 cases are erased and overwritten; only .* could not be made smaller"):
            store.erase([secret.id])
        data = b"".join(path.read_bytes() for path in folder.iterdir())
        assert secret.source.encode() not in data
        assert ROWS[4].tobytes() not in data
        store.file.db.set_authorizer(None)
        changes = store.file.version()
        assert store.erase([secret.id])
        assert store.file.version() == changes, "it is not erased twice"
        assert audit_file(store.file) == []


def test_a_backup_that_cannot_be_written_leaves_nothing(folder, tmp_path):
    with opened(folder) as store:
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="there is no backup, and the archive is as it was"):
            store.past.backup(tmp_path / "file" / "copy")
        store.past.backup(tmp_path / "deep" / "copy")
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy"]


def test_embeddings_that_no_archive_has_are_refused_whatever_their_digest(folder):
    """A forged file: digests and seal fit, the numbers do not."""
    with opened(folder) as store, store.file.writing() as step:
        step.put_embeddings(1, [CASES[0].id], np.full((1, DIM), np.nan, np.float32))
    with opened(folder) as store, pytest.raises(StoreError, match="not finite or not of length 1"):
        store.count()


def test_a_case_that_is_not_found_under_its_id_is_damage(folder):
    with opened(folder) as store:
        assert store.count() == 58
        altered(folder, f"update cases set id = 'x' where id = '{CASES[7].id}'")
        with pytest.raises(StoreError, match="is damaged"):
            store.get([CASES[7].id])
