//! `ops.*`: the state of the pipeline itself.
//!
//! `sla_steps` and `orphans` are views over current facts.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use super::TableDescription;
use super::column::{
    bigint, boolean, bytes, commented, date, double, filled, instant, int, text, texts,
};
use crate::event::restricted;

/// The operational tables; `dead_letters` is restricted, because it may hold free text and personal data.
pub(super) fn ops_tables() -> Vec<TableDescription> {
    vec![
        table(
            "epochs",
            "Which version of which table belongs to an epoch (发布批次)",
            &["epoch", "table_name"],
            vec![
                epoch(),
                filled(instant(
                    "committed_at",
                    "When the epoch was complete, UTC (完成时间)",
                )),
                filled(text(
                    "table_name",
                    "Table with its schema, such as metrics.demand_orders (表)",
                )),
                filled(bigint(
                    "version",
                    "Delta version of the table in this epoch (表版本)",
                )),
                filled(text("cut", "Seals read, as JSON: shard to number (切面)")),
            ],
        ),
        table(
            "finality",
            "Up to which window end the rows of a table are final (终态)",
            &["table_name", "window_kind", "epoch"],
            vec![
                filled(text("table_name", "Table with its schema (表)")),
                filled(text("window_kind", "Window kind (窗口类型)")),
                filled(instant(
                    "final_until",
                    "Windows that end here or earlier are final, UTC (终态截止)",
                )),
                epoch(),
            ],
        ),
        table(
            "watermarks",
            "Watermark, horizon and lag of every input (水位)",
            &["epoch", "shard", "topic", "partition"],
            vec![
                epoch(),
                shard(),
                topic(),
                partition(),
                bigint("next_offset", "Next offset to be read (下一位移)"),
                bigint("lag_n", "Records not read yet (积压)"),
                instant(
                    "watermark_at",
                    "Highest accepted occurred_at less the disorder bound, UTC (水位)",
                ),
                instant(
                    "horizon_at",
                    "Events before this are too late, UTC (地平线)",
                ),
                boolean(
                    "is_at_end",
                    "Whether the input was read to its end (已到末尾)",
                ),
                filled(instant("emitted_at", "When it was so, UTC (发布时间)")),
            ],
        ),
        table(
            "data_quality",
            "Rows in which a sum has left the type of its column and is NULL; the newest epoch of a key holds (数据质量)",
            &[
                "table_name",
                "column_name",
                "window_kind",
                "window_start",
                "epoch",
            ],
            vec![
                filled(text(
                    "table_name",
                    "Table with its schema, such as metrics.demand_orders (表)",
                )),
                filled(text("column_name", "Column that is NULL (列)")),
                filled(text("window_kind", "Window kind of the rows (窗口类型)")),
                filled(instant(
                    "window_start",
                    "First instant of their window, UTC (窗口开始)",
                )),
                filled(instant(
                    "window_end",
                    "End of their window, exclusive, UTC (窗口结束)",
                )),
                filled(bigint(
                    "rows_n",
                    "Rows of the window without the sum; 0 = none any more (行数)",
                )),
                epoch(),
            ],
        ),
        dated(
            "conservation",
            "What became of every record: read = accepted + duplicate + dead letter + too late, P4 (守恒)",
            &["shard", "seal", "topic", "partition"],
            vec![
                shard(),
                filled(bigint(
                    "seal",
                    "Number of the seal in the shard's log (封存号)",
                )),
                topic(),
                partition(),
                filled(bigint("read_n", "Records read (读取)")),
                filled(bigint("accepted_n", "Accepted (接受)")),
                filled(bigint("duplicate_n", "Seen before (重复)")),
                filled(bigint("dead_letter_n", "Dead letters (死信)")),
                filled(bigint("too_late_n", "Too late (过迟)")),
                filled(bigint(
                    "missing_n",
                    "Offsets gone upstream before they were read, passed over; not part of read_n (缺失)",
                )),
                filled(instant("sealed_at", "When it was sealed, UTC (封存时间)")),
                epoch(),
            ],
        ),
        dated(
            "dead_letters",
            "Rejected records with their raw bytes; restricted, kept 30 days (死信)",
            &["topic", "partition", "offset"],
            vec![
                topic(),
                partition(),
                offset(),
                instant("broker_at", "Kafka timestamp of the record, UTC (消息时间)"),
                filled(text("reason", "The first reason that applied, K3 (原因)")),
                filled(text(
                    "path",
                    "Field to blame, such as lines[2].requested_qty, or empty (字段)",
                )),
                bytes(
                    "value",
                    "Payload as it came, of one that is too_large the beginning; NULL = tombstone (原始内容)",
                ),
                bytes("key", "Key as it came (原始键)"),
                headers(),
                shard(),
                epoch(),
                bigint(
                    "value_bytes",
                    "Size of the payload as it came; NULL = tombstone (原始大小)",
                ),
            ],
        ),
        dated(
            "late_events",
            "Valid events that came after their limit and count nowhere, K6 (过迟事件)",
            &["topic", "partition", "offset"],
            vec![
                topic(),
                partition(),
                offset(),
                filled(text("event_id", "Event (事件编号)")),
                filled(text("event_type", "Type of the event (事件类型)")),
                restricted(text("scope", "Customer, else SKU, staff or unit (范围)")),
                filled(instant("occurred_at", "When it happened, UTC (发生时间)")),
                filled(instant(
                    "recorded_at",
                    "When the source wrote it down, UTC (记录时间)",
                )),
                filled(instant(
                    "limit_at",
                    "Limit of its topic-partition at that moment, UTC (时限)",
                )),
                shard(),
                epoch(),
            ],
        ),
        TableDescription {
            is_view: true,
            ..table(
                "orphans",
                "Corrections that name no event within reach and count as plain events, K23 (孤立更正)",
                &["topic", "event_id"],
                vec![
                    topic(),
                    filled(text("event_id", "Correction (事件编号)")),
                    filled(text("corrects", "Event that was not found (被更正事件)")),
                    filled(instant("occurred_at", "When it happened, UTC (发生时间)")),
                ],
            )
        },
        dated(
            "alerts",
            "Every transition of every alert (告警)",
            &["id"],
            alert_columns(),
        ),
        dated(
            "deliveries",
            "Attempts to deliver alerts, and records that a topic refused for good (投递)",
            &["id", "destination", "attempted_at"],
            vec![
                filled(text(
                    "id",
                    "Transition that was sent, or where a refused record came from (编号)",
                )),
                filled(text(
                    "destination",
                    "Receiver's name in the configuration, or `topic` and its name (接收方)",
                )),
                filled(int(
                    "attempt",
                    "Attempt of this owner, from 1: a restart counts anew (次数)",
                )),
                filled(instant("attempted_at", "When it was tried, UTC (投递时间)")),
                filled(text(
                    "outcome",
                    "DELIVERED, RETRY, REFUSED or EXPIRED (结果)",
                )),
                int("status", "HTTP status, if there was an answer (状态码)"),
                text("error", "What went wrong, without secrets (错误)"),
                epoch(),
            ],
        ),
        table(
            "rules",
            "Alert rules that were loaded (告警规则)",
            &["rule_id", "rule_version"],
            vec![
                filled(text("rule_id", "Rule, such as A15 (规则)")),
                filled(int("rule_version", "Version of the rule (规则版本)")),
                filled(text("title", "What it is about (名称)")),
                filled(text("condition", "SQL or SLA step that it watches (条件)")),
                filled(text("severity", "Severity (级别)")),
                text("owner_role", "Who is told first (责任角色)"),
                text("escalation_role", "Who is told next (升级角色)"),
                filled(instant("loaded_at", "When it was loaded, UTC (加载时间)")),
                epoch(),
            ],
        ),
        TableDescription {
            is_view: true,
            ..table(
                "sla_steps",
                "One row per case and step of the SLA table (时限环节)",
                &["case_id", "step_id"],
                vec![
                    filled(text("case_id", "Case (服务个案)")),
                    filled(text("step_id", "Step (时限环节)")),
                    instant("started_at", "Start of the clock, UTC (开始)"),
                    instant("deadline", "When it is due, UTC (时限)"),
                    instant("warned_at", "When the early warning is due, UTC (预警)"),
                    instant("stopped_at", "When the clock stopped, UTC (停止)"),
                    filled(text(
                        "outcome",
                        "MET, BREACHED, PENDING, NOT_APPLICABLE or VOID (结果)",
                    )),
                    bigint(
                        "overrun_ms",
                        "Time over the deadline in milliseconds (超时)",
                    ),
                    text("owner", "Role that owns the step (责任角色)"),
                    text("unit_id", "Unit of the case (部门)"),
                ],
            )
        },
    ]
}

fn alert_columns() -> Vec<Field> {
    vec![
        filled(text(
            "id",
            "Transition; stable across retries and replays (告警编号)",
        )),
        filled(text(
            "subject",
            "What one alert is told from another by: its dedupe key (去重键)",
        )),
        filled(bigint(
            "sequence",
            "Rises with every transition of a subject (序号)",
        )),
        filled(text("rule_id", "Rule, such as A15 (规则)")),
        filled(int("rule_version", "Version of the rule (规则版本)")),
        filled(text(
            "state",
            "firing, updated, resolved or withdrawn (状态)",
        )),
        text(
            "reason",
            "no_data: resolved since nothing could be judged; late: of the past, recorded and not sent, K33 (原因)",
        ),
        filled(text("severity", "Severity (级别)")),
        texts("subjects", "Ids that it is about (对象)"),
        double("value", "Value that was found (数值)"),
        double("limit", "Limit that it broke (限值)"),
        instant("window_start", "Window that it is about, UTC (窗口开始)"),
        instant("window_end", "End of the window, exclusive, UTC (窗口结束)"),
        instant("deadline", "Deadline that passed, UTC (时限)"),
        filled(instant(
            "first_fired_at",
            "When the alert first fired, UTC (首次触发)",
        )),
        filled(instant(
            "transitioned_at",
            "When this transition was decided, UTC (转换时间)",
        )),
        texts("evidence", "Events behind it (证据)"),
        text("owner_role", "Who is told first (责任角色)"),
        text("escalation_role", "Who is told next (升级角色)"),
        filled(text(
            "seal",
            "Log and number of its seal, shard/number (封存)",
        )),
        epoch(),
    ]
}

fn epoch() -> Field {
    filled(bigint("epoch", "Epoch that published it (发布批次)"))
}

fn shard() -> Field {
    filled(int("shard", "Shard (分片)"))
}

fn topic() -> Field {
    filled(text(
        "topic",
        "Kafka topic as configured, such as orders.v1; of event files their folder, K31 (主题)",
    ))
}

fn partition() -> Field {
    filled(int("partition", "Kafka partition (分区)"))
}

fn offset() -> Field {
    filled(bigint("offset", "Offset in the partition (位移)"))
}

fn headers() -> Field {
    let header = DataType::Struct(
        vec![
            filled(text(
                "name",
                "Name; bytes that are not UTF-8 are replaced (名称)",
            )),
            bytes(
                "name_bytes",
                "Name as it came, where it is not UTF-8 (原始名称)",
            ),
            bytes("value", "Value (内容)"),
        ]
        .into(),
    );
    let element = Field::new("element", header, true);
    Field::new("headers", DataType::List(Arc::new(element)), true).with_metadata(
        [(
            "comment".to_owned(),
            "Headers as they came (消息头)".to_owned(),
        )]
        .into(),
    )
}

fn table(
    name: &'static str,
    comment: &'static str,
    key: &'static [&'static str],
    fields: Vec<Field>,
) -> TableDescription {
    TableDescription {
        schema_name: "ops",
        name,
        schema: commented(fields, comment),
        partition_by: None,
        sort_by: key.to_vec(),
        key: key.to_vec(),
        is_view: false,
    }
}

/// A table that grows with the events: partitioned by a local date, so that old days can be deleted.
fn dated(
    name: &'static str,
    comment: &'static str,
    key: &'static [&'static str],
    mut fields: Vec<Field>,
) -> TableDescription {
    fields.push(filled(date(
        "event_date",
        "Local date of the row; partition (日期)",
    )));
    TableDescription {
        partition_by: Some("event_date"),
        ..table(name, comment, key, fields)
    }
}
