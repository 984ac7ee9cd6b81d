//! Expressions of PL/pgSQL that have the same value every time.
//!
//! `EXECUTE format('DROP ROLE %I', name)` in a loop over an array that is written
//! out is as plain as the statements themselves. What comes from a table, an
//! argument or an assignment is not looked into.

use std::collections::HashMap;

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::tree::{child, children, find, ident, string};
use crate::sql::name::Ident;

/// As many values of one expression are followed.
const MAX_VALUES: usize = 200;

/// What each variable of a body may be; none that is assigned to.
pub(super) type Variables = HashMap<Ident, Vec<String>>;

/// The variables of a body that only ever hold what its text says.
pub(super) fn variables(root: &SyntaxNode) -> Variables {
    let mut known = Variables::new();
    for node in root.descendants() {
        let found = match node.kind() {
            S::PLPGSQL_VAR_DECL => declared(&node, &known),
            S::PLPGSQL_FOR_EACH_STMT => looped(&node, &known),
            _ => None,
        };
        known.extend(found);
    }
    let changed = root
        .descendants()
        .filter(|node| matches!(node.kind(), S::PLPGSQL_ASSIGN_TARGET | S::PLPGSQL_INTO_TARGET));
    for name in changed.filter_map(|target| ident(&target)) {
        known.remove(&name);
    }
    known
}

fn declared(node: &SyntaxNode, known: &Variables) -> Option<(Ident, Vec<String>)> {
    let name = child(node, S::PLPGSQL_VAR_NAME).and_then(|name| ident(&name))?;
    let value = child(node, S::PLPGSQL_VAR_INIT).and_then(|init| expression(&init))?;
    let values = elements(&value, known).or_else(|| texts(&value, known))?;
    Some((name, values))
}

fn looped(node: &SyntaxNode, known: &Variables) -> Option<(Ident, Vec<String>)> {
    let name = child(node, S::PLPGSQL_FOR_VARIABLE).and_then(|name| ident(&name))?;
    let array = children(node, S::PLPGSQL_EXPR).next()?;
    let value = sole_target(&array)?;
    let values = match value.kind() {
        S::NAME_REF => known.get(&ident(&value)?).cloned(),
        _ => elements(&value, known),
    };
    Some((name, values?))
}

/// The expression below a node that holds one `PLPGSQL_EXPR`.
fn expression(node: &SyntaxNode) -> Option<SyntaxNode> {
    sole_target(&child(node, S::PLPGSQL_EXPR)?)
}

/// The only result of an expression.
pub(super) fn sole_target(node: &SyntaxNode) -> Option<SyntaxNode> {
    let list = child(node, S::TARGET_LIST)?;
    let mut targets = children(&list, S::TARGET);
    let target = targets.next()?;
    if targets.next().is_some() { None } else { target.children().next() }
}

/// The elements of `ARRAY['a', 'b']`, perhaps with a cast.
fn elements(node: &SyntaxNode, known: &Variables) -> Option<Vec<String>> {
    match node.kind() {
        S::CAST_EXPR | S::PAREN_EXPR => elements(&node.children().next()?, known),
        S::ARRAY_EXPR => {
            let one = |element: SyntaxNode| {
                texts(&element, known).filter(|values| values.len() == 1)?.pop()
            };
            node.children().map(one).collect()
        }
        _ => None,
    }
}

/// All texts that an expression can be; `None` when only the server knows.
pub(super) fn texts(node: &SyntaxNode, known: &Variables) -> Option<Vec<String>> {
    let values = match node.kind() {
        S::LITERAL => vec![string(node)?],
        S::NAME_REF => known.get(&ident(node)?)?.clone(),
        S::PAREN_EXPR | S::CAST_EXPR => texts(&node.children().next()?, known)?,
        S::BIN_EXPR => {
            let mut parts = node.children().filter(|part| part.kind() != S::OP);
            let (left, right) = (parts.next()?, parts.next()?);
            joins(node)?;
            product(&[texts(&left, known)?, texts(&right, known)?], |parts| Some(parts.concat()))?
        }
        S::CALL_EXPR => called(node, known)?,
        _ => return None,
    };
    (values.len() <= MAX_VALUES).then_some(values)
}

/// True for `||`, which the tree holds as two tokens or as one.
fn joins(node: &SyntaxNode) -> Option<()> {
    let own = node.children_with_tokens().filter_map(squawk_syntax::SyntaxElement::into_token);
    let operator = child(node, S::OP).map(|op| op.to_string());
    let operator = operator.unwrap_or_else(|| {
        own.map(|token| token.text().trim().to_owned()).collect::<Vec<_>>().concat()
    });
    let operator =
        if operator.is_empty() { find(node, S::CUSTOM_OP)?.to_string() } else { operator };
    (operator.trim() == "||").then_some(())
}

fn called(node: &SyntaxNode, known: &Variables) -> Option<Vec<String>> {
    let function = node.children().next().and_then(|callee| ident(&callee))?;
    let list = child(node, S::ARG_LIST)?;
    let arguments: Vec<_> =
        children(&list, S::ARG).filter_map(|argument| argument.children().next()).collect();
    let values = || arguments.iter().map(|it| texts(it, known)).collect::<Option<Vec<_>>>();
    match function.as_str() {
        "format" => product(&values()?, formatted),
        "quote_ident" => product(&values()?, |parts| Some(quoted(parts.first()?, '"'))),
        "quote_literal" => product(&values()?, |parts| Some(quoted(parts.first()?, '\''))),
        "concat" => product(&values()?, |parts| Some(parts.concat())),
        // The database that the script runs in, whatever it is called.
        "current_database" if arguments.is_empty() => Some(vec!["current_database".to_owned()]),
        _ => None,
    }
}

/// `make` of every choice of one value from each list.
fn product(lists: &[Vec<String>], make: impl Fn(&[&str]) -> Option<String>) -> Option<Vec<String>> {
    let count: usize = lists.iter().map(Vec::len).product();
    if count > MAX_VALUES {
        return None;
    }
    (0..count)
        .map(|mut number| {
            let mut pick = |list: &'_ Vec<String>| {
                let at = number % list.len();
                number /= list.len();
                at
            };
            let chosen: Vec<&str> = lists.iter().map(|list| list[pick(list)].as_str()).collect();
            make(&chosen)
        })
        .collect()
}

fn quoted(text: &str, quote: char) -> String {
    let doubled = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

/// `format` with `%s`, `%I`, `%L`, `%%` and positions
/// (<https://www.postgresql.org/docs/current/functions-string.html#FUNCTIONS-STRING-FORMAT>);
/// `None` for widths, which no statement needs.
fn formatted(parts: &[&str]) -> Option<String> {
    let (pattern, arguments) = parts.split_first()?;
    let mut text = String::new();
    let mut rest = *pattern;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            next = rest[..digits].parse::<usize>().ok()?.checked_sub(1)?;
            rest = rest[digits..].strip_prefix('$')?;
        }
        let kind = rest.chars().next()?;
        rest = &rest[kind.len_utf8()..];
        if kind == '%' {
            text.push('%');
            continue;
        }
        let value = arguments.get(next)?;
        next += 1;
        match kind {
            's' => text.push_str(value),
            'I' => text.push_str(&quoted(value, '"')),
            'L' => text.push_str(&quoted(value, '\'')),
            _ => return None,
        }
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_filled_as_the_server_fills_them() {
        let cases: [(&[&str], Option<&str>); 6] = [
            (&["drop table %I", "a\"b"], Some("drop table \"a\"\"b\"")),
            (&["%s %% %L", "a", "b'c"], Some("a % 'b''c'")),
            (&["%2$s %1$s %s", "a", "b"], Some("b a b")),
            (&["%s %s", "a"], None),
            (&["%10s", "a"], None),
            (&["%"], None),
        ];
        for (parts, expected) in cases {
            assert_eq!(formatted(parts).as_deref(), expected, "{parts:?}");
        }
    }
}
