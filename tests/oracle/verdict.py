"""The verdict on each record (K3-K6): a function of the record and of earlier records of its own topic-partition."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import json_text
from event_types import ENVELOPE_FIELDS, EVENT_TYPES, EventType, Field
from partitioner import partition_of
from settings import Settings, duration_ms

ACCEPTED, DUPLICATE, TOO_LATE = "accepted", "duplicate", "too_late"

YEAR_2000_MS = 946_684_800_000
YEAR_9999_MS = 253_370_764_800_000
LAST_YEAR = 9998
OBSERVED_WITHIN_MS = duration_ms("31d")
INT64_MIN = -(1 << 63)

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")


@dataclass(frozen=True)
class Verdict:
    """`reason` is `accepted`, `duplicate`, `too_late` or a reason of K3; `path` the field it was found at."""

    reason: str
    path: str = ""


@dataclass
class Event:
    """A record that reads well: its payload, and what every event has."""

    payload: dict
    event_id: str
    event_type: str
    occurred_at: int
    recorded_at: int


@dataclass
class PartitionTime:
    """The highest accepted instant of a partition, which one key alone cannot move far (K41)."""

    max_jump: int
    highest: int | None = None
    #: Every accepted record so far came from this key, the first of them at that instant. None once another key has come.
    only_key: tuple[str, int] | None = None
    #: Per key the greatest instant that lay too far ahead when it came and that the highest has not reached.
    pending: dict[str, int] = field(default_factory=dict)

    def before_verdict(self, key: str, at: int) -> None:
        """The first record of a second key shows whether the very first record lay far ahead."""
        if self.only_key is None or self.only_key[0] == key:
            return
        former_key, first_at = self.only_key
        self.only_key = None
        if first_at - at > self.max_jump:
            self.pending = {former_key: self.highest}
            self.highest = at

    def accept(self, key: str, at: int) -> None:
        if self.highest is None:
            self.highest, self.only_key = at, (key, at)
        elif at - self.highest <= self.max_jump:
            self.highest = max(self.highest, at)
        else:
            self.pending[key] = max(at, self.pending.get(key, at))
            if len(self.pending) == 2:
                self.highest = min(self.pending.values())
        self.pending = {key: greatest for key, greatest in self.pending.items() if greatest > self.highest}


def witness_key(topic: str, event: Event) -> str:
    """Whose record it is (K41): the key of its topic; in `prices`, which have none, the scope of K23."""
    key_field = EVENT_TYPES[topic][event.event_type].key
    fields = [key_field] if key_field else ["customer_id", "sku_id", "staff_id", "unit_id"]
    return next((event.payload[name] for name in fields if event.payload.get(name) is not None), "")


@dataclass
class PartitionJudge:
    """Judges the records of one topic-partition in the order of their offsets."""

    topic: str
    partition: int
    partitions: int
    settings: Settings
    time: PartitionTime | None = None
    known: dict[str, int] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)

    def judge(self, raw: bytes) -> tuple[Verdict, Event | None]:
        """The verdict on the next record; the event comes with `accepted` only."""
        verdict, event = self._decode(raw)
        if event is not None:
            verdict = self._misplaced(event) or self._in_time_and_new(event)
        self.counts[verdict.reason] += 1
        return verdict, event if verdict.reason == ACCEPTED else None

    def _decode(self, raw: bytes) -> tuple[Verdict, Event | None]:
        payload_or_verdict = read_object(raw, self.settings.max_record_bytes)
        if isinstance(payload_or_verdict, Verdict):
            return payload_or_verdict, None
        payload = payload_or_verdict
        fault = judge_payload(self.topic, payload, self.settings.max_future_skew_ms)
        if fault is not None:
            return fault, None
        event = Event(
            payload, payload["event_id"], payload["event_type"], payload["occurred_at"], payload["recorded_at"]
        )
        return Verdict(ACCEPTED), event

    def _misplaced(self, event: Event) -> Verdict | None:
        """K1: the key of a record from a file is its payload's id, so it may be misplaced but never differ."""
        key_field = EVENT_TYPES[self.topic][event.event_type].key
        if key_field is None:
            return None
        expected = partition_of(event.payload[key_field], self.partitions, self.settings.partitioner)
        if expected is None or expected == self.partition:
            return None
        return Verdict("misplaced_key", key_field)

    def _in_time_and_new(self, event: Event) -> Verdict:
        """K6: what may be forgotten follows from the highest accepted instant alone."""
        if self.time is None:
            self.time = PartitionTime(self.settings.max_jump_ms)
        key = witness_key(self.topic, event)
        self.time.before_verdict(key, event.occurred_at)
        limit = self._limit()
        if event.occurred_at < limit:
            return Verdict(TOO_LATE)
        seen_at = self.known.get(event.event_id)
        if seen_at is not None and seen_at >= limit:
            return Verdict(DUPLICATE)
        self.known[event.event_id] = event.occurred_at
        self.time.accept(key, event.occurred_at)
        return Verdict(ACCEPTED)

    def _limit(self) -> int:
        if self.time.highest is None:
            return INT64_MIN
        bound = self.settings.out_of_orderness_ms[self.topic]
        return self.time.highest - bound - self.settings.allowed_lateness_ms[self.topic]


def read_object(raw: bytes, max_record_bytes: int) -> dict | Verdict:
    """The JSON object of a record, or the first reason of K3 why there is none."""
    if len(raw) > max_record_bytes:
        return Verdict("too_large")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Verdict("invalid_utf8")
    if text.strip(" \t\r") == "null":
        return Verdict("tombstone")
    try:
        value = json_text.parse(text)
    except json_text.Malformed:
        return Verdict("malformed_json")
    return value if isinstance(value, dict) else Verdict("malformed_json")


def judge_payload(topic: str, payload: dict, skew_ms: int) -> Verdict | None:
    """K3 from the missing envelope field to the future date; `None` if there is nothing to object to."""
    path = _first_missing(payload, ENVELOPE_FIELDS)
    if path is not None:
        return Verdict("missing_field", path)
    version = payload["schema_version"]
    if type(version) in (int, json_text.HugeNumber) and version != 1:
        return Verdict("unsupported_schema_version", "schema_version")
    name = payload["event_type"]
    if not isinstance(name, str):
        return Verdict("bad_value", "event_type")
    event_type = EVENT_TYPES[topic].get(name)
    if event_type is None:
        return Verdict("unknown_event_type", "event_type")
    path = _first_missing(payload, event_type.fields)
    if path is not None:
        return Verdict("missing_field", path)
    path = _first_bad(payload, event_type, skew_ms)
    if path is not None:
        return Verdict("bad_value", path)
    if payload["occurred_at"] > payload["recorded_at"] + skew_ms:
        return Verdict("future_dated", "occurred_at")
    return None


def _first_missing(container: dict, fields: tuple[Field, ...]) -> str | None:
    for spec in fields:
        value = container.get(spec.name)
        if spec.required and (value is None or (spec.not_empty and value == [])):
            return spec.name
        if spec.items and isinstance(value, list):
            for index, item in enumerate(value):
                path = _first_missing(item, spec.items) if isinstance(item, dict) else None
                if path is not None:
                    return f"{spec.name}[{index}].{path}"
    return None


def _first_bad(payload: dict, event_type: EventType, skew_ms: int) -> str | None:
    path = _bad_among(payload, ENVELOPE_FIELDS, None)
    if path is not None:
        return path
    occurred_at = payload["occurred_at"]
    span = (occurred_at - OBSERVED_WITHIN_MS, occurred_at + skew_ms)
    return _bad_among(payload, event_type.fields, span)


def _bad_among(container: dict, fields: tuple[Field, ...], span: tuple[int, int] | None) -> str | None:
    for spec in fields:
        value = container.get(spec.name)
        if value is None:
            continue
        if spec.kind != "objects":
            if not _is_good(value, spec.kind, span):
                return spec.name
            continue
        if not isinstance(value, list):
            return spec.name
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                return f"{spec.name}[{index}]"
            path = _bad_among(item, spec.items, span)
            if path is not None:
                return f"{spec.name}[{index}].{path}"
    return None


INTEGER_RANGES = {
    "qty": (0, 10**8),
    "price": (0, 10**9),
    "amount": (0, 10**15),
    "u8": (0, 0xFF),
    "u16": (0, 0xFFFF),
    "u32": (0, 0xFFFF_FFFF),
    "bp": (-(1 << 31), (1 << 31) - 1),
    "score": (1, 5),
    "version": (1, 1),
    "instant": (YEAR_2000_MS, YEAR_9999_MS - 1),
}


def _is_good(value, kind: str, span: tuple[int, int] | None) -> bool:
    """K4, by kind of field. `type` and not `isinstance`, since `True` is no integer here."""
    if kind in INTEGER_RANGES:
        lowest, highest = INTEGER_RANGES[kind]
        return type(value) is int and lowest <= value <= highest
    if kind == "observed":
        return _is_good(value, "instant", None) and span[0] <= value <= span[1]
    if kind == "bool":
        return type(value) is bool
    if kind in ("ids", "codes"):
        return isinstance(value, list) and all(_is_good(item, kind.removesuffix("s"), None) for item in value)
    if not isinstance(value, str):
        return False
    if kind == "event_id":
        return 1 <= len(value.encode("utf-8")) <= 64
    if kind == "id":
        return _is_id(value)
    if kind == "date":
        return _is_date(value)
    if kind == "month":
        return MONTH.fullmatch(value) is not None and 1 <= int(value[:4]) <= LAST_YEAR
    if kind == "week":
        return _is_week(value)
    assert kind in ("text", "enum", "code", "region"), kind
    return True


def _is_id(value: str) -> bool:
    """K42; the category Cc holds the control characters."""
    if not 1 <= len(value.encode("utf-8")) <= 256:
        return False
    return all(unicodedata.category(character) != "Cc" for character in value)


def _is_date(value: str) -> bool:
    if DATE.fullmatch(value) is None:
        return False
    try:
        return date.fromisoformat(value).year <= LAST_YEAR
    except ValueError:
        return False


def _is_week(value: str) -> bool:
    match = WEEK.fullmatch(value)
    if match is None:
        return False
    try:
        date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        return False
    return int(match[1]) <= LAST_YEAR
