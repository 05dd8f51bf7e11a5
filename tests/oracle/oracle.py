"""The independent oracle: what the pipeline must come to, computed from raw files in one simple pass.

    python oracle.py compute --events DIR --ref DIR/ref --out OUT
    python oracle.py compare --expected OUT --actual DIR
    python oracle.py truth --events DIR --expected OUT

See README.md beside this file. Exit codes are the contract's: 0 equal, 1 failed, 2 wrong usage, 3 a difference.
"""

import argparse
import csv
import json
import logging
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import duckdb

import compare
import compute
import settings as configuration
from settings import TOPICS, Settings
from tables import PUBLIC_TABLES

EQUAL, FAILED, DIFFERENT = 0, 1, 3


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING if options.quiet else logging.INFO)
    try:
        return options.command(options)
    except (OSError, ValueError, duckdb.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED


def run_compute(options: argparse.Namespace) -> int:
    settings = _settings(options)
    judged = compute.judge(options.events, settings)
    clock_ms = None if options.drain_to is None else _instant_ms(options.drain_to)
    ref = options.ref or options.events / "ref"
    database = compute.metrics(judged, ref, settings, clock_ms)
    compute.write(database, judged, options.out)
    counts = Counter((topic, reason) for topic, _, _, reason, _ in judged.verdicts)
    for (topic, reason), records in sorted(counts.items()):
        print(f"{topic} {reason} {records}")
    for name in PUBLIC_TABLES:
        rows = database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        print(f"{name} rows={rows}")
    return EQUAL


def run_compare(options: argparse.Namespace) -> int:
    names = options.tables.split(",") if options.tables else list(PUBLIC_TABLES)
    unknown = [name for name in names if name not in PUBLIC_TABLES]
    if unknown:
        raise ValueError(f"unknown table={unknown[0]}, known are {', '.join(PUBLIC_TABLES)}")
    equal = True
    for name in names:
        table = PUBLIC_TABLES[name]
        expected = compare.expected_rows(options.expected, table)
        if options.delta:
            actual = compare.actual_rows_of_delta(options.delta, table)
        else:
            actual = compare.actual_rows_of_files(options.actual, table, expected.schema)
        if actual is None:
            print(f"{name}: expected={expected.num_rows} actual=missing")
            equal = False
            continue
        result = compare.compare(table, expected, actual, options.with_n)
        print(result)
        equal = equal and result.differing == 0
    return EQUAL if equal else DIFFERENT


def run_truth(options: argparse.Namespace) -> int:
    """Holds the verdicts against the simulator's own labels of what must not be accepted."""
    labels = {}
    with (options.events / "truth" / "dirty.ndjson").open(encoding="utf-8") as stream:
        for line in stream:
            label = json.loads(line)
            labels[label["topic"], label["partition"], label["offset"]] = label["reason"]
    with (options.expected / "verdicts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    differing = 0
    for row in rows:
        place = (row["topic"], int(row["partition"]), int(row["offset"]))
        label = labels.pop(place, "accepted")
        if label != row["verdict"]:
            differing += 1
            if differing == 1:
                print(f"first difference: {place} label={label} verdict={row['verdict']} path={row['path']}")
    print(f"verdicts: records={len(rows)} differing={differing} labels_without_record={len(labels)}")
    return EQUAL if differing == 0 and not labels else DIFFERENT


def _settings(options: argparse.Namespace) -> Settings:
    settings = configuration.from_toml(options.config) if options.config else Settings()
    if options.zone:
        settings = replace(settings, zone=options.zone)
    if options.max_future_skew:
        settings = replace(settings, max_future_skew_ms=configuration.duration_ms(options.max_future_skew))
    for name in ("out_of_orderness", "allowed_lateness"):
        given = dict(pair.split("=", 1) for pair in getattr(options, name))
        unknown = [topic for topic in given if topic not in TOPICS]
        if unknown:
            raise ValueError(f"unknown topic={unknown[0]}, known are {', '.join(TOPICS)}")
        durations = {topic: configuration.duration_ms(text) for topic, text in given.items()}
        settings = replace(settings, **{f"{name}_ms": getattr(settings, f"{name}_ms") | durations})
    return replace(settings, is_drained=not options.not_drained)


def _instant_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"instant={text} has no offset, write for example 2026-02-02T00:00:00Z")
    return round((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oracle.py", description="The independent oracle of Vitrine.")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("compute", help="compute every table from raw files")
    command.set_defaults(command=run_compute)
    command.add_argument("--events", type=Path, required=True, help="folder of <topic>/<partition>.ndjson")
    command.add_argument("--ref", type=Path, help="folder of ref_*.csv; default: ref beside the topics")
    command.add_argument("--out", type=Path, required=True, help="folder for Parquet files, or a .duckdb file")
    clock = command.add_mutually_exclusive_group()
    clock.add_argument("--clock-max", action="store_true", help="as after `--drain`: all is closed (the default)")
    clock.add_argument("--drain-to", metavar="INSTANT", help="only windows that end by then, RFC 3339")
    command.add_argument(
        "--not-drained", action="store_true", help="as after `--until-caught-up`: a torn last line waits for its end (K47)"
    )
    command.add_argument("--config", type=Path, help="a vitrine.toml; other flags override it")
    command.add_argument("--zone", help="business time zone, default Asia/Shanghai")
    command.add_argument("--max-future-skew", metavar="DURATION")
    command.add_argument("--out-of-orderness", metavar="TOPIC=DURATION", action="append", default=[])
    command.add_argument("--allowed-lateness", metavar="TOPIC=DURATION", action="append", default=[])

    command = commands.add_parser("compare", help="compare the product's tables with computed ones")
    command.set_defaults(command=run_compare)
    command.add_argument("--expected", type=Path, required=True, help="what compute wrote")
    actual = command.add_mutually_exclusive_group(required=True)
    actual.add_argument("--actual", type=Path, help="folder of <table>.parquet or <table>.csv")
    actual.add_argument("--delta", metavar="STORAGE", help="the product's storage URL or folder")
    command.add_argument("--tables", help="names separated by commas, default all")
    command.add_argument("--with-n", action="store_true", help="compare the column n too")

    command = commands.add_parser("truth", help="compare the verdicts with the simulator's truth/dirty.ndjson")
    command.set_defaults(command=run_truth)
    command.add_argument("--events", type=Path, required=True)
    command.add_argument("--expected", type=Path, required=True, help="folder that holds verdicts.csv")
    return parser


if __name__ == "__main__":
    sys.exit(main())
