//! A script's statements, its own transactions, and the steps they make.

use crate::model::{
    Block, Code, Diagnostic, Execution, Place, Span, Statement, StatementKind, Step,
    TransactionMode,
};
use crate::syntax::{Control, CopyIn, Meaning, StatementTokens};

use super::script::Context;

/// What a script is made of.
pub(super) struct Cut {
    /// What is sent; never empty.
    pub(super) statements: Vec<Statement>,
    /// How.
    pub(super) execution: Execution,
    /// Its own `BEGIN`, `COMMIT` and `SET TRANSACTION`, which `execution` stands for.
    pub(super) controls: Vec<Span>,
}

/// Cuts a script at its own transaction control, and complains about everything
/// that cannot be run; `None` when there is nothing to run.
pub(super) fn cut(
    context: Context<'_>,
    found: &[StatementTokens<'_>],
    note: &mut impl FnMut(Diagnostic),
) -> Option<Cut> {
    let mut walk =
        Walk { context, statements: Vec::new(), outside: Vec::new(), blocks: Vec::new() };
    let mut own = Own::default();
    for statement in found {
        walk.take(&mut own, *statement).into_iter().for_each(&mut *note);
    }
    own.unclosed(context).into_iter().for_each(&mut *note);
    if walk.statements.is_empty() {
        return None;
    }
    let execution = walk.execution(&own, note);
    Some(Cut { statements: walk.statements, execution, controls: own.controls })
}

/// What has been read of the statements that are sent.
struct Walk<'a> {
    context: Context<'a>,
    statements: Vec<Statement>,
    /// The indexes of those outside of the script's own transactions, and whether
    /// each may be in one of ours even where the author asks for none.
    outside: Vec<(usize, bool)>,
    /// The script's own transactions, without empty ones.
    blocks: Vec<Block>,
}

/// The script's own transaction control.
#[derive(Default)]
struct Own {
    open: Option<Open>,
    /// Modes that the script sets before its first statement, outside of a block.
    modes: Vec<String>,
    /// Everything that is not sent.
    controls: Vec<Span>,
    /// Of these, what sets `modes`.
    set: Option<Span>,
}

/// A transaction that the script has begun.
struct Open {
    /// Its `BEGIN`, or the `COMMIT AND CHAIN` before it.
    begin: Span,
    chained: bool,
    /// By something that is refused.
    ended: bool,
    modes: Vec<String>,
    /// The index of its first statement.
    first: usize,
}

impl Walk<'_> {
    fn take(&mut self, own: &mut Own, tokens: StatementTokens<'_>) -> Option<Diagnostic> {
        let span = tokens.span();
        match tokens.meaning() {
            Meaning::Runs(kind) => {
                let statement = Statement { span, kind };
                if own.open.is_none() {
                    self.outside.push((self.statements.len(), tokens.changes_rows()));
                }
                self.statements.push(statement);
                own.open.as_ref().and_then(|_| {
                    in_transaction(self.context, &statement, "the file's own BEGIN … COMMIT")
                })
            }
            Meaning::Control(control) => {
                own.controls.push(span);
                self.control(own, control, span)
            }
            Meaning::SessionReset(what) => Some(session_reset(self.context, span, what)),
            Meaning::Unfit(copy) => Some(unfit(self.context, span, copy)),
        }
    }

    fn control(&mut self, own: &mut Own, control: Control, span: Span) -> Option<Diagnostic> {
        let context = self.context;
        if matches!(control, Control::Rollback | Control::Prepare) {
            // What is wrong with its end is said.
            own.open.iter_mut().for_each(|open| open.ended = true);
        }
        match control {
            Control::Begin { modes } => self.begin(own, modes, span),
            Control::Commit { chain } => self.commit(own, chain, span),
            Control::SetTransaction { modes } => self.set_transaction(own, modes, span),
            Control::Rollback => Some(
                refused(context, span, "ROLLBACK", "would undo what the script has done")
                    .help("SAVEPOINT and ROLLBACK TO are fine; what undoes a migration belongs in its down section"),
            ),
            Control::Prepare => Some(
                refused(context, span, "PREPARE TRANSACTION", "nobody would end it")
                    .help("write COMMIT; a prepared transaction holds its locks until somebody finds it"),
            ),
        }
    }

    fn begin(&mut self, own: &mut Own, modes: Span, span: Span) -> Option<Diagnostic> {
        if let Some(open) = own.open.as_ref().filter(|open| !open.ended) {
            let problem =
                problem(self.context, "BEGIN inside a transaction", span, "begins nothing");
            let first = self.context.source.first_line(open.begin);
            return Some(
                problem
                    .also(Place::new(self.context.source, first, "this one is still open"))
                    .help("end the first with COMMIT, or use SAVEPOINT"),
            );
        }
        let (modes, problem) = self.modes(modes);
        own.open = Some(Open {
            begin: span,
            chained: false,
            ended: false,
            modes,
            first: self.statements.len(),
        });
        problem
    }

    fn commit(&mut self, own: &mut Own, chain: bool, span: Span) -> Option<Diagnostic> {
        let Some(open) = own.open.take() else {
            let what = if chain { "COMMIT AND CHAIN" } else { "COMMIT" };
            let problem =
                problem(self.context, &format!("{what} without a BEGIN"), span, "ends nothing");
            return Some(problem.help("a file without BEGIN runs in a transaction of migraph's: remove this, or write BEGIN … COMMIT around each part that is to be committed on its own"));
        };
        let statements = open.first..self.statements.len();
        if !statements.is_empty() {
            self.blocks.push(Block { modes: open.modes.join(", "), statements });
        }
        if chain {
            let first = self.statements.len();
            own.open =
                Some(Open { begin: span, chained: true, ended: false, modes: open.modes, first });
        }
        None
    }

    fn set_transaction(
        &self,
        own: &mut Own,
        modes: Option<Span>,
        span: Span,
    ) -> Option<Diagnostic> {
        let Some(modes) = modes else {
            return Some(refused(
                self.context,
                span,
                "SET TRANSACTION SNAPSHOT",
                "the transaction has another one",
            ));
        };
        let (mut modes, problem) = self.modes(modes);
        let none_before = self.statements.len();
        match &mut own.open {
            Some(open) if open.first == none_before => open.modes.append(&mut modes),
            None if none_before == 0 && self.blocks.is_empty() => {
                own.modes.append(&mut modes);
                own.set.get_or_insert(span);
            }
            _ => return Some(late_modes(self.context, span)),
        }
        problem
    }

    /// Modes for a `BEGIN` of ours, and what is wrong with them.
    fn modes(&self, span: Span) -> (Vec<String>, Option<Diagnostic>) {
        let text = self.context.source.slice(span);
        // A comment would hide what we write behind it.
        let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default().trim());
        let modes = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let words = modes.to_ascii_lowercase();
        let read_only =
            words.split_whitespace().collect::<Vec<_>>().join(" ").contains("read only");
        let problem = read_only.then(|| {
            problem(
                self.context,
                "a read-only transaction cannot record its migration",
                span,
                "remove READ ONLY",
            )
        });
        let modes = if modes.is_empty() { Vec::new() } else { vec![modes] };
        (modes, problem)
    }

    /// Decides how the script is run, and complains about what cannot be run so.
    fn execution(&self, own: &Own, note: &mut impl FnMut(Diagnostic)) -> Execution {
        let bare = |(index, _): &(usize, bool)| {
            matches!(self.statements[*index].kind, StatementKind::NonTransactional(_))
        };
        let mode = self.context.mode;
        let one = match self.blocks.as_slice() {
            [] => mode != TransactionMode::Never && !self.outside.iter().any(bare),
            [_] => self.outside.is_empty(),
            _ => false,
        };
        if mode == TransactionMode::Always && !one {
            self.not_one(own, note);
        }
        let in_one = one || mode == TransactionMode::Always;
        if let Some(span) = own.set.filter(|_| !in_one || !self.blocks.is_empty()) {
            note(late_modes(self.context, span));
        }
        if in_one {
            let modes = self.blocks.first().map(|block| block.modes.clone());
            return Execution::Transaction { modes: modes.unwrap_or_else(|| own.modes.join(", ")) };
        }
        Execution::Steps(self.steps())
    }

    /// Why a script that is to run in one transaction cannot.
    fn not_one(&self, own: &Own, note: &mut impl FnMut(Diagnostic)) {
        let always = "`@transaction: always`";
        for (index, _) in &self.outside {
            let problem = in_transaction(self.context, &self.statements[*index], always);
            problem.into_iter().for_each(&mut *note);
        }
        if let Some(span) = own.controls.first().filter(|_| !self.blocks.is_empty()) {
            let problem = problem(
                self.context,
                &format!("{always} asks for one transaction, and the file has several of its own"),
                *span,
                "here begins the first",
            );
            note(problem.help(
                "remove `@transaction: always`: each is then applied and recorded on its own",
            ));
        }
    }

    /// The steps in the order of their statements.
    fn steps(&self) -> Vec<Step> {
        let apart = self.outside.iter().map(|(index, rows)| self.step(*index, *rows));
        let mut steps: Vec<_> = self.blocks.iter().cloned().map(Step::Segment).collect();
        steps.extend(apart);
        steps.sort_by_key(Step::number);
        steps
    }

    /// A statement outside of the script's own transactions. One that can be in a
    /// transaction is done and recorded at once.
    fn step(&self, index: usize, changes_rows: bool) -> Step {
        let never = self.context.mode == TransactionMode::Never;
        match self.statements[index].kind {
            StatementKind::Plain if !never || changes_rows => {}
            StatementKind::CopyIn { .. } => {}
            _ => return Step::Bare(index),
        }
        Step::Segment(Block { modes: String::new(), statements: index..index + 1 })
    }
}

impl Own {
    /// A `BEGIN` that no `COMMIT` answers.
    fn unclosed(&self, context: Context<'_>) -> Option<Diagnostic> {
        let open = self.open.as_ref().filter(|open| !open.ended)?;
        let message = match open.chained {
            true => "COMMIT AND CHAIN begins a transaction that has no COMMIT",
            false => "this BEGIN has no COMMIT",
        };
        let problem = problem(context, message, open.begin, "what follows would be lost");
        Some(problem.help("write COMMIT behind the last statement that belongs to it"))
    }
}

fn problem(context: Context<'_>, message: &str, span: Span, label: &str) -> Diagnostic {
    let span = context.source.first_line(span);
    Diagnostic::error(Code::OwnTransaction, message).at(Place::new(context.source, span, label))
}

fn refused(context: Context<'_>, span: Span, what: &str, label: &str) -> Diagnostic {
    problem(context, &format!("{what} in a migration is not supported"), span, label)
}

fn late_modes(context: Context<'_>, span: Span) -> Diagnostic {
    let message = "SET TRANSACTION must be the first statement of its transaction";
    problem(context, message, span, "would fail or do nothing here")
        .help("give its modes to the BEGIN, as in `BEGIN ISOLATION LEVEL SERIALIZABLE; … COMMIT;`")
}

/// Complains about a statement that cannot run in the transaction `because` of
/// which it would.
fn in_transaction(
    context: Context<'_>,
    statement: &Statement,
    because: &str,
) -> Option<Diagnostic> {
    let StatementKind::NonTransactional(what) = statement.kind else { return None };
    let message = format!("{what} cannot run in a transaction, which {because} asks for");
    let span = context.source.first_line(statement.span);
    Some(
        Diagnostic::error(Code::NotInTransaction, message)
            .at(Place::new(context.source, span, "runs only outside"))
            .help("remove that, and the file is run statement by statement; a migration of its own for this statement is safer"),
    )
}

fn session_reset(context: Context<'_>, span: Span, what: &str) -> Diagnostic {
    let span = context.source.first_line(span);
    Diagnostic::error(Code::SessionReset, format!("{what} would undo what keeps the run safe"))
        .at(Place::new(context.source, span, "remove this"))
        .help("migraph cleans the session behind each migration itself")
}

fn unfit(context: Context<'_>, span: Span, copy: CopyIn) -> Diagnostic {
    let statement = context.source.first_line(span);
    let (code, message, at, label, help) = match copy {
        CopyIn::ToClient => (
            Code::UnsupportedCopy,
            "COPY … TO STDOUT is not supported",
            statement,
            "nobody would read it",
            "remove it, or write to a table",
        ),
        CopyIn::Binary => (
            Code::UnsupportedCopy,
            "COPY … FROM STDIN in binary format is not supported",
            statement,
            "a migration is text",
            "use the text or csv format",
        ),
        CopyIn::NoData | CopyIn::Data(_) => (
            Code::UnsupportedCopy,
            "COPY … FROM STDIN without data",
            statement,
            "its data must begin on the next line",
            "write the rows behind the line that its `;` ends, and `\\.` on a line of its own behind them",
        ),
        CopyIn::Endless(_) => (
            Code::Unterminated,
            "the data of this COPY have no end",
            statement,
            "they go on to the end of the file",
            "write a line with `\\.` alone behind the last row",
        ),
    };
    Diagnostic::error(code, message).at(Place::new(context.source, at, label)).help(help)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::model::Script;
    use crate::parse::{Depth, ParsedFile, parse};

    fn parsed(mode: &str, sql: &str) -> ParsedFile {
        let text = format!("-- @dependencies: []\n-- @transaction: {mode}\n{sql}");
        parse("0001_a.sql".into(), text.into_bytes(), Depth::Tokens)
    }

    /// `[a b]` is a segment, `[READ WRITE: a]` one with modes, `{a}` a transaction
    /// that is the whole script, `a` on its own a bare statement.
    fn shown(file: &ParsedFile) -> String {
        let Some((script, _)) = &file.scripts else { return problems(file) };
        let text = |index: usize| {
            let text = file.source.slice(script.statements[index].span);
            text.trim_end_matches(';').to_owned()
        };
        let block = |block: &Block| {
            let modes = if block.modes.is_empty() { "" } else { ": " };
            let texts: Vec<_> = block.statements.clone().map(text).collect();
            format!("{}{modes}{}", block.modes, texts.join(" "))
        };
        match &script.execution {
            Execution::Transaction { modes } => {
                format!("{{{}}}", block(&Script::in_one_block(script, modes)))
            }
            Execution::Steps(steps) => {
                let mut out = String::new();
                for step in steps {
                    let _ = match step {
                        Step::Bare(index) => write!(out, "{} ", text(*index)),
                        Step::Segment(it) => write!(out, "[{}] ", block(it)),
                    };
                }
                out.trim_end().to_owned()
            }
        }
    }

    fn problems(file: &ParsedFile) -> String {
        let lines = file.diagnostics.iter().map(|one| {
            let line = one.place.as_ref().and_then(Place::location).map_or(0, |at| at.line - 2);
            format!("{line} {}", one.message)
        });
        lines.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn a_script_is_cut_at_its_own_transactions() {
        let serializable = "ISOLATION LEVEL SERIALIZABLE";
        let cases = [
            // (mode, script, what it becomes)
            ("auto", "TABLE a; TABLE b;", "{TABLE a TABLE b}"),
            ("auto", "BEGIN; TABLE a; COMMIT;", "{TABLE a}"),
            ("always", "BEGIN READ WRITE; TABLE a; END", "{READ WRITE: TABLE a}"),
            ("never", "BEGIN; TABLE a; TABLE b; COMMIT;", "{TABLE a TABLE b}"),
            ("never", "BEGIN; TABLE a; END; TABLE b;", "[TABLE a] TABLE b"),
            ("auto", "BEGIN; TABLE a; COMMIT; BEGIN; TABLE b; COMMIT;", "[TABLE a] [TABLE b]"),
            ("auto", "TABLE a; BEGIN; TABLE b; END; TABLE c;", "[TABLE a] [TABLE b] [TABLE c]"),
            ("auto", "VACUUM; TABLE a; BEGIN; TABLE b; END;", "VACUUM [TABLE a] [TABLE b]"),
            ("auto", "SET x = 1; BEGIN; TABLE b; END;", "SET x = 1 [TABLE b]"),
            ("auto", "VACUUM; CALL p(); REINDEX TABLE t;", "VACUUM CALL p() REINDEX TABLE t"),
            ("auto", "CALL p(); TABLE a;", "{CALL p() TABLE a}"),
            ("never", "CREATE TABLE t (); DELETE FROM t;", "CREATE TABLE t () [DELETE FROM t]"),
            ("auto", "BEGIN; END; TABLE a; BEGIN; END;", "{TABLE a}"),
            (
                "auto",
                "BEGIN READ WRITE; TABLE a; COMMIT AND CHAIN; TABLE b; END AND CHAIN; COMMIT;",
                "[READ WRITE: TABLE a] [READ WRITE: TABLE b]",
            ),
            (
                "auto",
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; TABLE a;",
                &format!("{{{serializable}: TABLE a}}"),
            ),
            (
                "auto",
                "BEGIN READ WRITE; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; TABLE a; END;",
                &format!("{{READ WRITE, {serializable}: TABLE a}}"),
            ),
            ("auto", "BEGIN;\nEND;", "0 there is no SQL to run"),
        ];
        for (mode, sql, expected) in cases {
            assert_eq!(shown(&parsed(mode, sql)), expected, "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_at_its_line() {
        let late = "SET TRANSACTION must be the first statement of its transaction";
        let cases = [
            ("TABLE a;\nCOMMIT;\nTABLE b;", "2 COMMIT without a BEGIN"),
            ("TABLE a;\nCOMMIT AND CHAIN;", "2 COMMIT AND CHAIN without a BEGIN"),
            ("TABLE a;\nBEGIN;\nTABLE b;", "2 this BEGIN has no COMMIT"),
            (
                "BEGIN;\nTABLE a;\nCOMMIT AND CHAIN;\nTABLE b;",
                "3 COMMIT AND CHAIN begins a transaction that has no COMMIT",
            ),
            ("BEGIN;\nTABLE a;\nBEGIN;\nCOMMIT;", "3 BEGIN inside a transaction"),
            ("BEGIN;\nTABLE a;\nROLLBACK;\nEND;", "3 ROLLBACK in a migration is not supported"),
            (
                "TABLE a;\nPREPARE TRANSACTION 'x';",
                "2 PREPARE TRANSACTION in a migration is not supported",
            ),
            ("TABLE a;\nSET TRANSACTION READ WRITE;", &format!("2 {late}")),
            ("BEGIN;\nTABLE a;\nSET TRANSACTION READ WRITE;\nEND;", &format!("3 {late}")),
            ("SET TRANSACTION READ WRITE;\nBEGIN;\nTABLE a;\nEND;", &format!("1 {late}")),
            ("SET TRANSACTION READ WRITE;\nVACUUM;", &format!("1 {late}")),
            (
                "SET TRANSACTION SNAPSHOT 'x';\nTABLE a;",
                "1 SET TRANSACTION SNAPSHOT in a migration is not supported",
            ),
            (
                "TABLE a;\nBEGIN READ ONLY;\nTABLE b;\nEND;",
                "2 a read-only transaction cannot record its migration",
            ),
            ("TABLE a;\nRESET ALL;", "2 RESET ALL would undo what keeps the run safe"),
            ("COPY t FROM stdin;", "1 COPY … FROM STDIN without data"),
            ("COPY t FROM stdin;\n1\n", "1 the data of this COPY have no end"),
        ];
        for (sql, expected) in cases {
            assert_eq!(shown(&parsed("auto", sql)), expected, "{sql}");
        }
    }

    #[test]
    fn the_parts_of_a_transaction_lie_between_its_copies() {
        let sql = "BEGIN;\nTABLE a;\nCOPY t FROM stdin;\n1\n\\.\n\\restrict x\nCOPY t FROM stdin;\n\\.\nTABLE b; -- last\nCOMMIT;\n";
        let file = parsed("auto", sql);
        let (script, _) = file.scripts.as_ref().unwrap();
        let block = script.in_one_block("");
        let shown = script.parts(&file.source, &block).into_iter().map(|part| match part {
            crate::model::Part::Sql { span, .. } => script.text(&file.source, span),
            crate::model::Part::Copy { data, .. } => file.source.slice(data).to_owned(),
        });
        let shown: Vec<_> = shown.map(|text| text.trim().to_owned()).collect();
        assert_eq!(shown, ["TABLE a;", "1", "", "", "TABLE b; -- last"]);
    }
}
