//! What may be asked: one query, and nothing that changes anything.
//!
//! Before all else the size and the depth of the text ([`shape`]): what passes is parsed and planned in reasonable time. Then two
//! locks: the kind of statement before planning (so that a refusal costs nothing), and every node of the plan after it (so that
//! nothing hides inside a query, such as `SELECT … INTO`). There is nothing to read but the tables of the epoch: no location in SQL
//! names a file, and `CREATE EXTERNAL TABLE` and `COPY` do not pass.

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFrameBound};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;

use super::depth::is_too_deep;
use super::limits::shape;
use super::names::Names;
use super::{error, statement};
use crate::error::{Error, Result};

/// Reads the one statement of the text.
pub(super) fn parse(sql: &str) -> Result<Statement> {
    shape::check_length(sql)?;
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, &statement::with_line_feeds(sql))
        .tokenize_with_location()
        .map_err(|error| error::syntax(&error.into()))?;
    shape::check_shape(tokens.iter().map(|token| &token.token))?;
    let syntax = |error: DataFusionError| error::while_planning(&error, &Names::default());
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .with_recursion_limit(shape::PARSER_RECURSION)
        .build()
        .map_err(syntax)?;
    let mut statements = parser.parse_statements().map_err(syntax)?;
    let Some(statement) = statements.pop_front() else {
        return Err(error::empty());
    };
    if let Some(second) = statements.front() {
        let words = first_words(second);
        return Err(error::refused(format_args!("a second statement, {words}")));
    }
    if !is_query(&statement) {
        return Err(error::refused(first_words(&statement)));
    }
    if nests_too_deeply(&statement) {
        return Err(error::too_deeply_nested());
    }
    Ok(statement)
}

fn nests_too_deeply(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => nests_too_deeply(&explain.statement),
        Statement::Statement(statement) => is_too_deep(statement),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

/// Refuses a plan with any node that defines, changes or sets something.
pub(super) fn verify(plan: &LogicalPlan) -> Result<()> {
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    options
        .verify_plan(plan)
        .map_err(|error| error::refused(error.strip_backtrace()))?;
    let mut wrong = None;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|inner| {
                wrong = wrong
                    .take()
                    .or_else(|| oversized_sketch(inner))
                    .or_else(|| oversized_frame(inner));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(|error| error::while_planning(&error, &Names::default()))?;
    match wrong {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Of a sketch of percentiles; its memory is allocated at once.
const MAX_CENTROIDS: u64 = 10_000;

/// A percentile function whose sketch would be too large.
fn oversized_sketch(expr: &Expr) -> Option<Error> {
    let Expr::AggregateFunction(call) = expr else {
        return None;
    };
    let name = call.func.name();
    let place = match name {
        "approx_percentile_cont" => 2,
        "approx_percentile_cont_with_weight" => 3,
        _ => return None,
    };
    let centroids = match call.params.args.get(place)? {
        Expr::Literal(value, _) => value.to_string().parse().ok(),
        _ => None,
    };
    let fits = centroids.is_some_and(|centroids: u64| (1..=MAX_CENTROIDS).contains(&centroids));
    (!fits).then(|| error::too_many_centroids(name, MAX_CENTROIDS))
}

/// A window frame whose ends wrap around when the number of a row is added to them.
fn oversized_frame(expr: &Expr) -> Option<Error> {
    let Expr::WindowFunction(call) = expr else {
        return None;
    };
    let frame = &call.params.window_frame;
    let is_oversized = |bound: &WindowFrameBound| {
        let (WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows)) = bound else {
            return false;
        };
        let rows = rows.to_string().parse::<u64>();
        rows.is_ok_and(|rows| i64::try_from(rows).is_err())
    };
    (is_oversized(&frame.start_bound) || is_oversized(&frame.end_bound))
        .then(error::frame_too_large)
}

fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => is_query(&explain.statement),
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            SqlStatement::Query(_)
                | SqlStatement::ExplainTable { .. }
                | SqlStatement::ShowTables { .. }
                | SqlStatement::ShowColumns { .. }
                | SqlStatement::ShowFunctions { .. }
                | SqlStatement::ShowCreate { .. }
                | SqlStatement::ShowVariable { .. }
        ),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

/// Enough of the statement to recognise it; never its values.
fn first_words(statement: &Statement) -> String {
    statement
        .to_string()
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}
