//! How deeply the arithmetic of a query is nested.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Statement, UnaryOperator, Visit, Visitor,
};

/// Arithmetic operators inside one another. Checked arithmetic is a function call each, and the planner asks the outer ones for
/// their types again and again: over columns 100 take 0.1 s, 400 take 3 s, 800 take 20 s.
pub(super) const MAX_ARITHMETIC_DEPTH: usize = 100;

/// Whether some expression nests more arithmetic than is planned in reasonable time.
pub(super) fn is_too_deep(statement: &Statement) -> bool {
    let mut arithmetic = Arithmetic { depth: 0 };
    statement.visit(&mut arithmetic).is_break()
}

struct Arithmetic {
    depth: usize,
}

impl Visitor for Arithmetic {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.depth += usize::from(is_arithmetic(expr));
        if self.depth > MAX_ARITHMETIC_DEPTH {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.depth -= usize::from(is_arithmetic(expr));
        ControlFlow::Continue(())
    }
}

fn is_arithmetic(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op, .. } => matches!(
            op,
            BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::Modulo
                | BinaryOperator::StringConcat
        ),
        Expr::UnaryOp { op, .. } => matches!(op, UnaryOperator::Minus | UnaryOperator::Plus),
        _ => false,
    }
}
