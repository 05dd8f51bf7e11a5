//! How large a query may be and how deeply nested, counted on its tokens before it is parsed.
//!
//! A tokenizer takes time in proportion to the text. The parser does not: where something behind `CAST (`, `CASE` or `NOT` cannot be
//! read, it reads the whole once more as a name or a function of its own, at each level inside twice as often. The planner does not
//! either: it plans subqueries inside one another again at each level. What passes these limits is answered or refused in about a
//! second, a few at most.
//!
//! | limit | measured without it |
//! |---|---|
//! | [`MAX_BYTES`] | 60 KB of `INT[][]…` overflow the stack |
//! | [`MAX_NESTING`] brackets, `CASE`, prefix operators | more than 50 end in errors about names or the end of the statement |
//! | [`MAX_QUERIES`] queries inside one another | 12 take 0.1 to 1 s, 16 twice that, 20 more than 10 s |
//! | [`MAX_REREAD`] tokens read again after an error | `CAST(` with a mistake inside: 16 take 0.5 s, 20 more than 5 s |
//! | [`MAX_CHAIN`] comparisons, casts, subscripts, bit operations in a row | 400 `::INT` take 0.4 s, 6,000 more than 10 s; 300 `[1]` 12 s |
//! | [`MAX_SELECTS`], a WITH query as often as it is read | 500 with an aggregate each 3 s; of 20 that each read the last twice, for ever |
//! | [`MAX_SET_OPERATIONS`] | 100 take 0.5 to 4 s, 2,000 take 27 s |
//! | [`MAX_JOINS`] | 100 take 0.5 s, 500 more than 5 s |
//! | [`MAX_AND`], [`MAX_OR`] | 1,000 AND take 4 s, 2,000 take 9 s; 2,000 OR 2 to 5 s |
//! | [`MAX_COLUMNS`] of a SELECT | 1,000 sums take 3 s |
//! | [`MAX_SORT_KEYS`] | 500 take 2 s, 1,000 more than 5 s |
//! | [`MAX_WINDOWS`] | 100 take 1 s, 200 take 3 s |
//! | [`MAX_PARTITION_KEYS`] of a window | 100 take 6 s, 150 take 17 s |
//!
//! Arithmetic has a limit of its own, counted on what was parsed: see `depth`. Values in `IN (…)` and `VALUES` are cheap: only the
//! bytes limit them.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Word};

use self::frame::{Clause, Frame, Opening};
use crate::error::Result;
use crate::query::error;

mod frame;
#[cfg(test)]
mod tests;

pub(in crate::query) const MAX_BYTES: usize = 64 << 10;
const MAX_NESTING: usize = 40;
const MAX_QUERIES: usize = 12;
const MAX_REREAD: u64 = 1 << 21;
const MAX_CHAIN: usize = 100;
const MAX_SELECTS: u64 = 500;
const MAX_SET_OPERATIONS: usize = 100;
const MAX_JOINS: usize = 100;
const MAX_AND: usize = 1_000;
const MAX_OR: usize = 2_000;
const MAX_COLUMNS: usize = 1_000;
const MAX_SORT_KEYS: usize = 500;
const MAX_WINDOWS: usize = 100;
const MAX_PARTITION_KEYS: usize = 60;

/// Levels that the parser may go down: each that is allowed takes it a few, so that it never meets this limit of its own.
pub(in crate::query) const PARSER_RECURSION: usize = 16 * MAX_NESTING;

/// Refuses a text that is too long to be looked at.
pub(in crate::query) fn check_length(sql: &str) -> Result<()> {
    require(
        sql.len() <= MAX_BYTES,
        format_args!("{} KiB of text", MAX_BYTES >> 10),
        "ask in parts, or join a table of values",
    )
}

/// Refuses a query that could not be parsed and planned within a few seconds.
pub(in crate::query) fn check_shape<'a>(tokens: impl Iterator<Item = &'a Token>) -> Result<()> {
    let mut shape = Shape::default();
    let mut tokens = tokens
        .filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF))
        .peekable();
    while let Some(token) = tokens.next() {
        shape.read(token, tokens.peek().copied());
        shape.check()?;
    }
    while shape.close() {}
    shape.check()
}

fn require(holds: bool, most: std::fmt::Arguments<'_>, advice: &str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(error::too_deep_or_long(most, advice))
    }
}

/// What has been read so far.
#[derive(Default)]
struct Shape<'a> {
    /// What is open, the statement itself not counted.
    outer: Vec<Frame<'a>>,
    current: Frame<'a>,
    previous: Option<&'a Token>,
    /// Names of WITH, as the planner compares them, and the SELECTs behind each.
    named: Vec<(String, u64)>,
    /// The most SELECTs of a query or of one that WITH names.
    selects: u64,
    reread: u64,
    set_operations: usize,
    joins: usize,
    ands: usize,
    ors: usize,
    sort_keys: usize,
    windows: usize,
}

impl<'a> Shape<'a> {
    fn read(&mut self, token: &'a Token, next: Option<&Token>) {
        match token {
            Token::LBracket if self.previous.is_some_and(is_value) => {
                self.current.chain += 1;
                self.open(Opening::Bracket, next);
            }
            Token::LParen | Token::LBracket | Token::LBrace => self.open(Opening::Bracket, next),
            Token::RParen | Token::RBracket | Token::RBrace => {
                // A CASE without END ends here too.
                while self.current.opening == Opening::Case && self.close() {}
                self.close();
            }
            Token::Comma => self.comma(),
            Token::Word(word) => self.word(word, next),
            Token::Minus | Token::Plus | Token::Tilde => {
                // The first of several may stand between two values.
                self.current.signs += usize::from(self.previous.is_some_and(is_sign));
            }
            Token::SemiColon => self.current.next_operand(),
            token if is_comparison(token) => self.current.chain += 1,
            _ => {}
        }
        if !is_sign(token) {
            self.current.signs = 0;
        }
        self.reread = self.reread.saturating_add(self.current.reread());
        self.selects = self.selects.max(self.current.selects);
        self.previous = Some(token);
    }

    fn open(&mut self, opening: Opening, next: Option<&Token>) {
        // Behind a bracket in FROM the parser tries a query, then tables.
        let is_table = self.current.clause == Clause::From && self.previous == Some(&Token::LParen);
        let is_case = opening == Opening::Case;
        let doublings = usize::from(is_table || is_case) + self.previous.map_or(0, doublings);
        let is_query = opening == Opening::Bracket && next.is_some_and(begins_query);
        let is_type = opening == Opening::Bracket && next == Some(&Token::RBracket);
        self.current.chain += usize::from(is_type);
        let mut inner = self.current.inner(opening, doublings, is_query);
        // A join in brackets; not the arguments of a table function.
        if self.current.clause == Clause::From && self.previous.is_some_and(precedes_table) {
            inner.clause = Clause::From;
        }
        self.outer.push(std::mem::replace(&mut self.current, inner));
    }

    /// Ends what is open; false where nothing is.
    fn close(&mut self) -> bool {
        let Some(outer) = self.outer.pop() else {
            return false;
        };
        let inner = std::mem::replace(&mut self.current, outer);
        match self.current.naming() {
            Some(name) => {
                let name = compared(name);
                self.named.retain(|(known, _)| *known != name);
                self.named.push((name, inner.selects.max(1)));
            }
            None => self.current.selects = self.current.selects.saturating_add(inner.selects),
        }
        self.selects = self.selects.max(self.current.selects);
        true
    }

    fn comma(&mut self) {
        match self.current.clause {
            Clause::Select => self.current.columns += 1,
            Clause::From => self.joins += 1,
            Clause::OrderBy => self.sort_keys += 1,
            Clause::PartitionBy => self.current.partition_keys += 1,
            Clause::With | Clause::Other => {}
        }
        self.current.next_operand();
    }

    fn word(&mut self, word: &'a Word, next: Option<&Token>) {
        if self.previous == Some(&Token::Period) {
            return;
        }
        let is_after = |keyword| {
            self.previous
                .is_some_and(|token| is_keyword(token, keyword))
        };
        let begins_item = self.previous == Some(&Token::Comma);
        let begins_table = self.previous.is_some_and(precedes_table);
        let is_before_time = next.is_some_and(|token| is_keyword(token, Keyword::TIME));
        match word.keyword {
            // A column may be called so.
            Keyword::CASE if !is_after(Keyword::AS) => self.open(Opening::Case, next),
            Keyword::END if self.current.opening == Opening::Case => {
                self.close();
            }
            Keyword::NOT | Keyword::LAMBDA => self.current.nots += 1,
            Keyword::INTERVAL => {
                self.current.intervals += usize::from(is_after(Keyword::INTERVAL));
            }
            Keyword::AND => {
                self.ands += 1;
                self.current.next_operand();
            }
            Keyword::OR => {
                self.ors += 1;
                self.current.next_operand();
            }
            Keyword::IS
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::AT
            | Keyword::COLLATE
            | Keyword::BETWEEN
            | Keyword::XOR => {
                self.current.chain += 1;
            }
            Keyword::SELECT => {
                self.current.selects = self.current.selects.saturating_add(1);
                self.current.columns = 0;
                self.current.begin(Clause::Select);
            }
            // Other uses of the words: IS DISTINCT FROM, DISTINCT ON, WITH TIME ZONE, WITHIN GROUP, * EXCEPT.
            Keyword::FROM | Keyword::ON if is_after(Keyword::DISTINCT) => {}
            Keyword::WITH if is_before_time => {}
            Keyword::GROUP if is_after(Keyword::WITHIN) => {}
            Keyword::EXCEPT if self.previous == Some(&Token::Mul) => {}
            Keyword::FROM => {
                // A query may begin with it.
                if self.current.clause != Clause::Select {
                    self.current.selects = self.current.selects.saturating_add(1);
                }
                self.current.begin(Clause::From);
            }
            Keyword::JOIN => {
                self.joins += 1;
                self.current.begin(Clause::From);
            }
            Keyword::ORDER => self.current.begin(Clause::OrderBy),
            Keyword::WITH => self.current.begin(Clause::With),
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                self.set_operations += 1;
                self.current.begin(Clause::Other);
            }
            Keyword::OVER => self.windows += 1,
            Keyword::PARTITION => self.current.begin(Clause::PartitionBy),
            Keyword::WHERE
            | Keyword::ON
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::QUALIFY
            | Keyword::WINDOW
            | Keyword::LIMIT
            | Keyword::VALUES
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => self.current.begin(Clause::Other),
            _ => match self.current.clause {
                Clause::With
                    if begins_item || is_after(Keyword::WITH) || is_after(Keyword::RECURSIVE) =>
                {
                    self.current.name = Some(word);
                }
                Clause::From if begins_table => {
                    let name = compared(word);
                    let behind = self.named.iter().find(|(known, _)| *known == name);
                    let selects = behind.map_or(0, |(_, selects)| *selects);
                    self.current.selects = self.current.selects.saturating_add(selects);
                }
                _ => {}
            },
        }
    }

    fn check(&self) -> Result<()> {
        let current = &self.current;
        require(
            current.nesting() <= MAX_NESTING,
            format_args!("{MAX_NESTING} brackets, CASE and prefix operators inside one another"),
            "compute in steps, named by WITH",
        )?;
        require(
            current.queries <= MAX_QUERIES,
            format_args!("{MAX_QUERIES} queries inside one another"),
            "name them side by side by WITH",
        )?;
        require(
            self.reread <= MAX_REREAD,
            format_args!(
                "16 CAST, CASE, NOT, ARRAY and similar inside one another, fewer around long lists"
            ),
            "compute in steps, named by WITH",
        )?;
        require(
            current.chain <= MAX_CHAIN,
            format_args!("{MAX_CHAIN} comparisons, casts, subscripts or bit operations in a row"),
            "compare with one value, cast once",
        )?;
        for (found, most, what, advice) in [
            (
                self.set_operations,
                MAX_SET_OPERATIONS,
                "UNION, EXCEPT and INTERSECT",
                "use VALUES, or filter with IN",
            ),
            (self.joins, MAX_JOINS, "joins", "ask in parts"),
            (
                self.ands,
                MAX_AND,
                "AND",
                "use NOT IN, or join a table of values",
            ),
            (self.ors, MAX_OR, "OR", "use IN, or join a table of values"),
            (current.columns, MAX_COLUMNS, "columns", "ask in parts"),
            (
                current.partition_keys,
                MAX_PARTITION_KEYS,
                "keys of PARTITION BY",
                "number the groups in a step before, named by WITH",
            ),
            (self.sort_keys, MAX_SORT_KEYS, "sort keys", "sort by fewer"),
            (
                self.windows,
                MAX_WINDOWS,
                "window functions",
                "ask in parts",
            ),
        ] {
            require(found <= most, format_args!("{most} {what}"), advice)?;
        }
        require(
            self.selects <= MAX_SELECTS,
            format_args!("{MAX_SELECTS} SELECTs, those of a WITH query as often as it is read"),
            "ask in parts",
        )
    }
}

/// How often the work doubles behind forms that the parser reads once more, as a name or a function, where it does not understand what is
/// inside; and behind FILTER, whose condition the planner looks through again at each level.
fn doublings(token: &Token) -> usize {
    let Token::Word(word) = token else {
        return 0;
    };
    if word.keyword == Keyword::POSITION {
        // Read in a third way too.
        return 2;
    }
    usize::from(matches!(
        word.keyword,
        Keyword::ARRAY
            | Keyword::CAST
            | Keyword::CEIL
            | Keyword::CONVERT
            | Keyword::EXTRACT
            | Keyword::FILTER
            | Keyword::FLOOR
            | Keyword::MAP
            | Keyword::MATCH
            | Keyword::OVERLAY
            | Keyword::SAFE_CAST
            | Keyword::SUBSTR
            | Keyword::SUBSTRING
            | Keyword::TRY_CAST
            | Keyword::TRY_CONVERT
    ))
}

/// A name as the planner compares it.
fn compared(word: &Word) -> String {
    match word.quote_style {
        Some(_) => word.value.clone(),
        None => word.value.to_lowercase(),
    }
}

/// What a subscript may follow.
fn is_value(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            !matches!(word.keyword, Keyword::ARRAY | Keyword::IN | Keyword::SELECT)
        }
        Token::RParen | Token::RBracket | Token::RBrace => true,
        Token::Number(..) | Token::SingleQuotedString(_) => true,
        _ => false,
    }
}

fn is_sign(token: &Token) -> bool {
    matches!(token, Token::Minus | Token::Plus | Token::Tilde)
}

/// What a table, or a bracket with tables, follows.
fn precedes_table(token: &Token) -> bool {
    match token {
        Token::Comma | Token::LParen => true,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::FROM | Keyword::JOIN | Keyword::LATERAL
        ),
        _ => false,
    }
}

fn begins_query(token: &Token) -> bool {
    let Token::Word(word) = token else {
        return false;
    };
    matches!(
        word.keyword,
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE
    )
}

fn is_keyword(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword)
}

fn is_comparison(token: &Token) -> bool {
    matches!(
        token,
        Token::DoubleColon
            | Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::LtEq
            | Token::Gt
            | Token::GtEq
            | Token::Spaceship
            | Token::Arrow
            | Token::LongArrow
            | Token::Ampersand
            | Token::Pipe
            | Token::Caret
            | Token::ShiftLeft
            | Token::ShiftRight
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::AtArrow
            | Token::ArrowAt
    )
}
