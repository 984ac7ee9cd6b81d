//! The rules of squawk's linter, asked about one script.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_linter::analyze::possibly_slow_stmt;
use squawk_linter::{Linter, LinterSettings, Rule};
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

use super::check::Tree;
use super::token::lex;
use crate::model::{Code, Span};

/// Something that a rule of squawk's finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub code: Code,
    /// Where in the script.
    pub span: Span,
    /// One lowercase fragment.
    pub message: String,
    /// What else there is to say, and what to do.
    pub help: Vec<String>,
}

/// The linter itself failed; the script may be as safe as can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinterFailed;

/// What `codes`, of [`Code::SAFETY`], find. What the script makes itself in one
/// transaction is known to be new; `in_transaction` says whether it runs in one.
///
/// Two rules have functions of their own here: [`repeatable`] and
/// [`endless`].
pub fn violations(
    tree: &Tree,
    codes: &[Code],
    in_transaction: bool,
) -> Result<Vec<Violation>, LinterFailed> {
    let own = [Code::PreferRobustStmts, Code::RequireLockTimeout, Code::RequireStatementTimeout];
    let rules = codes.iter().filter(|code| !own.contains(code)).filter_map(|code| rule(*code));
    let mut found = lint(tree, rules.collect(), in_transaction)?;
    found.retain(|one| !is_of_new_column(one));
    Ok(without_repetition(found))
}

/// Older code does not write a column that is only now added, so no constraint of it
/// refuses what that code writes. A column that must be given is another rule's.
fn is_of_new_column(one: &Violation) -> bool {
    one.code == Code::BanNewWriteRestriction && one.message.starts_with("a new column constraint")
}

/// `constraint-missing-not-valid` says of all constraints what other rules say more
/// exactly of some.
fn without_repetition(mut found: Vec<Violation>) -> Vec<Violation> {
    let exact = [
        Code::AddingForeignKeyConstraint,
        Code::AddingSerialPrimaryKeyField,
        Code::DisallowedUniqueConstraint,
    ];
    // Squawk has them in the order of their places.
    let places: Vec<Span> =
        found.iter().filter(|one| exact.contains(&one.code)).map(|one| one.span).collect();
    let is_said = |one: &Violation| {
        let first = places.partition_point(|at| at.start < one.span.start);
        places.get(first).is_some_and(|at| at.end <= one.span.end)
    };
    found.retain(|one| one.code != Code::ConstraintMissingNotValid || !is_said(one));
    found
}

/// The statements of which [`Code::PreferRobustStmts`] says that they cannot be
/// repeated, whether or not they run in a transaction.
pub fn repeatable(tree: &Tree, in_transaction: bool) -> Result<Vec<Violation>, LinterFailed> {
    let found = lint(tree, vec![Rule::PreferRobustStmts], false)?;
    let message = |said: &str| match said {
        _ if said.contains("IF NOT EXISTS") => {
            Some("without `IF NOT EXISTS` this fails where the object is there already")
        }
        _ if said.contains("IF EXISTS") => {
            Some("without `IF EXISTS` this fails where the object is not there")
        }
        _ if in_transaction => None,
        _ => Some("this cannot be repeated, and does not run in a transaction"),
    };
    let reworded = |one: Violation| {
        let message = message(&one.message)?.to_owned();
        Some(Violation { message, help: vec![], ..one })
    };
    Ok(found.into_iter().filter_map(reworded).collect())
}

/// A statement that may last for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endless {
    /// Where.
    pub span: Span,
    /// The script itself has taken the limit away.
    pub switched_off: bool,
}

/// The first statement that may keep others waiting while there is no limit. There is
/// one at the beginning if `is_limited`, and `SET <setting>` changes that. One that works
/// `CONCURRENTLY` keeps nobody waiting, and neither does one of which `is_moot` says
/// that it touches nothing that others use.
pub fn endless(
    tree: &Tree,
    setting: &str,
    is_limited: bool,
    is_moot: impl Fn(Span) -> bool,
) -> Option<Endless> {
    let (mut is_limited, mut switched_off) = (is_limited, false);
    for statement in ast::SourceFile::cast(tree.root())?.stmts() {
        if let Some(limits) = limits(&statement, setting) {
            (is_limited, switched_off) = (limits, !limits);
        }
        let may_wait = setting != "lock_timeout" || waits_for_locks(&statement);
        let is_slow = may_wait && possibly_slow_stmt(&statement);
        if is_slow && !is_limited && !is_concurrent(statement.syntax()) {
            let span = place(tree, statement.syntax());
            if !is_moot(span) {
                return Some(Endless { span, switched_off });
            }
        }
    }
    None
}

/// False for what is made and takes no lock that anybody would queue behind.
fn waits_for_locks(statement: &ast::Stmt) -> bool {
    use ast::Stmt;
    !matches!(
        statement,
        Stmt::CommentOn(_)
            | Stmt::CreateAggregate(_)
            | Stmt::CreateCollation(_)
            | Stmt::CreateDomain(_)
            | Stmt::CreateExtension(_)
            | Stmt::CreateFunction(_)
            | Stmt::CreateMaterializedView(_)
            | Stmt::CreateProcedure(_)
            | Stmt::CreateRole(_)
            | Stmt::CreateSchema(_)
            | Stmt::CreateSequence(_)
            | Stmt::CreateTableAs(_)
            | Stmt::CreateType(_)
            | Stmt::CreateUser(_)
            | Stmt::CreateView(_)
            | Stmt::SelectInto(_)
    )
}

/// Whether `statement` sets a limit or takes it away; `None` when it does neither.
fn limits(statement: &ast::Stmt, setting: &str) -> Option<bool> {
    let is_it = |parameter: Option<ast::ConfigParameterRef>| {
        let path = parameter.and_then(|parameter| parameter.path_ref());
        let name = path.filter(|path| path.qualifier().is_none()).and_then(|path| path.segment());
        name.is_some_and(|name| ast::NameLike::text(&name) == setting)
    };
    match statement {
        ast::Stmt::Set(set) => {
            let Some(ast::SetTarget::SetConfig(config)) = set.set_target() else { return None };
            let value = config.config_assignment().map(|value| value.syntax().to_string());
            // A time without any digit but 0 is none, and neither is `DEFAULT`.
            let is_some = value.is_some_and(|value| value.contains(|c| matches!(c, '1'..='9')));
            is_it(config.config_parameter_ref()).then_some(is_some)
        }
        ast::Stmt::Reset(reset) => {
            let resets = match reset.reset_target()? {
                ast::ResetTarget::All(_) => true,
                ast::ResetTarget::ConfigParameterRef(parameter) => is_it(Some(parameter)),
                _ => false,
            };
            resets.then_some(false)
        }
        _ => None,
    }
}

fn is_concurrent(statement: &SyntaxNode) -> bool {
    let text = statement.text().to_string();
    let lexed = lex(&text);
    lexed.tokens.iter().any(|token| token.is_word(&text, "concurrently"))
}

/// From its first token that is no comment.
fn place(tree: &Tree, node: &SyntaxNode) -> Span {
    let range = node.text_range();
    let first = node.children_with_tokens().find(|child| !child.kind().is_trivia());
    let start = first.map_or(range.start(), |child| child.text_range().start());
    tree.place(Span::new(start.into(), range.end().into()))
}

fn rule(code: Code) -> Option<Rule> {
    code.as_str().parse().ok()
}

fn lint(
    tree: &Tree,
    rules: Vec<Rule>,
    in_transaction: bool,
) -> Result<Vec<Violation>, LinterFailed> {
    let work = || {
        let mut linter = Linter::from(rules);
        linter.settings =
            LinterSettings { assume_in_transaction: in_transaction, ..LinterSettings::default() };
        linter.lint(tree.parsed(), &tree.root().text().to_string())
    };
    let found = catch_unwind(AssertUnwindSafe(work)).map_err(|_| LinterFailed)?;
    let violation = |one: squawk_linter::Violation| {
        let code = Code::SAFETY.iter().find(|code| rule(**code) == Some(one.code))?;
        let span = Span::new(one.text_range.start().into(), one.text_range.end().into());
        let (message, more) = match one.message.split_once(". ") {
            Some((message, more)) => (message, Some(more)),
            None => (one.message.as_str(), None),
        };
        let (message, help) = (fragment(message), more.into_iter().chain(one.help.as_deref()));
        let help = help.map(fragment).collect();
        Some(Violation { code: *code, span: tree.place(span), message, help })
    };
    Ok(found.into_iter().filter_map(violation).collect())
}

/// Squawk's sentences as our messages are: they begin in lower case, unless with a
/// keyword, and have no full stop.
fn fragment(sentence: &str) -> String {
    let text = sentence.trim_end_matches(['.', '!']);
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn found(sql: &str, in_transaction: bool) -> String {
        let found = violations(&parse(sql).unwrap(), Code::SAFETY, in_transaction).unwrap();
        let mut codes: Vec<_> = found.iter().map(|one| one.code.as_str()).collect();
        codes.sort_unstable();
        codes.join(" ")
    }

    #[test]
    fn every_rule_is_one_of_squawks() {
        let unknown: Vec<_> = Code::SAFETY.iter().filter(|code| rule(**code).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for code in Code::SAFETY {
            assert_eq!(rule(*code).unwrap().to_string(), code.as_str());
        }
    }

    #[test]
    fn what_squawk_finds_is_told_in_our_words() {
        let sql = "\n-- é\nALTER TABLE t DROP COLUMN c;";
        let found = violations(&parse(sql).unwrap(), &[Code::BanDropColumn], true).unwrap();
        let expected = Violation {
            code: Code::BanDropColumn,
            span: Span::new(21, 34),
            message: "dropping a column may break existing clients".to_owned(),
            help: vec![],
        };
        assert_eq!(found, [expected]);
        assert_eq!(&sql[21..34], "DROP COLUMN c");
    }

    #[test]
    fn squawks_own_comments_silence_nothing() {
        for comment in ["-- squawk-ignore ban-drop-table", "/* squawk-ignore-file */"] {
            let sql = format!("{comment}\nDROP TABLE public.t;");
            assert_eq!(found(&sql, true), "ban-drop-table", "{comment}");
        }
    }

    #[test]
    fn what_is_new_in_the_transaction_locks_nobody_out() {
        let sql = "CREATE TABLE public.t (id bigint); CREATE INDEX i ON public.t (id);";
        assert_eq!(found(sql, true), "");
        assert_eq!(found(sql, false), "require-concurrent-index-creation");
    }

    #[test]
    fn one_constraint_is_told_once() {
        let cases = [
            ("ADD FOREIGN KEY (a) REFERENCES public.u", "adding-foreign-key-constraint"),
            ("ADD CONSTRAINT c UNIQUE (a)", "disallowed-unique-constraint"),
            ("ADD CONSTRAINT c PRIMARY KEY (a)", "adding-serial-primary-key-field"),
            ("ADD CONSTRAINT c CHECK (a > 0)", "constraint-missing-not-valid"),
        ];
        for (action, code) in cases {
            let sql = format!("ALTER TABLE public.t {action}");
            let codes = found(&sql, true);
            let mut expected = [code, "ban-new-write-restriction"];
            expected.sort_unstable();
            assert_eq!(codes, expected.join(" "), "{action}");
        }
    }

    #[test]
    fn a_new_column_with_a_default_keeps_nobody_from_writing() {
        let add = "ALTER TABLE public.t ADD c text NOT NULL";
        assert_eq!(found(&format!("{add} DEFAULT ''"), true), "ban-add-column");
        assert_eq!(found(add, true), "adding-required-field ban-add-column");
    }

    #[test]
    fn places_behind_copied_rows_are_those_of_the_file() {
        let sql = "COPY t FROM stdin;\n1\n\\.\nDROP TABLE t;";
        let found = violations(&parse(sql).unwrap(), &[Code::BanDropTable], true).unwrap();
        assert_eq!(&sql[found[0].span.start..found[0].span.end], "DROP TABLE t;");
    }

    #[test]
    fn what_can_be_repeated_is_asked_in_a_transaction_too() {
        let cases = [
            ("CREATE TABLE t ()", true, 1),
            ("CREATE TABLE IF NOT EXISTS t ()", true, 0),
            ("DROP TABLE t", true, 1),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (true)", true, 0),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (true)", false, 1),
        ];
        for (sql, in_transaction, count) in cases {
            let found = repeatable(&parse(sql).unwrap(), in_transaction).unwrap();
            assert_eq!(found.len(), count, "{sql}: {found:?}");
        }
    }

    #[test]
    fn a_timeout_must_come_first() {
        let cases = [
            ("SELECT 1; ALTER TABLE t ADD c int", Some(10)),
            ("SET lock_timeout = '1s'; ALTER TABLE t ADD c int", None),
            ("SET lock_timeout = 1000; SET lock_timeout TO 0; DROP TABLE t", Some(48)),
            ("SET x.lock_timeout = '1s'; DROP TABLE t", Some(27)),
            ("CREATE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD c int", Some(38)),
            ("ALTER TABLE p DETACH PARTITION c CONCURRENTLY", None),
            ("INSERT INTO t VALUES (1)", None),
            ("CREATE TYPE y AS ENUM (); ALTER TABLE t ADD c int", Some(26)),
            ("SELECT 'a statement is moot when it begins behind here'; DROP TABLE t", None),
        ];
        for (sql, expected) in cases {
            let found =
                endless(&parse(sql).unwrap(), "lock_timeout", false, |span| span.start > 50);
            assert_eq!(found.map(|one| one.span.start), expected, "{sql}");
        }
    }
}
