//! The input: `order.placed` with one line, about 476 bytes, keys skewed as retail skews them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::partition::partition_of;
use tests::kafka::Message;

/// 2026-01-04T16:00:00Z: midnight of a Monday in Shanghai.
const START_MS: i64 = 1_767_542_400_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const DAYS: i64 = 30;
pub(crate) const PARTITIONS: u32 = 4;
pub(crate) const CUSTOMERS: u32 = 20_000;
pub(crate) const SKUS: u32 = 300;
/// How long before it is recorded an order may have happened: the disorder of the topic.
const DISORDER_MS: i64 = 150_000;
/// `[time.orders] out_of_orderness` under which no order can be late.
pub(crate) const OUT_OF_ORDERNESS: &str = "5m";
/// One record in so many is sent a second time, the same bytes, within the disorder.
const DUPLICATE_ONE_IN: u32 = 100;

/// What was generated so far.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Sent {
    pub records: u64,
    pub duplicates: u64,
    /// Records that are no JSON.
    pub malformed: u64,
    pub bytes: u64,
}

/// The records of a run, in the order in which they are sent: same count and seed, same bytes.
pub(crate) struct Orders {
    dice: ChaCha8Rng,
    count: u64,
    made: u64,
    /// One record in so many is malformed, if any is.
    malformed_one_in: Option<u64>,
    /// Copies to send again, by the number of the order they follow.
    again: BTreeMap<u64, Vec<Message>>,
    pub sent: Sent,
}

impl Orders {
    /// `count` records, duplicates included, spread evenly over 30 days.
    pub(crate) fn new(count: u64, seed: u64) -> Self {
        Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            count,
            made: 0,
            malformed_one_in: None,
            again: BTreeMap::new(),
            sent: Sent::default(),
        }
    }

    /// The same with one record in so many cut off in its middle.
    pub(crate) fn malformed(mut self, one_in: u64) -> Self {
        self.malformed_one_in = Some(one_in);
        self
    }

    fn is_malformed_due(&self) -> bool {
        let due = self.malformed_one_in;
        due.is_some_and(|one_in| (self.sent.records + 1) / one_in.max(1) > self.sent.malformed)
    }

    fn order(&mut self) -> Message {
        let number = self.made;
        self.made += 1;
        let recorded_at = START_MS + portion(DAYS * DAY_MS, number, self.count);
        let occurred_at = recorded_at - self.dice.random_range(0..DISORDER_MS);
        // Cube and square law: some customers order every day, many hardly ever.
        let customer = skewed(&mut self.dice, CUSTOMERS, 3);
        let sku = skewed(&mut self.dice, SKUS, 2);
        let requested_qty = 1 + skewed(&mut self.dice, 48, 3);
        let id: u128 = self.dice.random();
        let trace: u128 = self.dice.random();
        let key = customer_id(customer);
        let payload = format!(
            concat!(
                r#"{{"event_id":"{:032x}","event_type":"order.placed","schema_version":1,"#,
                r#""occurred_at":{},"recorded_at":{},"source":"ORDER_SYSTEM","trace_id":"{:032x}","#,
                r#""customer_id":"{}","order_id":"SO{:08}","channel":"{}","order_kind":"REGULAR","#,
                r#""unit_id":"U{:02}","placed_by_role":"CUSTOMER","#,
                r#""lines":[{{"line_no":1,"sku_id":"{}","requested_qty":{},"wholesale_price_fen":{},"#,
                r#""is_key_brand_recommended":{}}}]}}"#
            ),
            id,
            occurred_at,
            recorded_at,
            trace,
            key,
            number,
            ["PHONE", "ONLINE", "MOBILE", "FIELD"][self.dice.random_range(0..4)],
            customer % 14,
            sku_id(sku),
            requested_qty,
            350 + sku * 37 % 9000,
            self.dice.random_ratio(1, 5),
        );
        let partition = i32::try_from(partition_of(key.as_bytes(), PARTITIONS)).unwrap_or_default();
        Message::new(partition, payload).key(key)
    }
}

impl Iterator for Orders {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        if self.sent.records == self.count {
            return None;
        }
        let is_malformed_due = self.is_malformed_due();
        let due = self
            .again
            .first_entry()
            .filter(|entry| *entry.key() < self.made);
        let message = match due {
            Some(mut entry) => {
                let copy = entry.get_mut().pop();
                if entry.get().is_empty() {
                    entry.remove();
                }
                self.sent.duplicates += u64::from(copy.is_some());
                copy?
            }
            None if is_malformed_due => {
                let mut message = self.order();
                let payload = message.payload.as_mut()?;
                payload.truncate(payload.len() / 2);
                self.sent.malformed += 1;
                message
            }
            None => {
                let message = self.order();
                if self.dice.random_ratio(1, DUPLICATE_ONE_IN - 1) {
                    let step = (DAYS * DAY_MS).unsigned_abs() / self.count.max(1);
                    let reach = (DISORDER_MS.unsigned_abs() / step.max(1)).max(1);
                    let after = self.made - 1 + self.dice.random_range(0..reach);
                    self.again.entry(after).or_default().push(message.clone());
                }
                message
            }
        };
        self.sent.records += 1;
        self.sent.bytes += message.payload.as_ref().map_or(0, Vec::len) as u64;
        Some(message)
    }
}

/// Customers in 120 territories and 9 classes, and the SKUs, so that rows have the grain they have in use.
pub(crate) fn write_reference(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut customers = "customer_id,status,class_id,territory_id,valid_from,valid_to\n".to_owned();
    for customer in 0..CUSTOMERS {
        let (class, territory) = (customer % 9, customer % 120);
        customers += &format!(
            "{},ACTIVE,K{class},T{territory:03},2025-01-01T00:00:00Z,\n",
            customer_id(customer)
        );
    }
    fs::write(dir.join("ref_customer.csv"), customers)?;
    let mut skus = "sku_id,brand_id,valid_from,valid_to\n".to_owned();
    for sku in 0..SKUS {
        skus += &format!("{},B{:02},2025-01-01T00:00:00Z,\n", sku_id(sku), sku % 40);
    }
    Ok(fs::write(dir.join("ref_sku.csv"), skus)?)
}

fn customer_id(number: u32) -> String {
    format!("C{number:06}")
}

fn sku_id(number: u32) -> String {
    format!("SKU{number:05}")
}

/// A number below `n`, small ones more often: `n × u^power`.
fn skewed(dice: &mut ChaCha8Rng, n: u32, power: i32) -> u32 {
    let u: f64 = dice.random();
    (f64::from(n) * u.powi(power)) as u32
}

/// `whole × part / of`, without overflow.
fn portion(whole: i64, part: u64, of: u64) -> i64 {
    let product = i128::from(whole) * i128::from(part) / i128::from(of.max(1));
    i64::try_from(product).unwrap_or(whole)
}
