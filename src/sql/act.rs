//! What a statement says, before its names are looked up.
//!
//! [`super::read`] makes these from the syntax tree and [`super::Catalogue`]
//! gives them meaning. They hold names as written, and the spans of the text
//! that was read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::lock::LockMode;
use super::name::{Ident, QName};
use super::reason::{Reason, reread};
use crate::model::Span;

/// One statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// From its first token to its last.
    pub span: Span,
    /// What it does, in order.
    pub acts: Box<[Act]>,
}

/// One thing that a statement does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Rows, functions and types are used: a query or a change of rows.
    Use(Box<Uses>),
    /// A function is called, with these arguments.
    Call(Call),
    /// A table is made.
    CreateTable(Box<NewTable>),
    /// A table, view, index or sequence is changed.
    AlterRelation(Box<AlterRelation>),
    /// An index is made.
    CreateIndex(Box<NewIndex>),
    /// A view or materialized view is made.
    CreateView(Box<NewView>),
    /// A function, procedure or aggregate is made.
    CreateRoutine(Box<NewRoutine>),
    /// A function gets another search path.
    RoutinePath(QName, OwnPath),
    /// A type or domain is made.
    CreateType(Box<NewType>),
    /// A sequence is made.
    CreateSequence(Box<NewSequence>),
    /// A value is added to an enum, or one is renamed.
    EnumValue(EnumChange),
    /// Anything else is made.
    Create(Box<Creation>),
    /// Objects are dropped.
    Drop(Removal),
    /// An object is renamed.
    Rename(Renaming),
    /// An object moves to another schema.
    SetSchema(Moving),
    /// An object other than a relation is changed.
    Alter(Box<Alteration>),
    /// Rows of tables are removed at once.
    Truncate(TableList),
    /// Tables are locked, analysed, reindexed …
    Lock(Locking),
    /// Privileges are given or taken.
    Grant(Grant),
    /// The names that follow are looked up elsewhere.
    SearchPath(SearchPath),
    /// What follows is done as another role, or no longer so.
    Role(bool),
    /// A block that is executed now and decides itself what of it happens.
    Block(Vec<Act>),
    /// What happens only under a condition.
    Perhaps(Vec<Act>),
    /// It must run alone, and why.
    Barrier(#[serde(deserialize_with = "reread")] Reason, Span),
    /// What it does is not known, and why.
    Opaque(#[serde(deserialize_with = "reread")] Reason, Span),
}

impl From<Uses> for Act {
    fn from(uses: Uses) -> Self {
        Self::Use(Box::new(uses))
    }
}

impl Act {
    /// True for what may not happen: it depends on a condition, or on what is there
    /// already.
    pub(super) fn is_guarded(&self) -> bool {
        match self {
            Self::Perhaps(_) => true,
            Self::CreateTable(it) => it.if_not_exists,
            Self::CreateIndex(it) => it.if_not_exists,
            Self::CreateView(it) => it.if_not_exists,
            Self::CreateSequence(it) => it.if_not_exists,
            Self::Create(it) => it.if_not_exists,
            _ => false,
        }
    }

    /// True for what event triggers are told of: all that changes a definition
    /// (<https://www.postgresql.org/docs/current/event-trigger-matrix.html>).
    pub(super) fn is_definition(&self) -> bool {
        match self {
            Self::Block(inner) | Self::Perhaps(inner) => inner.iter().any(Self::is_definition),
            Self::Use(_)
            | Self::Call(_)
            | Self::Truncate(_)
            | Self::Lock(_)
            | Self::SearchPath(_)
            | Self::Role(_)
            | Self::Barrier(..)
            | Self::Opaque(..) => false,
            _ => true,
        }
    }
}

/// What a query or an expression refers to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Uses {
    /// Tables and views.
    pub relations: Vec<RelationUse>,
    /// Columns, or what looks like one.
    pub columns: Vec<ColumnUse>,
    /// Other objects by kind: functions, types, collations …
    pub objects: Vec<(Kind, QName)>,
    /// Names of objects that are written as strings: `nextval('s')`.
    pub named: Vec<(Kind, QName)>,
    /// Columns whose sequence is meant: `pg_get_serial_sequence('t', 'c')`.
    pub numbered: Vec<(QName, Ident)>,
    /// Plain strings: an enum's value may be among them.
    pub literals: Vec<(Ident, Span)>,
    /// Parts of tables for which the server's catalogue is asked by name.
    pub asked: Vec<(Kind, Ident)>,
    /// Types to which something is converted that is no plain string, and those whose
    /// values are listed.
    pub converted: Vec<QName>,
    /// True when rows are grouped: a key may stand for all columns of its table.
    pub grouped: bool,
    /// True when an order of rows is written.
    pub sorted: bool,
    /// True when what comes out depends on the order of rows: `LIMIT`, `array_agg` …
    pub picks: bool,
    /// Where it asks the server for all that is there of some kind.
    pub lists: Option<Span>,
}

impl Uses {
    /// True when it refers to nothing.
    pub fn is_empty(&self) -> bool {
        self.relations.is_empty()
            && self.columns.is_empty()
            && self.objects.is_empty()
            && self.named.is_empty()
            && self.literals.is_empty()
            && self.converted.is_empty()
    }

    /// True when it changes rows.
    pub fn changes(&self) -> bool {
        self.relations.iter().any(RelationUse::is_changed)
    }

    /// What fails is passed over: a row that is there already counts, as with
    /// `ON CONFLICT`.
    pub fn tolerate(&mut self) {
        for relation in &mut self.relations {
            if let RowAccess::Insert { upsert, .. } = &mut relation.access {
                *upsert = true;
            }
        }
    }

    /// Takes over what `other` refers to.
    pub fn extend(&mut self, other: Self) {
        self.relations.extend(other.relations);
        self.columns.extend(other.columns);
        self.objects.extend(other.objects);
        self.named.extend(other.named);
        self.numbered.extend(other.numbered);
        self.literals.extend(other.literals);
        self.asked.extend(other.asked);
        self.converted.extend(other.converted);
        self.grouped |= other.grouped;
        self.sorted |= other.sorted;
        self.picks |= other.picks;
        self.lists = self.lists.or(other.lists);
    }
}

/// A table or view in a query.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelationUse {
    /// Its name.
    pub name: QName,
    /// What the query calls it.
    pub alias: Option<Ident>,
    /// What is done to its rows.
    pub access: RowAccess,
    /// True when all of its columns are meant: `*`.
    pub star: bool,
}

/// What a statement does to the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowAccess {
    /// Reads them.
    Read,
    /// Reads them `FOR UPDATE` or the like.
    Lock,
    /// Adds some.
    Insert {
        /// The columns that are named; `None`: none are.
        columns: Option<Vec<Ident>>,
        /// The columns that get no default.
        given: Given,
        /// True with `ON CONFLICT`: what is there already decides.
        upsert: bool,
    },
    /// Gives these columns other values; `None`: any.
    Update(Option<Vec<Ident>>),
    /// Removes some, or changes them in another way.
    Write,
    /// All of these: `MERGE`.
    Merge,
}

/// Which columns of a new row are given a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Given {
    /// All of them, or nobody knows.
    All,
    /// As many, in the table's order.
    First(usize),
    /// These.
    Columns(Vec<Ident>),
}

impl RelationUse {
    /// True when its rows are changed.
    pub fn is_changed(&self) -> bool {
        !matches!(self.access, RowAccess::Read | RowAccess::Lock)
    }
}

/// A column in an expression, or what may be one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnUse {
    /// The table or alias before it, when there is one.
    pub table: Option<Ident>,
    /// Its name.
    pub name: Ident,
    /// True when it can be nothing else: no variable, and no subquery's column.
    pub sure: bool,
    /// Where.
    pub span: Span,
}

/// `CREATE TABLE` in all its forms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewTable {
    /// Its name.
    pub name: QName,
    /// `Table` or `ForeignTable`.
    pub kind: Kind,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMP`: nobody else sees it.
    pub temporary: bool,
    /// Its columns, without inherited ones.
    pub columns: Box<[NewColumn]>,
    /// Constraints that are written on their own.
    pub constraints: Box<[NewConstraint]>,
    /// Tables it inherits from.
    pub inherits: Vec<QName>,
    /// The table it is a partition of.
    pub partition_of: Option<QName>,
    /// True for the partition that takes what fits no other.
    pub takes_the_rest: bool,
    /// Tables whose columns it copies.
    pub like: Vec<QName>,
    /// For `CREATE TABLE AS`: its query. Its columns are not known then.
    pub query: Option<Uses>,
    /// Everything else it refers to: its type, its server, its partition bounds.
    pub uses: Uses,
}

/// A column of a new table, or one that is added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewColumn {
    /// Its name.
    pub name: Ident,
    /// Where.
    pub span: Span,
    /// Its type.
    pub ty: Option<QName>,
    /// What a row gets that does not name it.
    pub filled: Filled,
    /// `NOT NULL`, `PRIMARY KEY` or `serial`.
    pub not_null: bool,
    /// Its constraints.
    pub constraints: Box<[NewConstraint]>,
    /// What its default, its generated value and its checks refer to.
    pub uses: Uses,
}

/// What a row gets in a column that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filled {
    /// NULL.
    Null,
    /// `DEFAULT`.
    Default,
    /// A number of the column's own sequence: `serial`, `GENERATED AS IDENTITY`.
    Numbered,
    /// What is worked out from other columns: `GENERATED ALWAYS AS (…)`.
    Generated,
}

/// A constraint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewConstraint {
    /// Its name, if one is given.
    pub name: Option<Ident>,
    /// Where.
    pub span: Span,
    /// What it is.
    pub kind: ConstraintKind,
    /// The columns it is about, where its text lists them.
    pub columns: Vec<Ident>,
    /// `NOT VALID`: rows that are there are not looked at.
    pub not_valid: bool,
    /// A foreign key with `CASCADE`, `SET NULL` or `SET DEFAULT`.
    pub acts: bool,
    /// What its expression refers to.
    pub uses: Uses,
}

/// What a constraint demands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// `PRIMARY KEY`; perhaps over an index that is there.
    Primary(Option<Ident>),
    /// `UNIQUE`; likewise.
    Unique(Option<Ident>),
    /// `EXCLUDE`.
    Exclude,
    /// `CHECK`.
    Check,
    /// `NOT NULL`.
    NotNull,
    /// `REFERENCES` this table's columns; none means its primary key.
    Foreign(QName, Vec<Ident>),
}

/// `ALTER TABLE` and its like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlterRelation {
    /// What it says the relation is.
    pub kind: Kind,
    /// The relation.
    pub name: QName,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `ONLY`: its children are left alone.
    pub only: bool,
    /// What is changed, in order.
    pub changes: Box<[Change]>,
}

/// One change of a relation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    /// A column is added.
    AddColumn {
        /// The column.
        column: Box<NewColumn>,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
    },
    /// A column is dropped.
    DropColumn(Member),
    /// A column is renamed.
    RenameColumn(Ident, Ident, Span),
    /// A constraint is added.
    AddConstraint(Box<NewConstraint>),
    /// A constraint is dropped.
    DropConstraint(Member),
    /// A constraint is renamed.
    RenameConstraint(Ident, Ident, Span),
    /// A constraint is checked against the rows, or its timing is changed.
    Constraint(Ident, LockMode, Span),
    /// A column is changed.
    Column(Box<ColumnChange>),
    /// The relation gets another name.
    RenameTo(Ident),
    /// It moves to another schema.
    SetSchema(Ident, Span),
    /// A partition is attached, or a parent inherited from.
    Attach {
        /// The partition, or the parent.
        other: QName,
        /// True when `other` is the parent (`INHERIT`).
        inherit: bool,
        /// True when another table may have to be scanned: `DEFAULT` partitions.
        default: bool,
        /// The strings in its bounds.
        bounds: Vec<(Ident, Span)>,
    },
    /// The reverse.
    Detach {
        /// The partition, or the parent.
        other: QName,
        /// True when `other` is the parent.
        inherit: bool,
        /// `CONCURRENTLY`.
        concurrently: bool,
    },
    /// One of its triggers or rules is switched on or off, or all are.
    Behaviour(LockMode, Option<(Kind, Ident)>, Span),
    /// Row level security is switched on or off.
    Security(Span),
    /// It gets another owner; `None` is the one who acts.
    Owner(Option<QName>, Span),
    /// A sequence's counter, or who owns it, is changed.
    Sequence {
        /// The column that owns it from now on.
        owned_by: Option<(QName, Ident)>,
        /// Where.
        span: Span,
    },
    /// Something else, under this lock.
    Other(LockMode, Box<Uses>, Span),
}

/// A column or constraint that goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: Ident,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `CASCADE`.
    pub cascade: bool,
    /// Where.
    pub span: Span,
}

/// `ALTER COLUMN`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnChange {
    /// The column.
    pub name: Ident,
    /// Where.
    pub span: Span,
    /// What is changed.
    pub what: ColumnAspect,
    /// What the expression refers to.
    pub uses: Uses,
}

/// What of a column is changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ColumnAspect {
    /// Its type.
    Type(Option<QName>),
    /// `SET NOT NULL`.
    NotNull,
    /// `DROP NOT NULL`.
    Nullable,
    /// What a row gets that does not name it; true when there is something.
    Default(bool),
    /// It becomes an identity column.
    Identity,
    /// How it is stored or measured, under this lock.
    Other(LockMode),
}

/// `CREATE INDEX`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword of the statement")]
pub struct NewIndex {
    /// Its name, if one is given.
    pub name: Option<Ident>,
    /// Its table.
    pub table: QName,
    /// Where.
    pub span: Span,
    /// `UNIQUE`.
    pub unique: bool,
    /// `USING`; without it, `btree`.
    pub method: Option<Ident>,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `ONLY`.
    pub only: bool,
    /// What the name is made of when none is given: columns, or `expr`.
    pub keys: Vec<Ident>,
    /// What its keys and its condition refer to.
    pub uses: Uses,
}

/// `CREATE VIEW`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewView {
    /// Its name.
    pub name: QName,
    /// `View` or `MaterializedView`.
    pub kind: Kind,
    /// `OR REPLACE`.
    pub replace: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMP`.
    pub temporary: bool,
    /// Its columns, where they can be told; `None` otherwise.
    pub columns: Option<Vec<Ident>>,
    /// Its query.
    pub uses: Uses,
}

/// `CREATE FUNCTION` and its like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewRoutine {
    /// Its name.
    pub name: QName,
    /// `OR REPLACE`.
    pub replace: bool,
    /// The types of its arguments, as text: functions of one name differ by it.
    pub signature: String,
    /// What its signature refers to.
    pub uses: Uses,
    /// What of its body is looked up when it is made.
    pub checked: Uses,
    /// Where its names are looked up, when it says so.
    pub path: Option<OwnPath>,
    /// What its body will do when it is called.
    pub body: Arc<[Act]>,
    /// The statement that makes it, where a call tells more than the body alone.
    pub source: Option<Arc<str>>,
}

/// Where a function looks names up: `SET search_path` behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum OwnPath {
    /// Here.
    Fixed(SearchPath),
    /// Where the script that makes it does: `FROM CURRENT`.
    Current,
    /// Where its caller does: `RESET`.
    Callers,
}

/// A call of a function that is executed now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// The function.
    pub name: QName,
    /// What it is given.
    pub arguments: Vec<Argument>,
}

/// What a function is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Argument {
    /// `name => value`.
    pub name: Option<Ident>,
    /// Its text, where that is the same every time.
    pub value: Option<String>,
}

/// `CREATE TYPE` or `CREATE DOMAIN`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewType {
    /// Its name.
    pub name: QName,
    /// An enum's values.
    pub labels: Vec<Ident>,
    /// A composite type's attributes.
    pub attributes: Vec<Ident>,
    /// A domain's constraints by name.
    pub constraints: Vec<Ident>,
    /// What it refers to.
    pub uses: Uses,
}

/// `CREATE SEQUENCE`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewSequence {
    /// Its name.
    pub name: QName,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMP`.
    pub temporary: bool,
    /// `OWNED BY`.
    pub owned_by: Option<(QName, Ident)>,
}

/// `ALTER TYPE … ADD VALUE` or `RENAME VALUE`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnumChange {
    /// The enum.
    pub ty: QName,
    /// The value that is added, or the new name.
    pub label: Ident,
    /// The value that is renamed.
    pub renamed: Option<Ident>,
    /// Where.
    pub span: Span,
}

/// Anything that is made and has no form of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Creation {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: QName,
    /// The table it belongs to.
    pub on: Option<QName>,
    /// `OR REPLACE`.
    pub replace: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The lock on `on`.
    pub lock: LockMode,
    /// What it refers to.
    pub uses: Uses,
    /// The function that a trigger calls whenever its table is written, and what it
    /// tells it.
    pub call: Option<(QName, Vec<String>)>,
    /// What a rule does then.
    pub body: Arc<[Act]>,
}

/// `DROP`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removal {
    /// What they are.
    pub kind: Kind,
    /// Their names.
    pub names: Vec<QName>,
    /// The table they belong to.
    pub on: Option<QName>,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `CASCADE`.
    pub cascade: bool,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// Of functions, the types of the arguments where they are written.
    pub signatures: Vec<Option<String>>,
}

/// `RENAME TO` of anything but a relation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Renaming {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: QName,
    /// The table it belongs to.
    pub on: Option<QName>,
    /// Its new name.
    pub to: Ident,
}

/// `SET SCHEMA` of anything but a relation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moving {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: QName,
    /// The schema it moves to.
    pub schema: Ident,
}

/// `ALTER` of anything but a relation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alteration {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: QName,
    /// The table it belongs to.
    pub on: Option<QName>,
    /// The lock on `on`.
    pub lock: LockMode,
    /// What is changed.
    pub aspect: AlteredAspect,
    /// What the change refers to.
    pub uses: Uses,
}

/// What of an object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlteredAspect {
    /// What it is.
    Definition,
    /// To whom it belongs.
    Owner,
    /// What is said about it.
    Comment,
}

/// Tables by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableList {
    /// The tables.
    pub names: Vec<QName>,
    /// `CASCADE`.
    pub cascade: bool,
    /// `RESTART IDENTITY`.
    pub restart: bool,
}

/// Tables that are locked without a change of their definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Locking {
    /// The tables, or indexes.
    pub names: Vec<QName>,
    /// What they are said to be.
    pub kind: Kind,
    /// The lock.
    pub mode: LockMode,
    /// What is done.
    pub what: Maintenance,
}

/// Why tables are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Maintenance {
    /// `LOCK TABLE`.
    Lock,
    /// `ANALYZE`, `VACUUM`: changes nothing that a query sees.
    Keep,
    /// `CLUSTER`: the table keeps in mind by which index.
    Cluster,
    /// `REINDEX`; true with `CONCURRENTLY`.
    Reindex(bool),
    /// `REFRESH MATERIALIZED VIEW`.
    Refresh,
}

/// `GRANT` or `REVOKE`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// False for `REVOKE`.
    pub give: bool,
    /// The objects.
    pub objects: Vec<(Kind, QName)>,
    /// The columns of these, when there are some.
    pub columns: Vec<Ident>,
    /// `ALL … IN SCHEMA` these.
    pub schemas: Vec<QName>,
    /// To or from whom; for membership, the granted roles too.
    pub roles: Vec<QName>,
    /// Where.
    pub span: Span,
}

/// `SET search_path`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchPath {
    /// The schemas; `None` for the default.
    pub schemas: Option<Vec<Ident>>,
}

impl SearchPath {
    /// The schemas that are searched; `pg_catalog` is anyway, and that of the user is
    /// not known.
    pub(super) fn searched(&self) -> Vec<Ident> {
        let named = |schema: &Ident| !matches!(schema.as_str(), "pg_catalog" | "$user");
        match &self.schemas {
            Some(schemas) => schemas.iter().filter(|it| named(it)).cloned().collect(),
            None => vec![Ident::new("public")],
        }
    }
}
