"""K1-K6, K21, K23: which records count."""

import contextlib
import gzip
import io
import json
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa

import compute
import history
import json_text
import oracle
import read
from fixtures import MINUTE, Distributor, local
from history import uncorrected
from partitioner import murmur2, partition_of
from settings import Settings, duration_ms, from_toml
from verdict import PartitionTime, judge_payload, read_object

NOW = local("2026-01-05 09:00")
DAY = duration_ms("1d")


def placed(**changes) -> dict:
    """A good `order.placed`; `...` takes a field away."""
    payload = {
        "event_id": "e1", "event_type": "order.placed", "schema_version": 1, "occurred_at": NOW, "recorded_at": NOW,
        "customer_id": "C1", "order_id": "O1", "lines": [{"line_no": 1, "sku_id": "S", "requested_qty": 3}],
    }  # fmt: skip
    return {name: value for name, value in (payload | changes).items() if value is not ...}


def line(**changes) -> list[dict]:
    item = {"line_no": 1, "sku_id": "S", "requested_qty": 3} | changes
    return [{name: value for name, value in item.items() if value is not ...}]


def reason(payload: dict, topic: str = "orders") -> str | None:
    verdict = judge_payload(topic, payload, 5 * MINUTE)
    return verdict and f"{verdict.reason} {verdict.path}"


class Partitioner(unittest.TestCase):
    def test_murmur2_agrees_with_the_java_client(self):
        known = {
            "21": -973932308,
            "foobar": -790332482,
            "a-little-bit-long-string": -985981536,
            "a-little-bit-longer-string": -1486304829,
            "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
            "abc": 479470107,
        }
        for text, value in known.items():
            self.assertEqual(murmur2(text.encode()), value, text)

    def test_a_negative_hash_is_made_positive_by_its_sign_bit(self):
        self.assertEqual(partition_of("21", 7), (-973932308 & 0x7FFFFFFF) % 7)

    def test_any_names_no_partition(self):
        self.assertIsNone(partition_of("21", 7, "any"))


class FarJump(unittest.TestCase):
    """K41: days of event time, per key; where the highest stands after all of them."""

    def highest(self, *records: tuple[str, int]) -> int:
        time = PartitionTime(max_jump=31)
        for key, day in records:
            time.before_verdict(key, day)
            time.accept(key, day)
        return time.highest

    def test_k41_a_jump_of_max_jump_moves_and_a_farther_one_needs_a_second_key(self):
        self.assertEqual(self.highest(("A", 0), ("A", 31)), 31)
        self.assertEqual(self.highest(("A", 0), ("A", 32)), 0)
        self.assertEqual(self.highest(("A", 0), ("A", 32), ("A", 40)), 0)
        self.assertEqual(self.highest(("A", 0), ("A", 90), ("A", 40), ("B", 50)), 50)
        self.assertEqual(self.highest(("A", 0), ("A", 40), ("B", 90), ("C", 80)), 80)
        self.assertEqual(self.highest(("A", 0), ("A", 40), ("B", 90), ("B", 95)), 40)

    def test_k41_the_first_record_gives_way_to_the_first_of_another_key_far_below(self):
        self.assertEqual(self.highest(("A", 31), ("B", 0)), 31)
        self.assertEqual(self.highest(("A", 32), ("B", 0)), 0)
        self.assertEqual(self.highest(("A", 90), ("A", 95), ("B", 0), ("C", 99)), 95)
        self.assertEqual(self.highest(("A", 90), ("B", 89), ("C", 0)), 90)


class Text(unittest.TestCase):
    def reason_of(self, raw: bytes, limit: int = 1000) -> str:
        found = read_object(raw, limit)
        return "object" if isinstance(found, dict) else found.reason

    def test_k3_reasons_before_the_fields(self):
        cases = {
            b"x" * 1001: "too_large",
            b'{"a":"\xff"}': "invalid_utf8",
            b"null": "tombstone",
            b"": "malformed_json",
            b"\r": "malformed_json",
            b"[]": "malformed_json",
            b'"text"': "malformed_json",
            b"{} {}": "malformed_json",
            b'{"a":NaN}': "malformed_json",
            b'{"a":-Infinity}': "malformed_json",
            b'{"a":01}': "malformed_json",
            b'{"a":"\t"}': "malformed_json",
            b"\xef\xbb\xbf{}": "malformed_json",
            b'{"a":1,"a":1}': "malformed_json",
            b'{"a":1,"\\u0061":2}': "malformed_json",
            b'{"x":[{"y":{"a":1,"a":2}}]}': "malformed_json",
            b'{"a":"\\ud800"}': "malformed_json",
            b'{"a":"\\ud83d\\ude00"}': "object",
            b'{"a":1e999,"b":' + b"9" * 500 + b"}": "object",
            b" {} \r": "object",
        }
        for raw, expected in cases.items():
            self.assertEqual(self.reason_of(raw), expected, raw)

    def test_nesting_beyond_128_levels(self):
        for depth, good in ((128, True), (129, False), (100_000, False)):
            text = '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
            self.assertEqual(self.reason_of(text.encode(), 1 << 20) == "object", good, depth)

    def test_brackets_inside_strings_are_no_levels(self):
        self.assertEqual(json_text.parse('{"a":"' + "[" * 500 + '\\""}')["a"][-1], '"')


class Fields(unittest.TestCase):
    def test_k3_missing_fields(self):
        self.assertIsNone(reason(placed()))
        for name in ("event_id", "event_type", "schema_version", "occurred_at", "recorded_at"):
            self.assertEqual(reason(placed(**{name: ...})), f"missing_field {name}")
            self.assertEqual(reason(placed(**{name: None})), f"missing_field {name}")
        for name in ("customer_id", "order_id", "lines"):
            self.assertEqual(reason(placed(**{name: ...})), f"missing_field {name}")
        self.assertEqual(reason(placed(lines=[])), "missing_field lines")
        self.assertEqual(reason(placed(lines=line(sku_id=None))), "missing_field lines[0].sku_id")
        self.assertEqual(reason(placed(lines=line() + line(requested_qty=...))), "missing_field lines[1].requested_qty")

    def test_k3_order_of_reasons(self):
        self.assertEqual(reason(placed(event_id=..., schema_version=2)), "missing_field event_id")
        self.assertEqual(reason(placed(schema_version=2, event_type="x")), "unsupported_schema_version schema_version")
        self.assertEqual(reason(placed(event_type="x", customer_id=...)), "unknown_event_type event_type")
        self.assertEqual(reason(placed(order_id=..., occurred_at="x")), "missing_field order_id")
        self.assertEqual(reason(placed(recorded_at=NOW - DAY, lines=line(requested_qty=-1))),
                         "bad_value lines[0].requested_qty")  # fmt: skip
        self.assertEqual(reason(placed(recorded_at=NOW - DAY)), "future_dated occurred_at")

    def test_an_event_type_of_another_topic_is_unknown(self):
        self.assertEqual(reason(placed(), "visits"), "unknown_event_type event_type")

    def test_k4_bad_values(self):
        cases = {
            "event_type": [5], "schema_version": ["1", 1.0, True], "event_id": ["", "x" * 65, "é" * 33, 7],
            "occurred_at": [1.5, "1", 946_684_799_999, 253_370_764_800_000, True, 10**30], "customer_id": ["", 1],
            "corrects": ["", "x" * 65], "unit_id": [3], "trace_id": ["x" * 257, "é" * 129, "a\tb", "\x7f", "\x85"], "order_kind": [1, {}], "order_cycle_date": ["2026-02-30", "2026-1-5", 5, "0000-01-01", "9999-01-01"],
            "lines": ["x", {}, [1], [[]]],
        }  # fmt: skip
        for name, values in cases.items():
            for value in values:
                self.assertEqual(reason(placed(**{name: value})).split("[")[0], f"bad_value {name}", value)
        for name, value in {
            "requested_qty": -1, "line_no": 65_536, "wholesale_price_fen": 9500.0, "allocated_qty": "3",
            "is_key_brand_recommended": 1, "delivered_qty": 1 << 63, "returned_qty": 10**8 + 1,
        }.items():  # fmt: skip
            self.assertEqual(reason(placed(lines=line(**{name: value}))), f"bad_value lines[0].{name}")

    def test_values_that_are_no_fault(self):
        for good in (
            {"event_id": "é" * 32}, {"order_kind": "NEW_KIND"}, {"source": None}, {"visit_id": 5}, {"amount_fen": "x"},
            {"lines": line(requested_qty=0, wholesale_price_fen=0, color=[])}, {"occurred_at": 253_370_764_799_999, "recorded_at": 253_370_764_799_999},
            {"lines": line(requested_qty=10**8, wholesale_price_fen=10**9)}, {"trace_id": "é" * 128}, {"corrects": "a\tb"},
            {"order_cycle_date": "9998-12-31"}, {"color": float("inf")},
        ):  # fmt: skip
            self.assertIsNone(reason(placed(**good)), good)

    def test_an_integer_version_is_unsupported_whatever_its_size(self):
        for version in (0, 2, -1, 70_000, 10**20):
            self.assertEqual(reason(placed(schema_version=version)), "unsupported_schema_version schema_version")

    def test_k4_observed_instants(self):
        def opened(received_at):
            payload = placed(event_type="case.opened", case_id="K1", case_kind="COMPLAINT", received_at=received_at)
            return reason(payload, "complaints")

        for good in (NOW + 5 * MINUTE, NOW - 31 * DAY):
            self.assertIsNone(opened(good))
        for bad in (NOW + 5 * MINUTE + 1, NOW - 31 * DAY - 1):
            self.assertEqual(opened(bad), "bad_value received_at")

    def test_k4_announced_instants_may_lie_ahead(self):
        listed = placed(event_type="price.list_set", sku_id="S", price_type="WHOLESALE", price_fen=0,
                        valid_from=NOW + 900 * DAY)  # fmt: skip
        self.assertIsNone(reason(listed, "prices"))

    def test_scores(self):
        for score, good in ((1, True), (5, True), (None, True), (0, False), (6, False), (4.0, False)):
            answered = placed(event_type="survey.answered", survey_id="V",
                              answers=[{"question_id": "Q1", "score": score}])  # fmt: skip
            self.assertEqual(reason(answered, "complaints") is None, good, score)

    def test_k25_amounts(self):
        for amount, good in ((0, True), (10**15, True), (10**15 + 1, False), (-1, False), (1e3, False)):
            due = placed(event_type="order.payment_due", amount_fen=amount, due_date="2026-01-05")
            self.assertEqual(reason(due) is None, good, amount)

    def test_k42_items_of_lists(self):
        def submitted(*ids):
            payload = placed(event_type="visit.plan_submitted", staff_id="W", plan_id="P", plan_month="2026-01",
                             plan_kind="VISIT", planned_count=1, customer_ids=list(ids))  # fmt: skip
            return reason(payload, "visits")

        self.assertIsNone(submitted())
        self.assertIsNone(submitted("C|1", "x" * 256))
        for bad in ("", "x" * 257, "a\nb", None, 5):
            self.assertEqual(submitted("C1", bad), "bad_value customer_ids")

    def test_k45_integers_as_they_are_written(self):
        for text, good in (("-0", True), ("3", True), ("3.0", False), ("3e0", False), ("1e999", False), ("9" * 400, False)):
            written = json.dumps(placed()).replace('"requested_qty": 3', f'"requested_qty": {text}')
            self.assertEqual(reason(json_text.parse(written)) is None, good, text)

    def test_k29_what_is_shown_of_a_text(self):
        for name, value, expected in (
            ("survey_tool", None, None),
            ("survey_tool", "a:b", "a:b"), ("survey_tool", "两 字", "UNKNOWN"), ("survey_tool", "13800138000", "UNKNOWN"),
            ("region_code", "530100", "530100"), ("region_code", "5301001", "UNKNOWN"), ("region_code", "ALL", "ALL"),
            ("case_id", "两 字", "两 字"),
        ):  # fmt: skip
            self.assertEqual(history.shown(name, value), expected)

    def test_k5_the_skew_is_inside(self):
        self.assertIsNone(reason(placed(occurred_at=NOW + 5 * MINUTE)))
        self.assertEqual(reason(placed(occurred_at=NOW + 5 * MINUTE + 1)), "future_dated occurred_at")


class Partitions(unittest.TestCase):
    def test_k1_misplaced_by_the_number_of_partitions(self):
        distributor = Distributor()
        home = partition_of("C1", 3)
        for partition in range(3):
            distributor.event("visits", "visit.cancelled", NOW, partition, visit_id="V")
        expected = ["accepted" if p == home else "misplaced_key" for p in range(3)]
        self.assertEqual(distributor.verdicts(), expected)

    def test_staff_and_units_are_keys_too(self):
        distributor = Distributor()
        staff, unit = partition_of("W9", 5), partition_of("U9", 5)
        distributor.event("visits", "visit.day_signed_in", NOW, staff, staff_id="W9")
        distributor.event("complaints", "day.closed", NOW, unit, unit_id="U9", date="2026-01-05")
        distributor.raw("orders", b"null", 4)
        self.assertEqual(distributor.verdicts(), ["tombstone", "accepted", "accepted"])

    def test_k6_too_late_by_the_topic_partition_alone(self):
        distributor = Distributor()
        limit = NOW - MINUTE - 2 * DAY
        distributor.event("orders", "order.closed", NOW, order_id="O")
        distributor.event("orders", "order.closed", limit, order_id="O")
        distributor.event("orders", "order.closed", limit - 1, order_id="O")
        distributor.event("orders", "order.closed", NOW + DAY, order_id="O", recorded_at=NOW)  # moves nothing
        distributor.event("orders", "order.closed", limit, order_id="O")
        self.assertEqual(distributor.verdicts(), ["accepted", "accepted", "too_late", "future_dated", "accepted"])

    def test_k6_an_id_is_known_until_its_record_falls_below_the_limit(self):
        distributor = Distributor()

        def closed(when, event_id):
            distributor.event("orders", "order.closed", when, order_id="O", event_id=event_id)

        closed(NOW, "a")
        closed(NOW + MINUTE, "a")
        closed(NOW + MINUTE + 2 * DAY, "b")  # now the limit is NOW: still known
        closed(NOW + MINUTE, "a")
        closed(NOW + MINUTE + 2 * DAY + 1, "c")  # forgotten
        closed(NOW + MINUTE, "a")
        closed(NOW, "d")
        expected = ["accepted", "duplicate", "accepted", "duplicate", "accepted", "accepted", "too_late"]
        self.assertEqual(distributor.verdicts(), expected)

    def test_files_plain_and_packed(self):
        text = b'{"a":1}\n\nnull\nlast'
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "0.ndjson").write_bytes(text)
            packed = gzip.compress(text[:5]) + gzip.compress(text[5:])
            (folder / "1.ndjson.gz").write_bytes(packed + bytes(512))
            with pa.CompressedOutputStream(pa.OSFile(str(folder / "2.ndjson.zst"), "wb"), "zstd") as stream:
                stream.write(text)
            (folder / "notes.txt").write_bytes(b"")
            files = read.partition_files(folder.parent, folder.name)
            self.assertEqual(sorted(files), [0, 1, 2])
            for path in files.values():
                self.assertEqual(list(read.lines(path)), [b'{"a":1}', b"", b"null", b"last"])

    def test_k47_a_torn_last_line(self):
        whole = [b'{"a":1}', b"null", b"42", b'{"a":1}  \r', b'{"a":"\xff"}', b'{"a":1,"a":2}', b"[1e999]"]
        torn = [b'{"a":', b"nul", b"  ", b'{"a":1}{', b'"\x01"', b"\xff", b"NaN", b"[" * 200 + b"]" * 200, b"1" * 9]
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "0.ndjson"
            for last in whole + torn:
                path.write_bytes(b"first\n" + last)
                drained = list(read.lines(path, max_record_bytes=8 if last == torn[-1] else 1_000))
                self.assertEqual(drained, [b"first", last])
                waiting = list(read.lines(path, is_drained=False, max_record_bytes=8 if last == torn[-1] else 1_000))
                self.assertEqual(waiting, [b"first", last] if last in whole else [b"first"], last)
            path.write_bytes(b"")
            self.assertEqual(list(read.lines(path)), [])

    def test_settings_from_toml(self):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "vitrine.toml"
            path.write_text(
                '[time]\nzone = "Europe/Berlin"\nmax_future_skew = "1h 30m"\n[time.orders]\nallowed_lateness = "3d"\n'
                '[topics]\norders = "o"\n'
            )
            found = from_toml(path)
        self.assertEqual(found.zone, "Europe/Berlin")
        self.assertEqual(found.max_future_skew_ms, 90 * MINUTE)
        self.assertEqual(found.allowed_lateness_ms["orders"], 3 * DAY)
        self.assertEqual(found.allowed_lateness_ms["visits"], 7 * DAY)
        self.assertEqual(found.topic_names["orders"], "o")
        with self.assertRaises(ValueError):
            duration_ms("5 parsecs")


class Corrections(unittest.TestCase):
    def left(self, distributor: Distributor) -> list[str]:
        return sorted(record.event.event_id for record in uncorrected(distributor.judged().accepted))

    def closed(self, distributor: Distributor, when: int, event_id: str, **fields) -> None:
        distributor.event("complaints", "case.closed", when, case_id="K", event_id=event_id, **fields)

    def test_k23_the_named_event_leaves_whichever_came_first(self):
        distributor = Distributor()
        self.closed(distributor, NOW, "b", corrects="a")
        self.closed(distributor, NOW - MINUTE, "a")
        self.assertEqual(self.left(distributor), ["b"])

    def test_k23_chains(self):
        distributor = Distributor()
        for event_id, named in (("a", ...), ("b", "a"), ("c", "b")):
            self.closed(distributor, NOW, event_id, corrects=named)
        self.assertEqual(self.left(distributor), ["c"])

    def test_k23_reach(self):
        for apart, expected in ((35 * DAY, ["b"]), (35 * DAY + 1, ["a", "b"])):
            distributor = Distributor()
            self.closed(distributor, NOW, "a")
            self.closed(distributor, NOW + apart, "b", corrects="a")
            self.assertEqual(self.left(distributor), expected)

    def test_k23_another_customer_or_topic_is_out_of_reach(self):
        distributor = Distributor()
        self.closed(distributor, NOW, "a")
        self.closed(distributor, NOW, "b", corrects="a", customer_id="C2")
        distributor.event("orders", "order.closed", NOW, order_id="O", corrects="a", event_id="c")
        self.assertEqual(self.left(distributor), ["a", "b", "c"])

    def test_k36_a_correction_that_names_itself_names_nothing(self):
        distributor = Distributor()
        self.closed(distributor, NOW, "a", corrects="a")
        self.closed(distributor, NOW, "b", corrects="nobody")
        self.closed(distributor, NOW, "c", corrects="b")
        self.assertEqual(self.left(distributor), ["a", "c"])
        orphans = history.orphans(distributor.judged().accepted)
        self.assertEqual(orphans, [("complaints", "a", "a"), ("complaints", "b", "nobody")])

    def test_k23_each_event_of_an_id_is_reached_for_itself(self):
        distributor = Distributor()
        # forgotten in between: the same id again, and a correction that reaches the second time only
        self.closed(distributor, NOW, "a")
        self.closed(distributor, NOW + 10 * DAY, "x")
        self.closed(distributor, NOW + 36 * DAY, "a")
        self.closed(distributor, NOW + 36 * DAY, "b", corrects="a")
        left = uncorrected(distributor.judged().accepted)
        found = [(record.event.event_id, record.event.occurred_at - NOW) for record in left]
        self.assertEqual(found, [("a", 0), ("x", 10 * DAY), ("b", 36 * DAY)])

    def test_k23_prices_without_a_customer_by_their_sku(self):
        distributor = Distributor()
        first = distributor.list_price("S", "WHOLESALE", 100)
        other = distributor.list_price("R", "WHOLESALE", 200, corrects=first)
        right = distributor.list_price("S", "WHOLESALE", 300, corrects=first)
        self.assertEqual(self.left(distributor), [other, right])


class Truth(unittest.TestCase):
    def test_verdicts_against_labels(self):
        distributor = Distributor()
        distributor.event("orders", "order.closed", NOW, order_id="O", event_id="a")
        distributor.event("orders", "order.closed", NOW, order_id="O", event_id="a")
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
            folder = Path(name)
            distributor.write(folder)
            (folder / "truth").mkdir()
            label = {"topic": "orders.v1", "partition": 0, "offset": 1, "event_id": "a", "reason": "duplicate"}
            for labelled, code in ((label, 0), (label | {"reason": "too_late"}, 3), (label | {"offset": 7}, 3)):
                (folder / "truth" / "dirty.ndjson").write_text(json.dumps(labelled) + "\n")
                judged = compute.judge(folder, Settings())
                compute.write(compute.metrics(judged, folder / "ref", Settings(), None), judged, folder / "out")
                arguments = ["--quiet", "truth", "--events", name, "--expected", f"{name}/out"]
                self.assertEqual(oracle.main(arguments), code)


if __name__ == "__main__":
    unittest.main()
