"""Prints sums of a table as other engines read it: deltalake over the whole table, DuckDB over its files one by one.

    python sums.py TABLE_FOLDER COLUMN...

The output is JSON: `delta` and `duckdb` hold the number of rows and the sum of each column, both over all revisions.
"""

import json
import sys
from pathlib import Path

import duckdb
import pyarrow.compute as pc
from deltalake import DeltaTable


def main() -> None:
    folder, columns = Path(sys.argv[1]), sys.argv[2:]
    table = DeltaTable(str(folder))
    rows = table.to_pyarrow_table()
    delta = [rows.num_rows, *(str(pc.sum(rows.column(name)).as_py()) for name in columns)]
    live = [str(folder / path) for path in table.file_uris()]
    select = ", ".join(["count(*)", *(f"CAST(sum({name}) AS VARCHAR)" for name in columns)])
    one = live[0]
    sums = {
        "delta": delta,
        "duckdb": list(duckdb.sql(f"SELECT {select} FROM read_parquet({live!r}, hive_partitioning = false)").fetchall()[0]),
        "file": one,
        "file_rows": duckdb.sql(f"SELECT count(*) FROM '{one}'").fetchall()[0][0],
    }
    print(json.dumps(sums))


if __name__ == "__main__":
    main()
