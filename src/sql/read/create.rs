//! `CREATE` of all that is no table and no function.

use std::sync::Arc;

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::tree::{child, children, find, has, ident, idents, reference, string};
use crate::sql::act::{Act, Creation, NewIndex, NewSequence, NewType, NewView, Uses};
use crate::sql::extension::required;
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName};

impl Reader<'_> {
    pub(super) fn create(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let act = match node.kind() {
            S::CREATE_TABLE | S::CREATE_FOREIGN_TABLE => self.create_table(node),
            S::CREATE_TABLE_AS => self.create_table_as(node),
            S::CREATE_INDEX => self.create_index(node),
            S::CREATE_VIEW | S::CREATE_MATERIALIZED_VIEW => self.create_view(node),
            S::CREATE_FUNCTION | S::CREATE_PROCEDURE | S::CREATE_AGGREGATE => {
                self.create_routine(node)
            }
            S::CREATE_TYPE | S::CREATE_DOMAIN => self.create_type(node),
            S::CREATE_SEQUENCE => self.create_sequence(node),
            S::CREATE_SCHEMA => return self.create_schema(node, acts),
            S::CREATE_TRIGGER => self.create_trigger(node),
            S::CREATE_RULE => return self.create_rule(node, acts),
            S::CREATE_EVENT_TRIGGER => {
                acts.push(Act::Opaque("an event trigger sees every other change", self.span(node)));
                self.create_other(node)
            }
            S::CREATE_DATABASE | S::CREATE_TABLESPACE => {
                acts.push(Act::Barrier("it concerns the whole server", self.span(node)));
                self.create_other(node)
            }
            S::CREATE_EXTENSION => {
                acts.extend(self.required_extensions(node));
                self.create_other(node)
            }
            S::CREATE_CAST | S::CREATE_TRANSFORM | S::CREATE_USER_MAPPING => {
                Some(self.create_nameless(node))
            }
            _ => self.create_other(node),
        };
        acts.push(act.unwrap_or(Act::Opaque("a CREATE that is not known", self.span(node))));
    }

    /// `CASCADE` installs what an extension needs.
    fn required_extensions(self, node: &SyntaxNode) -> Vec<Act> {
        let wanted = has(node, S::CASCADE_KW) || has(node, S::CASCADE);
        let Some(name) = self.name_in(node, S::EXTENSION).filter(|_| wanted) else {
            return Vec::new();
        };
        let required = required(name.name.as_str()).iter().map(|it| name.renamed(&Ident::new(it)));
        let create = |name| Creation { if_not_exists: true, ..creation(Kind::Extension, name) };
        required.map(|name| Act::Create(Box::new(create(name)))).collect()
    }

    fn create_index(self, node: &SyntaxNode) -> Option<Act> {
        let holder = child(node, S::TABLE_RELATION_NAME)?;
        let list = child(node, S::PARTITION_ITEM_LIST);
        let items =
            list.iter().flat_map(|list| children(list, S::PARTITION_ITEM).collect::<Vec<_>>());
        let uses = self.uses_without(
            node,
            &[
                S::TABLE_RELATION_NAME,
                S::INDEX,
                S::TABLESPACE_CLAUSE,
                S::WITH_PARAMS,
                S::USING_METHOD,
            ],
        );
        Some(Act::CreateIndex(Box::new(NewIndex {
            name: self.name_in(node, S::INDEX).map(|name| name.name),
            table: self.name_in(&holder, S::TABLE_NAME_REF)?,
            span: self.span(node),
            unique: has(node, S::UNIQUE_KW),
            method: child(node, S::USING_METHOD)
                .and_then(|using| child(&using, S::ACCESS_METHOD_REF))
                .and_then(|method| ident(&method)),
            concurrently: has(node, S::CONCURRENTLY_KW),
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            only: has(&holder, S::ONLY_KW),
            keys: items.map(|item| key_name(&item)).collect(),
            uses,
        })))
    }

    fn create_view(self, node: &SyntaxNode) -> Option<Act> {
        let name = self.name_in(node, S::VIEW)?;
        let given = child(node, S::COLUMN_LIST).map(|list| {
            let names = list.descendants().filter(|inside| inside.kind() == S::COLUMN_NAME);
            names.filter_map(|name| ident(&name)).collect::<Vec<_>>()
        });
        let materialized = node.kind() == S::CREATE_MATERIALIZED_VIEW;
        Some(Act::CreateView(Box::new(NewView {
            name,
            kind: if materialized { Kind::MaterializedView } else { Kind::View },
            replace: has(node, S::OR_REPLACE),
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            temporary: super::table::is_temporary(node),
            columns: given.or_else(|| output_columns(node)),
            uses: self.uses_without(
                node,
                &[S::VIEW, S::COLUMN_LIST, S::WITH_PARAMS, S::TABLESPACE_CLAUSE],
            ),
        })))
    }

    fn create_type(self, node: &SyntaxNode) -> Option<Act> {
        let name = self.name_in(node, S::TYPE_NAME).or_else(|| self.name_in(node, S::DOMAIN))?;
        let all = |kind: S| node.descendants().filter(move |inside| inside.kind() == kind);
        let label = |variant: SyntaxNode| child(&variant, S::LITERAL).and_then(|it| string(&it));
        let labels = all(S::VARIANT).filter_map(label).map(|label| Ident::new(&label)).collect();
        let mut uses = self.uses_without(node, &[S::TYPE_NAME, S::DOMAIN]);
        // A base type's functions and a range's subtype are parsed as types.
        let options =
            all(S::ATTRIBUTE_VALUE).filter_map(|value| self.name_below(&value, S::PATH_REF));
        uses.objects.extend(options.map(|name| (Kind::Routine, name)));
        let constraint = |one: SyntaxNode| ident(&one);
        Some(Act::CreateType(Box::new(NewType {
            name,
            labels,
            attributes: all(S::COMPOSITE_FIELD).filter_map(|field| ident(&field)).collect(),
            constraints: all(S::CONSTRAINT_NAME).filter_map(constraint).collect(),
            uses,
        })))
    }

    fn create_sequence(self, node: &SyntaxNode) -> Option<Act> {
        let name = self.name_in(node, S::SEQUENCE)?;
        Some(Act::CreateSequence(Box::new(NewSequence {
            name,
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            temporary: child(node, S::TEMP).is_some(),
            owned_by: find(node, S::OPTION_OWNED_BY).and_then(|it| self.owner_column(&it)),
        })))
    }

    /// The elements of `CREATE SCHEMA` are made in it.
    fn create_schema(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let owner = find(node, S::ROLE).or_else(|| find(node, S::ROLE_REF));
        let name = self.name_below(node, S::SCHEMA).or_else(|| self.name(&owner?));
        let Some(name) = name else { return };
        let owners = self.names_below(node, S::ROLE_NAME_REF).into_iter();
        let objects = owners.map(|owner| (Kind::Role, owner)).collect();
        acts.push(Act::Create(Box::new(Creation {
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            uses: Uses { objects, ..Uses::default() },
            ..creation(Kind::Schema, name)
        })));
        for element in node.children().filter(|child| !is_part_of_name(child.kind())) {
            acts.push(Act::Opaque("an element of CREATE SCHEMA", self.span(&element)));
        }
    }

    fn create_trigger(self, node: &SyntaxNode) -> Option<Act> {
        let name = self.name_in(node, S::TRIGGER)?;
        let call = child(node, S::CALL_EXPR)?;
        let function = call.children().next().and_then(|callee| self.name(&callee));
        let arguments = child(&call, S::ARG_LIST).map(|list| told(&list)).unwrap_or_default();
        let columns = find(node, S::TRIGGER_EVENT_LIST).map(|list| self.uses(&list));
        let mut uses = columns.unwrap_or_default();
        uses.extend(child(node, S::WHEN_CONDITION).map(|it| self.uses(&it)).unwrap_or_default());
        uses.columns.iter_mut().for_each(|column| column.table = None);
        let other =
            child(node, S::FROM_TABLE).and_then(|from| self.name_in(&from, S::TABLE_NAME_REF));
        uses.objects.extend(other.map(|name| (Kind::Table, name)));
        Some(Act::Create(Box::new(Creation {
            on: self.table_of(node),
            replace: has(node, S::OR_REPLACE),
            lock: LockMode::ShareRowExclusive,
            uses,
            call: function.map(|function| (function, arguments)),
            ..creation(Kind::Trigger, name)
        })))
    }

    fn create_rule(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let (Some(name), Some(on)) = (self.name_in(node, S::RULE), self.table_of(node)) else {
            acts.push(Act::Opaque("a rule that is not understood", self.span(node)));
            return;
        };
        let mut uses = child(node, S::RULE_DO).map(|it| self.uses(&it)).unwrap_or_default();
        let mut body = Vec::new();
        for part in child(node, S::RULE_DO).iter().flat_map(SyntaxNode::children) {
            match part.kind() {
                S::RULE_STMT_LIST => self.inner_statements(&part, &mut body),
                _ => self.statement(&part, &mut body),
            }
        }
        // What the rule will write is only read of now.
        uses.relations.iter_mut().for_each(|one| one.access = crate::sql::act::RowAccess::Read);
        let condition = child(node, S::RULE_ON).and_then(|on| child(&on, S::WHERE_CLAUSE));
        uses.extend(condition.map(|it| self.uses(&it)).unwrap_or_default());
        acts.push(Act::Create(Box::new(Creation {
            on: Some(on),
            replace: has(node, S::OR_REPLACE),
            lock: LockMode::AccessExclusive,
            uses,
            body: body.into(),
            ..creation(Kind::Rule, name)
        })));
    }

    /// Casts, transforms and user mappings have no name: what they are about
    /// stands for one.
    fn create_nameless(self, node: &SyntaxNode) -> Act {
        let kind = match node.kind() {
            S::CREATE_CAST => Kind::Cast,
            S::CREATE_TRANSFORM => Kind::Transform,
            _ => Kind::UserMapping,
        };
        let name = self.signature_name(node);
        Act::Create(Box::new(Creation {
            replace: has(node, S::OR_REPLACE),
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            uses: self.uses(node),
            ..creation(kind, name)
        }))
    }

    /// A name made of the types, languages, roles and servers that are named.
    pub(super) fn signature_name(self, node: &SyntaxNode) -> QName {
        let kinds = [
            S::PATH_TYPE,
            S::LANGUAGE_REF,
            S::SERVER_REF,
            S::ROLE_REF,
            S::TIMESTAMP_TYPE,
            S::TIME_TYPE,
            S::DOUBLE_TYPE,
            S::VARCHAR_TYPE,
            S::BIT_TYPE,
            S::INTERVAL_TYPE,
        ];
        // What a cast is made with is no part of what it is.
        let signature = find(node, S::CAST_SIG).unwrap_or_else(|| node.clone());
        let parts = signature.descendants().filter(|inside| kinds.contains(&inside.kind()));
        let text: Vec<_> = parts
            .map(|part| idents(&part).iter().map(Ident::as_str).collect::<Vec<_>>().join(" "))
            .collect();
        QName { schema: None, name: Ident::new(&text.join(" to ")), span: self.span(node) }
    }

    fn create_other(self, node: &SyntaxNode) -> Option<Act> {
        let named = node.children().find_map(|inside| {
            let kind = reference(inside.kind())?;
            Some((kind, self.name(&inside)?, inside.kind()))
        });
        let operator = || {
            let (kind, name) = self.operator(node)?;
            Some((kind, name, S::OP))
        };
        let (kind, name, own) = named.or_else(operator)?;
        let lock = match kind {
            Kind::Policy => LockMode::AccessExclusive,
            _ => LockMode::ShareUpdateExclusive,
        };
        let mut uses = self.uses_without(node, &[own, S::ON_TABLE]);
        uses.objects.extend(self.functions_of_options(node));
        Some(Act::Create(Box::new(Creation {
            on: self.table_of(node).or_else(|| {
                find(node, S::FROM_TABLE).and_then(|from| self.name_in(&from, S::TABLE_NAME_REF))
            }),
            replace: has(node, S::OR_REPLACE),
            if_not_exists: has(node, S::IF_NOT_EXISTS),
            lock,
            uses,
            ..creation(kind, name)
        })))
    }
}

fn creation(kind: Kind, name: QName) -> Creation {
    Creation {
        kind,
        name,
        on: None,
        replace: false,
        if_not_exists: false,
        lock: LockMode::AccessShare,
        uses: Uses::default(),
        call: None,
        body: Arc::default(),
    }
}

/// What a trigger tells its function: everything is text.
fn told(list: &SyntaxNode) -> Vec<String> {
    let text = |argument: SyntaxNode| {
        let literal = child(&argument, S::LITERAL).and_then(|literal| string(&literal));
        literal.unwrap_or_else(|| argument.to_string())
    };
    children(list, S::ARG).map(text).collect()
}

fn is_part_of_name(kind: S) -> bool {
    matches!(
        kind,
        S::NAMED_SCHEMA
            | S::AUTHORIZATION_SCHEMA
            | S::IF_NOT_EXISTS
            | S::SCHEMA
            | S::ROLE_REF
            | S::ROLE
    )
}

/// What an index without a name is called after: the column, the function, `expr`
/// (`FigureIndexColname` in `src/backend/parser/parse_target.c`).
fn key_name(item: &SyntaxNode) -> Ident {
    item.children()
        .find(|inside| !matches!(inside.kind(), S::OP_CLASS_REF | S::COLLATE))
        .and_then(|expression| figured(&expression))
        .unwrap_or_else(|| Ident::new("expr"))
}

/// The name that PostgreSQL would give to the result of an expression
/// (`FigureColname`); `None` where it knows none.
fn figured(expression: &SyntaxNode) -> Option<Ident> {
    match expression.kind() {
        S::NAME_REF => ident(expression),
        S::FIELD_EXPR => idents(expression).pop(),
        S::CALL_EXPR => {
            let callee = expression.children().next()?;
            match callee.kind() {
                S::NAME_REF | S::FIELD_EXPR => idents(&callee).pop(),
                S::EXTRACT_FN => Some(Ident::new("extract")),
                S::EXISTS_FN => Some(Ident::new("exists")),
                S::SUBSTRING_FN => Some(Ident::new("substring")),
                S::POSITION_FN => Some(Ident::new("position")),
                S::OVERLAY_FN => Some(Ident::new("overlay")),
                S::TRIM_FN => Some(Ident::new("btrim")),
                _ => None,
            }
        }
        S::CAST_EXPR => {
            let inner = expression.children().next().and_then(|inner| figured(&inner));
            inner.or_else(|| {
                let ty = expression.children().find(|it| it.kind() == S::PATH_TYPE)?;
                idents(&child(&ty, S::PATH_REF)?).pop()
            })
        }
        S::PAREN_EXPR => {
            let inner = expression.children().next()?;
            let query = output_columns(expression);
            query.and_then(|columns| columns.into_iter().next()).or_else(|| figured(&inner))
        }
        S::COLLATE => expression.children().next().and_then(|inner| figured(&inner)),
        S::CASE_EXPR => {
            let otherwise = child(expression, S::ELSE_CLAUSE).and_then(|it| it.children().next());
            Some(otherwise.and_then(|it| figured(&it)).unwrap_or_else(|| Ident::new("case")))
        }
        S::ARRAY_EXPR => Some(Ident::new("array")),
        _ => None,
    }
}

/// The columns of a query; `None` when a `*` hides them.
pub(super) fn output_columns(node: &SyntaxNode) -> Option<Vec<Ident>> {
    let list = find(node, S::SELECT_CLAUSE)
        .filter(|clause| clause.parent().is_some())
        .and_then(|clause| child(&main_clause(node).unwrap_or(clause), S::TARGET_LIST))?;
    children(&list, S::TARGET)
        .map(|target| {
            if has(&target, S::STAR)
                || find(&target, S::FIELD_EXPR).is_some_and(|it| has(&it, S::STAR))
            {
                return None;
            }
            let alias = child(&target, S::AS_NAME).and_then(|it| child(&it, S::COLUMN_NAME));
            let name = match alias {
                Some(alias) => ident(&alias),
                None => target.children().next().and_then(|expression| figured(&expression)),
            };
            Some(name.unwrap_or_else(|| Ident::new("?column?")))
        })
        .collect()
}

/// The first SELECT of a query that is not one of its `WITH` queries.
fn main_clause(node: &SyntaxNode) -> Option<SyntaxNode> {
    let mut pending: Vec<_> = vec![node.clone()];
    while let Some(node) = pending.pop() {
        match node.kind() {
            S::SELECT_CLAUSE => return Some(node),
            S::WITH_CLAUSE => {}
            _ => {
                let from = pending.len();
                pending.extend(node.children());
                pending[from..].reverse();
            }
        }
    }
    None
}
