"""SHA-256 of files and of trees of files, the same way wherever content is addressed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_CHUNK_BYTES = 1024 * 1024


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hex digits; reads in pieces, so a file may be larger than memory."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def copy_sha256(source: Path, destination: Path) -> str:
    """Copy a file's bytes (not its mode) and return the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, destination.open("wb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()


def records_sha256(records: Iterable[tuple[str, ...]]) -> str:
    """The SHA-256 of a list of records, as 64 hex digits; the caller sorts.

    Each field goes in with its length in bytes before it, so no two different lists are the same bytes.
    """
    parts: list[str] = []
    for record in records:
        for field in record:
            parts.append(f"{len(field) if field.isascii() else len(field.encode())}:{field}")
        parts.append("\n")
    return hashlib.sha256("".join(parts).encode()).hexdigest()
