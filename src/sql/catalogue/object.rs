//! The objects of a catalogue.

use std::sync::Arc;

use crate::sql::act::Act;
use crate::sql::footprint::{ObjectId, SlotId};
use crate::sql::kind::Kind;
use crate::sql::name::Ident;

/// Where a name is unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Schema(Ident),
    Of(ObjectId),
    Global,
}

/// A name, unique among all of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NameKey {
    pub(super) class: Kind,
    pub(super) scope: Scope,
    pub(super) name: Ident,
}

/// A name and what it stands for now.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: NameKey,
    /// What a script gave this name.
    pub(super) holder: Option<ObjectId>,
    /// True when a script gave it this name once.
    pub(super) made: bool,
    /// What is taken for it as long as no script did; see [`Object::assumed`].
    pub(super) assumed: Option<ObjectId>,
}

/// An object that was made or is assumed, and perhaps was dropped again.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    /// Its present name, or its last.
    pub(super) slot: SlotId,
    /// The table, type or extension that it belongs to and goes with.
    pub(super) parent: Option<ObjectId>,
    pub(super) dropped: bool,
    /// Nobody else sees it.
    pub(super) temporary: bool,
    /// It was given to a role, which may only what it was granted.
    pub(super) given_away: bool,
    /// What belongs to it and goes with it.
    pub(super) parts: Vec<ObjectId>,
    /// What depends on it: goes with `CASCADE`, and forbids to drop it without.
    pub(super) dependents: Vec<ObjectId>,
    /// What it depends on itself.
    pub(super) foundations: Vec<ObjectId>,
    pub(super) detail: Detail,
}

/// What only some kinds have.
#[derive(Debug, Default)]
pub(super) enum Detail {
    #[default]
    None,
    Relation(Box<Relation>),
    Column(Column),
    Constraint(Box<Constraint>),
    Index(Index),
    Routine(Routine),
    Trigger(Trigger),
    /// What a rule does.
    Rule(Arc<[Act]>),
}

/// How much of a relation is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    #[default]
    Whole,
    /// It may have more columns: `SELECT *`, or an unknown parent.
    SomeColumns,
    /// No script made it: what others have used of it.
    Uses,
}

/// Tables, views and the like.
#[derive(Debug, Default)]
pub(super) struct Relation {
    /// In order; dropped ones are removed.
    pub(super) columns: Vec<ObjectId>,
    pub(super) known: Known,
    pub(super) parents: Vec<ObjectId>,
    pub(super) children: Vec<ObjectId>,
    /// What a view reads, or a table of a query was made from.
    pub(super) sources: Vec<ObjectId>,
    /// Foreign keys of other tables that point here.
    pub(super) referenced_by: Vec<ObjectId>,
    /// True for a partitioned table's partitions.
    pub(super) partition: bool,
    /// True for the one that takes what fits no other.
    pub(super) takes_the_rest: bool,
}

impl Relation {
    /// True when it may have more columns than are known.
    pub(super) fn is_open(&self) -> bool {
        self.known != Known::Whole
    }

    /// True when no script made it.
    pub(super) fn is_assumed(&self) -> bool {
        self.known == Known::Uses
    }
}

#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) ty: Option<ObjectId>,
    /// A row that does not name it takes a number from a sequence.
    pub(super) counts: bool,
    /// It is worked out from others.
    pub(super) generated: bool,
    /// A row that does not name it is refused, or worked for: without it, it is not.
    pub(super) demanding: bool,
    /// Its values name objects of this kind.
    pub(super) names: Option<Kind>,
}

#[derive(Debug, Default)]
pub(super) struct Constraint {
    pub(super) columns: Vec<ObjectId>,
    /// The index that enforces it.
    pub(super) index: Option<ObjectId>,
    /// The table that a foreign key points to.
    pub(super) foreign: Option<ObjectId>,
    /// True when its rows are changed with those they point to: `CASCADE`, `SET NULL`.
    pub(super) acts: bool,
    pub(super) primary: bool,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) columns: Vec<ObjectId>,
    pub(super) unique: bool,
    /// A row may be refused for it: it is unique, or works something out.
    pub(super) demanding: bool,
    /// What it is made of, for its copies on partitions.
    pub(super) keys: Vec<Ident>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Trigger {
    pub(super) function: Option<ObjectId>,
    /// What it finds in `TG_ARGV`.
    pub(super) arguments: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Routine {
    /// One for each function of this name.
    pub(super) bodies: Vec<Body>,
}

#[derive(Clone, Debug)]
pub(super) struct Body {
    /// The types of its arguments.
    pub(super) signature: String,
    pub(super) acts: Arc<[Act]>,
    /// Its source, where its arguments tell more.
    pub(super) source: Option<Arc<str>>,
    /// Where its names are looked up; `None`: where the caller's are.
    pub(super) path: Option<Vec<Ident>>,
}
