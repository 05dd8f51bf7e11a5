"""Equality as the contract defines it (section 5): latest revision, same keys, parts equal, ratios within 1e-9."""

from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tables import NOT_COMPARED, PublicTable

RATIO_TOLERANCE = 1e-9


@dataclass
class Difference:
    """One cell, or a whole row where `column` is empty."""

    key: tuple
    column: str
    expected: object
    actual: object


@dataclass
class Comparison:
    """`differing` counts rows: those that only one side has, and those with at least one other value."""

    table: str
    expected_rows: int
    actual_rows: int
    differing: int
    first: Difference | None

    def __str__(self) -> str:
        line = f"{self.table}: expected={self.expected_rows} actual={self.actual_rows} differing={self.differing}"
        if self.first is None:
            return line
        key = " ".join(_shown(part) for part in self.first.key)
        column = self.first.column or "row"
        return (
            f"{line}\n  first difference: key=({key}) column={column} "
            f"expected={_shown(self.first.expected)} actual={_shown(self.first.actual)}"
        )


def expected_rows(out: Path, table: PublicTable) -> pa.Table:
    """What `compute` wrote."""
    if out.is_dir():
        return pq.read_table(out / f"{table.name}.parquet")
    with duckdb.connect(str(out), read_only=True) as database:
        database.execute("SET TimeZone = 'UTC'")
        return database.sql(f"SELECT * FROM {table.name}").to_arrow_table()


def actual_rows_of_files(folder: Path, table: PublicTable, expected: pa.Schema) -> pa.Table | None:
    """The product's rows from `<table>.parquet` or `.csv`; `None` if there is neither."""
    parquet, text = folder / f"{table.name}.parquet", folder / f"{table.name}.csv"
    if parquet.exists():
        return pq.read_table(parquet)
    if not text.exists():
        return None
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        rows = database.read_csv(str(text), all_varchar=True, header=True)
        casts = [_cast(name, expected) for name in rows.columns]
        return rows.project(", ".join(casts)).to_arrow_table()


def actual_rows_of_delta(storage: str, table: PublicTable) -> pa.Table | None:
    """The latest revision of each row of a Delta table under `storage`, without rows that no longer exist."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        rows = DeltaTable(f"{storage.rstrip('/')}/tables/{table.schema}/{table.name}").to_pyarrow_table()
    except TableNotFoundError:
        return None
    return latest_revisions(rows, table)


def latest_revisions(rows: pa.Table, table: PublicTable) -> pa.Table:
    """A row whose latest revision rests on no fact (`n` = 0) is gone."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("revisions", rows)
        alive = "" if "n" not in rows.column_names else "WHERE n > 0"
        return database.sql(
            f"""SELECT * FROM (
                SELECT * FROM revisions
                QUALIFY row_number() OVER (PARTITION BY {", ".join(table.key)} ORDER BY revision DESC) = 1
            ) {alive}"""
        ).to_arrow_table()


def compare(table: PublicTable, expected: pa.Table, actual: pa.Table, with_n: bool = False) -> Comparison:
    """Compares all expected columns; further columns of the actual side are its own."""
    ignored = NOT_COMPARED - ({"n"} if with_n else set())
    columns = [name for name in expected.column_names if name not in ignored and name not in table.key]
    wanted, wanted_repeated = _by_key(expected, table, columns)
    found, found_repeated = _by_key(actual, table, columns)
    assert wanted_repeated is None, f"the oracle's own {table.name} repeats the key {wanted_repeated}"
    differences = [
        difference
        for key in wanted.keys() | found.keys()
        if (difference := _row_difference(key, columns, wanted.get(key), found.get(key))) is not None
    ]
    if found_repeated is not None:
        differences.append(Difference(found_repeated, "", "one row", "several rows"))
    first = min(differences, key=lambda difference: tuple(map(_shown, difference.key)), default=None)
    return Comparison(table.name, expected.num_rows, actual.num_rows, len(differences), first)


def _row_difference(key: tuple, columns: list[str], wanted, found) -> Difference | None:
    if found is None:
        return Difference(key, "", "a row", "none")
    if wanted is None:
        return Difference(key, "", "none", "a row")
    for column, expected, actual in zip(columns, wanted, found):
        if not _equal(expected, actual):
            return Difference(key, column, expected, actual)
    return None


def _equal(expected, actual) -> bool:
    if isinstance(expected, float) and isinstance(actual, (float, int, Decimal)) and type(actual) is not bool:
        return abs(expected - float(actual)) <= RATIO_TOLERANCE * max(1.0, abs(expected))
    if isinstance(expected, bool) != isinstance(actual, bool):
        return False
    return expected == actual


def _by_key(rows: pa.Table, table: PublicTable, columns: list[str]) -> tuple[dict, tuple | None]:
    """Rows by key; and a key that more than one row has."""
    missing = [name for name in (*table.key, *columns) if name not in rows.column_names]
    if missing:
        raise ValueError(f"table={table.name} lacks columns={','.join(missing)}, select all columns of it")
    cells = {name: [_plain(cell) for cell in rows.column(name).to_pylist()] for name in (*table.key, *columns)}
    keys = list(zip(*(cells[name] for name in table.key)))
    values = list(zip(*(cells[name] for name in columns)))
    by_key = dict(zip(keys, values))
    if len(by_key) == len(keys):
        return by_key, None
    seen = set()
    return by_key, next(key for key in keys if key in seen or seen.add(key))


def _plain(cell):
    """One form for values that file formats type differently."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=timezone.utc) if cell.tzinfo is None else cell.astimezone(timezone.utc)
    return cell


def _cast(name: str, expected: pa.Schema) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if name not in expected.names:
        return quoted
    type_ = expected.field(name).type
    if pa.types.is_timestamp(type_):
        return f"CAST({quoted} AS TIMESTAMPTZ) AS {quoted}"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return quoted
    sql_type = {
        "bool": "BOOLEAN", "int64": "BIGINT", "double": "DOUBLE", "date32[day]": "DATE",
    }.get(str(type_), "DECIMAL(38, 6)")  # fmt: skip
    return f"CAST(nullif({quoted}, '') AS {sql_type}) AS {quoted}"


def _shown(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
