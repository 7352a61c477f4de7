"""The tables of an archive's file: the check that a file has exactly these, and the upgrade of an older schema."""

import sqlite3
from functools import cache
from typing import TYPE_CHECKING

from doubleread.core.errors import StoreError
from doubleread.rag.stores.seal import (
    CASE_COLUMNS,
    ArchiveSeal,
    Sum,
    case_digest,
    embedding_digest,
    last_change,
    write_seal,
)

if TYPE_CHECKING:
    from doubleread.rag.stores.ledger_file import LedgerFile

SCHEMA, OLDER = 3, 2
"""The current schema number, and the older one that is upgraded when a file is opened."""
_DIGEST = "digest blob not null default x''"
TABLES = f"""
create table about (key text primary key, value text not null);
create table changes (
    seq integer primary key, time text not null, what text not null, id text not null, reviewer text not null,
    note text not null, record text, digest text not null);
create index changes_of on changes (id);
create table cases (
    id text primary key, label text not null, grp text, split text, source text not null, path text,
    tags text not null, added real not null, removed integer not null, seq integer not null, hash text not null,
    {_DIGEST});
create index cases_changed on cases (seq);
create table encoders (number integer primary key, fingerprint text unique not null, dim integer not null,
    name text not null);
create table embeddings (
    stamp integer primary key autoincrement, encoder integer not null, id text not null, row blob not null,
    {_DIGEST});
create unique index embedding_of on embeddings (encoder, id);
create table snapshots (name text primary key, seq integer not null, digest text not null,
    time text not null, note text not null);
"""
ADD_DIGESTS = tuple(f"alter table {table} add column {_DIGEST}" for table in ("cases", "embeddings"))
"""Statements that turn the older tables into the current ones."""
_OLDER_TABLES = TABLES.replace(f",\n    {_DIGEST}", "")
_SHOWN = 3


def schema_of(db: sqlite3.Connection) -> str | None:
    """Returns the schema number that the file's tables match; None for other tables.

    Only the list of tables is read, so that triggers and views, which could run code in the file, are rejected first.
    """
    found = _listed(db)
    for number, tables in ((SCHEMA, TABLES), (OLDER, _OLDER_TABLES)):
        if found == _expected(tables):
            return str(number)
    plain = all(kind in ("table", "index") for kind, *_ in found)
    if plain and any(name == "about" for _, name, *_ in found):
        told = db.execute("select value from about where key = 'schema'").fetchone()
        return str(told[0]) if told and str(told[0]) not in (str(SCHEMA), str(OLDER)) else None
    return None


def _listed(db: sqlite3.Connection) -> frozenset[tuple[str, str, str, str]]:
    found = db.execute("select type, name, tbl_name, coalesce(sql, '') from sqlite_master").fetchall()
    return frozenset((kind, name, table, "".join(str(sql).split())) for kind, name, table, sql in found)


@cache
def _expected(tables: str) -> frozenset[tuple[str, str, str, str]]:
    db = sqlite3.connect(":memory:")
    try:
        db.executescript(tables)
        return _listed(db)
    finally:
        db.close()


def upgrade(file: "LedgerFile") -> None:
    """Upgrades the schema. Raises ``StoreError``, leaving the file as it was, if it is read-only or damaged."""
    from doubleread.rag.care.auditing import audit_tables  # noqa: PLC0415 - it imports this package

    try:
        file.db.execute("begin immediate")
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"the archive {file.folder} has schema {OLDER}; this doubleread brings it up to {SCHEMA} when it is first "
            f"opened, and it cannot be written ({error}): copy the folder to where it can be written, and open it there"
        ) from None
    try:
        if schema_of(file.db) == str(OLDER):  # another process may have upgraded it
            problems = list(audit_tables(file))
            if problems:
                more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
                raise StoreError(
                    f"{file.path} is of an older schema and was not brought up to date, since it is damaged: "
                    f"{'; '.join(problems[:_SHOWN])}{more}. Restore the file from a backup"
                )
            _convert(file.db)
        file.db.execute("commit")
    except BaseException:
        if file.db.in_transaction:
            file.db.execute("rollback")
        raise


def _convert(db: sqlite3.Connection) -> None:
    for statement in ADD_DIGESTS:
        db.execute(statement)
    seal = ArchiveSeal(head=last_change(db))
    for one in db.execute(f"select {CASE_COLUMNS} from cases").fetchall():  # noqa: S608 - constants
        digest = case_digest(one)
        db.execute("update cases set digest = ? where id = ?", (digest, one[0]))
        seal.cases = seal.cases.plus([digest])
    for stamp in [found for (found,) in db.execute("select stamp from embeddings order by stamp")]:
        encoder, one, row = db.execute("select encoder, id, row from embeddings where stamp = ?", (stamp,)).fetchone()
        digest = embedding_digest(encoder, stamp, one, row)
        db.execute("update embeddings set digest = ? where stamp = ?", (digest, stamp))
        seal.embeddings[encoder] = seal.embeddings.get(encoder, Sum()).plus([digest])
    last = db.execute("select seq from sqlite_sequence where name = 'embeddings'").fetchone()
    seal.stamp = int(last[0]) if last else 0
    db.execute("update about set value = ? where key = 'schema'", (str(SCHEMA),))
    write_seal(db, seal)
