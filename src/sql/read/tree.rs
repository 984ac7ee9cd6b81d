//! Small steps through squawk's tree.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::plpgsql::Plpgsql;
use squawk_syntax::sql_body::SqlBody;
use squawk_syntax::unescape::escape_unicode_esc_str;
use squawk_syntax::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

use crate::model::Span;
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};
use crate::syntax::Tree;

/// Where the text of a tree stands in the file.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The file's.
    pub(super) file: &'a Tree,
    /// What was parsed.
    pub(super) text: Text<'a>,
}

/// What text a tree was made from.
#[derive(Clone, Copy)]
pub(super) enum Text<'a> {
    /// The file's own.
    File,
    /// The body of a function or block.
    Plpgsql(&'a Plpgsql),
    /// The body of an SQL function.
    Sql(&'a SqlBody),
    /// It was put together; this is where it came from.
    Fixed(Span),
}

impl Place<'_> {
    /// The span of `node` in the file.
    pub(super) fn of(self, node: &SyntaxNode) -> Span {
        let range = node.text_range();
        let range = match self.text {
            Text::File => range,
            Text::Plpgsql(body) => body.source_range(range),
            Text::Sql(body) => body.source_range(range),
            Text::Fixed(span) => return span,
        };
        self.file.place(Span::new(range.start().into(), range.end().into()))
    }
}

/// The span of `node` in the text it was parsed from.
pub(super) fn offsets(node: &SyntaxNode) -> Span {
    let range = node.text_range();
    Span::new(range.start().into(), range.end().into())
}

/// The first child of this kind.
pub(super) fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

/// The children of this kind.
pub(super) fn children(node: &SyntaxNode, kind: SyntaxKind) -> impl Iterator<Item = SyntaxNode> {
    node.children().filter(move |child| child.kind() == kind)
}

/// The first descendant of this kind.
pub(super) fn find(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.descendants().find(|inside| inside.kind() == kind)
}

/// True when a child, node or token, is of this kind.
pub(super) fn has(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children_with_tokens().any(|child| child.kind() == kind)
}

/// The tokens that PostgreSQL's grammar sees.
pub(super) fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> {
    node.descendants_with_tokens().filter_map(SyntaxElement::into_token).filter(says_something)
}

/// The same without those of nodes within.
pub(super) fn own_tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> {
    node.children_with_tokens().filter_map(SyntaxElement::into_token).filter(says_something)
}

fn says_something(token: &SyntaxToken) -> bool {
    !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT)
}

/// The names in a node that holds a path and nothing else.
pub(super) fn idents(node: &SyntaxNode) -> Vec<Ident> {
    names(node).collect()
}

/// The name in a node that holds one.
pub(super) fn ident(node: &SyntaxNode) -> Option<Ident> {
    names(node).next()
}

fn names(node: &SyntaxNode) -> impl Iterator<Item = Ident> {
    let says = |token: &SyntaxToken| token.kind() != SyntaxKind::DOT;
    let mut tokens = tokens(node).filter(says).peekable();
    std::iter::from_fn(move || {
        let token = tokens.next()?;
        let escape = tokens.next_if(|next| next.kind() == SyntaxKind::UESCAPE_KW);
        let escape = escape.and_then(|_| tokens.next()).and_then(|it| it.text().chars().nth(1));
        Some(name_of(token.text(), escape.unwrap_or('\\')))
    })
}

/// A name as written, also with escapes: `U&"d\0061ta"`
/// (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>).
fn name_of(written: &str, escape: char) -> Ident {
    let rest = written.strip_prefix(['u', 'U']).and_then(|rest| rest.strip_prefix("&\""));
    let Some(inside) = rest.and_then(|rest| rest.strip_suffix('"')) else {
        return Ident::written(written);
    };
    let mut name = String::new();
    escape_unicode_esc_str(&inside.replace("\"\"", "\""), escape, |_, character| {
        name.extend(character);
    });
    Ident::new(&name)
}

/// What a string literal says.
pub(super) fn string(node: &SyntaxNode) -> Option<String> {
    let quoted = |token: SyntaxToken| token.text().ends_with(['\'', '$']);
    own_tokens(node).next().filter(|token| quoted(token.clone()))?;
    ast::Literal::cast(node.clone())?.string_value()
}

/// A number, as it is written.
pub(super) fn number(node: &SyntaxNode) -> Option<String> {
    let token = own_tokens(node).next()?;
    let digits = token.text();
    digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.to_owned())
}

/// What writes large objects
/// (<https://www.postgresql.org/docs/current/lo-funcs.html>).
pub(super) const LARGE_OBJECT_FUNCTIONS: [&str; 7] =
    ["lo_create", "lo_creat", "lo_import", "lo_export", "lo_from_bytea", "lo_put", "lo_unlink"];

/// All of them together: which one is meant is seldom written.
pub(super) fn large_objects(span: Span) -> QName {
    QName { schema: None, name: Ident::new("large objects"), span }
}

/// What a node that names an object names.
pub(super) fn reference(kind: SyntaxKind) -> Option<Kind> {
    Some(match kind {
        SyntaxKind::TABLE_NAME_REF | SyntaxKind::RELATION_NAME_REF | SyntaxKind::TABLE_NAME => {
            Kind::Table
        }
        SyntaxKind::VIEW_REF | SyntaxKind::VIEW => Kind::View,
        SyntaxKind::INDEX_REF | SyntaxKind::INDEX => Kind::Index,
        SyntaxKind::SEQUENCE_REF | SyntaxKind::SEQUENCE => Kind::Sequence,
        SyntaxKind::TYPE_NAME_REF
        | SyntaxKind::TYPE_NAME
        | SyntaxKind::DOMAIN_REF
        | SyntaxKind::DOMAIN => Kind::Type,
        SyntaxKind::FUNCTION_NAME_REF
        | SyntaxKind::FUNCTION_NAME
        | SyntaxKind::PROCEDURE_NAME_REF
        | SyntaxKind::PROCEDURE_NAME
        | SyntaxKind::ROUTINE_NAME_REF
        | SyntaxKind::ROUTINE_NAME
        | SyntaxKind::AGGREGATE_NAME => Kind::Routine,
        SyntaxKind::SCHEMA_REF | SyntaxKind::SCHEMA => Kind::Schema,
        SyntaxKind::ROLE_NAME_REF | SyntaxKind::ROLE => Kind::Role,
        SyntaxKind::STATISTICS_REF | SyntaxKind::STATISTICS => Kind::Statistics,
        SyntaxKind::PROPERTY_GRAPH_REF | SyntaxKind::PROPERTY_GRAPH => Kind::PropertyGraph,
        kind => return reference_of_few(kind),
    })
}

/// What is named more seldom.
fn reference_of_few(kind: SyntaxKind) -> Option<Kind> {
    use SyntaxKind as S;
    Some(match kind {
        S::COLLATION_REF | S::COLLATION => Kind::Collation,
        S::CONVERSION_REF | S::CONVERSION => Kind::Conversion,
        S::OP_CLASS_REF | S::OP_CLASS_NAME => Kind::OperatorClass,
        S::OP_FAMILY_REF | S::OP_FAMILY_NAME => Kind::OperatorFamily,
        S::EXTENSION_REF | S::EXTENSION => Kind::Extension,
        S::DATABASE_REF | S::DATABASE => Kind::Database,
        S::TABLESPACE_REF | S::TABLESPACE => Kind::Tablespace,
        S::PUBLICATION_REF | S::PUBLICATION => Kind::Publication,
        S::SUBSCRIPTION_REF | S::SUBSCRIPTION => Kind::Subscription,
        S::EVENT_TRIGGER_REF | S::EVENT_TRIGGER => Kind::EventTrigger,
        S::LANGUAGE_REF | S::LANGUAGE => Kind::Language,
        S::ACCESS_METHOD_REF | S::ACCESS_METHOD => Kind::AccessMethod,
        S::FOREIGN_DATA_WRAPPER_REF | S::FOREIGN_DATA_WRAPPER => Kind::ForeignDataWrapper,
        S::SERVER_REF | S::SERVER => Kind::Server,
        S::TRIGGER_REF | S::TRIGGER => Kind::Trigger,
        S::POLICY_REF | S::POLICY => Kind::Policy,
        S::RULE_REF | S::RULE => Kind::Rule,
        S::TEXT_SEARCH_CONFIGURATION_REF | S::TEXT_SEARCH_CONFIGURATION => {
            Kind::TextSearchConfiguration
        }
        S::TEXT_SEARCH_DICTIONARY_REF | S::TEXT_SEARCH_DICTIONARY => Kind::TextSearchDictionary,
        S::TEXT_SEARCH_PARSER_REF | S::TEXT_SEARCH_PARSER => Kind::TextSearchParser,
        S::TEXT_SEARCH_TEMPLATE_REF | S::TEXT_SEARCH_TEMPLATE => Kind::TextSearchTemplate,
        _ => return None,
    })
}
