"""What counts: accepted events without those that a correction replaced (K23), as tables for the SQL texts.

`stamp` is an event's place in the order that decides every tie: (`occurred_at`, `recorded_at`, `event_id`), the
event id by its bytes (K8).
"""

import re
from dataclasses import dataclass

import pyarrow as pa

from event_types import ENVELOPE_FIELDS, EVENT_TYPES
from settings import duration_ms
from verdict import Event

CORRECTION_REACH_MS = duration_ms("35d")

TEXT, NUMBER, FLAG = pa.string(), pa.int64(), pa.bool_()

COLUMNS = {
    "orders": {
        "customer_id": TEXT, "order_id": TEXT, "order_kind": TEXT, "cancel_reason": TEXT, "amend_reason": TEXT,
    },
    "visits": {"customer_id": TEXT},
    "complaints": {
        "customer_id": TEXT, "unit_id": TEXT, "case_id": TEXT, "case_kind": TEXT, "channel": TEXT, "category": TEXT,
        "received_at": NUMBER, "answered": FLAG, "call_ended_at": NUMBER, "at_once": FLAG, "resolver_id": TEXT,
        "what": TEXT, "resolution_kind": TEXT, "promise_id": TEXT, "promise_kind": TEXT, "kept_at": NUMBER,
        "base": TEXT, "base_ref": TEXT, "outcome": TEXT, "survey_id": TEXT, "survey_tool": TEXT,
    },
    "prices": {
        "customer_id": TEXT, "sku_id": TEXT, "region_code": TEXT, "price_type": TEXT, "price_fen": NUMBER,
        "valid_from": NUMBER, "valid_to": NUMBER, "observed_at": NUMBER, "price_basis": TEXT,
    },
}  # fmt: skip

LISTS = {
    ("orders", "lines"): {
        "line_no": NUMBER, "sku_id": TEXT, "requested_qty": NUMBER, "allocated_qty": NUMBER, "delivered_qty": NUMBER,
        "returned_qty": NUMBER, "wholesale_price_fen": NUMBER,
    },
    ("visits", "stock"): {"sku_id": TEXT, "qty": NUMBER, "counted_at": NUMBER},
    ("complaints", "answers"): {"question_id": TEXT, "score": NUMBER},
}  # fmt: skip


@dataclass
class Accepted:
    """An accepted event and where it stood."""

    topic: str
    partition: int
    offset: int
    event: Event

    def order(self):
        event = self.event
        return (
            event.occurred_at, event.recorded_at, event.event_id.encode("utf-8"),
            self.topic, self.partition, self.offset,
        )  # fmt: skip


def scope(topic: str, event: Event) -> tuple[str, str] | None:
    """Whom an event is about, within whose history it may be corrected (K23)."""
    payload = listed_fields(topic, event)
    for name in ("customer_id", "sku_id", "staff_id", "unit_id"):
        if payload.get(name) is not None:
            return name, payload[name]
    return None


def named_by(record: Accepted) -> str | None:
    """The id that an event corrects; its own is none (K36)."""
    named = record.event.payload.get("corrects")
    return None if named == record.event.event_id else named


def uncorrected(accepted: list[Accepted]) -> list[Accepted]:
    """Leaves out every event that another one of its topic and scope names, at most 35 days apart, as one set.

    An id may have been accepted several times: each time is judged for itself.
    """
    corrections: dict[tuple, list[int]] = {}
    for record in accepted:
        named = named_by(record)
        if named is not None:
            key = (record.topic, scope(record.topic, record.event), named)
            corrections.setdefault(key, []).append(record.event.occurred_at)

    named_ids = {named for _, _, named in corrections}

    def leaves(record: Accepted) -> bool:
        if record.event.event_id not in named_ids:
            return False
        found = corrections.get((record.topic, scope(record.topic, record.event), record.event.event_id), ())
        return any(abs(at - record.event.occurred_at) <= CORRECTION_REACH_MS for at in found)

    return [record for record in accepted if not leaves(record)]


def orphans(accepted: list[Accepted]) -> list[tuple[str, str, str]]:
    """Corrections that name nothing within reach, as topic, event id and the id that they name."""
    found: dict[tuple, list[int]] = {}
    for record in accepted:
        key = (record.topic, scope(record.topic, record.event), record.event.event_id)
        found.setdefault(key, []).append(record.event.occurred_at)
    rows = set()
    for record in accepted:
        named = record.event.payload.get("corrects")
        if named is None:
            continue
        instants = found.get((record.topic, scope(record.topic, record.event), named_by(record)), ())
        if not any(abs(at - record.event.occurred_at) <= CORRECTION_REACH_MS for at in instants):
            rows.add((record.topic, record.event.event_id, named))
    return sorted(rows)


def tables(accepted: list[Accepted]) -> dict[str, pa.Table]:
    """One table a topic (`orders`, ...), one a list (`order_lines`, `visit_stock`, `complaint_answers`)."""
    events = {topic: [] for topic in COLUMNS}
    items = {source: [] for source in LISTS}
    for stamp, record in enumerate(sorted(uncorrected(accepted), key=Accepted.order)):
        topic, event = record.topic, record.event
        payload = listed_fields(topic, event)
        head = {"stamp": stamp, "event_type": event.event_type, "occurred_at": event.occurred_at}
        events[topic].append(head | {name: shown(name, payload.get(name)) for name in COLUMNS[topic]})
        for (list_topic, name), columns in LISTS.items():
            if list_topic != topic:
                continue
            for index, item in enumerate(payload.get(name) or ()):
                cells = {column: item.get(column) for column in columns}
                items[topic, name].append({"stamp": stamp, "item_index": index} | cells)
    head = {"stamp": NUMBER, "event_type": TEXT, "occurred_at": NUMBER}
    found = {topic: _table(rows, head | COLUMNS[topic]) for topic, rows in events.items()}
    head = {"stamp": NUMBER, "item_index": NUMBER}
    for (topic, name), rows in items.items():
        found[f"{topic.removesuffix('s')}_{name}"] = _table(rows, head | LISTS[topic, name])
    return found


CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
# A region is a code or an administrative division: six digits.
REGION = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}|[0-9]{6}")


def shown(name: str, value):
    """What tables show of a text: `UNKNOWN` for one that is no code where only codes are kept (K29)."""
    form = {"survey_tool": CODE, "region_code": REGION}.get(name)
    if form is not None and value is not None and form.fullmatch(value) is None:
        return "UNKNOWN"
    return value


def listed_fields(topic: str, event: Event) -> dict:
    """What an event's type has fields for; anything else it carries was not judged and does not count."""
    event_type = EVENT_TYPES[topic][event.event_type]
    names = {spec.name for spec in (*ENVELOPE_FIELDS, *event_type.fields)}
    return {name: value for name, value in event.payload.items() if name in names}


def _table(rows: list[dict], columns: dict) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))
