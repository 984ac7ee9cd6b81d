//! `CREATE TABLE` and what stands in its parentheses.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::tree::{child, children, find, has, ident, idents, tokens};
use crate::model::Span;
use crate::sql::act::{Act, ConstraintKind, Filled, NewColumn, NewConstraint, NewTable, Uses};
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

/// Types that own a sequence
/// (<https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL>).
const SERIAL: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];

/// A column of which only the name is known.
pub(super) fn plain_column(name: Ident, span: Span) -> NewColumn {
    NewColumn {
        name,
        span,
        ty: None,
        filled: Filled::Null,
        not_null: false,
        constraints: Box::default(),
        uses: Uses::default(),
    }
}

impl Reader<'_> {
    /// `CREATE TABLE`, `CREATE FOREIGN TABLE`.
    pub(super) fn create_table(self, node: &SyntaxNode) -> Option<Act> {
        let name = self.name_in(node, S::TABLE_NAME)?;
        let list = child(node, S::TABLE_ARG_LIST);
        let args = |kind: S| {
            let list = list.clone();
            list.into_iter().flat_map(move |list| children(&list, kind).collect::<Vec<_>>())
        };
        let foreign = node.kind() == S::CREATE_FOREIGN_TABLE;
        let constraints = list.iter().flat_map(SyntaxNode::children);
        let like = args(S::LIKE_CLAUSE).filter_map(|one| self.name_in(&one, S::RELATION_NAME_REF));
        let inherits = child(node, S::INHERITS);
        let names = |node: SyntaxNode| self.names_in(&node, S::TABLE_NAME_REF);
        let parts = [
            S::TABLE_NAME,
            S::TABLE_ARG_LIST,
            S::INHERITS,
            S::PARTITION_OF,
            S::PARTITION_BY,
            S::TABLESPACE_CLAUSE,
        ];
        let mut uses = self.uses_without(node, &parts);
        // Keys of a partitioned table are its own columns; functions are not.
        uses.extend(child(node, S::PARTITION_BY).map(|by| self.uses(&by)).unwrap_or_default());
        Some(Act::CreateTable(Box::new(NewTable {
            name,
            kind: if foreign { Kind::ForeignTable } else { Kind::Table },
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            temporary: is_temporary(node),
            columns: args(S::COLUMN).filter_map(|column| self.column(&column)).collect(),
            constraints: constraints.filter_map(|one| self.constraint(&one)).collect(),
            inherits: inherits.map(names).unwrap_or_default(),
            partition_of: child(node, S::PARTITION_OF)
                .and_then(|parent| self.name_in(&parent, S::TABLE_NAME_REF)),
            takes_the_rest: find(node, S::PARTITION_DEFAULT).is_some(),
            like: like.collect(),
            query: None,
            uses,
        })))
    }

    /// `CREATE TABLE AS`.
    pub(super) fn create_table_as(self, node: &SyntaxNode) -> Option<Act> {
        let name = self.name_in(node, S::TABLE_NAME)?;
        let listed = child(node, S::TABLE_ARG_LIST);
        let given = listed.map(|list| {
            let name =
                |column: SyntaxNode| child(&column, S::COLUMN_NAME).and_then(|it| ident(&it));
            children(&list, S::COLUMN).filter_map(name).collect::<Vec<_>>()
        });
        let columns = given.or_else(|| super::create::output_columns(node));
        let query =
            self.uses_without(node, &[S::TABLE_NAME, S::TABLE_ARG_LIST, S::TABLESPACE_CLAUSE]);
        let mut table = NewTable::of_query(name, query, columns);
        table.if_not_exists = has(node, S::IF_NOT_EXISTS);
        table.temporary = is_temporary(node);
        Some(Act::CreateTable(Box::new(table)))
    }

    /// A column of `CREATE TABLE`, or the one that `ADD COLUMN` adds.
    pub(super) fn column(self, node: &SyntaxNode) -> Option<NewColumn> {
        let name = child(node, S::COLUMN_NAME).and_then(|name| ident(&name))?;
        let ty = self.type_of(node);
        let serial = ty.as_ref().is_some_and(|ty| SERIAL.contains(&ty.name.as_str()));
        let kinds: Vec<_> = node.children().map(|child| child.kind()).collect();
        let has_kind = |kind: S| kinds.contains(&kind);
        let identity = find(node, S::GENERATED_IDENTITY).is_some();
        let of_column = |mut one: NewConstraint| {
            if one.columns.is_empty() {
                one.columns.push(name.clone());
            }
            one
        };
        let constraints =
            node.children().filter_map(|one| self.constraint(&one)).map(of_column).collect();
        let left_out = [
            S::COLUMN_NAME,
            S::REFERENCES_CONSTRAINT,
            S::CHECK_CONSTRAINT,
            S::UNIQUE_CONSTRAINT,
            S::PRIMARY_KEY_CONSTRAINT,
        ];
        let mut uses = self.uses_without(node, &left_out);
        uses.objects.retain(|(_, name)| !SERIAL.contains(&name.name.as_str()));
        let filled = if serial || identity {
            Filled::Numbered
        } else if has_kind(S::GENERATED_CONSTRAINT) {
            Filled::Generated
        } else if has_kind(S::DEFAULT_CONSTRAINT) {
            Filled::Default
        } else {
            Filled::Null
        };
        Some(NewColumn {
            span: self.span(node),
            ty: ty.filter(|_| !serial),
            filled,
            not_null: serial
                || has_kind(S::NOT_NULL_CONSTRAINT)
                || has_kind(S::PRIMARY_KEY_CONSTRAINT),
            constraints,
            uses,
            name,
        })
    }

    /// The type's name, without an array's brackets; `None` for one that only
    /// the grammar knows, such as `timestamp with time zone`.
    pub(super) fn type_of(self, node: &SyntaxNode) -> Option<QName> {
        let ty =
            node.children().find(|child| matches!(child.kind(), S::PATH_TYPE | S::ARRAY_TYPE))?;
        let path = find(&ty, S::PATH_REF)?;
        self.name(&path)
    }

    /// A constraint of a column or a table; `None` for what PostgreSQL stores with
    /// the column itself (defaults, `NULL`; `NOT NULL` before version 18).
    pub(super) fn constraint(self, node: &SyntaxNode) -> Option<NewConstraint> {
        let listed = |kind: S| find(node, kind).map(|list| column_names(&list)).unwrap_or_default();
        let using =
            || find(node, S::USING_INDEX_NAME).and_then(|it| self.name_below(&it, S::INDEX_REF));
        let using = || using().map(|name| name.name);
        let (kind, columns) = match node.kind() {
            S::PRIMARY_KEY_CONSTRAINT => {
                (ConstraintKind::Primary(using()), listed(S::CONSTRAINT_COLUMN_REF_LIST))
            }
            S::UNIQUE_CONSTRAINT => {
                (ConstraintKind::Unique(using()), listed(S::CONSTRAINT_COLUMN_REF_LIST))
            }
            S::CHECK_CONSTRAINT => (ConstraintKind::Check, Vec::new()),
            S::EXCLUDE_CONSTRAINT => (ConstraintKind::Exclude, excluded(node)),
            S::FOREIGN_KEY_CONSTRAINT => self.foreign_key(node)?,
            S::REFERENCES_CONSTRAINT => self.references(node)?,
            _ => return None,
        };
        let name = child(node, S::CONSTRAINT_NAME_CLAUSE)
            .and_then(|clause| child(&clause, S::CONSTRAINT_NAME));
        let uses = match node.kind() {
            S::CHECK_CONSTRAINT | S::EXCLUDE_CONSTRAINT => self.uses(node),
            _ => Uses::default(),
        };
        Some(NewConstraint {
            name: name.and_then(|name| ident(&name)),
            span: self.span(node),
            kind,
            columns,
            not_valid: find(node, S::NOT_VALID).is_some(),
            acts: acts(node),
            uses,
        })
    }

    fn foreign_key(self, node: &SyntaxNode) -> Option<(ConstraintKind, Vec<Ident>)> {
        let table = self.name_in(node, S::TABLE_NAME_REF)?;
        let mut lists = children(node, S::FOREIGN_KEY_COLUMN_LIST).map(|list| column_names(&list));
        let from = lists.next().unwrap_or_default();
        Some((ConstraintKind::Foreign(table, lists.next().unwrap_or_default()), from))
    }

    fn references(self, node: &SyntaxNode) -> Option<(ConstraintKind, Vec<Ident>)> {
        let table = self.name_in(node, S::TABLE_NAME_REF)?;
        let to = children(node, S::COLUMN_NAME_REF).filter_map(|name| ident(&name)).collect();
        Some((ConstraintKind::Foreign(table, to), Vec::new()))
    }
}

/// True for a foreign key that changes its own rows: `ON DELETE CASCADE`, `SET NULL` …
fn acts(node: &SyntaxNode) -> bool {
    let foreign = matches!(node.kind(), S::FOREIGN_KEY_CONSTRAINT | S::REFERENCES_CONSTRAINT);
    foreign && tokens(node).any(|token| matches!(token.kind(), S::CASCADE_KW | S::SET_KW))
}

/// `TEMP`, or a name in `pg_temp`.
pub(super) fn is_temporary(node: &SyntaxNode) -> bool {
    let keyword = child(node, S::TEMP).is_some();
    let name = node.children().find(|child| matches!(child.kind(), S::TABLE_NAME | S::VIEW));
    let schema = name.map(|name| idents(&name)).unwrap_or_default();
    keyword || schema.first().is_some_and(|schema| schema.as_str() == "pg_temp")
}

/// The names of columns in a list.
pub(super) fn column_names(list: &SyntaxNode) -> Vec<Ident> {
    let names = list.descendants().filter(|inside| inside.kind() == S::COLUMN_NAME_REF);
    names.filter_map(|name| ident(&name)).collect()
}

/// The plain columns of an exclusion constraint, for its generated name.
fn excluded(node: &SyntaxNode) -> Vec<Ident> {
    let parts = node.descendants().filter(|inside| inside.kind() == S::CONSTRAINT_EXCLUSION);
    parts.filter_map(|part| child(&part, S::NAME_REF).and_then(|name| ident(&name))).collect()
}
