//! Feeds for forecasters: `feeds.demand_daily` and topic `feeds.demand.v1`, made from M01.

use std::sync::Arc;

use chrono_tz::Tz;
use pipeline::run::publisher::{DayKind, FeedDefinition};
use schemas::calendar::{Calendar, CalendarRow};

/// Daily demand per SKU × territory, without gaps (contract 6). `topic`: where it is sent to, if the events come from Kafka.
pub fn demand_daily(zone: Tz, calendar: &[CalendarRow], topic: Option<String>) -> FeedDefinition {
    let calendar = Calendar::built_in(zone).with_rows(calendar.to_vec());
    FeedDefinition {
        name: "demand_daily".to_owned(),
        metric: "demand_orders".to_owned(),
        sql: include_str!("demand_daily.sql").to_owned(),
        values: ["y", "y_allocated", "y_delivered", "returned"]
            .map(str::to_owned)
            .to_vec(),
        flag: "censored".to_owned(),
        calendar: Arc::new(move |day| {
            let date = day.date();
            DayKind {
                is_working_day: calendar.is_working_day(date).ok(),
                is_holiday: calendar.is_holiday(date).ok(),
                days_to_holiday: calendar
                    .days_to_holiday(date)
                    .ok()
                    .and_then(|days| i32::try_from(days).ok()),
            }
        }),
        topic,
    }
}
