//! Everything that a query or an expression refers to.
//!
//! One walk over the nodes, whatever they are: squawk's tree says of each name
//! what it names. Scopes are not kept apart: a column is looked up in every table
//! of the statement, so that a name in two tables counts for both.

use rustc_hash::FxHashSet;
use squawk_syntax::{SyntaxKind as S, SyntaxNode, SyntaxToken};

use super::question;
use super::tree::{self, Place, child, children, has, ident, idents, string};
use crate::sql::act::{ColumnUse, Given, RelationUse, RowAccess, Uses};
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

/// As many different names and strings of one statement are kept.
const MAX_SEEN: usize = 20_000;

/// Languages and access methods that are always there.
const BUILT_IN: [&str; 11] =
    ["sql", "plpgsql", "c", "internal", "heap", "btree", "hash", "gist", "gin", "brin", "spgist"];

/// An array or a row of values that is written out as one string is not longer.
const MAX_WRITTEN_OUT: usize = 1_000;

/// What `node` refers to.
pub(super) fn uses_of(place: Place<'_>, node: &SyntaxNode) -> Uses {
    let (clauses, items) = naming_parts(node);
    let hidden = hidden_names(clauses);
    let derived = derived_names(items, &hidden);
    let seen = FxHashSet::default();
    let mut walk = Walk { place, uses: Uses::default(), hidden, derived, named: Vec::new(), seen };
    walk.visit(node);
    walk.settle_columns();
    question::note(node, &mut walk.uses);
    walk.uses
}

/// What all of `nodes` refer to.
pub(super) fn uses_of_all(place: Place<'_>, nodes: impl Iterator<Item = SyntaxNode>) -> Uses {
    let mut uses = Uses::default();
    nodes.for_each(|node| uses.extend(uses_of(place, &node)));
    uses
}

/// The `WITH` clauses, and the items of a `FROM`, which may give names.
fn naming_parts(node: &SyntaxNode) -> (Vec<SyntaxNode>, Vec<SyntaxNode>) {
    let is_item = |kind: S| {
        matches!(
            kind,
            S::PAREN_FROM_ITEM
                | S::FUNCTION_FROM_ITEM
                | S::EXPR_FROM_ITEM
                | S::ROWS_FROM_ITEM
                | S::RELATION_FROM_ITEM
        )
    };
    let parts = node.descendants().filter(|it| it.kind() == S::WITH_CLAUSE || is_item(it.kind()));
    parts.partition(|it| it.kind() == S::WITH_CLAUSE)
}

/// A name of a `WITH` query and where it hides a table of the same name.
struct Hidden {
    name: Ident,
    from: usize,
    to: usize,
}

/// Without `RECURSIVE`, a query does not see its own name, so that
/// `WITH t AS (SELECT * FROM t)` reads the table
/// (<https://www.postgresql.org/docs/current/sql-select.html#SQL-WITH>).
fn hidden_names(clauses: Vec<SyntaxNode>) -> Vec<Hidden> {
    let offset = tree::offsets;
    let names = |clause: SyntaxNode| {
        let recursive = has(&clause, S::RECURSIVE_KW);
        let to = owner_of(&clause).map_or(usize::MAX, |owner| offset(&owner).end);
        let tables: Vec<_> = children(&clause, S::WITH_TABLE).collect();
        tables.into_iter().filter_map(move |table| {
            let name = child(&table, S::CTE_NAME).and_then(|name| ident(&name))?;
            let from = if recursive { offset(&clause).start } else { offset(&table).end };
            Some(Hidden { name, from, to })
        })
    };
    clauses.into_iter().flat_map(names).collect()
}

/// The query that a `WITH` is for: the parser puts it into the first operand of a
/// `UNION`, but it is for all of them.
fn owner_of(clause: &SyntaxNode) -> Option<SyntaxNode> {
    let mut owner = clause.parent()?;
    while let Some(above) = owner.parent().filter(|it| it.kind() == S::COMPOUND_SELECT) {
        owner = above;
    }
    Some(owner)
}

/// Names that stand for subqueries and functions somewhere in the statement.
fn derived_names(items: Vec<SyntaxNode>, hidden: &[Hidden]) -> Vec<Ident> {
    let hides = |item: &SyntaxNode| {
        let name = child(item, S::RELATION_NAME_REF).and_then(|it| idents(&it).pop());
        name.is_some_and(|name| hidden.iter().any(|one| one.name == name))
    };
    let derived = items.into_iter().filter(|it| it.kind() != S::RELATION_FROM_ITEM || hides(it));
    let aliases = derived.filter_map(|item| alias_of(&item));
    aliases.chain(hidden.iter().map(|one| one.name.clone())).collect()
}

struct Walk<'a> {
    place: Place<'a>,
    uses: Uses,
    hidden: Vec<Hidden>,
    derived: Vec<Ident>,
    /// What a query calls its results: `ORDER BY` knows them.
    named: Vec<Ident>,
    /// What is recorded already: a long list of rows says the same over and over.
    seen: FxHashSet<(Option<Kind>, Option<Ident>, Ident)>,
}

impl Walk<'_> {
    /// A loop, not a recursion, over all nodes but those that are done as a whole.
    fn visit(&mut self, root: &SyntaxNode) {
        let mut pending = vec![root.clone()];
        while let Some(node) = pending.pop() {
            if self.take(&node, &mut pending) {
                let from = pending.len();
                pending.extend(node.children());
                pending[from..].reverse();
            }
        }
    }

    /// Reads `node`; true when its children are to be read too.
    fn take(&mut self, node: &SyntaxNode, pending: &mut Vec<SyntaxNode>) -> bool {
        match node.kind() {
            S::RELATION_NAME_REF | S::TABLE_NAME_REF => self.relation(node),
            S::CALL_EXPR => return self.call(node, pending),
            S::CAST_EXPR => return self.cast(node),
            S::FIELD_EXPR => return self.field(node),
            S::NAME_REF | S::COLUMN_NAME_REF => self.column(node),
            S::PATH_TYPE => {
                self.ty(node);
                pending.extend(child(node, S::ARG_LIST));
            }
            S::PERCENT_TYPE => self.percent_type(node),
            S::PLPGSQL_PERCENT_ROWTYPE => self.row_type(node),
            S::LITERAL => self.literal(node),
            S::AS_NAME => {
                self.named.extend(tree::tokens(node).last().map(|it| Ident::written(it.text())));
            }
            S::GROUP_BY_CLAUSE => {
                self.uses.grouped = true;
                return true;
            }
            S::ARRAY_EXPR if children(node, S::SELECT).next().is_some() => {
                self.uses.picks = true;
                return true;
            }
            // `SET n = DEFAULT` takes a number.
            S::SET_EXPR if has(node, S::DEFAULT_KW) => self.uses.picks = true,
            S::ORDER_BY_CLAUSE => {
                self.uses.sorted = true;
                return true;
            }
            // Of a conflict, the first row wins or the last.
            S::LIMIT_CLAUSE
            | S::FETCH_CLAUSE
            | S::DISTINCT_ON
            | S::OVER_CLAUSE
            | S::CONFLICT_DO_NOTHING
            | S::CONFLICT_DO_UPDATE_SET => {
                self.uses.picks = true;
                return true;
            }
            S::LANGUAGE_REF | S::ACCESS_METHOD_REF if is_built_in(node) => {}
            S::CUSTOM_OP | S::OP => self.operator(node, tree::tokens(node)),
            S::BIN_EXPR | S::PREFIX_EXPR => {
                self.operator(node, tree::own_tokens(node));
                return true;
            }
            kind => match tree::reference(kind) {
                Some(kind) => self.object(kind, node),
                None => return true,
            },
        }
        false
    }

    /// A name without a table can be nothing but a column where there is one table, and
    /// no variables.
    fn settle_columns(&mut self) {
        let file = matches!(self.place.text, tree::Text::File);
        if !file || self.uses.relations.len() != 1 || !self.derived.is_empty() {
            return;
        }
        for column in &mut self.uses.columns {
            column.sure |= column.table.is_none() && !self.named.contains(&column.name);
        }
    }

    fn name(&self, node: &SyntaxNode) -> Option<QName> {
        QName::from_parts(&idents(node), self.place.of(node))
    }

    fn object(&mut self, kind: Kind, node: &SyntaxNode) {
        if let Some(name) = self.name(node) {
            self.record(kind, name);
        }
    }

    fn record(&mut self, kind: Kind, name: QName) {
        if self.seen.insert((Some(kind), name.schema.clone(), name.name.clone())) {
            self.uses.objects.push((kind, name));
        }
    }

    /// An operator goes by its characters: which one it is depends on types.
    fn operator(&mut self, node: &SyntaxNode, tokens: impl Iterator<Item = SyntaxToken>) {
        let text: String = tokens.map(|token| token.text().to_owned()).collect();
        let text = text.rsplit('.').next().unwrap_or_default();
        if text.starts_with(|c: char| "+-*/<>=~!@#%^&|`?".contains(c)) {
            let (name, span) = (Ident::new(text), self.place.of(node));
            self.record(Kind::Operator, QName { schema: None, name, span });
        }
    }

    fn relation(&mut self, node: &SyntaxNode) {
        let Some(name) = self.name(node) else { return };
        let at = tree::offsets(node).start;
        let hides = |one: &Hidden| one.name == name.name && (one.from..one.to).contains(&at);
        if name.schema.is_none() && self.hidden.iter().any(hides) {
            return;
        }
        let owner = node.parent().unwrap_or_else(|| node.clone());
        let (access, owner) = access_of(owner);
        let star = is_starred(&owner, &access) || access == RowAccess::Read && reads_all(node);
        let alias = alias_of(&owner);
        self.uses.relations.push(RelationUse { name, alias, access, star });
    }

    /// The function's name; its arguments are read as any expression.
    fn call(&mut self, node: &SyntaxNode, pending: &mut Vec<SyntaxNode>) -> bool {
        let first = node.children().next();
        let callee = first.filter(|first| matches!(first.kind(), S::NAME_REF | S::FIELD_EXPR));
        let Some(callee) = callee else { return true };
        if let Some(name) = self.name(&callee) {
            self.named_argument(&name, node);
            match name.name.as_str() {
                "enum_range" | "enum_first" | "enum_last" => self.converted(node),
                function if function.ends_with("_agg") || function == "xmlagg" => {
                    self.uses.picks = true;
                }
                function if tree::LARGE_OBJECT_FUNCTIONS.contains(&function) => {
                    self.record(Kind::LargeObject, tree::large_objects(name.span));
                }
                _ => {}
            }
            self.record(Kind::Routine, name);
        }
        let from = pending.len();
        pending.extend(node.children().skip(1));
        pending[from..].reverse();
        false
    }

    /// `nextval('s')` and its neighbours take a name as a string
    /// (<https://www.postgresql.org/docs/current/functions-sequence.html>), so do sizes
    /// and definitions (functions-admin.html, functions-info.html), and text search takes
    /// a configuration before the text (functions-textsearch.html).
    fn named_argument(&mut self, function: &QName, call: &SyntaxNode) {
        let several = || child(call, S::ARG_LIST).is_some_and(|it| it.children().count() > 1);
        let kind = match function.name.as_str() {
            "nextval" | "setval" | "currval" | "pg_sequence_last_value" => Kind::Sequence,
            "pg_get_serial_sequence"
            | "to_regclass"
            | "pg_relation_size"
            | "pg_table_size"
            | "pg_indexes_size"
            | "pg_total_relation_size"
            | "pg_get_viewdef"
            | "pg_get_indexdef"
            | "create_hypertable"
            | "create_distributed_table" => Kind::Table,
            "to_regtype" => Kind::Type,
            "to_regproc" | "to_regprocedure" => Kind::Routine,
            "to_regrole" => Kind::Role,
            "to_regnamespace" => Kind::Schema,
            "to_tsvector"
            | "to_tsquery"
            | "plainto_tsquery"
            | "phraseto_tsquery"
            | "websearch_to_tsquery"
            | "ts_headline"
                if several() =>
            {
                Kind::TextSearchConfiguration
            }
            "ts_lexize" => Kind::TextSearchDictionary,
            _ => return,
        };
        let mut literals = call.descendants().filter(|inside| inside.kind() == S::LITERAL);
        self.name_in_string(kind, literals.next());
        if function.name.as_str() == "pg_get_serial_sequence"
            && let Some((_, table)) = self.uses.named.last().cloned()
            && let Some(column) = literals.next().and_then(|literal| string(&literal))
        {
            self.uses.numbered.push((table, Ident::new(&column)));
        }
    }

    /// `'t'::regclass` and its like.
    fn cast(&mut self, node: &SyntaxNode) -> bool {
        if child(node, S::LITERAL).and_then(|it| string(&it)).is_none() {
            self.converted(node);
        }
        let target = child(node, S::PATH_TYPE).and_then(|ty| idents(&ty).pop());
        let Some(kind) = target.and_then(|ty| Kind::of_oid_type(ty.as_str())) else { return true };
        self.name_in_string(kind, child(node, S::LITERAL));
        true
    }

    /// Any of the values of the types that are named in `node` may be meant.
    fn converted(&mut self, node: &SyntaxNode) {
        let types = node.descendants().filter(|it| it.kind() == S::PATH_TYPE);
        let paths = types.filter_map(|ty| child(&ty, S::PATH_REF));
        let names: Vec<_> = paths.filter_map(|path| self.name(&path)).collect();
        self.uses.converted.extend(names);
    }

    fn name_in_string(&mut self, kind: Kind, literal: Option<SyntaxNode>) {
        let Some(literal) = literal else { return };
        let Some(text) = string(&literal) else { return };
        let text = text.split('(').next().unwrap_or_default();
        let parts: Vec<_> = split_path(text).iter().map(|part| Ident::written(part)).collect();
        let name = QName::from_parts(&parts, self.place.of(&literal));
        self.uses.named.extend(name.map(|name| (kind, name)));
    }

    /// `t.a`, `s.t.a`, `t.*`; a field of anything else is read as that.
    fn field(&mut self, node: &SyntaxNode) -> bool {
        let plain = |inside: SyntaxNode| matches!(inside.kind(), S::FIELD_EXPR | S::NAME_REF);
        if !node.descendants().all(plain) {
            return true;
        }
        let star = has(node, S::STAR);
        let mut parts = idents(node);
        if star {
            // The star itself is a token too.
            parts.pop();
            self.uses.columns.extend(parts.pop().map(|name| ColumnUse {
                table: None,
                name,
                sure: false,
                span: self.place.of(node),
            }));
            return false;
        }
        let name = parts.pop();
        self.uses.picks |= name.as_ref().is_some_and(|it| it.as_str() == "ctid");
        let span = self.place.of(node);
        let table = parts.pop();
        let sure = table.as_ref().is_some_and(|table| !self.derived.contains(table));
        self.uses.columns.extend(name.map(|name| ColumnUse { table, name, sure, span }));
        false
    }

    fn column(&mut self, node: &SyntaxNode) {
        let Some(name) = ident(node) else { return };
        self.uses.picks |= name.as_str() == "ctid";
        let span = self.place.of(node);
        self.uses.columns.push(ColumnUse { table: None, name, sure: false, span });
    }

    fn ty(&mut self, node: &SyntaxNode) {
        if let Some(path) = child(node, S::PATH_REF) {
            self.object(Kind::Type, &path);
        }
    }

    /// `t.a%TYPE`: a column's type.
    fn percent_type(&mut self, node: &SyntaxNode) {
        let Some(path) = child(node, S::PATH_REF) else { return };
        let span = self.place.of(&path);
        let mut parts = idents(&path);
        let Some(name) = parts.pop() else { return };
        let table = parts.last().cloned();
        if let Some(relation) = QName::from_parts(&parts, span) {
            self.uses.columns.push(ColumnUse { table, name, sure: false, span });
            self.uses.objects.push((Kind::Table, relation));
        }
    }

    fn row_type(&mut self, node: &SyntaxNode) {
        if let Some(path) = child(node, S::PATH_REF) {
            self.object(Kind::Type, &path);
        }
    }

    fn literal(&mut self, node: &SyntaxNode) {
        let Some(text) = string(node) else { return };
        self.label(&text, node);
        // An array or a row, written out.
        if text.starts_with(['{', '(']) && text.len() < MAX_WRITTEN_OUT {
            let inner = text.split(|c: char| "{}(),\"".contains(c)).map(str::trim);
            inner.filter(|it| !it.is_empty()).for_each(|it| self.label(it, node));
        }
    }

    /// What may be an enum's value, which is shorter than 64 bytes
    /// (<https://www.postgresql.org/docs/current/datatype-enum.html>).
    fn label(&mut self, text: &str, node: &SyntaxNode) {
        if text.len() >= 64 {
            return;
        }
        let text = Ident::new(text);
        if self.seen.len() < MAX_SEEN && self.seen.insert((None, None, text.clone())) {
            self.uses.literals.push((text, self.place.of(node)));
        }
    }
}

/// `a."B.c".d` at its dots.
fn split_path(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        c == '.' && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

/// What is done to the rows of the relation that `node` holds, and the node that
/// says so.
fn access_of(node: SyntaxNode) -> (RowAccess, SyntaxNode) {
    let above = |node: &SyntaxNode| node.parent().unwrap_or_else(|| node.clone());
    match node.kind() {
        S::INSERT => {
            let targets = child(&node, S::COLUMN_TARGET_LIST);
            let columns = targets.map(|list| {
                let target = |one: SyntaxNode| child(&one, S::COLUMN_NAME_REF);
                let targets = children(&list, S::COLUMN_TARGET).filter_map(target);
                targets.filter_map(|name| ident(&name)).collect()
            });
            let upsert = has(&node, S::ON_CONFLICT_CLAUSE);
            let given = given(&node, columns.as_deref());
            (RowAccess::Insert { columns, given, upsert }, node)
        }
        S::RELATION_NAME => {
            let owner = above(&node);
            let access = match owner.kind() {
                S::TABLE => RowAccess::Read,
                S::UPDATE => RowAccess::Update(Some(columns_set(&owner))),
                _ => RowAccess::Write,
            };
            (access, owner)
        }
        S::TABLE_RELATION_NAME => {
            let owner = above(&node);
            let merges = owner.kind() == S::MERGE;
            (if merges { RowAccess::Merge } else { RowAccess::Write }, owner)
        }
        S::RELATION_FROM_ITEM => {
            let select = node.ancestors().find(|above| above.kind() == S::SELECT);
            let locks = select.is_some_and(|select| has(&select, S::LOCKING_CLAUSE));
            (if locks { RowAccess::Lock } else { RowAccess::Read }, node)
        }
        S::COPY_TABLE => {
            let owner = above(&node);
            let columns = child(&node, S::COLUMN_REF_LIST).map(|list| {
                children(&list, S::COLUMN_NAME_REF).filter_map(|it| ident(&it)).collect()
            });
            let given = columns.clone().map_or(Given::All, Given::Columns);
            let into = tree::find(&owner, S::COPY_FROM).is_some();
            let insert = || RowAccess::Insert { columns, given, upsert: false };
            (if into { insert() } else { RowAccess::Read }, node)
        }
        _ => (RowAccess::Read, node),
    }
}

/// The columns to which an `INSERT` gives values. Where `DEFAULT` stands among them,
/// none is sure to have one.
fn given(insert: &SyntaxNode, columns: Option<&[Ident]>) -> Given {
    let is_default = |token: SyntaxToken| token.kind() == S::DEFAULT_KW;
    let values = child(insert, S::VALUES);
    let defaults = values.iter().any(|values| tree::tokens(values).any(is_default));
    let overridden = has(insert, S::OVERRIDING_USER_VALUE);
    if defaults || overridden || has(insert, S::DEFAULT_VALUES) {
        return Given::First(0);
    }
    if let Some(columns) = columns {
        return Given::Columns(columns.to_vec());
    }
    let row = values.as_ref().and_then(|values| tree::find(values, S::ROW));
    let width = row.map(|row| row.children().count());
    let query = || super::create::output_columns(insert).map(|columns| columns.len());
    width.or_else(query).map_or(Given::All, Given::First)
}

/// Languages and access methods that no migration makes.
fn is_built_in(node: &SyntaxNode) -> bool {
    ident(node).is_none_or(|name| BUILT_IN.contains(&name.as_str()))
}

/// The columns to which an `UPDATE` gives values.
fn columns_set(update: &SyntaxNode) -> Vec<Ident> {
    let Some(clause) = child(update, S::SET_CLAUSE) else { return Vec::new() };
    let targets = clause.descendants().filter(|inside| inside.kind() == S::COLUMN_TARGET);
    let name = |target: SyntaxNode| child(&target, S::COLUMN_NAME_REF).and_then(|it| ident(&it));
    targets.filter_map(name).collect()
}

/// True when the statement at `owner` means all columns of its table.
fn is_starred(owner: &SyntaxNode, access: &RowAccess) -> bool {
    let returning = || {
        let clause = child(owner, S::RETURNING_CLAUSE);
        let list = clause.and_then(|clause| child(&clause, S::TARGET_LIST));
        list.is_some_and(|list| children(&list, S::TARGET).any(|one| has(&one, S::STAR)))
    };
    match access {
        RowAccess::Insert { columns: None, .. } => true,
        RowAccess::Insert { .. } | RowAccess::Update(_) | RowAccess::Write | RowAccess::Merge => {
            returning()
        }
        RowAccess::Read | RowAccess::Lock => {
            matches!(owner.kind(), S::TABLE | S::COPY_TABLE) && !has(owner, S::COLUMN_REF_LIST)
        }
    }
}

/// True when the query around a table asks for `*`; in `EXISTS` that means
/// nothing.
fn reads_all(node: &SyntaxNode) -> bool {
    let is_query = |above: &SyntaxNode| matches!(above.kind(), S::SELECT | S::SELECT_INTO);
    let Some(select) = node.ancestors().find(is_query) else { return false };
    let exists = select.parent().is_some_and(|above| above.kind() == S::EXISTS_FN);
    let clause = child(&select, S::SELECT_CLAUSE);
    let list = clause.and_then(|clause| child(&clause, S::TARGET_LIST));
    let starred = list.is_some_and(|list| children(&list, S::TARGET).any(|one| has(&one, S::STAR)));
    let joins = node.ancestors().filter(|above| above.kind() == S::JOIN_EXPR);
    let natural =
        || joins.into_iter().any(|join| children(&join, S::JOIN).any(|it| has(&it, S::NATURAL_KW)));
    !exists && (starred || natural())
}

fn alias_of(owner: &SyntaxNode) -> Option<Ident> {
    let clauses = [S::FROM_ALIAS, S::REQUIRED_AS_ALIAS, S::OPTIONAL_AS_ALIAS];
    let clause = owner.children().find(|inside| clauses.contains(&inside.kind()))?;
    child(&clause, S::TABLE_ALIAS).and_then(|alias| ident(&alias))
}
