//! The parser's verdict on a script.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};
use squawk_syntax::SourceFile;

use super::nesting::{MAX_BRACKETS, check_nesting};
use crate::model::Span;

/// Stack of each parsing thread. The parser is recursive; 20,000 nested
/// brackets overflow the usual 2 MiB.
const STACK_BYTES: usize = 64 << 20;

/// Why a script is not valid SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// The parser's complaint and its place in the script.
    Invalid {
        /// A lowercase fragment.
        message: String,
        /// Where.
        span: Span,
    },
    /// Nested too deeply to be parsed at all.
    TooDeep {
        /// Where the limit was passed.
        span: Span,
        /// How many brackets may be open at once.
        limit: usize,
    },
    /// The parser itself failed; the script may be valid.
    ParserFailed,
}

/// Parses `sql` and returns what is wrong with it, in order of place; empty for
/// a valid script.
///
/// Call it within [`on_large_stack`]: elsewhere deep nesting overflows the stack.
pub fn check(sql: &str) -> Vec<SyntaxError> {
    if let Err(deep) = check_nesting(sql) {
        let span = Span::at(deep.offset);
        return vec![SyntaxError::TooDeep { span, limit: MAX_BRACKETS }];
    }
    catch_unwind(AssertUnwindSafe(|| parse_errors(sql)))
        .unwrap_or_else(|_| vec![SyntaxError::ParserFailed])
}

fn parse_errors(sql: &str) -> Vec<SyntaxError> {
    let in_order = SourceFile::parse(sql).errors();
    in_order
        .into_iter()
        .map(|error| {
            let range = error.range();
            let span = Span::new(range.start().into(), range.end().into());
            SyntaxError::Invalid { message: readable(error.message()), span }
        })
        .collect()
}

/// The parser names tokens by its own constants (`R_PAREN`, `TABLE_KW`); people
/// know them by their text.
fn readable(message: &str) -> String {
    if message.starts_with("expected command") {
        return "no statement begins like this".to_owned();
    }
    let word = |word: &str| {
        let (name, tail) = word.split_at(word.trim_end_matches([',', '.', ';']).len());
        let text = match name {
            "L_PAREN" => "`(`".to_owned(),
            "R_PAREN" => "`)`".to_owned(),
            "L_BRACK" => "`[`".to_owned(),
            "R_BRACK" => "`]`".to_owned(),
            "SEMICOLON" => "`;`".to_owned(),
            "COMMA" => "`,`".to_owned(),
            "EQ" => "`=`".to_owned(),
            "DOT" => "`.`".to_owned(),
            "IDENT" => "a name".to_owned(),
            "EOF" => "the end".to_owned(),
            name => match name.strip_suffix("_KW") {
                Some(keyword) => format!("`{keyword}`"),
                None => name.to_owned(),
            },
        };
        text + tail
    };
    message.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Runs `work` on rayon's threads with a stack that the parser cannot overflow;
/// rayon's operations inside it use the same threads.
pub fn on_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| ThreadPoolBuilder::new().stack_size(STACK_BYTES).build().ok());
    match pool {
        Some(pool) => pool.install(work),
        // No thread could be made: the machine is out of them. Go on here.
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_error_is_given() {
        assert_eq!(check("select 1; create table t(a int);"), []);
        let errors = check("select 1;\ncreate tabel t();");
        assert!(
            matches!(errors.first(), Some(SyntaxError::Invalid { span, .. }) if span.start >= 10),
            "{errors:?}"
        );
    }

    #[test]
    fn deep_nesting_is_refused_or_survived() {
        on_large_stack(|| {
            let nested = |n: usize| format!("select {}1{}", "(".repeat(n), ")".repeat(n));
            assert_eq!(check(&nested(5_000)), []);
            assert!(matches!(check(&nested(20_001))[..], [SyntaxError::TooDeep { .. }]));
        });
    }
}
