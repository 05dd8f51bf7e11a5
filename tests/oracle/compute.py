"""From files to tables: verdicts, then histories, then the SQL texts in their order."""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

import history
import margin_alerts
import read
import reference
from settings import TOPICS, Settings, duration_ms
from tables import PUBLIC_TABLES
from verdict import PartitionJudge

SQL_FOLDER = Path(__file__).parent / "sql"
SQL_TEXTS = ("common", "supply", "demand_orders", "stock", "margin", "satisfaction", "sla")

END_OF_TIME_MS = 1 << 60
#: K7: so long after its end a window of M02, M03 or M06 may still change by an interval that closes.
LOOK_AHEAD_MS = duration_ms("14d")

log = logging.getLogger("oracle")


@dataclass
class Judged:
    """`verdicts` holds (topic name, partition, offset, reason, path) of every record."""

    verdicts: list[tuple[str, int, int, str, str]]
    accepted: list[history.Accepted]
    #: K41: for facts after this instant `--drain` does not go on: `max_jump` beyond the highest of all partitions; None: no event.
    believed_until: int | None = None


def judge(events: Path, settings: Settings) -> Judged:
    """Reads every record of every topic-partition."""
    partitions = read.partition_count(events, settings)
    judged = Judged([], [])
    for topic in TOPICS:
        name = settings.topic_names[topic]
        for partition, path in sorted(read.partition_files(events, name).items()):
            partition_judge = PartitionJudge(topic, partition, partitions, settings)
            lines = read.lines(path, settings.is_drained, settings.max_record_bytes)
            for offset, raw in enumerate(lines):
                verdict, event = partition_judge.judge(raw)
                judged.verdicts.append((name, partition, offset, verdict.reason, verdict.path))
                if event is not None:
                    judged.accepted.append(history.Accepted(topic, partition, offset, event))
            time = partition_judge.time
            if time is not None and time.highest is not None:
                until = time.highest + settings.max_jump_ms
                judged.believed_until = max(until, judged.believed_until or until)
            log.info("%s/%s %s", name, partition, dict(partition_judge.counts))
    return judged


def metrics(judged: Judged, ref: Path, settings: Settings, clock_ms: int | None) -> duckdb.DuckDBPyConnection:
    """An in-memory database with every public table as of a clock; `clock_ms` None: where `--drain` leaves it."""
    if clock_ms is not None:
        return _metrics_at(judged, ref, settings, clock_ms)
    database = _metrics_at(judged, ref, settings, END_OF_TIME_MS)
    drained_to = _drained_to(database, judged, settings)
    return database if drained_to is None else _metrics_at(judged, ref, settings, drained_to)


def _drained_to(database: duckdb.DuckDBPyConnection, judged: Judged, settings: Settings) -> int | None:
    """How far `--drain` goes (K7, K41); None: far enough for every fact. `database` has everything closed."""
    lateness = settings.allowed_lateness_ms
    for name, value in (
        ("retail_final_ms", LOOK_AHEAD_MS + max(lateness[topic] for topic in ("orders", "visits", "prices"))),
        ("service_final_ms", lateness["complaints"]),
    ):
        database.execute(f"SET VARIABLE {name} = $1", [value])
    query = (SQL_FOLDER / "drain.sql").read_text(encoding="utf-8")
    ((drained_to,),) = database.execute(query).fetchall()
    return drained_to


def _metrics_at(judged: Judged, ref: Path, settings: Settings, clock_ms: int) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET VARIABLE zone = $1", [settings.zone])
    database.execute("SET VARIABLE clock = $1", [clock_ms])
    database.execute("SET VARIABLE believed_until = $1", [judged.believed_until or END_OF_TIME_MS])
    database.execute("SET VARIABLE max_gap_days = $1", [settings.max_gap_days])
    database.execute("SET VARIABLE end_of_time = $1", [END_OF_TIME_MS])
    inputs = history.tables(judged.accepted)
    inputs["customer_version"] = reference.customer_versions(ref)
    inputs["sku_version"] = reference.sku_versions(ref)
    inputs["territory_version"] = reference.territory_versions(ref)
    inputs["plan_version"] = reference.plan_versions(ref)
    for name, rows in inputs.items():
        _load(database, name, rows)
    for name in SQL_TEXTS:
        database.execute((SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
        log.info("%s.sql done", name)
    narrow_sums(database)
    return database


def narrow_sums(database: duckdb.DuckDBPyConnection) -> None:
    """K25: of every public table, a sum that BIGINT cannot hold is NULL. Until here sums are HUGEINT, as DuckDB makes them."""
    for table in PUBLIC_TABLES.values():
        columns = database.execute(f"DESCRIBE {table.name}").fetchall()
        for name, kind, *_ in columns:
            if kind == "HUGEINT":
                database.execute(f"ALTER TABLE {table.name} ALTER {name} TYPE BIGINT USING try_cast({name} AS BIGINT)")


def write(database: duckdb.DuckDBPyConnection, judged: Judged, out: Path) -> None:
    """A folder of Parquet files, or one DuckDB file, with `verdicts.csv`, `orphans.csv` and `margin_alerts.csv` beside it."""
    is_file = out.suffix in (".duckdb", ".db")
    folder = out.parent if is_file else out
    folder.mkdir(parents=True, exist_ok=True)
    if is_file:
        out.unlink(missing_ok=True)
        database.execute(f"ATTACH '{_quoted(out)}' AS saved")
    for table in PUBLIC_TABLES.values():
        ordered = f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}"
        if is_file:
            database.execute(f"CREATE TABLE saved.{table.name} AS {ordered}")
        else:
            database.execute(f"COPY ({ordered}) TO '{_quoted(out / table.name)}.parquet' (FORMAT parquet)")
    if is_file:
        database.execute("DETACH saved")
    _write_csv(folder / "verdicts.csv", ("topic", "partition", "offset", "verdict", "path"), judged.verdicts)
    _write_csv(folder / "orphans.csv", ("topic", "event_id", "corrects"), history.orphans(judged.accepted))
    alerts = [
        (customer, alert.severity, alert.judged_at)
        for customer, alert in margin_alerts.alerts(database).items()
        if alert.severity is not None
    ]
    _write_csv(folder / "margin_alerts.csv", ("customer_id", "severity", "judged_at"), alerts)


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _load(database: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    database.register("incoming", rows)
    database.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
    database.unregister("incoming")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
