"""Damage and tampering, done to a panel folder on purpose: every one must be an error or change nothing.

Each kind takes the folder and a random generator, changes one thing, and says what.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np

Mutation = Callable[[Path, np.random.Generator], str]
ARCHIVE = "store/archive.sqlite3"
PAGE = 4096


def _flip_bit(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng)
    at = int(rng.integers(len(data)))
    data[at] ^= 1 << int(rng.integers(8))
    file.write_bytes(data)
    return f"bit of byte {at} of {_name(folder, file)} flipped"


def _zero_page(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng)
    at = int(rng.integers(len(data))) // PAGE * PAGE
    data[at : at + PAGE] = bytes(len(data[at : at + PAGE]))
    file.write_bytes(data)
    return f"page at {at} of {_name(folder, file)} zeroed"


def _cut(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng)
    kept = int(rng.integers(len(data)))
    file.write_bytes(data[:kept])
    return f"{_name(folder, file)} cut to {kept} bytes"


def _grow(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng)
    file.write_bytes(bytes(data) + rng.bytes(100))
    return f"100 bytes added to {_name(folder, file)}"


def _digit(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng, ".json", ".jsonl")
    digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    at = digits[int(rng.integers(len(digits)))] if digits else 0
    data[at] = 48 + (data[at] - 47) % 10
    file.write_bytes(data)
    return f"digit at {at} of {_name(folder, file)} changed"


def _delete(folder: Path, rng: np.random.Generator) -> str:
    file, _ = _pick(folder, rng)
    file.unlink()
    return f"{_name(folder, file)} deleted"


def _swap(folder: Path, rng: np.random.Generator) -> str:
    (one, first), (other, second) = _pick(folder, rng), _pick(folder, rng)
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{_name(folder, one)} and {_name(folder, other)} swapped"


def _double_line(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng, ".jsonl", ".json")
    lines = bytes(data).splitlines(keepends=True)
    at = int(rng.integers(len(lines)))
    file.write_bytes(b"".join([*lines[: at + 1], *lines[at:]]))
    return f"line {at} of {_name(folder, file)} doubled"


def _drop_line(folder: Path, rng: np.random.Generator) -> str:
    file, data = _pick(folder, rng, ".jsonl", ".json")
    lines = bytes(data).splitlines(keepends=True)
    at = int(rng.integers(len(lines)))
    file.write_bytes(b"".join([*lines[:at], *lines[at + 1 :]]))
    return f"line {at} of {_name(folder, file)} dropped"


def _nest(folder: Path, rng: np.random.Generator) -> str:
    file, _ = _pick(folder, rng, ".json", ".jsonl")
    file.write_text('{"a":' * 50_000 + "1" + "}" * 50_000, encoding="utf-8")
    return f"{_name(folder, file)} nested 50,000 deep"


def _pipe(folder: Path, rng: np.random.Generator) -> str:
    file, _ = _pick(folder, rng)
    file.unlink()
    os.mkfifo(file)
    return f"{_name(folder, file)} is a pipe"


def _device(folder: Path, rng: np.random.Generator) -> str:
    file, _ = _pick(folder, rng)
    file.unlink()
    file.symlink_to("/dev/zero")
    return f"{_name(folder, file)} is a link to a device"


def _sparse(folder: Path, rng: np.random.Generator) -> str:
    file, _ = _pick(folder, rng)
    os.truncate(file, 10**11)
    return f"{_name(folder, file)} has 100 GB"


def statement(text: str) -> Mutation:
    """A change of the archive by SQL."""

    def change(folder: Path, rng: np.random.Generator) -> str:
        del rng
        db = sqlite3.connect(folder / ARCHIVE)
        try:
            with db:
                rows = db.execute(text.replace("SOME", SOME)).rowcount
        finally:
            db.close()
        return f"{text} ({rows} rows)"

    return change


SOME = "(select id from cases order by id limit 5)"
"""Stands in the statements below as ``SOME``."""
STATEMENTS = (
    "update cases set label = (select label from cases order by label limit 1)",
    "update cases set label = (select label from cases order by label desc limit 1) where id in SOME",
    "update cases set grp = 'x' where id in SOME",
    "update cases set grp = null",
    "update cases set path = '/etc/hostname' where id in SOME",
    "update cases set removed = 1 where id in SOME",
    "delete from cases where id in SOME",
    "update cases set hash = '0000000000000000' where id in SOME",
    "update cases set tags = '[\"x\"]'",
    "update cases set source = 'x'",
    "update cases set added = 0",
    "update embeddings set row = zeroblob(length(row))",
    "update embeddings set row = zeroblob(length(row)) where id in SOME",
    "delete from embeddings where id in SOME",
    "update embeddings set row = (select row from embeddings order by id desc limit 1) where id in SOME",
    "update embeddings set stamp = stamp + 1000000",
    "update changes set record = null where id in SOME",
    'update changes set record = replace(record, \'"label":"\', \'"label":"x\')',
    "delete from changes where seq = (select max(seq) from changes)",
    "delete from changes",
    "update changes set reviewer = 'nobody'",
    "update encoders set fingerprint = fingerprint || 'x'",
    "update encoders set dim = dim + 1",
    "update about set value = value || 'x'",
    "delete from about",
    "create trigger t after insert on cases begin delete from cases; end",
    "drop table embeddings",
)
BYTES: tuple[Mutation, ...] = (
    _flip_bit, _flip_bit, _zero_page, _zero_page, _cut, _grow, _digit, _digit, _delete, _swap, _double_line, _drop_line,
    _nest, _pipe, _device, _sparse,
)  # fmt: skip


def mutate(folder: Path, rng: np.random.Generator) -> str:
    """One random change; half of them to the bytes of some file, half to the archive's rows."""
    if rng.random() < 0.5:
        return BYTES[int(rng.integers(len(BYTES)))](folder, rng)
    return statement(STATEMENTS[int(rng.integers(len(STATEMENTS)))])(folder, rng)


def _pick(folder: Path, rng: np.random.Generator, *endings: str) -> tuple[Path, bytearray]:
    """A file that is not empty; the archive as often as all others together."""
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and file.stat().st_size and (not endings or file.suffix in endings)
    )
    archive = folder / ARCHIVE
    chosen = archive if archive in files and rng.random() < 0.5 else files[int(rng.integers(len(files)))]
    return chosen, bytearray(chosen.read_bytes())


def _name(folder: Path, file: Path) -> str:
    return file.relative_to(folder).as_posix()
