//! What one migration touches, found out by replaying it.

use std::collections::BTreeMap;

use super::lock::{LockMode, Modes};
use super::reason::Reason;
use crate::model::Span;

/// An object, the same through all its names.
///
/// Valid only for the catalogue that it came from. Two that are made under one
/// name, one behind the other, differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub(super) u32);

/// A name and its place, whatever it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub(super) u32);

/// What of an object is touched. Two migrations that touch different aspects of it
/// do not get into each other's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// That it is there, under its name, and what it is.
    Definition,
    /// Which columns a relation has: what `*` means.
    Columns,
    /// In which order a relation's columns, or an enum's values, stand.
    Sequence,
    /// Which rows a relation has; a sequence's counter.
    Rows,
    /// In which order a query without `ORDER BY` finds the rows: as they were added and
    /// changed, in most cases.
    RowOrder,
    /// Where the rows stand that were changed: an update puts a row elsewhere, and how
    /// wide it is by then decides where.
    RowPlace,
    /// What stands in the rows that are there, in whichever column.
    Values,
    /// What stands in one column of them, or in all when the columns are not known.
    Value,
    /// Whether row level security is in force.
    Security,
    /// What happens when rows are written: defaults, triggers, rules, the end of a
    /// constraint.
    Behaviour,
    /// Which constraints a relation has.
    Constraints,
    /// Which foreign keys point to it.
    References,
    /// Which indexes a relation has: what `LIKE` copies besides.
    Indexes,
    /// That the rows that are there satisfy what is demanded of them. Rows that are
    /// only added do not change this: they are checked in any order.
    Checked,
    /// Owner and privileges.
    Privileges,
    /// Which objects are in a schema, which partitions a table has.
    Members,
    /// What is said about it.
    Comment,
}

/// The unit of which two migrations may both want something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// A name: what it stands for changes when something is made, renamed or dropped.
    Name(SlotId),
    /// An aspect of an object.
    Object(ObjectId, Aspect),
}

/// What is done to a cell.
///
/// Two migrations may change places when both only read it, or both only add to
/// it; in every other case the order is part of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Its state is used.
    Read,
    /// Something is added that does not depend on what others add.
    Add,
    /// It is changed.
    Write,
}

impl Op {
    /// True when two of them can change places.
    pub fn commutes_with(self, other: Self) -> bool {
        matches!((self, other), (Self::Read, Self::Read) | (Self::Add, Self::Add))
    }
}

/// How a migration touches a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about one use")]
pub struct Touch {
    /// Where it does so first.
    pub span: Span,
    /// True when only the body of a function says so, which nothing has called, or when
    /// it is a guess.
    pub soft: bool,
    /// True when there was nothing there to be used, and no script ever made it.
    pub missing: bool,
    /// Of a use: what was there is gone. Of a change of a name: nothing has it
    /// afterwards.
    pub gone: bool,
    /// Of a name: it may not come to that, as behind `IF NOT EXISTS`.
    pub guarded: bool,
}

/// A statement that must not run beside any other, or that is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Why.
    pub why: Reason,
    /// Where.
    pub span: Span,
    /// True when only the body of a function says so.
    pub soft: bool,
}

/// What one script touches.
///
/// Made by [`super::Catalogue::replay`].
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    pub(super) touches: BTreeMap<(Cell, Op), Touch>,
    pub(super) locks: BTreeMap<ObjectId, (Modes, Span)>,
    pub(super) barriers: Vec<Remark>,
    pub(super) concurrent: Vec<(ObjectId, Span)>,
    pub(super) opaque: Vec<Remark>,
}

impl Footprint {
    /// What it does to each cell, in a fixed order.
    pub fn touches(&self) -> impl Iterator<Item = (Cell, Op, Touch)> {
        self.touches.iter().map(|((cell, op), touch)| (*cell, *op, *touch))
    }

    /// How it touches `cell` in this way, if it does.
    pub fn touch(&self, cell: Cell, op: Op) -> Option<Touch> {
        self.touches.get(&(cell, op)).copied()
    }

    /// The lock modes that it takes on relations that others can see.
    pub fn locks(&self) -> impl Iterator<Item = (ObjectId, Modes, Span)> {
        self.locks.iter().map(|(object, (modes, span))| (*object, *modes, *span))
    }

    /// The modes that it takes on `object`.
    pub fn locks_on(&self, object: ObjectId) -> Option<(Modes, Span)> {
        self.locks.get(&object).copied()
    }

    /// Why it must run alone.
    pub fn barriers(&self) -> &[Remark] {
        &self.barriers
    }

    /// The tables on which it works `CONCURRENTLY`.
    pub fn concurrent(&self) -> &[(ObjectId, Span)] {
        &self.concurrent
    }

    /// What of it is not understood.
    pub fn opaque(&self) -> &[Remark] {
        &self.opaque
    }

    /// True when all of it is understood.
    pub fn is_clear(&self) -> bool {
        self.opaque.iter().all(|remark| remark.soft)
    }

    /// Records a touch; of two of a kind, a hard one before a soft one, and then
    /// the first.
    pub(super) fn add(&mut self, cell: Cell, op: Op, touch: Touch) {
        let known = self.touches.entry((cell, op)).or_insert(touch);
        if known.soft && !touch.soft {
            *known = touch;
        }
    }

    /// Notes of each name that was changed whether it stands for something now.
    pub(super) fn settle_names(&mut self, is_gone: impl Fn(SlotId) -> bool) {
        for ((cell, op), touch) in &mut self.touches {
            if let (Cell::Name(slot), Op::Write) = (*cell, *op) {
                touch.gone = is_gone(slot);
            }
        }
    }

    pub(super) fn lock(&mut self, object: ObjectId, mode: LockMode, span: Span) {
        let (modes, _) = self.locks.entry(object).or_insert((Modes::default(), span));
        modes.insert(mode);
    }
}
