#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use pipeline::history::World as _;

use super::*;
use crate::world::fixture::{list_price, one_customer};
use crate::world::{Reference, World};

const WHOLESALE: PriceType = PriceType::Wholesale;

fn at(world: &World, region: &str, at_ms: i64) -> Option<i64> {
    world.list_price("S1", region, WHOLESALE, at_ms)
}

#[test]
fn k19_a_regions_price_beats_all_and_the_next_begin_ends_one() {
    let mut world = one_customer();
    list_price(&mut world, "a", ("S1", "ALL", WHOLESALE), 100, 10, None);
    list_price(&mut world, "b", ("S1", "R1", WHOLESALE), 200, 20, None);
    list_price(&mut world, "c", ("S1", "ALL", WHOLESALE), 300, 30, None);
    assert_eq!(at(&world, "R1", 9), None);
    assert_eq!(at(&world, "R1", 10), Some(100));
    assert_eq!(at(&world, "R1", 19), Some(100));
    assert_eq!(at(&world, "R1", 20), Some(200));
    assert_eq!(at(&world, "R1", 30), Some(200));
    assert_eq!(at(&world, "R2", 30), Some(300));
    let suggested = PriceType::SuggestedRetail;
    assert_eq!(world.list_price("S1", "R1", suggested, 30), None);
    assert_eq!(world.list_price("S2", "R1", WHOLESALE, 30), None);
}

#[test]
fn a_passed_valid_to_ends_a_price_and_does_not_bring_back_the_one_before() {
    let mut world = one_customer();
    list_price(&mut world, "a", ("S1", "ALL", WHOLESALE), 100, 0, None);
    list_price(&mut world, "b", ("S1", "R1", WHOLESALE), 200, 10, None);
    list_price(&mut world, "c", ("S1", "R1", WHOLESALE), 300, 20, Some(30));
    assert_eq!(at(&world, "R1", 29), Some(300));
    // The region has none now, so the general price holds there.
    assert_eq!(at(&world, "R1", 30), Some(100));
}

#[test]
fn of_two_that_begin_at_once_the_later_stamp_decides_whichever_came_first() {
    for ids in [["a", "b"], ["b", "a"]] {
        let mut world = one_customer();
        for id in ids {
            let fen = if id == "b" { 2 } else { 1 };
            list_price(&mut world, id, ("S1", "R1", WHOLESALE), fen, 10, None);
        }
        assert_eq!(at(&world, "R1", 10), Some(2));
    }
}

#[test]
fn what_is_saved_is_loaded_and_the_table_shows_prices_in_force() {
    let mut world = one_customer();
    list_price(&mut world, "a", ("S1", "ALL", WHOLESALE), 100, 0, None);
    list_price(&mut world, "b", ("S1", "R1", WHOLESALE), 200, 10, Some(20));
    let mut loaded = World::new(Reference::empty().into());
    loaded.load(&world.save().unwrap()).unwrap();
    for (at_ms, prices) in [(5, vec![100]), (10, vec![100, 200]), (20, vec![100])] {
        let table = loaded.list_prices.as_of(at_ms).unwrap();
        let found = table["price_fen"].as_primitive::<Int64Type>();
        assert_eq!(found.values().to_vec(), prices, "at {at_ms}");
    }
}
