"""An archive of the schema before: it is checked whole, then given its digests and its seal in one transaction."""

import sqlite3
from typing import TYPE_CHECKING

from doubleread.core.errors import StoreError
from doubleread.rag.stores.schema import ADD_DIGESTS, OLDER, SCHEMA, schema_of
from doubleread.rag.stores.seal import CASE_COLUMNS, Seal, Sum, case_digest, embedding_digest, last_change, write_seal

if TYPE_CHECKING:
    from doubleread.rag.stores.ledger_file import LedgerFile

_SHOWN = 3


def upgrade(file: "LedgerFile") -> None:
    """Raises ``StoreError`` where the file cannot be written, and where it is not sound: it is then left as it was."""
    from doubleread.rag.care.auditing import audit_tables  # noqa: PLC0415 - it imports this package

    try:
        file.db.execute("begin immediate")
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"the archive {file.folder} has schema {OLDER}; this doubleread brings it up to {SCHEMA} when it is first "
            f"opened, and it cannot be written ({error}): copy the folder to where it can be written, and open it there"
        ) from None
    try:
        if schema_of(file.db) == str(OLDER):  # another process may have been quicker
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
    seal = Seal(head=last_change(db))
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
