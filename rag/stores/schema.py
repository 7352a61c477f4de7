"""The tables of an archive's file, and whether a file has these tables and nothing else."""

import sqlite3
from functools import cache

SCHEMA, OLDER = 3, 2
"""The number of the tables, and the one that is brought up to it when a file is opened."""
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
"""Makes the tables of the older number those of the present one."""
_OLDER_TABLES = TABLES.replace(f",\n    {_DIGEST}", "")


def schema_of(db: sqlite3.Connection) -> str | None:
    """The number that the file has by its tables; None for tables of something else.

    Nothing is read but the list of tables: triggers and views, which could run code of the file, are refused so.
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
