"""The public tables (contract 5 and 6): which columns are their keys, and how values of a column are compared."""

from dataclasses import dataclass

WINDOW = ("window_kind", "window_start", "window_end")

# How often a row was written, when, and how many facts it rests on are the product's business.
NOT_COMPARED = {"n", "revision", "epoch", "emitted_at", "restated", "is_final", "as_of", "window_date"}


@dataclass(frozen=True)
class PublicTable:
    """`schema` is the SQL schema, `key` what identifies a row."""

    schema: str
    name: str
    key: tuple[str, ...]


def _metric(name: str, *dimensions: str) -> PublicTable:
    return PublicTable("metrics", name, WINDOW + dimensions)


PUBLIC_TABLES = {
    table.name: table
    for table in (
        _metric("demand_orders", "sku_id", "territory_id", "class_id"),
        _metric("sell_through", "customer_id", "sku_id", "territory_id", "class_id"),
        _metric("stock_to_sales", "customer_id", "sku_id", "territory_id", "class_id"),
        _metric("retailer_margin", "customer_id", "territory_id", "class_id"),
        _metric("retailer_margin_by_sku", "customer_id", "sku_id", "territory_id", "class_id"),
        _metric("satisfaction", "question_id", "unit_id", "survey_tool", "class_id", "area_unit_id", "customer_kind"),
        _metric("satisfaction_response", "unit_id", "survey_tool", "class_id", "area_unit_id", "customer_kind"),
        _metric("sla_compliance", "step_id", "unit_id", "case_kind", "category"),
        PublicTable("feeds", "demand_daily", ("unique_id", "ds")),
    )
}
