//! Findings that a comment in the file has silenced.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::comment::{Comment, comments};
use crate::graph::MigrationGraph;
use crate::model::{
    Code, Diagnostic, Diagnostics, Migration, Place, Rules, Script, Source, Span, Statement,
};
use crate::suggest::nearest;

/// What the comments of all files silence.
#[derive(Debug, Default)]
pub struct Ignores {
    /// By the file's path.
    all: BTreeMap<PathBuf, Vec<Ignore>>,
    /// What is wrong with the comments themselves.
    problems: Diagnostics,
}

/// One rule that one comment silences.
#[derive(Debug)]
struct Ignore {
    source: Arc<Source>,
    /// Where the comment names the rule.
    named: Span,
    code: Code,
    /// The statement; `None` for the whole file.
    statement: Option<Span>,
    /// True when it names no rule and means every safety rule.
    is_bare: bool,
    has_reason: bool,
    is_used: bool,
}

impl Ignores {
    /// What the comments in the files of `graph` say.
    pub fn of(graph: &MigrationGraph) -> Self {
        let mut ignores = Self::default();
        for node in graph.nodes() {
            let migration = graph.migration(node);
            for comment in comments(migration.source.text()) {
                ignores.read(migration, &comment);
            }
        }
        ignores
    }

    /// `found` without what is silenced. What is an error of itself is not.
    pub fn filter(&mut self, mut found: Diagnostics) -> Diagnostics {
        if !self.all.is_empty() {
            found.retain(|one| one.is_error() || !one.code.can_be_ignored() || !self.silence(one));
        }
        found
    }

    /// What is wrong with the comments, when all else has been filtered. Where
    /// `rules` have turned a rule off, nobody can say whether it is needed.
    pub fn leftover(self, rules: &Rules) -> Diagnostics {
        let on = self.all.into_values().flatten().filter(|one| rules.is_on(one.code));
        let mut found = self.problems;
        found.extend(on.filter_map(Ignore::problem));
        // One that names no rule stands for many.
        found.dedup_by_key(|one| {
            (one.code, one.message.clone(), one.place.as_ref().map(|it| it.span))
        });
        found
    }

    fn silence(&mut self, one: &Diagnostic) -> bool {
        let Some(place) = &one.place else { return false };
        let Some(ignores) = self.all.get_mut(place.source.path()) else { return false };
        let mut silenced = false;
        for ignore in ignores.iter_mut().filter(|ignore| ignore.covers(one.code, place)) {
            ignore.is_used = true;
            silenced = true;
        }
        silenced
    }

    fn read(&mut self, migration: &Migration, comment: &Comment<'_>) {
        let problem = |message: String| {
            let place = Place::new(&migration.source, comment.span, "");
            Diagnostic::warning(Code::MalformedIgnore, message).at(place)
        };
        let scope = match (comment.form, comment.squawks) {
            ("", _) => statement_of(migration, comment.span),
            ("-file", true) => Some(None),
            ("-file", false) => {
                let first = migration.up.statements.first();
                if first.is_some_and(|first| first.span.start < comment.span.start) {
                    self.problems.push(
                        problem("this speaks for the whole file and stands in its middle".into())
                            .help("write it at the beginning of the file, or `migraph-ignore` above one statement"),
                    );
                    return;
                }
                Some(None)
            }
            (_, true) => return,
            (form, false) => {
                let message = format!("there is no `migraph-ignore{form}`");
                self.problems.push(
                    problem(message).help("there are `migraph-ignore` and `migraph-ignore-file`"),
                );
                return;
            }
        };
        let Some(statement) = scope else {
            if !comment.squawks {
                let is_down = |down: &Script| down.span.start <= comment.span.start;
                let message = match migration.down.as_ref().is_some_and(is_down) {
                    true => "nothing is looked for in the down section",
                    false => "no statement follows",
                };
                self.problems.push(problem(message.into()));
            }
            return;
        };
        let ignore = |(code, named)| Ignore {
            source: Arc::clone(&migration.source),
            named,
            code,
            statement,
            is_bare: comment.names.is_empty(),
            has_reason: !comment.reason.is_empty(),
            is_used: false,
        };
        let codes = self.codes(migration, comment);
        let all = self.all.entry(migration.source.path().to_owned()).or_default();
        all.extend(codes.into_iter().map(ignore));
    }

    /// The rules that `comment` names.
    fn codes(&mut self, migration: &Migration, comment: &Comment<'_>) -> Vec<(Code, Span)> {
        if comment.names.is_empty() && comment.squawks {
            // With squawk, this silences a file and no statement.
            let every = Code::SAFETY.iter().filter(|_| comment.form == "-file");
            return every.map(|code| (*code, comment.span)).collect();
        }
        if comment.names.is_empty() {
            let place = Place::new(&migration.source, comment.span, "");
            self.problems.push(
                Diagnostic::warning(Code::MalformedIgnore, "this names no rule")
                    .at(place)
                    .help("write `-- migraph-ignore: rule: the reason`"),
            );
        }
        let mut codes = Vec::new();
        for (name, span) in &comment.names {
            let of_squawk = Code::of_squawk(name).filter(|_| comment.squawks);
            let known = Code::named(name);
            match (of_squawk, known) {
                (Some(several), _) => codes.extend(several.iter().map(|code| (*code, *span))),
                (None, Some(code)) if code.can_be_ignored() => codes.push((code, *span)),
                (None, known) => {
                    self.problems.push(unknown(&migration.source, name, *span, known.is_some()));
                }
            }
        }
        codes
    }
}

impl Ignore {
    fn covers(&self, code: Code, place: &Place) -> bool {
        let within = |statement: Span| {
            place.span.is_some_and(|at| statement.start <= at.start && at.start < statement.end)
        };
        self.code == code && self.statement.is_none_or(within)
    }

    /// What is wrong with the comment.
    fn problem(self) -> Option<Diagnostic> {
        let Self { source, named, code, .. } = self;
        let form = if self.statement.is_none() { "-file" } else { "" };
        let (rule, message, help) = match (self.is_used, self.has_reason) {
            (true, true) => return None,
            // It is for findings that may come.
            (false, _) if self.is_bare => return None,
            (false, _) => (
                Code::UnusedIgnore,
                format!("`{code}` finds nothing here"),
                match self.statement {
                    Some(_) => "remove it, or move it above the statement that it is about".into(),
                    None => "remove it".into(),
                },
            ),
            (true, false) if self.is_bare => (
                Code::IgnoreWithoutReason,
                "this silences every safety rule and does not say why".into(),
                "name the rules, and write `-- the reason` behind them".into(),
            ),
            (true, false) => (
                Code::IgnoreWithoutReason,
                format!("this silences `{code}` and does not say why"),
                format!("write `-- migraph-ignore{form}: {code}: the reason`"),
            ),
        };
        let place = Place::new(&source, source.first_line(named), "");
        Some(Diagnostic::warning(rule, message).at(place).help(help))
    }
}

fn unknown(source: &Arc<Source>, name: &str, span: Span, is_fixed: bool) -> Diagnostic {
    let place = Place::new(source, source.first_line(span), "");
    let problem =
        |message: String| Diagnostic::warning(Code::MalformedIgnore, message).at(place.clone());
    if is_fixed {
        return problem(format!("`{name}` cannot be silenced"));
    }
    let names = Code::ALL.iter().filter(|code| code.can_be_ignored()).map(|code| code.as_str());
    let known = problem(format!("there is no rule `{name}`"));
    let first = name.split_whitespace().next().unwrap_or_default();
    match nearest(name, names.clone()) {
        Some(near) => known.help(format!("did you mean `{near}`?")),
        None if first != name && names.clone().any(|it| it == first) => {
            known.help(format!("write a colon before the reason: `{first}: …`"))
        }
        None => known.help("`migraph validate --list-rules` lists them"),
    }
}

/// The statement that a comment at `span` is about: the one that it stands in, or
/// behind on the same line, or else the next one. `None` when there is none.
#[expect(clippy::option_option, reason = "the inner one is the scope of a file")]
fn statement_of(migration: &Migration, span: Span) -> Option<Option<Span>> {
    let statements = &migration.up.statements;
    let at = statements.partition_point(|one| one.whole().end <= span.start);
    let same_line = |before: &&Statement| {
        let between = Span::new(before.whole().end, span.start);
        !migration.source.slice(between).contains('\n')
    };
    let ended = at.checked_sub(1).and_then(|at| statements.get(at)).filter(same_line);
    let holding = statements.get(at).filter(|one| one.span.start <= span.start);
    let statement = holding.or(ended).or_else(|| statements.get(at))?;
    Some(Some(statement.whole()))
}
