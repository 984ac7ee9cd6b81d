//! When two migrations must not run at once.

use crate::model::Span;
use crate::sql::{Aspect, Cell, Footprint, LockMode, ObjectId, Op};

/// Why two migrations must not run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// One would wait for the other, and both for each other in the worst case.
    Locks {
        /// The relation.
        relation: ObjectId,
        /// The first one's mode and place.
        one: (LockMode, Span),
        /// The other's.
        other: (LockMode, Span),
    },
    /// Both write one row of the catalogue: `tuple concurrently updated`
    /// (PG-FACTS 2).
    Row {
        /// The object or name.
        cell: Cell,
        /// Where the first one does.
        one: Span,
        /// Where the other does.
        other: Span,
    },
    /// One builds or drops `CONCURRENTLY` on a table that the other touches: a
    /// deadlock that leaves an INVALID index (PG-FACTS 3).
    Concurrently {
        /// The table.
        table: ObjectId,
        /// Where the first one does.
        one: Span,
        /// Where the other does.
        other: Span,
    },
}

/// The first reason why `one` and `other` must not run at once.
pub fn conflict(one: &Footprint, other: &Footprint) -> Option<Collision> {
    concurrently(one, other, false)
        .or_else(|| concurrently(other, one, true))
        .or_else(|| locks(one, other))
        .or_else(|| rows(one, other))
}

fn concurrently(builder: &Footprint, other: &Footprint, swapped: bool) -> Option<Collision> {
    builder.concurrent().iter().find_map(|(table, span)| {
        let (_, theirs) = other.locks_on(*table)?;
        let (one, other) = if swapped { (theirs, *span) } else { (*span, theirs) };
        Some(Collision::Concurrently { table: *table, one, other })
    })
}

fn locks(one: &Footprint, other: &Footprint) -> Option<Collision> {
    one.locks().find_map(|(relation, modes, span)| {
        let (theirs, place) = other.locks_on(relation)?;
        let (mine, their) = modes.conflict(theirs)?;
        Some(Collision::Locks { relation, one: (mine, span), other: (their, place) })
    })
}

/// Names, definitions and privileges are rows of the catalogue; a relation's own
/// row is also written by whatever locks it strongly.
fn rows(one: &Footprint, other: &Footprint) -> Option<Collision> {
    let writes = |op: Op| op != Op::Read;
    one.touches().filter(|(cell, op, touch)| writes(*op) && !touch.soft && is_row(*cell)).find_map(
        |(cell, _, touch)| {
            let theirs = [Op::Add, Op::Write].into_iter().find_map(|op| other.touch(cell, op));
            let theirs = theirs.filter(|it| !it.soft)?;
            Some(Collision::Row { cell, one: touch.span, other: theirs.span })
        },
    )
}

fn is_row(cell: Cell) -> bool {
    match cell {
        Cell::Name(_) => true,
        Cell::Object(_, aspect) => matches!(aspect, Aspect::Definition | Aspect::Privileges),
    }
}
