//! From a script's tree to what its statements say.
//!
//! Nothing is looked up here: names stay as they are written. Together with
//! [`crate::syntax`] this is the only room that knows the parser crate.

mod alter;
mod block;
mod call;
mod constant;
mod create;
mod drop;
mod grant;
mod harvest;
mod question;
mod routine;
mod rows;
mod simple;
mod table;
mod tree;

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

pub(super) use self::block::is_row;
pub(super) use self::call::{called, fired};
use self::constant::Variables;
use self::tree::{Place, Text};
use super::act::{Act, Reading, Uses};
use super::kind::Kind;
use super::name::QName;
use crate::model::Span;
use crate::syntax::Tree;

/// Blocks within blocks: what is deeper is opaque.
const MAX_DEPTH: u8 = 8;

/// What the statements of a script say, in order. Spans are those of the script's
/// text.
///
/// Call it within [`crate::syntax::on_large_stack`].
pub fn read(tree: &Tree) -> Vec<Reading> {
    let reader = Reader { place: Place { file: tree, text: Text::File }, depth: 0 };
    let statements = tree.root().children().filter(|node| node.kind() != S::EMPTY_STMT);
    statements.map(|node| reader.reading(&node)).collect()
}

/// Reads statements of one tree.
#[derive(Clone, Copy)]
struct Reader<'a> {
    place: Place<'a>,
    depth: u8,
}

impl Reader<'_> {
    fn reading(self, node: &SyntaxNode) -> Reading {
        let mut acts = Vec::new();
        self.statement(node, &mut acts);
        let routine = |uses: &Uses| uses.objects.iter().any(|(kind, _)| *kind == Kind::Routine);
        let calls = acts.iter().any(|act| matches!(act, Act::Use(uses) if routine(uses)));
        if calls && calls_now(node.kind()) {
            acts.extend(self.calls(node, &Variables::default()));
        }
        Reading { span: self.span(node), acts: acts.into() }
    }

    fn span(self, node: &SyntaxNode) -> Span {
        self.place.of(node)
    }

    /// The name in a node that holds a path.
    fn name(self, node: &SyntaxNode) -> Option<QName> {
        QName::from_parts(&tree::idents(node), self.span(node))
    }

    /// The name in the first child of this kind.
    fn name_in(self, node: &SyntaxNode, kind: S) -> Option<QName> {
        tree::child(node, kind).and_then(|child| self.name(&child))
    }

    /// The name in the first node of this kind, however deep.
    fn name_below(self, node: &SyntaxNode, kind: S) -> Option<QName> {
        tree::find(node, kind).and_then(|found| self.name(&found))
    }

    /// The names in all nodes of this kind, however deep.
    fn names_below(self, node: &SyntaxNode, kind: S) -> Vec<QName> {
        let found = node.descendants().filter(|inside| inside.kind() == kind);
        found.filter_map(|inside| self.name(&inside)).collect()
    }

    fn uses(self, node: &SyntaxNode) -> Uses {
        harvest::uses_of(self.place, node)
    }

    /// What the children of `node` refer to that are not of these kinds.
    fn uses_without(self, node: &SyntaxNode, kinds: &[S]) -> Uses {
        let wanted = node.children().filter(|child| !kinds.contains(&child.kind()));
        harvest::uses_of_all(self.place, wanted)
    }

    /// Roles for which the rest of the reading has no place.
    fn roles(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        if node.kind() == S::ALTER_DEFAULT_PRIVILEGES {
            let schemas = self.names_below(node, S::SCHEMA_REF).into_iter();
            let objects: Vec<_> = schemas.map(|name| (Kind::Schema, name)).collect();
            acts.push(Uses { objects, ..Uses::default() }.into());
        }
        let names = match node.kind() {
            S::SET_ROLE | S::SET_SESSION_AUTH | S::ALTER_DEFAULT_PRIVILEGES => {
                self.names_below(node, S::ROLE_NAME_REF)
            }
            S::ALTER_TABLE
            | S::ALTER_FOREIGN_TABLE
            | S::ALTER_VIEW
            | S::ALTER_MATERIALIZED_VIEW
            | S::ALTER_SEQUENCE => match tree::child(node, S::OWNER_TO) {
                Some(owner) => self.names_below(&owner, S::ROLE_NAME_REF),
                None => return,
            },
            S::RESET_ROLE | S::RESET_SESSION_AUTH => Vec::new(),
            _ => return,
        };
        if is_role(node.kind()) {
            acts.push(Act::Role(!names.is_empty()));
        }
        let objects = names.into_iter().map(|name| (Kind::Role, name)).collect::<Vec<_>>();
        if !objects.is_empty() {
            acts.push(Uses { objects, ..Uses::default() }.into());
        }
    }

    /// What a statement says.
    fn statement(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        self.roles(node, acts);
        match node.kind() {
            S::SELECT
            | S::COMPOUND_SELECT
            | S::PAREN_SELECT
            | S::VALUES
            | S::TABLE
            | S::INSERT
            | S::UPDATE
            | S::DELETE
            | S::MERGE
            | S::COPY
            | S::CALL
            | S::EXPLAIN
            | S::DECLARE
            | S::PREPARE
            | S::SELECT_INTO
            | S::TRUNCATE
            | S::LOCK
            | S::VACUUM
            | S::ANALYZE
            | S::CLUSTER
            | S::REINDEX
            | S::REFRESH
            | S::SET
            | S::RESET => {
                self.rows(node, acts);
            }
            S::DO => self.anonymous_block(node, acts),
            S::GRANT | S::REVOKE | S::ALTER_DEFAULT_PRIVILEGES | S::REASSIGN | S::DROP_OWNED => {
                self.privileges(node, acts);
            }
            kind if changes_nothing(kind) => {}
            S::ERROR => acts.push(Act::Opaque("it is not valid SQL", self.span(node))),
            kind => {
                let name = format!("{kind:?}");
                match name.split('_').next() {
                    Some("CREATE") => self.create(node, acts),
                    Some("ALTER") => self.alter(node, acts),
                    Some("DROP") => self.drop(node, acts),
                    _ => self.others(node, acts),
                }
            }
        }
    }
}

/// True for what says as whom the rest is done.
fn is_role(kind: S) -> bool {
    matches!(kind, S::SET_ROLE | S::SET_SESSION_AUTH | S::RESET_ROLE | S::RESET_SESSION_AUTH)
}

/// A default, a view and an index are made of calls that happen later.
fn calls_now(kind: S) -> bool {
    matches!(
        kind,
        S::SELECT
            | S::COMPOUND_SELECT
            | S::PAREN_SELECT
            | S::VALUES
            | S::INSERT
            | S::UPDATE
            | S::DELETE
            | S::MERGE
            | S::CALL
            | S::SELECT_INTO
    )
}

/// What shapes the session or the transaction and nothing in the database.
fn changes_nothing(kind: S) -> bool {
    matches!(
        kind,
        S::BEGIN
            | S::COMMIT_TRANSACTION
            | S::COMMIT_PREPARED
            | S::ROLLBACK_TRANSACTION
            | S::ROLLBACK_TO_SAVEPOINT
            | S::ROLLBACK_PREPARED
            | S::SAVEPOINT_CREATE
            | S::RELEASE_SAVEPOINT
            | S::PREPARE_TRANSACTION
            | S::SET_TRANSACTION
            | S::SET_CONSTRAINTS
            | S::SET_ROLE
            | S::RESET_ROLE
            | S::SET_SESSION_AUTH
            | S::RESET_SESSION_AUTH
            | S::SHOW
            | S::LISTEN
            | S::UNLISTEN
            | S::NOTIFY
            | S::CHECKPOINT
            | S::DISCARD
            | S::DEALLOCATE
            | S::CLOSE
            | S::FETCH
            | S::MOVE
            | S::LOAD
            | S::EMPTY_STMT
    )
}
