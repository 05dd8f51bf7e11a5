"""Raw records from event files: `DIR/<topic>/<partition>.ndjson`, `.gz` and `.zst` too (contract 3, K1, K2).

The line number is the offset. Verdicts depend on a topic-partition alone (K6), so every file is read on its own, in
file order; how the product merges files cannot matter here.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from settings import CUSTOMER_TOPICS, Settings

FILE_NAME = re.compile(r"(0|[1-9][0-9]*)\.ndjson(\.gz|\.zst)?")


def partition_files(events: Path, topic_name: str) -> dict[int, Path]:
    """The file of each partition of one topic; a missing folder is a topic without events."""
    files: dict[int, Path] = {}
    folder = events / topic_name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            continue
        partition = int(match[1])
        if partition in files:
            raise ValueError(f"two files for one partition: {files[partition]} and {path}")
        files[partition] = path
    return files


def partition_count(events: Path, settings: Settings) -> int:
    """K1: the highest file number + 1 over the customer topics, which have the same number of partitions."""
    numbers = [number for topic in CUSTOMER_TOPICS for number in partition_files(events, settings.topic_names[topic])]
    return max(numbers, default=0) + 1


def lines(path: Path) -> Iterator[bytes]:
    """The records of one file without their line feeds; an empty line is a record, the end of the last one is not."""
    with _open(path) as stream:
        content = stream.read()
    if not content:
        return
    records = content.split(b"\n")
    if records[-1] == b"":
        records.pop()
    yield from records


def _open(path: Path):
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".zst":
        return pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd")
    return path.open("rb")
