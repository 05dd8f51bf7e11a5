"""A small distributor by hand: writes event files, runs the oracle over them, reads its tables."""

import json
import tempfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

import compute
from settings import Settings, duration_ms

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = duration_ms("1m")


def local(text: str) -> int:
    """Milliseconds of a local time such as `2026-01-05 09:00`."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


class Distributor:
    """Collects events of one partition and the customers' reference rows."""

    def __init__(self):
        self.lines: dict[tuple[str, int], list[bytes]] = {}
        self.customers = ["C1,A,T1,AREA1,RETAILER,110000,2025-01-01T00:00:00Z,"]
        self.skus: list[str] = []
        self.territories: list[str] = []
        self.plans: list[str] = []
        self.count = 0

    def raw(self, topic: str, line: bytes, partition: int = 0) -> None:
        self.lines.setdefault((topic, partition), []).append(line)

    def event(self, topic: str, event_type: str, when: str | int, partition: int = 0, **fields) -> str:
        """Appends an event and returns its id; `event_id`, `recorded_at` and the like may be given."""
        self.count += 1
        moment = local(when) if isinstance(when, str) else when
        payload = {
            "event_id": f"e{self.count:06}", "event_type": event_type, "schema_version": 1,
            "occurred_at": moment, "recorded_at": moment,
        }  # fmt: skip
        payload |= {"customer_id": "C1"} | fields
        self.raw(topic, json.dumps({k: v for k, v in payload.items() if v is not ...}).encode(), partition)
        return payload["event_id"]

    def order(self, step: str, when: str, order_id: str, *lines: dict, **fields) -> str:
        extra = {"lines": list(lines)} if lines else {}
        return self.event("orders", f"order.{step}", when, order_id=order_id, **extra, **fields)

    def counts(self, when: str, **quantities: int) -> str:
        stock = [{"sku_id": sku, "qty": qty, "counted_at": local(when)} for sku, qty in quantities.items()]
        return self.event("visits", "visit.info_collected", when, collection_id="K", stock=stock)

    def list_price(self, sku: str, price_type: str, fen: int, valid_from: str = "2025-06-01 00:00", **fields) -> str:
        return self.event(
            "prices", "price.list_set", "2026-01-01 00:00", customer_id=..., sku_id=sku, price_type=price_type,
            price_fen=fen, valid_from=local(valid_from), **fields,
        )  # fmt: skip

    def sees(self, when: str, sku: str, fen: int, **fields) -> str:
        basis = {"price_basis": "SELLING"} | fields
        return self.event(
            "prices", "price.observed", when, collection_id="K", sku_id=sku, price_fen=fen,
            observed_at=local(when), **basis,
        )  # fmt: skip

    def write(self, folder: Path) -> None:
        for (topic, partition), lines in self.lines.items():
            path = folder / f"{topic}.v1" / f"{partition}.ndjson"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(line + b"\n" for line in lines))
        ref = folder / "ref"
        ref.mkdir()
        header = "customer_id,class_id,territory_id,area_unit_id,customer_kind,region_code,valid_from,valid_to"
        validity = "valid_from,valid_to"
        for name, columns, rows in (
            ("ref_customer", header, self.customers),
            ("ref_sku", f"sku_id,supply_status,{validity}", self.skus),
            ("ref_territory", f"territory_id,area_unit_id,{validity}", self.territories),
            ("ref_allocation_plan", f"sku_id,class_id,area_unit_id,cap_qty,{validity}", self.plans),
        ):
            if rows:
                (ref / f"{name}.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")

    def judged(self, settings: Settings = Settings()) -> compute.Judged:
        with tempfile.TemporaryDirectory() as folder:
            self.write(Path(folder))
            return compute.judge(Path(folder), settings)

    def verdicts(self, settings: Settings = Settings()) -> list[str]:
        """The reasons, in the order of topics, partitions and offsets."""
        return [reason for _, _, _, reason, _ in self.judged(settings).verdicts]

    def tables(self, clock: str | None = None, settings: Settings = Settings()) -> "Tables":
        with tempfile.TemporaryDirectory() as folder:
            self.write(Path(folder))
            judged = compute.judge(Path(folder), settings)
            clock_ms = None if clock is None else local(clock)
            return Tables(compute.metrics(judged, Path(folder) / "ref", settings, clock_ms), judged)


class Tables:
    """Rows as dictionaries, window starts as local dates."""

    def __init__(self, database: duckdb.DuckDBPyConnection, judged: compute.Judged):
        self.database, self.judged = database, judged

    def rows(self, table: str, **where) -> list[dict]:
        found = self.database.sql(f"SELECT * FROM {table} ORDER BY ALL").to_arrow_table().to_pylist()
        for row in found:
            for edge in ("window_start", "window_end"):
                if edge in row:
                    row[edge] = row[edge].astimezone(ZONE).date().isoformat()
        return [row for row in found if all(row[name] == value for name, value in where.items())]

    def row(self, table: str, **where) -> dict:
        rows = self.rows(table, **where)
        assert len(rows) == 1, f"{len(rows)} rows of {table} with {where}"
        return rows[0]
