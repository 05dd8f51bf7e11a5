"""Raw records from event files: `DIR/<topic>/<partition>.ndjson`, `.gz` and `.zst` too (contract 3, K1, K2, K47).

The line number is the offset. Verdicts depend on a topic-partition alone (K6), so every file is read on its own, in
file order; how the product merges files cannot matter here.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

import json_text
from settings import CUSTOMER_TOPICS, Settings

FILE_NAME = re.compile(r"(0|[1-9][0-9]*)\.ndjson(\.gz|\.zst)?")
HIGHEST_PARTITION = 4095


def partition_files(events: Path, topic_name: str) -> dict[int, Path]:
    """The file of each partition of one topic; a missing folder is a topic without events."""
    files: dict[int, Path] = {}
    folder = events / topic_name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            continue
        partition = int(match[1])
        if partition > HIGHEST_PARTITION:
            raise ValueError(f"partition numbers go up to {HIGHEST_PARTITION}: {path}")
        if partition in files:
            raise ValueError(f"two files for one partition: {files[partition]} and {path}")
        files[partition] = path
    return files


def partition_count(events: Path, settings: Settings) -> int:
    """K1: the highest file number + 1 over the customer topics, which have the same number of partitions."""
    numbers = [number for topic in CUSTOMER_TOPICS for number in partition_files(events, settings.topic_names[topic])]
    return max(numbers, default=0) + 1


def lines(path: Path, is_drained: bool = True, max_record_bytes: int = 1_048_576) -> Iterator[bytes]:
    """The records of one file without their line feeds; an empty line is a record, the end of the last one is not.

    K47: what stands behind the last line feed is a record if it is a whole JSON value of a length that is allowed, and
    whatever it is once the storage is drained; else it is the beginning of a line that has not come.
    """
    with _open(path) as stream:
        content = stream.read()
    *records, rest = content.split(b"\n")
    yield from records
    if rest and (is_drained or _has_come(rest, max_record_bytes)):
        yield rest


def _has_come(rest: bytes, max_record_bytes: int) -> bool:
    length = len(rest.removesuffix(b"\r"))
    # Bytes that are no UTF-8 may stand in a text: the value is whole, and its verdict another matter.
    return length <= max_record_bytes and json_text.is_whole(rest.decode("utf-8", "replace"))


def _open(path: Path):
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".zst":
        return pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd")
    return path.open("rb")
