"""Reference data (contract 4): versions with `valid_from` and `valid_to`, from CSV or Parquet.

Versions may overlap in the files; what the metrics join with is cut into spans that do not, so that an instant finds at
most one. Where several versions hold, the one that began last does; of two that began together, the later row.
"""

import csv
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

BEGINNING, END = -(1 << 62), 1 << 62

CUSTOMER_COLUMNS = ("class_id", "territory_id", "area_unit_id", "customer_kind", "region_code")

CUSTOMER_VERSION = pa.schema(
    [("customer_id", pa.string()), ("valid_from", pa.int64()), ("valid_until", pa.int64())]
    + [(column, pa.string()) for column in CUSTOMER_COLUMNS]
)


def customer_versions(folder: Path) -> pa.Table:
    """Who a customer was when; instants in milliseconds, the end exclusive."""
    versions: dict[str, list[tuple[int, int, dict]]] = {}
    for row in _rows(folder / "ref_customer"):
        span = (_instant(row.get("valid_from"), BEGINNING), _instant(row.get("valid_to"), END), row)
        versions.setdefault(row["customer_id"], []).append(span)
    found = []
    for customer_id, own in versions.items():
        for begin, end, row in spans(own):
            found.append(
                {"customer_id": customer_id, "valid_from": begin, "valid_until": end}
                | {column: row.get(column) or None for column in CUSTOMER_COLUMNS}
            )
    return pa.Table.from_pylist(found, schema=CUSTOMER_VERSION)


def sku_versions(folder: Path) -> pa.Table:
    """Which SKUs were short when (K27)."""
    return _versions(folder / "ref_sku", ("sku_id",), {"supply_status": pa.string()})


def territory_versions(folder: Path) -> pa.Table:
    """Which area a territory belonged to when."""
    return _versions(folder / "ref_territory", ("territory_id",), {"area_unit_id": pa.string()})


def plan_versions(folder: Path) -> pa.Table:
    """Allocation plans per SKU, class and area; the plan's name does not matter."""
    return _versions(folder / "ref_allocation_plan", ("sku_id", "class_id", "area_unit_id"), {"cap_qty": pa.int64()})


def _versions(stem: Path, key: tuple[str, ...], columns: dict[str, pa.DataType]) -> pa.Table:
    """Spans of each subject; a table without a file has none."""
    versions: dict[tuple, list[tuple[int, int, dict]]] = {}
    for row in _rows(stem, is_optional=True):
        span = (_instant(row.get("valid_from"), BEGINNING), _instant(row.get("valid_to"), END), row)
        versions.setdefault(tuple(row[name] for name in key), []).append(span)
    found = []
    for subject, own in versions.items():
        for begin, end, row in spans(own):
            values = {name: _value(row.get(name), kind) for name, kind in columns.items()}
            found.append(dict(zip(key, subject)) | {"valid_from": begin, "valid_until": end} | values)
    fields = [(name, pa.string()) for name in key] + [("valid_from", pa.int64()), ("valid_until", pa.int64())]
    return pa.Table.from_pylist(found, schema=pa.schema(fields + list(columns.items())))


def _value(value, kind: pa.DataType):
    if value is None or value == "":
        return None
    return int(value) if pa.types.is_integer(kind) else value


def spans(versions: list[tuple[int, int, dict]]) -> list[tuple[int, int, dict]]:
    """Cuts versions of one thing into consecutive spans, each with the version that holds in it."""
    edges = sorted({edge for begin, end, _ in versions for edge in (begin, end)})
    found = []
    for begin, end in zip(edges, edges[1:]):
        holding = [(v[0], order) for order, v in enumerate(versions) if v[0] <= begin and end <= v[1]]
        if holding:
            found.append((begin, end, versions[max(holding)[1]][2]))
    return found


def _rows(stem: Path, is_optional: bool = False) -> list[dict]:
    parquet, text = stem.with_suffix(".parquet"), stem.with_suffix(".csv")
    if parquet.exists():
        return pq.read_table(parquet).to_pylist()
    if text.exists():
        with text.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.DictReader(stream))
    if is_optional:
        return []
    raise FileNotFoundError(f"no reference data: neither {text} nor {parquet}")


def _instant(value, otherwise: int) -> int:
    """Milliseconds of an RFC 3339 instant; an empty one is open."""
    if value is None or value == "":
        return otherwise
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
