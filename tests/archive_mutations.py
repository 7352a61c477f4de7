"""Ways in which an archive's file comes to be other than it was left: damage, edits by other tools, hostile ones."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

Mutation = Callable[[Path, random.Random], None]


def _bit(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)


def _page(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    start = rng.randrange(len(data) // 4096) * 4096
    data[start : start + 4096] = bytes(4096)
    file.write_bytes(data)


def _cut(file: Path, rng: random.Random) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: rng.randrange(1, len(data))])


def _exchanged_pages(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    one, other = (n * 4096 for n in rng.sample(range(1, len(data) // 4096), 2))
    data[one : one + 4096], data[other : other + 4096] = data[other : other + 4096], data[one : one + 4096]
    file.write_bytes(data)


def _beside(file: Path, rng: random.Random) -> None:
    for end in rng.choice((("-wal",), ("-shm",), ("-wal", "-shm"), ("-journal",))):
        file.with_name(file.name + end).write_bytes(rng.randbytes(rng.choice((10, 4096, 70_000))))


_ENDLESS = (
    "alter table embeddings rename to e; create view embeddings as with recursive r(i) as (select 1 union all select i "
    "from r) select i as stamp, 1 as encoder, 'x' as id, x'00' as row, x'' as digest from r"
)
_STATEMENTS = (
    "update cases set label = 'a'",
    "update cases set label = 'b' where rowid = {row}",
    "update cases set grp = null where rowid = {row}",
    "update cases set grp = 'g0'",
    "update cases set path = '/etc/passwd'",
    "update cases set hash = '0123456789abcdef' where rowid = {row}",
    "update cases set tags = '[\"x\"]' where rowid = {row}",
    "update cases set removed = not removed where rowid = {row}",
    "update cases set added = added + 1 where rowid = {row}",
    "update cases set seq = seq + 1 where rowid = {row}",
    "update cases set id = replace(id, '0', '1') where rowid = {row}",
    "update cases set label = x'61' where rowid = {row}",
    "update cases set digest = x'' where rowid = {row}",
    "delete from cases where rowid = {row}",
    "delete from embeddings where stamp = {row}",
    "delete from embeddings",
    "delete from changes where seq = {row}",
    "delete from about where key = '{key}'",
    "update about set value = '7' where key = '{key}'",
    "update changes set record = replace(record, '\"a\"', '\"b\"') where seq = {row}",
    "update changes set record = null where seq = {row}",
    "update changes set digest = 'x' where seq = {row}",
    "insert into cases (id, label, source, tags, added, removed, seq, hash) values ('{row}', 'a', '', '', 1, 0, 1, '')",
    "insert into embeddings (encoder, id, row, digest) select 2, id, row, digest from embeddings where stamp = {row}",
    "update embeddings set row = zeroblob(length(row))",
    "update embeddings set row = zeroblob(length(row)) where stamp = {row}",
    "update embeddings set row = (select row from embeddings where stamp = {other}) where stamp = {row}",
    "update embeddings set id = (select id from cases where rowid = {row}) || 'x' where stamp = {row}",
    "update embeddings set encoder = 2 where stamp = {row}",
    "update embeddings set stamp = stamp + 1000 where stamp = {row}",
    "update encoders set dim = 4",
    "update encoders set fingerprint = 'enc-2'",
    "insert into encoders values (2, 'enc-2', 8, '')",
    "insert into snapshots values ('s', 1, 'x', '2026-01-01T00:00:00+00:00', '')",
    "create trigger t after insert on cases begin delete from embeddings; end",
    "create view v as select * from cases",
    "create table more (a)",
    "create index more on cases (label)",
    "alter table cases add column more text",
    "drop index embedding_of",
    "drop table snapshots",
    "alter table cases rename to c; create view cases as select * from c",
    _ENDLESS,
    "pragma user_version = 5",
    "pragma application_id = 5",
    "vacuum",
    "reindex",
)


def _sql(file: Path, rng: random.Random) -> None:
    with closing(sqlite3.connect(file)) as db:
        row, other = rng.sample(range(1, 31), 2)
        key = rng.choice(("schema", "id", "encoder", "seal", "created", "numbered"))
        with suppress(sqlite3.IntegrityError):  # the file refuses it by itself
            db.executescript(rng.choice(_STATEMENTS).format(row=row, other=other, key=key))


def _embedding(file: Path, rng: random.Random) -> None:
    """A row with other numbers: NaN, infinite, scaled, or one number a little off."""
    with closing(sqlite3.connect(file)) as db:
        stamp = rng.randrange(1, 31)
        ((row,),) = db.execute("select row from embeddings where stamp = ?", (stamp,)).fetchall()
        values = np.frombuffer(row, np.float32).copy()
        match rng.randrange(4):
            case 0:
                values[rng.randrange(len(values))] = np.nan
            case 1:
                values[:] = np.inf
            case 2:
                values *= -1 if rng.random() < 0.5 else 3
            case _:
                values[rng.randrange(len(values))] += np.float32(1e-4)
        db.execute("update embeddings set row = ? where stamp = ?", (values.tobytes(), stamp))
        db.commit()


MUTATIONS: dict[str, Mutation] = {
    "bit": _bit,
    "page": _page,
    "cut": _cut,
    "exchanged pages": _exchanged_pages,
    "beside": _beside,
    "sql": _sql,
    "embedding": _embedding,
}
"""By kind."""
