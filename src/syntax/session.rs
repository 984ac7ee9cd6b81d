//! The settings that a script names and that the server has no list of.

use super::statements::statements;
use super::token::lex;
use super::words::{Words, unquoted};
use crate::model::{Migration, StatementKind};

/// The settings with a dot in their names that the statements of `migration` set, by
/// `SET` or by `set_config` with constants.
pub fn custom_settings(migration: &Migration) -> Vec<String> {
    let session = |kind: StatementKind| kind == StatementKind::Session;
    let statements = migration.up.statements.iter().filter(|it| session(it.kind));
    statements.filter_map(|it| custom_setting(migration.source.slice(it.span))).collect()
}

fn custom_setting(sql: &str) -> Option<String> {
    let lexed = lex(sql);
    let words = Words::of(statements(sql, &lexed.tokens).first().copied()?);
    let name = match words.get(0) {
        "set" => {
            let at = 1 + usize::from(words.get(1) == "session");
            let parts = words.name(at)?.0;
            parts.split('.').map(unquoted).collect::<Vec<_>>().join(".")
        }
        _ => words
            .texts
            .iter()
            .find_map(|text| text.strip_prefix('\''))?
            .trim_end_matches('\'')
            .into(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._$".contains(c);
    (name.contains('.') && name.chars().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_dot_count() {
        let cases = [
            ("SET app.tenant = '3'", Some("app.tenant")),
            ("set session \"App\".tenant to x", Some("App.tenant")),
            ("SELECT pg_catalog.set_config('app.user', 'x', false)", Some("app.user")),
            ("SET search_path = a.b", None),
            ("RESET app.tenant", None),
            ("SET \"a'b\".c = 1", None),
            ("", None),
        ];
        for (sql, expected) in cases {
            assert_eq!(custom_setting(sql).as_deref(), expected, "{sql}");
        }
    }
}
