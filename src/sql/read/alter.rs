//! `ALTER` in all its forms.
//!
//! The lock of each change is that of `AlterTableGetLockLevel` in
//! `src/backend/commands/tablecmds.c`; `tests/server/locks.rs` compares them with
//! a server's.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::tree::{child, find, has, ident, reference};
use crate::sql::act::{
    Act, AlterRelation, Alteration, AlteredAspect, Change, ColumnAspect, ColumnChange, EnumChange,
    Member, Moving, Renaming,
};
use crate::sql::kind::{Kind, Scoping};
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName};

use LockMode::{AccessExclusive, ShareRowExclusive, ShareUpdateExclusive};

impl Reader<'_> {
    pub(super) fn alter(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        match node.kind() {
            S::ALTER_TABLE
            | S::ALTER_FOREIGN_TABLE
            | S::ALTER_VIEW
            | S::ALTER_MATERIALIZED_VIEW
            | S::ALTER_INDEX
            | S::ALTER_SEQUENCE => match self.alter_relation(node) {
                Some(act) => acts.push(act),
                None => acts
                    .push(Act::Barrier("it changes every table of a tablespace", self.span(node))),
            },
            S::ALTER_TYPE => self.alter_type(node, acts),
            S::ALTER_SYSTEM => {
                acts.push(Act::Barrier("it changes the server's settings", self.span(node)));
            }
            S::ALTER_EVENT_TRIGGER => {
                acts.push(Act::Opaque("an event trigger sees every other change", self.span(node)));
            }
            S::ALTER_FUNCTION | S::ALTER_PROCEDURE | S::ALTER_ROUTINE => {
                acts.extend(self.alter_routine(node));
            }
            S::ALTER_ROLE | S::ALTER_USER | S::ALTER_GROUP => self.alter_role(node, acts),
            _ => match self.alter_other(node) {
                Some(act) => acts.push(act),
                None => acts.push(Act::Opaque("an ALTER that is not known", self.span(node))),
            },
        }
    }

    fn alter_relation(self, node: &SyntaxNode) -> Option<Act> {
        let (kind, name) = match node.kind() {
            S::ALTER_TABLE => (Kind::Table, S::TABLE_NAME_REF),
            S::ALTER_FOREIGN_TABLE => (Kind::ForeignTable, S::TABLE_NAME_REF),
            S::ALTER_VIEW => (Kind::View, S::VIEW_REF),
            S::ALTER_MATERIALIZED_VIEW => (Kind::MaterializedView, S::VIEW_REF),
            S::ALTER_INDEX => (Kind::Index, S::INDEX_REF),
            _ => (Kind::Sequence, S::SEQUENCE_REF),
        };
        let holder = child(node, S::TABLE_RELATION_NAME);
        let name = self.name_in(holder.as_ref().unwrap_or(node), name)?;
        let targets =
            [S::TABLE_RELATION_NAME, S::VIEW_REF, S::INDEX_REF, S::SEQUENCE_REF, S::IF_EXISTS];
        let actions = node.children().filter(|child| !targets.contains(&child.kind()));
        Some(Act::AlterRelation(Box::new(AlterRelation {
            kind,
            name,
            if_exists: has(node, S::IF_EXISTS),
            only: holder.is_some_and(|holder| has(&holder, S::ONLY_KW)),
            changes: actions.map(|action| self.change(kind, &action)).collect(),
        })))
    }

    fn change(self, kind: Kind, node: &SyntaxNode) -> Change {
        let span = self.span(node);
        let other = |lock| Change::Other(lock, Box::new(self.uses(node)), span);
        let found = match node.kind() {
            S::ADD_COLUMN => self.column(node).map(|column| Change::AddColumn {
                column: Box::new(column),
                if_not_exists: has(node, S::IF_NOT_EXISTS),
            }),
            S::DROP_COLUMN => self.member(node, S::COLUMN_NAME_REF).map(Change::DropColumn),
            S::RENAME_COLUMN => renamed(node, S::COLUMN_NAME_REF, S::COLUMN_NAME)
                .map(|(from, to)| Change::RenameColumn(from, to, span)),
            S::ADD_CONSTRAINT => node
                .children()
                .find_map(|one| self.constraint(&one))
                .map(|one| Change::AddConstraint(Box::new(one))),
            S::DROP_CONSTRAINT => {
                self.member(node, S::CONSTRAINT_NAME_REF).map(Change::DropConstraint)
            }
            S::RENAME_CONSTRAINT => renamed(node, S::CONSTRAINT_NAME_REF, S::CONSTRAINT_NAME)
                .map(|(from, to)| Change::RenameConstraint(from, to, span)),
            S::VALIDATE_CONSTRAINT => self.constraint_change(node, ShareUpdateExclusive),
            S::ALTER_CONSTRAINT => self.constraint_change(node, AccessExclusive),
            S::ALTER_COLUMN | S::ALTER_VIEW_COLUMN => self.alter_column(node),
            S::ATTACH_PARTITION | S::ATTACH_INDEX_PARTITION | S::INHERIT_TABLE => self.attach(node),
            S::DETACH_PARTITION | S::NO_INHERIT_TABLE => self.detach(node),
            S::SET_SCHEMA => child(node, S::SCHEMA_REF)
                .and_then(|schema| ident(&schema))
                .map(|schema| Change::SetSchema(schema, span)),
            S::TABLE_RENAME_TO | S::VIEW_RENAME_TO | S::INDEX_RENAME_TO | S::SEQUENCE_RENAME_TO => {
                node.children().find_map(|name| ident(&name)).map(Change::RenameTo)
            }
            S::OWNER_TO => Some(Change::Owner(self.name_below(node, S::ROLE_NAME_REF), span)),
            S::ENABLE_RLS | S::DISABLE_RLS | S::FORCE_RLS | S::NO_FORCE_RLS => {
                Some(Change::Security(span))
            }
            S::OPTION_OWNED_BY => {
                Some(Change::Sequence { owned_by: self.owner_column(node), span })
            }
            _ => Some(behaviour(node.kind()).map_or_else(
                || other(lock_of(kind, node)),
                |lock| Change::Behaviour(lock, named_part(node), span),
            )),
        };
        found.unwrap_or_else(|| other(AccessExclusive))
    }

    fn constraint_change(self, node: &SyntaxNode, lock: LockMode) -> Option<Change> {
        let name = child(node, S::CONSTRAINT_NAME_REF).and_then(|name| ident(&name))?;
        Some(Change::Constraint(name, lock, self.span(node)))
    }

    fn member(self, node: &SyntaxNode, kind: S) -> Option<Member> {
        Some(Member {
            name: child(node, kind).and_then(|name| ident(&name))?,
            if_exists: has(node, S::IF_EXISTS),
            cascade: has(node, S::CASCADE),
            span: self.span(node),
        })
    }

    /// `OWNED BY t.c`.
    pub(super) fn owner_column(self, node: &SyntaxNode) -> Option<(QName, Ident)> {
        let path = find(node, S::QUALIFIED_COLUMN_NAME_REF)?;
        let mut parts = super::tree::idents(&path);
        let column = parts.pop()?;
        Some((QName::from_parts(&parts, self.span(&path))?, column))
    }

    fn alter_column(self, node: &SyntaxNode) -> Option<Change> {
        let name = child(node, S::COLUMN_NAME_REF).and_then(|name| ident(&name))?;
        let option = node.children().find(|child| child.kind() != S::COLUMN_NAME_REF)?;
        let what = match option.kind() {
            S::SET_TYPE => ColumnAspect::Type(self.type_of(&option)),
            S::SET_NOT_NULL => ColumnAspect::NotNull,
            S::DROP_NOT_NULL => ColumnAspect::Nullable,
            S::SET_DEFAULT | S::SET_EXPRESSION => ColumnAspect::Default(true),
            S::DROP_DEFAULT | S::DROP_EXPRESSION | S::DROP_IDENTITY => ColumnAspect::Default(false),
            S::ADD_GENERATED => ColumnAspect::Identity,
            S::SET_STATISTICS | S::SET_OPTIONS | S::RESET_OPTIONS => {
                ColumnAspect::Other(ShareUpdateExclusive)
            }
            _ => ColumnAspect::Other(AccessExclusive),
        };
        let uses = self.uses(&option);
        Some(Change::Column(Box::new(ColumnChange { name, span: self.span(node), what, uses })))
    }

    fn attach(self, node: &SyntaxNode) -> Option<Change> {
        let other =
            self.name_in(node, S::TABLE_NAME_REF).or_else(|| self.name_in(node, S::INDEX_REF))?;
        let bounds = self.uses_without(node, &[S::TABLE_NAME_REF, S::INDEX_REF]).literals;
        let default = has(node, S::PARTITION_DEFAULT);
        Some(Change::Attach { other, inherit: node.kind() == S::INHERIT_TABLE, default, bounds })
    }

    fn detach(self, node: &SyntaxNode) -> Option<Change> {
        let other = self.name_in(node, S::TABLE_NAME_REF)?;
        let concurrently = has(node, S::DETACH_CONCURRENTLY) || has(node, S::DETACH_FINALIZE);
        Some(Change::Detach { other, inherit: node.kind() == S::NO_INHERIT_TABLE, concurrently })
    }

    fn alter_type(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let Some(ty) = self.name_in(node, S::TYPE_NAME_REF) else { return };
        let action = node.children().last();
        let Some(action) = action else { return };
        let literals: Vec<_> = super::tree::children(&action, S::LITERAL)
            .filter_map(|literal| super::tree::string(&literal))
            .map(|text| Ident::new(&text))
            .collect();
        let span = self.span(&action);
        match (action.kind(), literals.as_slice()) {
            (S::ADD_VALUE, [label, ..]) => {
                let label = label.clone();
                acts.push(Act::EnumValue(EnumChange { ty, label, renamed: None, span }));
            }
            (S::RENAME_VALUE, [from, to]) => {
                let (label, renamed) = (to.clone(), Some(from.clone()));
                acts.push(Act::EnumValue(EnumChange { ty, label, renamed, span }));
            }
            _ => acts.extend(self.alter_other(node)),
        }
    }

    fn alter_routine(self, node: &SyntaxNode) -> Vec<Act> {
        let opaque = || Act::Opaque("an ALTER that is not known", self.span(node));
        let path = Self::own_path(node).zip(self.subject(node));
        let path = path.map(|(path, (_, name))| Act::RoutinePath(name, path));
        let altered = self.alter_other(node).unwrap_or_else(opaque);
        std::iter::once(altered).chain(path).collect()
    }

    /// A role's row, or a setting that belongs to it.
    fn alter_role(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        match self.alter_other(node) {
            Some(act) => acts.push(act),
            None => acts.push(Act::Barrier("it changes every role", self.span(node))),
        }
    }

    /// Objects that are no relation: renamed, moved, given away or changed.
    fn alter_other(self, node: &SyntaxNode) -> Option<Act> {
        let (kind, name) = self.subject(node)?;
        let on = self.table_of(node);
        let action = node.children().last()?;
        let text = format!("{:?}", action.kind());
        if text.ends_with("RENAME_TO") {
            let to = action.children().find_map(|name| super::tree::idents(&name).pop())?;
            return Some(Act::Rename(Renaming { kind, name, on, to }));
        }
        if action.kind() == S::SET_SCHEMA {
            let schema = child(&action, S::SCHEMA_REF).and_then(|schema| ident(&schema))?;
            return Some(Act::SetSchema(Moving { kind, name, schema }));
        }
        let aspect = if action.kind() == S::OWNER_TO {
            AlteredAspect::Owner
        } else {
            AlteredAspect::Definition
        };
        let uses = self.uses(&action);
        let alteration = Alteration { kind, name, on, lock: AccessExclusive, aspect, uses };
        Some(Act::Alter(Box::new(alteration)))
    }

    /// What a statement is about: the first object that it names.
    pub(super) fn subject(self, node: &SyntaxNode) -> Option<(Kind, QName)> {
        let found = node.descendants().skip(1).find_map(|inside| {
            let kind = reference(inside.kind())?;
            Some((kind, self.name(&inside)?))
        });
        // Triggers, policies and rules stand behind their table in no statement.
        let own = node.children().find_map(|inside| {
            let kind = reference(inside.kind())?;
            (kind.scoping() == Scoping::Parent).then(|| Some((kind, self.name(&inside)?)))?
        });
        own.or(found).or_else(|| self.aggregate(node)).or_else(|| self.operator(node))
    }

    fn aggregate(self, node: &SyntaxNode) -> Option<(Kind, QName)> {
        let aggregate = find(node, S::AGGREGATE)?;
        Some((Kind::Routine, self.name_in(&aggregate, S::PATH_REF)?))
    }

    /// An operator is known by its text alone: operators of one name are merged.
    pub(super) fn operator(self, node: &SyntaxNode) -> Option<(Kind, QName)> {
        let op = find(node, S::OP)?;
        let text: String = super::tree::tokens(&op).map(|token| token.text().to_owned()).collect();
        let name = Ident::new(text.rsplit('.').next().unwrap_or(&text));
        Some((Kind::Operator, QName { schema: None, name, span: self.span(&op) }))
    }

    /// The table behind `ON`.
    pub(super) fn table_of(self, node: &SyntaxNode) -> Option<QName> {
        let clause = node
            .descendants()
            .find(|it| matches!(it.kind(), S::ON_TABLE | S::ON_RELATION | S::RULE_ON))?;
        self.name_in(&clause, S::TABLE_NAME_REF)
            .or_else(|| self.name_in(&clause, S::RELATION_NAME_REF))
    }
}

fn renamed(node: &SyntaxNode, from: S, to: S) -> Option<(Ident, Ident)> {
    let name = |kind| child(node, kind).and_then(|name| ident(&name));
    Some((name(from)?, name(to)?))
}

/// Changes of what happens when rows are written, and their lock.
fn behaviour(kind: S) -> Option<LockMode> {
    match kind {
        S::ENABLE_TRIGGER
        | S::DISABLE_TRIGGER
        | S::ENABLE_ALWAYS_TRIGGER
        | S::ENABLE_REPLICA_TRIGGER => Some(ShareRowExclusive),
        S::ENABLE_RULE | S::DISABLE_RULE | S::ENABLE_ALWAYS_RULE | S::ENABLE_REPLICA_RULE => {
            Some(AccessExclusive)
        }
        _ => None,
    }
}

/// The trigger or rule that is named; none for `ALL` and `USER`.
fn named_part(node: &SyntaxNode) -> Option<(Kind, Ident)> {
    let part = |kind, of| Some((kind, child(node, of).and_then(|name| ident(&name))?));
    part(Kind::Trigger, S::TRIGGER_REF).or_else(|| part(Kind::Rule, S::RULE_REF))
}

/// The lock of a change that has no form of its own.
fn lock_of(kind: Kind, node: &SyntaxNode) -> LockMode {
    match (kind, node.kind()) {
        (_, S::CLUSTER_ON | S::SET_WITHOUT_CLUSTER) => ShareUpdateExclusive,
        (Kind::Sequence, _) => ShareRowExclusive,
        (_, S::ALTER_SET_STATISTICS) => ShareUpdateExclusive,
        (Kind::Table | Kind::MaterializedView | Kind::Index, S::SET_OPTIONS | S::RESET_OPTIONS) => {
            storage_lock(node)
        }
        _ => AccessExclusive,
    }
}

/// Storage parameters that need more than `SHARE UPDATE EXCLUSIVE`
/// (`src/backend/access/common/reloptions.c`, `AccessExclusiveLock`).
fn storage_lock(node: &SyntaxNode) -> LockMode {
    let strong = [
        "user_catalog_table",
        "buffering",
        "security_barrier",
        "security_invoker",
        "check_option",
        "fastupdate_exclusive",
    ];
    let text = node.to_string().to_ascii_lowercase();
    if strong.iter().any(|option| text.contains(option)) {
        AccessExclusive
    } else {
        ShareUpdateExclusive
    }
}
