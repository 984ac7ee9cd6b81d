//! Statements about rows, and the few that only lock or measure tables.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::tree::{self, child, children, find, has, ident, string};
use crate::sql::act::{Act, Locking, Maintenance, NewTable, SearchPath, TableList, Uses};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName};

impl Reader<'_> {
    pub(super) fn rows(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        match node.kind() {
            S::TRUNCATE => acts.push(Act::Truncate(TableList {
                names: self.names_below(node, S::TABLE_NAME_REF),
                cascade: has(node, S::CASCADE),
                restart: tree::tokens(node).any(|token| token.kind() == S::RESTART_KW),
            })),
            S::LOCK => acts.push(self.lock(node)),
            S::VACUUM | S::ANALYZE => acts.push(self.measure(node)),
            S::CLUSTER => {
                acts.push(self.uses_without(node, &[S::TABLE_NAME_REF]).into());
                acts.push(self.measure(node));
            }
            S::REINDEX => self.reindex(node, acts),
            S::REFRESH => self.refresh(node, acts),
            S::SET | S::RESET => acts.extend(Self::setting(node)),
            S::EXPLAIN => self.explained(node, acts),
            S::SELECT_INTO => self.select_into(node, acts),
            S::CALL => acts.push(self.call(node)),
            _ => {
                acts.extend(Self::set_config(node));
                let mut uses = self.uses(node);
                // What nobody keeps may be anything.
                if self.depth == 0 && !uses.changes() {
                    uses.lists = None;
                }
                acts.push(uses.into());
            }
        }
    }

    fn call(self, node: &SyntaxNode) -> Act {
        let mut uses = self.uses(node);
        uses.objects.retain(|(kind, _)| *kind != Kind::Routine);
        let called = self.name_in(node, S::PROCEDURE_NAME_REF);
        uses.objects.extend(called.map(|name| (Kind::Routine, name)));
        uses.into()
    }

    /// `EXPLAIN` plans a statement, and with `ANALYZE` executes it.
    fn explained(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let inner = node.children().last();
        if let Some(inner) = inner {
            self.statement(&inner, acts);
        }
    }

    fn select_into(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let into = child(node, S::INTO_CLAUSE);
        let target = into.as_ref().and_then(|into| self.name_in(into, S::TABLE_NAME));
        // In PL/pgSQL, INTO names a variable, and the parser cannot know.
        let is_plpgsql = self.depth > 0;
        let query = self.uses_without(node, &[S::INTO_CLAUSE]);
        if let Some(name) = target.filter(|_| !is_plpgsql) {
            let columns = crate::sql::read::create::output_columns(node);
            acts.push(Act::CreateTable(Box::new(NewTable::of_query(name, query, columns))));
        } else {
            // The first row is taken.
            acts.push(Uses { picks: true, ..query }.into());
            acts.extend(into.and_then(|into| self.parts_of_row(&into)));
        }
    }

    fn lock(self, node: &SyntaxNode) -> Act {
        let mode = child(node, S::LOCK_MODE_CLAUSE).and_then(|clause| clause.children().next());
        let mode = match mode.map(|mode| mode.kind()) {
            Some(S::ACCESS_SHARE) => LockMode::AccessShare,
            Some(S::ROW_SHARE) => LockMode::RowShare,
            Some(S::ROW_EXCLUSIVE) => LockMode::RowExclusive,
            Some(S::SHARE_UPDATE_EXCLUSIVE) => LockMode::ShareUpdateExclusive,
            Some(S::SHARE) => LockMode::Share,
            Some(S::SHARE_ROW_EXCLUSIVE) => LockMode::ShareRowExclusive,
            Some(S::EXCLUSIVE) => LockMode::Exclusive,
            _ => LockMode::AccessExclusive,
        };
        let names = self.names_below(node, S::RELATION_NAME_REF);
        Act::Lock(Locking { names, kind: Kind::Table, mode, what: Maintenance::Lock })
    }

    /// `VACUUM FULL` and `CLUSTER` rewrite a table; the others share it
    /// (<https://www.postgresql.org/docs/current/explicit-locking.html>).
    fn measure(self, node: &SyntaxNode) -> Act {
        let text = || node.to_string().to_ascii_lowercase();
        let rewrites =
            node.kind() == S::CLUSTER || node.kind() == S::VACUUM && text().contains("full");
        let mode =
            if rewrites { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
        let names = self.names_below(node, S::TABLE_NAME_REF);
        if names.is_empty() {
            return Act::Barrier("it works on every table", self.span(node));
        }
        let clusters = node.kind() == S::CLUSTER;
        let what = if clusters { Maintenance::Cluster } else { Maintenance::Keep };
        Act::Lock(Locking { names, kind: Kind::Table, mode, what })
    }

    fn reindex(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let concurrently = tree::tokens(node).any(|token| token.kind() == S::CONCURRENTLY_KW);
        let lock = |kind, names| {
            let mode = match (concurrently, kind) {
                (true, _) => LockMode::ShareUpdateExclusive,
                (false, Kind::Index) => LockMode::AccessExclusive,
                (false, _) => LockMode::Share,
            };
            Act::Lock(Locking { names, kind, mode, what: Maintenance::Reindex(concurrently) })
        };
        let tables = self.names_below(node, S::TABLE_NAME_REF);
        let indexes = self.names_below(node, S::INDEX_REF);
        match (tables.is_empty(), indexes.is_empty()) {
            (false, _) => acts.push(lock(Kind::Table, tables)),
            (_, false) => acts.push(lock(Kind::Index, indexes)),
            _ => acts.push(Act::Barrier("it works on every table", self.span(node))),
        }
    }

    fn refresh(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let mode = if has(node, S::CONCURRENTLY_KW) {
            LockMode::Exclusive
        } else {
            LockMode::AccessExclusive
        };
        let names = self.names_below(node, S::VIEW_REF);
        let what = Maintenance::Refresh;
        acts.push(Act::Lock(Locking { names, kind: Kind::MaterializedView, mode, what }));
    }

    /// `SET search_path`; other settings change no name.
    pub(super) fn setting(node: &SyntaxNode) -> Option<Act> {
        if find(node, S::SET_SCHEMA_VALUE).is_some() {
            let literal = find(node, S::LITERAL)?;
            return Some(path_of(&string(&literal)?));
        }
        if node.kind() == S::RESET {
            let all = has(node, S::ALL_KW) || find(node, S::ALL).is_some();
            let reset = all || Self::names_search_path(node);
            return reset.then_some(Act::SearchPath(SearchPath { schemas: None }));
        }
        if !Self::names_search_path(node) {
            return None;
        }
        let value = find(node, S::TO_CONFIG_VALUE)?;
        if has(&value, S::DEFAULT_KW) {
            return Some(Act::SearchPath(SearchPath { schemas: None }));
        }
        let one = |part: SyntaxNode| match part.kind() {
            S::LITERAL => string(&part).map(|text| Ident::new(&text)),
            _ => child(&part, S::LITERAL)
                .and_then(|literal| string(&literal))
                .map(|text| Ident::new(&text))
                .or_else(|| ident(&part)),
        };
        let schemas: Vec<_> = value.children().filter_map(one).collect();
        Some(Act::SearchPath(SearchPath { schemas: Some(schemas) }))
    }

    /// True when the setting in question is the search path.
    pub(super) fn names_search_path(node: &SyntaxNode) -> bool {
        let name = find(node, S::CONFIG_PARAMETER_REF).and_then(|it| ident(&it));
        name.is_some_and(|name| name.as_str().eq_ignore_ascii_case("search_path"))
    }

    /// `SELECT set_config('search_path', '…', false)`, as pg_dump writes it.
    fn set_config(node: &SyntaxNode) -> Option<Act> {
        let clause = child(node, S::SELECT_CLAUSE)?;
        let call = find(&clause, S::CALL_EXPR)?;
        let function = call.children().next().map(|callee| tree::idents(&callee))?;
        let literals: Vec<_> = call
            .descendants()
            .filter(|inside| inside.kind() == S::LITERAL)
            .filter_map(|literal| string(&literal))
            .collect();
        match (function.last()?.as_str(), literals.as_slice()) {
            ("set_config", [name, value, ..]) if name == "search_path" => Some(path_of(value)),
            _ => None,
        }
    }

    /// The statements of an SQL body, or of a rule.
    pub(super) fn inner_statements(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        for inner in node.children() {
            match inner.kind() {
                S::RETURN_STMT => acts.push(self.uses(&inner).into()),
                S::EMPTY_STMT => {}
                _ => self.statement(&inner, acts),
            }
        }
    }

    /// The names in the children of this kind.
    pub(super) fn names_in(self, node: &SyntaxNode, kind: S) -> Vec<QName> {
        children(node, kind).filter_map(|child| self.name(&child)).collect()
    }
}

/// A path as the setting's own text has it: `a, "B", public`; empty is no schema.
fn path_of(text: &str) -> Act {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Act::SearchPath(SearchPath { schemas: Some(parts.map(Ident::written).collect()) })
}

impl NewTable {
    /// `CREATE TABLE name AS query`.
    pub(super) fn of_query(name: QName, query: Uses, columns: Option<Vec<Ident>>) -> Self {
        let span = name.span;
        let column = |name: Ident| super::table::plain_column(name, span);
        Self {
            name,
            kind: Kind::Table,
            if_not_exists: false,
            temporary: false,
            columns: columns.unwrap_or_default().into_iter().map(column).collect(),
            constraints: Box::default(),
            inherits: Vec::new(),
            partition_of: None,
            takes_the_rest: false,
            like: Vec::new(),
            query: Some(query),
            uses: Uses::default(),
        }
    }
}
