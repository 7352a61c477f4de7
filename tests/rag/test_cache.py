"""The embedding cache keeps rows, survives damage, and is never the reason for an error."""

import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from rag_support import units

from doubleread.rag.cache import EncodingCache

ROWS = {
    (f"case-{i}", view): row for i in range(3) for view, row in zip(("whole", "centre"), units(2, seed=i), strict=True)
}


@pytest.fixture
def open_cache(tmp_path):
    opened = []

    def open_one(fingerprint="enc-1"):
        opened.append(EncodingCache(tmp_path, fingerprint))
        return opened[-1]

    yield open_one
    for cache in opened:
        cache.close()


def same(found, expected):
    return found.keys() == expected.keys() and all(np.array_equal(found[k], expected[k]) for k in found)


def test_rows_persist(open_cache):
    first = open_cache()
    first.put_many(ROWS)
    first.close()
    assert same(open_cache().get_many(list(ROWS)), ROWS)


def test_unknown_keys_are_left_out(open_cache):
    cache = open_cache()
    cache.put_many(ROWS)
    assert same(
        cache.get_many([("case-0", "whole"), ("case-9", "whole"), ("case-0", "top-left")]),
        {("case-0", "whole"): ROWS["case-0", "whole"]},
    )


def test_many_keys_at_once(open_cache):
    rows = {(f"{i}", "whole"): row for i, row in enumerate(units(1300))}
    cache = open_cache()
    cache.put_many(rows)
    assert same(cache.get_many(list(rows)), rows)


def test_every_encoder_has_its_own_rows(open_cache):
    open_cache("enc-1").put_many(ROWS)
    assert open_cache("enc-2").get_many(list(ROWS)) == {}


@pytest.mark.parametrize("rubbish", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_set_aside_and_begun_anew(open_cache, tmp_path, caplog, rubbish):
    (tmp_path / "enc-1.sqlite").write_bytes(rubbish)
    cache = open_cache()
    assert "damaged" in caplog.text
    cache.put_many(ROWS)
    assert same(cache.get_many(list(ROWS)), ROWS)
    aside = list(tmp_path.glob("*.damaged-*"))
    assert [file.read_bytes() for file in aside] == [rubbish]


def test_damage_while_open_is_survived(open_cache, tmp_path, caplog):
    first = open_cache()
    first.put_many({(f"{i}", "whole"): row for i, row in enumerate(units(2000, 64))})
    first.close()
    path = tmp_path / "enc-1.sqlite"
    damaged = bytearray(path.read_bytes())
    damaged[8192:-4096] = b"\xa5" * (len(damaged) - 12288)
    path.write_bytes(damaged)
    cache = open_cache()
    cache.get_many([(f"{i}", "whole") for i in range(2000)])
    cache.put_many(ROWS)
    cache.put_many(ROWS)
    assert same(cache.get_many(list(ROWS)), ROWS)


def test_a_flipped_bit_is_a_missing_row(open_cache, tmp_path):
    cache = open_cache()
    cache.put_many(ROWS)
    cache.close()
    with sqlite3.connect(tmp_path / "enc-1.sqlite") as db:
        db.execute("UPDATE rows SET vector = zeroblob(32) WHERE id = 'case-1' AND view = 'whole'")
    db.close()
    assert ("case-1", "whole") not in open_cache().get_many(list(ROWS))


ENDLESS = (
    "alter table rows rename to old; create view rows as with recursive r(i) as (select 1 union all select i from r) "
    "select 'case-0' as id, 'whole' as view, 0 as crc, x'00' as vector from r"
)


@pytest.mark.parametrize(
    "statement",
    [
        "update rows set vector = (select vector from rows where id = 'case-2') where id = 'case-1'",
        "delete from rows where id = 'case-1'; update rows set id = 'case-1' where id = 'case-0'",
        "update rows set vector = 'text'",
        "update rows set vector = null, crc = null",
        "update rows set crc = 'x'",
        "alter table rows rename column vector to v",
        "drop table rows; create table rows (a)",
        ENDLESS,
        "create trigger t before insert on rows begin delete from rows; end",
    ],
)
def test_a_changed_cache_gives_right_rows_or_none(open_cache, tmp_path, statement):
    cache = open_cache()
    cache.put_many(ROWS)
    cache.close()
    with sqlite3.connect(tmp_path / "enc-1.sqlite") as db:
        db.executescript(statement)
    db.close()
    cache = open_cache()
    found = cache.get_many(list(ROWS))
    assert len(found) < len(ROWS)
    assert same(found, {key: ROWS[key] for key in found})


def test_rows_that_are_not_finite_are_missing(open_cache):
    cache = open_cache()
    cache.put_many({("case-1", "whole"): np.array([1, np.nan], np.float32), **ROWS})
    cache.put_many({("case-1", "whole"): np.array([1, np.inf], np.float32)})
    assert ("case-1", "whole") not in cache.get_many(list(ROWS))


def test_a_pipe_is_done_without(open_cache, tmp_path, caplog):
    os.mkfifo(tmp_path / "enc-1.sqlite")
    cache = open_cache()
    cache.put_many(ROWS)
    assert cache.get_many(list(ROWS)) == {}
    assert "not a regular file" in caplog.text


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    cache = EncodingCache(tmp_path / "file", "enc-1")
    cache.put_many(ROWS)
    assert cache.get_many(list(ROWS)) == {}
    assert "doing without" in caplog.text


WRITER = """
import sys, numpy as np
from pathlib import Path
from doubleread.rag.cache import EncodingCache
cache = EncodingCache(Path(sys.argv[1]), "enc-1")
for i in range(int(sys.argv[2]), int(sys.argv[2]) + 50):
    cache.put_many({(str(i), "whole"): np.full(8, i, np.float32)})
cache.close()
"""


def test_several_processes_write_at_once(open_cache, tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(start)]) for start in (0, 50)]
    assert [writer.wait(30) for writer in writers] == [0, 0]
    found = open_cache().get_many([(str(i), "whole") for i in range(100)])
    assert [int(found[str(i), "whole"][0]) for i in range(100)] == list(range(100))
