//! K31: tables of operation name topics as they are configured.

use serde_json::json;
use tests::project::Project;

use super::distributor::{at, distributor, order, orders, visits};

#[test]
fn k31_tables_of_operation_name_topics_as_configured() {
    let (_folder, events) = distributor();
    let mut orders = orders();
    orders.push(b"not an event".to_vec());
    let late = order("placed", "late", at(1, 0), ("C1", "O9"), json!({}));
    orders.push(late);
    events.write("shop.orders", 0, &orders).unwrap();
    events.write("visits.v1", 0, &visits()).unwrap();
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__TOPICS__ORDERS", "shop.orders");
    project.run(&["run", "--drain"]).unwrap();
    for (table, names) in [
        ("conservation", &["shop.orders", "visits.v1"][..]),
        ("watermarks", &["shop.orders", "visits.v1"]),
        ("dead_letters", &["shop.orders"]),
        ("late_events", &["shop.orders"]),
        ("orphans", &["shop.orders"]),
    ] {
        let rows = project
            .query(&format!("SELECT DISTINCT topic FROM ops.{table} WHERE topic NOT IN ('complaints.v1', 'prices.v1') ORDER BY topic"))
            .unwrap();
        let found: Vec<&str> = rows
            .iter()
            .map(|row| row["topic"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "{table}");
    }
    // SQL schemas and tables keep the short names, and the books find them.
    assert!(
        project
            .number("SELECT count(*) FROM events.orders")
            .unwrap()
            > 0
    );
    project.run(&["audit"]).unwrap();
}
