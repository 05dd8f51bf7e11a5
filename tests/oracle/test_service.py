"""M18 and M19: surveys, and the steps of a complaint."""

import unittest

from fixtures import Distributor, local
from settings import duration_ms

HOUR = duration_ms("1h")
STEPS = ("PROMISE_30M", "DEPT_10M", "INFORM_20M", "SUPERVISE_12H", "CALLBACK_24H")


class Case:
    """One case of 2026-01-05, received 09:55, hung up at 10:00 unless `hung_up` is None."""

    def __init__(self, kind: str = "COMPLAINT", hung_up: str | None = "10:00", **opened):
        self.distributor = Distributor()
        fields = {"case_kind": kind, "channel": "PHONE", "received_at": local("2026-01-05 09:55"), "unit_id": "U1"}
        self.happens("case.opened", "09:55", **(fields | {"category": "DELIVERY", "answered": True} | opened))
        if hung_up:
            self.happens("case.call_ended", hung_up, call_ended_at=local(f"2026-01-05 {hung_up}"))

    def happens(self, event_type: str, when: str, **fields) -> "Case":
        moment = when if "-" in when else f"2026-01-05 {when}"
        case = {} if event_type == "callback.attempted" else {"case_id": "K1"}
        self.distributor.event("complaints", event_type, moment, **(case | fields))
        return self

    def called_back(self, when: str, **fields) -> "Case":
        reached = {"callback_id": "B", "base": "CASE", "base_ref": "K1", "ordinal": 1, "outcome": "REACHED"}
        return self.happens("callback.attempted", when, **(reached | fields))

    def tables(self, clock: str | None = None):
        return self.distributor.tables(clock)

    def steps(self, clock: str | None = None) -> dict[str, tuple[str, str]]:
        """Outcome and local deadline of each step."""
        rows = self.tables(clock).database.execute("SELECT step_id, outcome, deadline FROM sla_step").fetchall()
        return {
            step.partition("_")[2]: (outcome, deadline - local("2026-01-05 00:00")) for step, outcome, deadline in rows
        }

    def outcomes(self) -> dict[str, str]:
        return {step: outcome for step, (outcome, _) in self.steps().items()}


def clock(text: str, days: int = 0) -> int:
    return local(f"2026-01-05 {text}") - local("2026-01-05 00:00") + days * 24 * HOUR


class Sla(unittest.TestCase):
    def test_m19_chain_golden(self):
        case = Case()
        case.happens("case.dept_notified", "10:08").happens("case.customer_informed", "10:31", what="NOTICE_RESULT")
        case.happens("case.progress_checked", "21:30").called_back("2026-01-06 09:50")
        outcomes = dict.fromkeys(STEPS, "MET") | {"INFORM_20M": "BREACHED", "PROMISE_30M": "BREACHED"}
        self.assertEqual(case.outcomes(), outcomes)
        row = case.tables().row("sla_compliance", window_kind="D1", step_id="CMP_INFORM_20M")
        self.assertEqual((row["unit_id"], row["case_kind"], row["category"]), ("U1", "COMPLAINT", "DELIVERY"))
        self.assertEqual((row["met_n"], row["breached_n"], row["pending_n"]), (0, 1, 0))
        self.assertEqual((row["overrun_sum_ms"], row["compliance_ratio"]), (3 * 60_000, 0.0))
        row = case.tables().row("sla_compliance", window_kind="D1", step_id="CMP_CALLBACK_24H")
        self.assertEqual((row["window_start"], row["compliance_ratio"]), ("2026-01-06", 1.0))

    def test_m19_timer_golden(self):
        self.assertEqual(
            Case().steps(),
            {
                "PROMISE_30M": ("BREACHED", clock("10:30")),
                "DEPT_10M": ("BREACHED", clock("10:10")),
                "INFORM_20M": ("BREACHED", clock("10:30")),
                "SUPERVISE_12H": ("BREACHED", clock("22:10")),
                "CALLBACK_24H": ("BREACHED", clock("10:00", days=1)),
            },
        )
        rows = Case().tables().rows("sla_compliance", window_kind="W1")
        self.assertEqual([row["overrun_sum_ms"] for row in rows], [0] * 5)

    def test_k18_a_stop_at_the_deadline_or_before_the_start_is_met(self):
        for when, outcome in (("10:10", "MET"), ("10:10:00.001", "BREACHED"), ("09:56", "MET")):
            self.assertEqual(Case().happens("case.dept_notified", when).outcomes()["DEPT_10M"], outcome, when)

    def test_k18_without_a_call_from_the_receipt(self):
        self.assertEqual(Case(hung_up=None).steps()["DEPT_10M"][1], clock("10:05"))

    def test_k18_an_answered_phone_case_is_waited_for(self):
        case = Case(hung_up=None)
        self.assertEqual(case.steps(clock="2026-01-05 11:54:59.999"), {})
        self.assertEqual(len(case.steps(clock="2026-01-05 11:55")), 5)
        self.assertEqual(len(Case(hung_up=None, channel="WEB").steps(clock="2026-01-05 10:00")), 5)

    def test_k18_a_late_notice_moves_the_steps_that_start_from_it(self):
        steps = Case().happens("case.dept_notified", "2026-01-07 10:00").steps()
        self.assertEqual(steps["INFORM_20M"][1], clock("10:20", days=2))
        self.assertEqual(steps["SUPERVISE_12H"][1], clock("22:00", days=2))
        self.assertEqual(steps["DEPT_10M"], ("BREACHED", clock("10:10")))

    def test_rescue_needs_a_resolver_to_stop_and_none_to_start(self):
        case = Case("RESCUE").happens("case.dept_notified", "10:05")
        case.happens("case.dept_notified", "10:12", resolver_id="W1")
        steps = case.steps()
        self.assertEqual(steps["DEPT_10M"][0], "BREACHED")
        self.assertEqual(steps["INFORM_20M"][1], clock("10:25"))
        row = case.tables().row("sla_compliance", window_kind="W1", step_id="RSC_DEPT_10M")
        self.assertEqual(row["overrun_sum_ms"], 2 * 60_000)

    def test_the_first_reply_promise_or_any_word_stops_the_promise(self):
        kept = {"promise_id": "P1", "kept_at": local("2026-01-05 10:20")}
        made = {"promise_id": "P1", "due_at": local("2026-01-05 10:30")}
        late = "2026-01-05 12:00"
        reply = (
            Case().happens("promise.made", "10:00", promise_kind="REPLY", **made).happens("promise.kept", late, **kept)
        )
        self.assertEqual(reply.outcomes()["PROMISE_30M"], "MET")
        own_kind = Case().happens("promise.kept", late, promise_kind="REPLY", **kept)
        self.assertEqual(own_kind.outcomes()["PROMISE_30M"], "MET")
        visit = (
            Case().happens("promise.made", "10:00", promise_kind="VISIT", **made).happens("promise.kept", late, **kept)
        )
        self.assertEqual(visit.outcomes()["PROMISE_30M"], "BREACHED")
        told = Case().happens("case.customer_informed", "10:30", what="PROGRESS")
        self.assertEqual((told.outcomes()["PROMISE_30M"], told.outcomes()["INFORM_20M"]), ("MET", "BREACHED"))

    def test_only_reaching_the_customer_of_this_case_is_a_callback(self):
        for fields, outcome in (
            ({}, "MET"), ({"outcome": "NO_ANSWER"}, "BREACHED"), ({"base": "PURCHASE"}, "BREACHED"),
            ({"base_ref": "K2"}, "BREACHED"), ({"customer_id": "C2"}, "BREACHED"),
        ):  # fmt: skip
            self.assertEqual(Case().called_back("12:00", **fields).outcomes()["CALLBACK_24H"], outcome, fields)

    def test_k34_an_answer_at_once_leaves_steps_that_were_over(self):
        answered = Case().happens("case.answered", "10:30", at_once=True).happens("case.answered", "23:00", at_once=True)
        self.assertEqual(answered.outcomes(), {"DEPT_10M": "BREACHED"})
        just_in_time = Case().happens("case.answered", "10:10", at_once=True)
        self.assertEqual(just_in_time.outcomes(), {})
        late = Case().happens("case.answered", "10:30:00.001", at_once=True)
        self.assertEqual(set(late.outcomes()), {"DEPT_10M", "PROMISE_30M", "INFORM_20M"})

    def test_k34_without_the_field_answered_a_call_was_picked_up(self):
        for answered, steps in ((..., 0), (True, 0), (False, 5)):
            case = Case(hung_up=None, answered=answered)
            self.assertEqual(len(case.steps(clock="2026-01-05 10:00")), steps, answered)

    def test_cases_without_steps(self):
        at_once = Case().happens("case.answered", "09:58", at_once=True)
        self.assertEqual(at_once.steps(), {})
        withdrawn = Case().happens("case.closed", "2026-01-09 10:00", resolution_kind="WITHDRAWN")
        self.assertEqual(withdrawn.steps(), {})
        self.assertEqual(len(Case().happens("case.closed", "10:01", resolution_kind="SOLVED").steps()), 5)
        self.assertEqual(len(Case().happens("case.answered", "09:58", at_once=False).steps()), 5)
        self.assertEqual(Case("ENQUIRY").steps(), {})

    def test_unknown_dimensions(self):
        rows = Case(unit_id=None, category="WEATHER").tables().rows("sla_compliance", window_kind="W1")
        self.assertEqual({(row["unit_id"], row["category"]) for row in rows}, {("UNKNOWN", "UNKNOWN")})


class Satisfaction(unittest.TestCase):
    def setUp(self):
        self.distributor = Distributor()

    def answered(self, when: str, *scores, survey_id: str = "V1", **fields) -> None:
        answers = [{"question_id": "Q1", "score": score} for score in scores]
        self.distributor.event("complaints", "survey.answered", when, survey_id=survey_id, answers=answers, **fields)

    def test_m18_parts_and_ratios(self):
        self.answered("2026-01-05 09:00", 5, 4, None, unit_id="U1", survey_tool="PHONE_CALLBACK")
        self.answered("2026-01-11 23:59", 2, unit_id="U1", survey_tool="PHONE_CALLBACK")
        self.answered("2026-01-12 00:00", None)
        row = self.distributor.tables().row("satisfaction")
        dimensions = ("question_id", "unit_id", "survey_tool", "class_id", "area_unit_id", "customer_kind")
        self.assertEqual([row[d] for d in dimensions], ["Q1", "U1", "PHONE_CALLBACK", "A", "AREA1", "RETAILER"])
        self.assertEqual((row["answers_n"], row["satisfied_n"], row["score_sum"]), (3, 2, 11))
        self.assertAlmostEqual(row["csat_ratio"], 2 / 3, 12)
        self.assertAlmostEqual(row["score"], (11 / 3 - 1) / 4 * 100, 9)
        self.assertIsNone(row["slope_per_week"])

    def test_unknown_dimensions(self):
        self.answered("2026-01-05 09:00", 5, customer_id="STRANGER")
        row = self.distributor.tables().row("satisfaction")
        self.assertEqual(
            {row[d] for d in ("unit_id", "survey_tool", "class_id", "area_unit_id", "customer_kind")}, {"UNKNOWN"}
        )

    def test_k17_trend_needs_six_of_eight_weeks(self):
        mondays = ["2026-01-05", "2026-01-12", "2026-01-26", "2026-02-02", "2026-02-16", "2026-02-23", "2026-03-02"]
        for monday, score in zip(mondays, (5, 1, 2, 3, 4, 5, 5)):
            self.answered(f"{monday} 09:00", score)
        slopes = {r["window_start"]: r["slope_per_week"] for r in self.distributor.tables().rows("satisfaction")}
        self.assertEqual([day for day in mondays if slopes[day] is not None], ["2026-02-23", "2026-03-02"])
        # weeks 0 1 3 4 6 7 with 100 0 25 50 75 100: mean x 3.5, mean y 350/6; Sxy 200, Sxx 37.5
        self.assertAlmostEqual(slopes["2026-02-23"], 200 / 37.5, 9)
        # the first week is now nine weeks back: weeks 1 3 4 6 7 8 with 0 25 50 75 100 100
        self.assertAlmostEqual(slopes["2026-03-02"], (2225 - 29 * 350 / 6) / (175 - 29 * 29 / 6), 9)

    def test_k17_response_in_the_week_of_the_sending(self):
        for survey_id in ("V1", "V2", "V3"):
            self.distributor.event("complaints", "survey.sent", "2026-01-11 09:00", survey_id=survey_id, unit_id="U1")
        self.distributor.event("complaints", "survey.sent", "2026-01-12 09:00", survey_id="V1", unit_id="U1")
        self.answered("2026-01-20 09:00", None, survey_id="V1")
        self.answered("2026-01-20 10:00", 5, survey_id="V1")
        self.answered("2026-01-20 09:00", 3, survey_id="V9")
        self.answered("2026-01-20 09:00", 3, survey_id="V2", customer_id="C2")
        row = self.distributor.tables().row("satisfaction_response")
        self.assertEqual((row["window_start"], row["sent_n"], row["answered_of_sent_n"]), ("2026-01-05", 3, 1))
        self.assertAlmostEqual(row["response_ratio"], 1 / 3, 12)


if __name__ == "__main__":
    unittest.main()
