//! Functions, procedures and aggregates.
//!
//! What a body refers to is needed when it is called. When it is made, a body in
//! SQL is analysed (`check_function_bodies`,
//! <https://www.postgresql.org/docs/current/runtime-config-client.html>), and
//! `BEGIN ATOMIC` becomes a dependency; of PL/pgSQL only the declared types are
//! looked up.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::tree::{Place, Text, child, children, find, has, ident, string, tokens};
use crate::sql::act::{Act, Argument, NewRoutine, OwnPath, Uses};
use crate::sql::kind::Kind;
use crate::sql::name::Ident;
use crate::sql::name::QName;

/// What a body is, once it was read.
#[derive(Default)]
struct Body {
    acts: Vec<Act>,
    /// What is looked up when the function is made.
    checked: Uses,
}

impl Reader<'_> {
    /// `CREATE FUNCTION`, `CREATE PROCEDURE`, `CREATE AGGREGATE`.
    pub(super) fn create_routine(self, node: &SyntaxNode) -> Option<Act> {
        let names = [S::FUNCTION_NAME, S::PROCEDURE_NAME, S::AGGREGATE_NAME];
        let name = node.children().find(|child| names.contains(&child.kind()))?;
        let name = self.name(&name)?;
        let uses = harvest_signature(self, node);
        let body = self.routine_body(node, &[]);
        let depends = body.acts.iter().any(depends_on_call);
        Some(Act::CreateRoutine(Box::new(NewRoutine {
            name,
            replace: has(node, S::OR_REPLACE),
            signature: signature(node),
            uses,
            checked: body.checked,
            path: Self::own_path(node),
            body: body.acts.into(),
            source: depends.then(|| node.to_string().into()),
        })))
    }

    /// `SET search_path` and its like, among the options of a function.
    pub(super) fn own_path(node: &SyntaxNode) -> Option<OwnPath> {
        let options = child(node, S::FUNC_OPTION_LIST)?;
        let path = |option: SyntaxNode| match option.kind() {
            S::SET_FUNC_OPTION if find(&option, S::FROM_CURRENT).is_some() => {
                Self::names_search_path(&option).then_some(OwnPath::Current)
            }
            S::SET_FUNC_OPTION => match Self::setting(&option)? {
                Act::SearchPath(path) => Some(OwnPath::Fixed(path)),
                _ => None,
            },
            S::RESET_FUNC_OPTION => {
                let all = has(&option, S::ALL_KW);
                (all || Self::names_search_path(&option)).then_some(OwnPath::Callers)
            }
            _ => None,
        };
        options.children().filter_map(path).last()
    }

    /// What its body does, given what is known of its arguments.
    pub(super) fn body_of(self, node: &SyntaxNode, given: &[(Ident, String)]) -> Vec<Act> {
        self.routine_body(node, given).acts
    }

    fn routine_body(self, node: &SyntaxNode, given: &[(Ident, String)]) -> Body {
        if let Some(atomic) = find(node, S::ATOMIC_BODY) {
            let mut acts = Vec::new();
            self.inner_statements(&atomic, &mut acts);
            let checked = self.uses(&atomic);
            return Body { acts, checked };
        }
        if let Some(expression) = child(node, S::RETURN_STMT) {
            let uses = self.uses(&expression);
            return Body { acts: vec![uses.clone().into()], checked: uses };
        }
        match language(node).as_deref() {
            Some("plpgsql") => self.plpgsql_body(node, given),
            Some("sql") => self.sql_body(node),
            // Aggregates have none; C and internal ones touch no table of ours.
            None | Some("c" | "internal") => Body::default(),
            Some(_) => {
                let span = self.span(node);
                let what = "the body of a function in a language that is not read";
                Body { acts: vec![Act::Opaque(what, span)], checked: Uses::default() }
            }
        }
    }

    fn plpgsql_body(self, node: &SyntaxNode, given: &[(Ident, String)]) -> Body {
        let parsed = match node.kind() {
            S::CREATE_PROCEDURE => {
                ast::CreateProcedure::cast(node.clone()).and_then(|it| it.plpgsql())
            }
            _ => ast::CreateFunction::cast(node.clone()).and_then(|it| it.plpgsql()),
        };
        let Some(body) = parsed else { return self.unread(node) };
        let text = match self.place.text {
            Text::File => Text::Plpgsql(&body),
            _ => Text::Fixed(self.span(node)),
        };
        let inner = Reader { place: Place { text, ..self.place }, depth: self.depth + 1 };
        let mut acts = Vec::new();
        inner.body(&body.syntax(), given, &mut acts);
        Body { acts, checked: inner.declared(&body.syntax()) }
    }

    fn sql_body(self, node: &SyntaxNode) -> Body {
        let parsed = match node.kind() {
            S::CREATE_PROCEDURE => {
                ast::CreateProcedure::cast(node.clone()).and_then(|it| it.sql_body())
            }
            _ => ast::CreateFunction::cast(node.clone()).and_then(|it| it.sql_body()),
        };
        let Some(body) = parsed else { return self.unread(node) };
        let text = match self.place.text {
            Text::File => Text::Sql(&body),
            _ => Text::Fixed(self.span(node)),
        };
        let inner = Reader { place: Place { text, ..self.place }, depth: self.depth + 1 };
        let mut acts = Vec::new();
        inner.inner_statements(&body.syntax(), &mut acts);
        Body { acts, checked: inner.uses(&body.syntax()) }
    }

    fn unread(self, node: &SyntaxNode) -> Body {
        let opaque = Act::Opaque("a function body that could not be read", self.span(node));
        Body { acts: vec![opaque], checked: Uses::default() }
    }
}

/// True for what is more than a query: with the arguments of a call it can be told
/// better.
fn depends_on_call(act: &Act) -> bool {
    match act {
        Act::Use(_) => false,
        Act::Block(inner) | Act::Perhaps(inner) => inner.iter().any(depends_on_call),
        _ => true,
    }
}

/// The parameters to which a call gives values.
fn inputs(node: &SyntaxNode) -> Vec<SyntaxNode> {
    let Some(list) = child(node, S::PARAM_LIST) else { return Vec::new() };
    children(&list, S::PARAM).filter(|param| child(param, S::PARAM_OUT).is_none()).collect()
}

/// True when a call with so many arguments may mean this function.
pub(super) fn takes(node: &SyntaxNode, arguments: usize) -> bool {
    let inputs = inputs(node);
    let optional = |param: &&SyntaxNode| child(param, S::PARAM_DEFAULT).is_some();
    let variadic = inputs.iter().any(|param| child(param, S::PARAM_VARIADIC).is_some());
    let least = inputs.len() - inputs.iter().filter(optional).count();
    variadic || (least..=inputs.len()).contains(&arguments)
}

/// The parameters of a function whose values are known when it is called with
/// `arguments`.
pub(super) fn parameters(node: &SyntaxNode, arguments: &[Argument]) -> Vec<(Ident, String)> {
    let value = |(place, param): (usize, SyntaxNode)| {
        let name = child(&param, S::PARAM_NAME).and_then(|name| ident(&name))?;
        let named = arguments.iter().find(|it| it.name.as_ref() == Some(&name));
        let placed = || arguments.get(place).filter(|it| it.name.is_none());
        let value = match named.or_else(placed) {
            Some(argument) => argument.value.clone()?,
            None => string(&child(&child(&param, S::PARAM_DEFAULT)?, S::LITERAL)?)?,
        };
        Some((name, value))
    };
    inputs(node).into_iter().enumerate().filter_map(value).collect()
}

/// Types of arguments and results, defaults, support functions: all that is not
/// the body. A parameter's own name is no column.
fn harvest_signature(reader: Reader<'_>, node: &SyntaxNode) -> Uses {
    let mut uses = reader.uses_without(
        node,
        &[S::ATOMIC_BODY, S::RETURN_STMT, S::FUNCTION_NAME, S::PROCEDURE_NAME, S::AGGREGATE_NAME],
    );
    uses.columns.retain(|column| column.table.is_some());
    uses.objects.extend(reader.functions_of_options(node));
    uses
}

impl Reader<'_> {
    /// The functions that an aggregate or an operator is made of are parsed as types:
    /// `sfunc = f`.
    pub(super) fn functions_of_options(self, node: &SyntaxNode) -> Vec<(Kind, QName)> {
        let names: &[&str] = match node.kind() {
            S::CREATE_AGGREGATE => {
                &["sfunc", "finalfunc", "combinefunc", "serialfunc", "deserialfunc"]
            }
            S::CREATE_OPERATOR => &["function", "procedure", "restrict", "join"],
            _ => return Vec::new(),
        };
        let options = node.descendants().filter(|inside| inside.kind() == S::ATTRIBUTE_OPTION);
        let function = |option: SyntaxNode| {
            let name = child(&option, S::ATTRIBUTE_NAME)?;
            let name: String = tokens(&name).map(|token| token.text().to_lowercase()).collect();
            let wanted = names.contains(&name.as_str());
            self.name_below(&option, S::PATH_REF).filter(|_| wanted)
        };
        options.filter_map(function).map(|name| (Kind::Routine, name)).collect()
    }
}

/// The language, folded; a string's text may be given instead of a name.
fn language(node: &SyntaxNode) -> Option<String> {
    let options = child(node, S::FUNC_OPTION_LIST)?;
    let option = child(&options, S::LANGUAGE_FUNC_OPTION)?;
    let literal = child(&option, S::LITERAL).and_then(|literal| string(&literal));
    let name = || child(&option, S::LANGUAGE_REF).and_then(|name| ident(&name));
    literal.or_else(|| name().map(|name| name.as_str().to_owned())).map(|it| it.to_lowercase())
}

/// The types of the arguments that are given to it, by which functions of one
/// name differ.
pub(super) fn signature(node: &SyntaxNode) -> String {
    let Some(list) = find(node, S::PARAM_LIST) else { return String::new() };
    let given = children(&list, S::PARAM).filter(|param| find(param, S::PARAM_OUT).is_none());
    given.map(|param| type_text(&param)).collect::<Vec<_>>().join(",")
}

fn type_text(param: &SyntaxNode) -> String {
    let left_out =
        [S::PARAM_NAME, S::PARAM_DEFAULT, S::PARAM_IN, S::PARAM_VARIADIC, S::PARAM_IN_OUT];
    let parts = param.children().filter(|part| !left_out.contains(&part.kind()));
    let words: Vec<_> = parts
        .flat_map(|part| tokens(&part).map(|it| it.text().to_lowercase()).collect::<Vec<_>>())
        .collect();
    let text = words.join(" ");
    let (base, array) = text.strip_suffix(" [ ]").map_or((text.as_str(), ""), |it| (it, "[]"));
    let base = base.split(" (").next().unwrap_or(base);
    let canonical = match base {
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "bool" => "boolean",
        "varchar" => "character varying",
        "timestamptz" => "timestamp with time zone",
        "timestamp without time zone" => "timestamp",
        "float8" => "double precision",
        "float4" => "real",
        "decimal" => "numeric",
        other => other,
    };
    format!("{canonical}{array}")
}
