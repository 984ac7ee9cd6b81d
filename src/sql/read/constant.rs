//! Expressions of PL/pgSQL that have the same value every time.
//!
//! `EXECUTE format('DROP ROLE %I', name)` in a loop over an array that is written
//! out is as plain as the statements themselves. What comes from a table, or from an
//! argument that is not written out, is not looked into.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::tree::{child, children, find, ident, number, string};
use crate::sql::name::{Ident, quoted_if_needed};

/// As many values of one expression are followed.
const MAX_VALUES: usize = 200;

/// Assignments that refer to assignments: what is deeper is not followed.
const MAX_DEPTH: u8 = 16;

/// As many expressions are looked at for one: `a := b || b; b := c || c; …`.
const MAX_STEPS: u32 = 20_000;

/// Stands for what `current_setting` returns. It may only name a role: those that
/// own and use a schema are what scripts take from settings.
pub(super) const SETTING: &str = "a_name_that_a_setting_holds";

/// The variables of a body that only ever hold what its text says.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// One of these each time.
    choices: HashMap<Ident, Vec<String>>,
    /// What is assigned to it, here or there: which of them comes last is not asked.
    assigned: HashMap<Ident, Vec<SyntaxNode>>,
    /// How many expressions were looked at for the present one.
    steps: Cell<u32>,
}

/// One value for each of some variables.
type Chosen<'a> = HashMap<&'a Ident, &'a str>;

impl Variables {
    /// Those of a body; `given` are the values of its arguments, one of several where a
    /// name is there several times.
    pub(super) fn of(root: &SyntaxNode, given: &[(Ident, String)]) -> Self {
        let mut known = Self::default();
        for (name, value) in given {
            known.choices.entry(name.clone()).or_default().push(value.clone());
        }
        let mut changed: HashMap<Ident, Vec<Option<SyntaxNode>>> = HashMap::new();
        for node in root.descendants() {
            match node.kind() {
                S::PLPGSQL_VAR_DECL => known.declare(&node),
                S::PLPGSQL_FOR_EACH_STMT => known.run_through(&node),
                _ => {}
            }
            if let Some((name, value)) = change(&node) {
                changed.entry(name).or_default().push(value);
            }
        }
        for (name, values) in changed {
            let declared = known.choices.remove(&name).is_some();
            if let (false, Some(values)) = (declared, values.into_iter().collect()) {
                known.assigned.insert(name, values);
            }
        }
        known
    }

    fn declare(&mut self, node: &SyntaxNode) {
        let name = child(node, S::PLPGSQL_VAR_NAME).and_then(|name| ident(&name));
        let value = child(node, S::PLPGSQL_VAR_INIT).and_then(|init| expression(&init));
        let (Some(name), Some(value)) = (name, value) else { return };
        if let Some(values) = self.elements(&value).or_else(|| self.texts(&value)) {
            self.choices.insert(name, values);
        }
    }

    /// `FOREACH name IN ARRAY …`; two such loops may use one name.
    fn run_through(&mut self, node: &SyntaxNode) {
        let name = child(node, S::PLPGSQL_FOR_VARIABLE).and_then(|name| ident(&name));
        let array = children(node, S::PLPGSQL_EXPR).next().and_then(|it| sole_target(&it));
        let (Some(name), Some(array)) = (name, array) else { return };
        let known = || self.choices.get(&ident(&array)?).cloned();
        let values = match array.kind() {
            S::NAME_REF => known(),
            _ => self.elements(&array),
        };
        if let Some(values) = values {
            self.choices.entry(name).or_default().extend(values);
        }
    }

    /// The elements of `ARRAY['a', 'b']`, perhaps with a cast.
    fn elements(&self, node: &SyntaxNode) -> Option<Vec<String>> {
        match node.kind() {
            S::CAST_EXPR | S::PAREN_EXPR => self.elements(&node.children().next()?),
            S::ARRAY_EXPR => {
                let one = |element: SyntaxNode| {
                    self.texts(&element).filter(|values| values.len() == 1)?.pop()
                };
                node.children().map(one).collect()
            }
            _ => None,
        }
    }

    /// All texts that an expression can be; `None` when only the server knows.
    pub(super) fn texts(&self, node: &SyntaxNode) -> Option<Vec<String>> {
        let worlds = self.in_each_world(std::slice::from_ref(node), |chosen| {
            self.value(node, chosen, MAX_DEPTH)
        })?;
        let mut found: Vec<String> = Vec::new();
        for text in worlds.into_iter().flatten() {
            if !found.contains(&text) {
                found.push(text);
            }
        }
        (found.len() <= MAX_VALUES).then_some(found)
    }

    /// All values that some expressions have at the same time, each where it is known.
    pub(super) fn together(&self, nodes: &[SyntaxNode]) -> Vec<Vec<Option<String>>> {
        let one = |node: &SyntaxNode, chosen: &Chosen<'_>| {
            self.value(node, chosen, MAX_DEPTH).filter(|values| values.len() == 1)?.pop()
        };
        let all = |chosen: &Chosen<'_>| Some(nodes.iter().map(|it| one(it, chosen)).collect());
        self.in_each_world(nodes, all).unwrap_or_else(|| vec![vec![None; nodes.len()]])
    }

    /// `work` with each choice of values for the variables in `nodes`: a variable that
    /// stands there twice has the same value at both places.
    fn in_each_world<T>(
        &self,
        nodes: &[SyntaxNode],
        work: impl Fn(&Chosen<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let names = self.choices_in(nodes);
        self.steps.set(0);
        let lists: Vec<_> = names.iter().filter_map(|name| self.choices.get(*name)).collect();
        product(&lists, |values| work(&names.iter().copied().zip(values.iter().copied()).collect()))
    }

    /// The variables with several values on which expressions depend.
    fn choices_in(&self, nodes: &[SyntaxNode]) -> Vec<&Ident> {
        let mut found = Vec::new();
        let mut followed = HashSet::new();
        let mut pending = nodes.to_vec();
        while let Some(node) = pending.pop() {
            for name in node.descendants().filter(|inside| inside.kind() == S::NAME_REF) {
                let Some(name) = ident(&name) else { continue };
                if let Some((name, _)) = self.choices.get_key_value(&name) {
                    if !found.contains(&name) {
                        found.push(name);
                    }
                } else if let Some((name, values)) = self.assigned.get_key_value(&name)
                    && followed.insert(name)
                {
                    pending.extend(values.iter().cloned());
                }
            }
        }
        found
    }

    /// All texts that an expression can be, given some variables' values.
    fn value(&self, node: &SyntaxNode, chosen: &Chosen<'_>, depth: u8) -> Option<Vec<String>> {
        let depth = depth.checked_sub(1)?;
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return None;
        }
        let inside = |node: &SyntaxNode| self.value(node, chosen, depth);
        let values = match node.kind() {
            S::LITERAL => vec![string(node).or_else(|| number(node))?],
            S::NAME_REF => {
                let name = ident(node)?;
                if let Some(value) = chosen.get(&name) {
                    return Some(vec![(*value).to_owned()]);
                }
                let values = self.assigned.get(&name)?.iter().map(inside);
                values.collect::<Option<Vec<_>>>()?.concat()
            }
            // Which element it is, is not asked.
            S::PAREN_EXPR | S::CAST_EXPR | S::INDEX_EXPR => inside(&node.children().next()?)?,
            S::BIN_EXPR => {
                let operator = |kind| matches!(kind, S::OP | S::CUSTOM_OP);
                let mut parts = node.children().filter(|part| !operator(part.kind()));
                let (left, right) = (parts.next()?, parts.next()?);
                joins(node)?;
                product(&[&inside(&left)?, &inside(&right)?], |parts| Some(parts.concat()))?
            }
            S::CALL_EXPR => {
                let function = node.children().next().and_then(|callee| ident(&callee))?;
                let list = child(node, S::ARG_LIST)?;
                let arguments = children(&list, S::ARG).filter_map(|it| it.children().next());
                called(function.as_str(), || arguments.map(|it| inside(&it)).collect())?
            }
            _ => return None,
        };
        (values.len() <= MAX_VALUES).then_some(values)
    }
}

/// The variable that a node changes, and the new value where it is an expression.
fn change(node: &SyntaxNode) -> Option<(Ident, Option<SyntaxNode>)> {
    let owner = node.parent()?;
    let value = match node.kind() {
        S::PLPGSQL_ASSIGN_TARGET => expression(&owner),
        S::PLPGSQL_INTO_TARGET => None,
        S::PLPGSQL_FOR_VARIABLE if owner.kind() != S::PLPGSQL_FOR_EACH_STMT => None,
        _ => return None,
    };
    Some((ident(node)?, value))
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

/// What some functions of the server return.
fn called(
    function: &str,
    arguments: impl FnOnce() -> Option<Vec<Vec<String>>>,
) -> Option<Vec<String>> {
    match function {
        // The database that the script runs in, whatever it is called.
        "current_database" => return Some(vec!["current_database".to_owned()]),
        "current_setting" => return Some(vec![SETTING.to_owned()]),
        _ => {}
    }
    let values = arguments()?;
    let lists: Vec<_> = values.iter().collect();
    match function {
        "format" => product(&lists, formatted),
        "quote_ident" => product(&lists, |parts| Some(quoted_if_needed(parts.first()?))),
        "quote_literal" => product(&lists, |parts| Some(literal(parts.first()?))),
        "concat" => product(&lists, |parts| Some(parts.concat())),
        // Any of them may be the first that is not NULL.
        "coalesce" => Some(values.concat()),
        _ => None,
    }
}

/// `make` of every choice of one value from each list.
fn product<T>(lists: &[&Vec<String>], make: impl Fn(&[&str]) -> Option<T>) -> Option<Vec<T>> {
    let count = lists.iter().try_fold(1_usize, |count, list| count.checked_mul(list.len()))?;
    if count > MAX_VALUES {
        return None;
    }
    (0..count)
        .map(|mut number| {
            let mut pick = |list: &Vec<String>| {
                let at = number % list.len();
                number /= list.len();
                at
            };
            let chosen: Vec<_> = lists.iter().map(|list| list[pick(list)].as_str()).collect();
            make(&chosen)
        })
        .collect()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
            'I' => text.push_str(&quoted_if_needed(value)),
            'L' => text.push_str(&literal(value)),
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
            (&["drop table %I, %I_x", "a\"b", "a"], Some("drop table \"a\"\"b\", a_x")),
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
