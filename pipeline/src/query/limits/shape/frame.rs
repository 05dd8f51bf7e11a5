//! What is open at one place of a query: a bracket or a CASE.

use datafusion::sql::sqlparser::tokenizer::Word;

/// Doublings beyond this are the same: far too many.
const MOST_DOUBLINGS: usize = 63;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Opening {
    #[default]
    Statement,
    Bracket,
    Case,
}

/// Where commas separate what is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clause {
    With,
    Select,
    From,
    OrderBy,
    PartitionBy,
    #[default]
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) opening: Opening,
    pub(super) clause: Clause,
    /// Levels of all that is open around it, itself included.
    depth: usize,
    /// Queries around it, itself included, but for the outermost.
    pub(super) queries: usize,
    /// How often the parser may double its work for what is inside.
    doublings: usize,
    /// NOT before the present operand.
    pub(super) nots: usize,
    /// INTERVAL behind INTERVAL before the present operand.
    pub(super) intervals: usize,
    /// Signs behind a sign.
    pub(super) signs: usize,
    /// Comparisons and casts since the present operand began.
    pub(super) chain: usize,
    /// Columns of the present SELECT behind the first.
    pub(super) columns: usize,
    /// SELECTs inside.
    pub(super) selects: u64,
    /// Keys of PARTITION BY behind the first.
    pub(super) partition_keys: usize,
    /// The last name that WITH gave.
    pub(super) name: Option<&'a Word>,
}

impl<'a> Frame<'a> {
    /// What opens inside of this.
    pub(super) fn inner(&self, opening: Opening, doublings: usize, is_query: bool) -> Self {
        Self {
            opening,
            depth: self.nesting() + 1,
            queries: self.queries + usize::from(is_query),
            doublings: self.doublings + self.nots + doublings,
            ..Self::default()
        }
    }

    pub(super) fn nesting(&self) -> usize {
        self.depth + self.nots + self.intervals + self.signs
    }

    /// How often the parser may read a token here.
    pub(super) fn reread(&self) -> u64 {
        let doublings = (self.doublings + self.nots).min(MOST_DOUBLINGS);
        1 << doublings
    }

    pub(super) fn begin(&mut self, clause: Clause) {
        self.clause = clause;
        self.next_operand();
    }

    pub(super) fn next_operand(&mut self) {
        self.nots = 0;
        self.intervals = 0;
        self.chain = 0;
    }

    /// The name that a query in brackets gets here.
    pub(super) fn naming(&self) -> Option<&'a Word> {
        self.name.filter(|_| self.clause == Clause::With)
    }
}
