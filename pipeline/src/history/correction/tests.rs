#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicI64, Ordering};

use schemas::event::Topic;

use super::*;
use crate::time::fixture::ms;

/// An event of customer c1, at a place of its own.
fn event<'a>(id: &'a str, ms: i64, corrects: Option<&'a str>) -> Correction<'a> {
    static OFFSET: AtomicI64 = AtomicI64::new(0);
    Correction {
        event_id: id,
        occurred_at: TimestampMs::from_ms(ms),
        place: EventPlace {
            topic: Topic::Orders,
            partition: 0,
            offset: OFFSET.fetch_add(1, Ordering::Relaxed),
        },
        scope: Some((0, "c1")),
        corrects,
    }
}

fn of<'a>(scope: Option<(u8, &'a str)>, event: Correction<'a>) -> Correction<'a> {
    Correction { scope, ..event }
}

/// What stays in the history and which orphans hold, after the given batches.
fn end_state(batches: &[Vec<Correction<'_>>]) -> (Vec<String>, Vec<String>) {
    let mut corrections = Corrections::default();
    let mut history: Vec<RemovedEvent> = Vec::new();
    let mut orphans: HashMap<String, i64> = HashMap::new();
    for batch in batches {
        let outcome = corrections.apply(batch.iter().cloned());
        history.retain(|event| !outcome.removed.contains(event));
        for (event, skip) in batch.iter().zip(outcome.skip) {
            if !skip {
                history.push(RemovedEvent {
                    event_id: event.event_id.into(),
                    place: event.place,
                });
            }
        }
        for orphan in outcome.orphans {
            *orphans.entry(orphan.event_id.to_string()).or_default() += orphan.weight;
        }
    }
    let mut history: Vec<String> = history
        .iter()
        .map(|event| event.event_id.to_string())
        .collect();
    history.sort();
    let mut held: Vec<String> = orphans
        .into_iter()
        .filter(|(_, weight)| *weight != 0)
        .map(|(id, _)| id)
        .collect();
    held.sort();
    (history, held)
}

#[test]
fn k23_order_of_arrival_and_cuts_into_batches_do_not_matter() {
    let a = event("a", 0, None);
    let b = event("b", 10, Some("a"));
    let c = event("c", 20, Some("b"));
    let far = event("far", REACH.as_ms() + 11, Some("b"));
    let lost = event("lost", 30, Some("nobody"));
    let selfish = event("selfish", 30, Some("selfish"));
    let all = [a, b, c, far, lost, selfish];
    let expected = end_state(&[all.to_vec()]);
    assert_eq!(expected.0, ["c", "far", "lost", "selfish"]);
    assert_eq!(expected.1, ["far", "lost", "selfish"]);

    let mut order: Vec<usize> = (0..all.len()).collect();
    for step in 0..720_usize {
        // The step-th permutation, by the factorial number system.
        order.sort_unstable();
        let mut rest = order.clone();
        let mut code = step;
        let permuted: Vec<_> = (1..=all.len())
            .rev()
            .map(|left| {
                let index = code % left;
                code /= left;
                all[rest.remove(index)].clone()
            })
            .collect();
        assert_eq!(end_state(std::slice::from_ref(&permuted)), expected);
        let single: Vec<_> = permuted.iter().map(|event| vec![event.clone()]).collect();
        assert_eq!(end_state(&single), expected);
    }
}

#[test]
fn k23_a_correction_does_not_reach_another_customer_or_what_has_none() {
    // A staff member may have the id of a customer.
    for scope in [Some((0, "c2")), Some((2, "c1")), None] {
        let other = of(scope, event("b", 10, Some("a")));
        let (history, orphans) = end_state(&[vec![event("a", 0, None)], vec![other]]);
        assert_eq!(history, ["a", "b"]);
        assert_eq!(orphans, ["b"]);
    }
}

#[test]
fn k23_k24_a_correction_reaches_35_days_back_and_ahead_and_no_further() {
    for (apart, reaches) in [
        (REACH, true),
        (-REACH, true),
        (REACH + ms(1), false),
        (-REACH - ms(1), false),
    ] {
        let both = || {
            let named = event("a", (2 * REACH).as_ms(), None);
            (named, event("b", (2 * REACH + apart).as_ms(), Some("a")))
        };
        let expected: (&[&str], &[&str]) = if reaches {
            (&["b"], &[])
        } else {
            (&["a", "b"], &["b"])
        };
        let (named, by) = both();
        let found = end_state(&[vec![named], vec![by]]);
        assert_eq!(found, (strings(expected.0), strings(expected.1)), "{apart}");
        let (named, by) = both();
        assert_eq!(end_state(&[vec![by], vec![named]]), found, "{apart}");
    }
    assert_eq!(REACH, ms(35 * 24 * 3_600_000));
}

#[test]
fn k23_a_chain_leaves_its_last_link_whatever_came_first() {
    let chain = || {
        vec![
            event("a", 0, None),
            event("b", 10, Some("a")),
            event("c", 20, Some("b")),
        ]
    };
    let mut backwards = chain();
    backwards.reverse();
    for batches in [vec![chain()], vec![backwards]] {
        assert_eq!(end_state(&batches), (strings(&["c"]), Vec::new()));
    }
    // Two that correct the same event both stay.
    let twice = vec![
        event("a", 0, None),
        event("b", 10, Some("a")),
        event("c", 20, Some("a")),
    ];
    assert_eq!(end_state(&[twice]), (strings(&["b", "c"]), Vec::new()));
}

#[test]
fn k23_every_copy_of_the_named_event_leaves_however_batches_are_cut() {
    // A producer without a key may send one price event to two partitions: each accepts it.
    let copies = || [event("a", 0, None), event("a", 0, None)];
    let by = || event("b", 10, Some("a"));
    let [one, two] = copies();
    let orders = [
        vec![one.clone(), two.clone(), by()],
        vec![one.clone(), by(), two.clone()],
        vec![by(), one, two],
    ];
    for all in orders {
        for cut in 0..=all.len() {
            let (before, after) = all.split_at(cut);
            let found = end_state(&[before.to_vec(), after.to_vec()]);
            assert_eq!(found, (strings(&["b"]), Vec::new()), "cut={cut} {all:?}");
        }
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The places of the events that stay, in their order.
fn places_left(batches: &[Vec<Correction<'_>>]) -> Vec<EventPlace> {
    let mut corrections = Corrections::default();
    let mut left = Vec::new();
    for batch in batches {
        let outcome = corrections.apply(batch.iter().cloned());
        left.retain(|place| !outcome.removed.iter().any(|gone| gone.place == *place));
        let kept = batch.iter().zip(&outcome.skip).filter(|(_, skip)| !**skip);
        left.extend(kept.map(|(event, _)| event.place));
    }
    left.sort();
    left
}

#[test]
fn k23_of_one_id_accepted_several_times_those_leave_that_the_correction_reaches() {
    let near = event("a", REACH.as_ms(), None);
    let far = event("a", 2 * REACH.as_ms() + 1, None);
    let of_another = of(Some((0, "c2")), event("a", REACH.as_ms(), None));
    let by = event("b", REACH.as_ms(), Some("a"));
    let all = [near, far.clone(), of_another.clone(), by.clone()];
    let mut expected = vec![far.place, of_another.place, by.place];
    expected.sort();
    for first in 0..4 {
        for cut in 0..=4 {
            let mut order = all.to_vec();
            order.rotate_left(first);
            let (before, after) = order.split_at(cut);
            let found = places_left(&[before.to_vec(), after.to_vec()]);
            assert_eq!(found, expected, "first={first} cut={cut}");
        }
    }
}

#[test]
fn k36_a_correction_that_names_itself_is_a_plain_event_and_an_orphan() {
    let own = || event("a", 10, Some("a"));
    // Also where its id was accepted before, and again behind it.
    let again = || event("a", 0, None);
    for batches in [
        vec![vec![own()]],
        vec![vec![again()], vec![own()]],
        vec![vec![own(), again()]],
    ] {
        let (history, orphans) = end_state(&batches);
        let count: usize = batches.iter().map(Vec::len).sum();
        assert_eq!(history, vec!["a"; count]);
        assert_eq!(orphans, ["a"]);
    }
}
