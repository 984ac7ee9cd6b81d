//! When the order of two migrations matters.

use crate::model::Span;
use crate::sql::{Aspect, Cell, Footprint, Op, Touch};

/// How much of a history's result must be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Everything, the order of a table's columns too.
    Strict,
    /// What a program can see that names its columns.
    Relaxed,
}

/// Why the order of two migrations matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The later one uses what the earlier one makes or changes.
    Uses,
    /// The later one changes or drops what the earlier one uses.
    ChangesUsed,
    /// The later one makes what the earlier one looked for in vain.
    MakesMissing,
    /// The earlier one takes away what the later one looks for in vain.
    TakesAway,
    /// Both change it.
    BothChange,
    /// Both add a column to one table: only the order of the columns differs.
    ColumnOrder,
    /// Both add rows to one table, of which somebody numbers or picks some in the order
    /// in which they were added.
    RowOrder,
}

/// One reason why a migration must come behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What both want.
    pub cell: Cell,
    /// Why.
    pub why: Why,
    /// Where the earlier one touches it.
    pub earlier: Span,
    /// Where the later one does.
    pub later: Span,
    /// True when only the body of a function that nobody called says so, or a guess.
    pub soft: bool,
}

/// Why `later` must stay behind `earlier`; nothing when they may change places.
///
/// Both footprints must come from one replay, in this order.
pub fn needs(
    earlier: &Footprint,
    later: &Footprint,
    strictness: Strictness,
) -> impl Iterator<Item = Need> {
    later.touches().flat_map(move |(cell, op, touch)| {
        [Op::Read, Op::Add, Op::Write].into_iter().filter_map(move |before| {
            let why = reason(cell, before, op, strictness)?;
            let theirs = earlier.touch(cell, before)?;
            let why = in_vain((before, theirs), (op, touch)).unwrap_or(why);
            let soft = touch.soft || theirs.soft;
            Some(Need { cell, why, earlier: theirs.span, later: touch.span, soft })
        })
    })
}

/// Why `after` must stay behind `before` on one cell.
///
/// Two reads, and two additions, may change places. Columns of one table are the
/// exception: they are numbered in the order in which they are added
/// (PG-FACTS 8, the first of the differences); and so are rows where somebody asks for
/// it ([`super::infer`]).
pub(super) fn reason(cell: Cell, before: Op, after: Op, strictness: Strictness) -> Option<Why> {
    if before == Op::Add && after == Op::Add {
        return match cell {
            Cell::Object(_, Aspect::RowOrder | Aspect::RowPlace) => Some(Why::RowOrder),
            Cell::Object(_, Aspect::Sequence) if strictness == Strictness::Strict => {
                Some(Why::ColumnOrder)
            }
            _ => None,
        };
    }
    // Column by column is enough, where nobody reads a row as a whole.
    let in_any_column = matches!(cell, Cell::Object(_, Aspect::Values));
    if in_any_column && strictness == Strictness::Relaxed {
        return None;
    }
    match (before, after) {
        (Op::Read, Op::Read) => None,
        (_, Op::Read) => Some(Why::Uses),
        (Op::Read, _) => Some(Why::ChangesUsed),
        _ => Some(Why::BothChange),
    }
}

/// Why two stand the wrong way round: one looks for what is not there yet, or no more.
pub(super) fn in_vain(before: (Op, Touch), after: (Op, Touch)) -> Option<Why> {
    match (before, after) {
        ((Op::Read, used), (Op::Write, made)) if (used.missing || used.gone) && !made.gone => {
            Some(Why::MakesMissing)
        }
        ((Op::Write, taken), (Op::Read, used)) if taken.gone && used.gone => Some(Why::TakesAway),
        _ => None,
    }
}

/// Hard reasons first, then what only the other order can mend, then those about a
/// thing rather than a name, then the plainest.
pub(super) fn rank(need: &Need) -> (bool, bool, bool, Why) {
    let named = matches!(need.cell, Cell::Name(_));
    (need.soft, need.why != Why::TakesAway, named, need.why)
}
