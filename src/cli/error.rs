//! Everything that can end a command badly: its exit code, its text, its JSON.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::exit::Exit;
use crate::graph::MigrationGraph;
use crate::model::{Diagnostic, Diagnostics, Place};
use crate::ops::{Interrupted, ServerError, UnknownTargets, UpError};
use crate::plan::Comparison;
use crate::postgres::ephemeral::EphemeralError;
use crate::postgres::{Ledger, LockError, RefusedSetting};
use crate::report::diagnostics::{self, Message};
use crate::report::document::{Document, Empty, Problem};
use crate::report::{output, waiting};

/// Why a command did not do what it was asked to.
pub(super) enum CliError {
    /// The command line, in clap's words.
    Usage(Box<clap::Error>),
    /// A setting.
    Config(ConfigError),
    /// No database is set, and the verb needs one.
    NoDatabase { verb: &'static str },
    /// The configuration file.
    ConfigFile(Diagnostics),
    /// Settings of a fast run.
    Tuning(Vec<Problematic>),
    /// The files.
    Files(Diagnostics),
    /// `validate FILE`: a path that is no migration.
    NoSuchFile(PathBuf),
    /// `--target`.
    Targets(UnknownTargets),
    /// `--timings`.
    Timings { path: PathBuf, reason: String },
    /// The server.
    Server(ServerError),
    /// The lock.
    Lock(LockError),
    /// Ledger and files.
    Disagree(Vec<Problematic>),
    /// Migrations that cannot be resumed.
    Interrupted(Vec<Problematic>),
    /// No ephemeral server.
    Ephemeral(EphemeralError),
    /// The system refused something that every program needs.
    System(std::io::Error),
    /// A signal came before anything ran.
    Stopped(Exit),
}

/// One of several things that are wrong, with its place.
pub(super) struct Problematic {
    code: &'static str,
    title: String,
    place: Option<Place>,
    help: Vec<String>,
}

impl CliError {
    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Config(_)
            | Self::ConfigFile(_)
            | Self::NoDatabase { .. }
            | Self::Targets(_)
            | Self::NoSuchFile(_)
            | Self::Timings { .. }
            | Self::Tuning(_) => Exit::Usage,
            Self::Files(_) | Self::Interrupted(_) | Self::System(_) => Exit::Failed,
            Self::Lock(LockError::TimedOut { .. }) => Exit::Locked,
            Self::Lock(LockError::Lost(_)) | Self::Server(_) | Self::Ephemeral(_) => Exit::Connect,
            Self::Disagree(_) => Exit::Disagree,
            Self::Stopped(exit) => *exit,
        }
    }

    /// Says it: on stderr as text, or as the one document on stdout.
    pub(super) fn report(&self, command: &'static str, json: bool) -> Exit {
        if json {
            let document = Document::new(command, false, Empty {}).errors(self.problems());
            output::data(&document.render());
        } else {
            output::log(self.text().trim_end());
        }
        self.exit()
    }

    fn text(&self) -> String {
        match self {
            Self::Usage(error) => error.render().ansi().to_string(),
            Self::ConfigFile(all) => diagnostics::render(all),
            Self::Files(all) => {
                format!(
                    "{}{} in the migrations; nothing was run",
                    diagnostics::render(all),
                    diagnostics::summary(all)
                )
            }
            Self::Disagree(all) | Self::Interrupted(all) | Self::Tuning(all) => {
                all.iter().map(|one| one.render() + "\n").collect()
            }
            other => other.single().render(),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Files(all) | Self::ConfigFile(all) => all.iter().map(Problem::of).collect(),
            Self::Disagree(all) | Self::Interrupted(all) | Self::Tuning(all) => {
                all.iter().map(Problematic::problem).collect()
            }
            Self::Usage(error) => {
                let text = error.render().to_string();
                let message = text.strip_prefix("error: ").unwrap_or(&text).trim().to_owned();
                vec![Problem::new("usage", message, String::new())]
            }
            other => vec![other.single().problem()],
        }
    }

    /// The variants that are one message.
    fn single(&self) -> Problematic {
        let one = |code, title: String, help: String| Problematic {
            code,
            title,
            place: None,
            help: Some(help).filter(|help| !help.is_empty()).into_iter().collect(),
        };
        match self {
            Self::Config(error) => one("configuration", error.to_string(), error.help()),
            Self::NoDatabase { verb } => one(
                "no-database",
                format!("`{verb}` needs a database, and none is set"),
                no_database_help(verb),
            ),
            Self::NoSuchFile(path) => one(
                "no-such-file",
                format!("`{}` is no file of the migrations directory", path.display()),
                "name files below `--dir`".to_owned(),
            ),
            Self::Targets(error) => one("unknown-target", error.to_string(), error.help()),
            Self::Timings { path, reason } => one(
                "timings",
                format!("cannot use the timings in `{}`: {reason}", path.display()),
                "`migraph up --format json > FILE` writes such a file".to_owned(),
            ),
            Self::Server(error) => one(error.code(), error.to_string(), error.help()),
            Self::Lock(LockError::TimedOut { waited, waiting }) => one(
                "locked",
                format!("another run is in the way, and did not end within {} s", waited.as_secs()),
                format!("{}\n`--wait-lock SECONDS` waits longer", waiting::for_lock(waiting)),
            ),
            Self::Lock(error @ LockError::Lost(_)) => {
                one("connection-lost", error.to_string(), String::new())
            }
            Self::Ephemeral(error) => one("ephemeral", error.to_string(), String::new()),
            Self::System(error) => {
                one("system", format!("the system refused: {error}"), String::new())
            }
            Self::Stopped(_) => {
                one("stopped", "stopped before anything was run".to_owned(), String::new())
            }
            Self::Usage(_)
            | Self::Files(_)
            | Self::ConfigFile(_)
            | Self::Tuning(_)
            | Self::Disagree(_)
            | Self::Interrupted(_) => one("usage", String::new(), String::new()),
        }
    }

    /// What `up` says, with the places it means.
    pub(super) fn of_up(
        graph: &MigrationGraph,
        error: UpError,
        ledger: &Ledger,
        signal: Exit,
    ) -> Self {
        match error {
            UpError::Server(error) => Self::Server(error),
            UpError::Lock(error) => Self::Lock(error),
            UpError::Disagree(comparison) => Self::Disagree(disagreements(graph, &comparison)),
            UpError::Interrupted(all) => {
                Self::Interrupted(all.iter().map(|one| interrupted(graph, one, ledger)).collect())
            }
            UpError::Tuning(refused) => Self::Tuning(refused.iter().map(refused_setting).collect()),
            UpError::Stopped => Self::Stopped(signal),
        }
    }
}

fn no_database_help(verb: &str) -> String {
    let set = "set DATABASE_URL or PGHOST, or give `--database-url`";
    match verb {
        "up" => format!("{set}; `--ephemeral` starts a PostgreSQL of its own that is thrown away"),
        _ => set.to_owned(),
    }
}

impl Problematic {
    fn render(&self) -> String {
        Message {
            id: Some(self.code),
            places: self.place.iter().collect(),
            help: self.help.clone(),
            ..Message::error(&self.title)
        }
        .render()
    }

    fn problem(&self) -> Problem {
        let diagnostic = self.place.as_ref().map(crate::report::document::JsonPlace::of);
        Problem {
            place: diagnostic,
            help: self.help.clone(),
            ..Problem::new(self.code, self.title.clone(), String::new())
        }
    }
}

fn refused_setting(refused: &RefusedSetting) -> Problematic {
    Problematic {
        code: "refused-setting",
        title: refused.to_string(),
        place: None,
        help: vec!["remove it from `[tuning]` in migraph.toml, or run without `--fast`".to_owned()],
    }
}

/// As much of a checksum as people are shown.
fn short(checksum: &str) -> String {
    checksum.chars().take(16).collect()
}

/// What does not fit between the ledger and the files, each with a way out.
pub(super) fn disagreements(graph: &MigrationGraph, comparison: &Comparison) -> Vec<Problematic> {
    let changed = comparison.changed.iter().map(|node| {
        let migration = graph.migration(*node);
        let recorded =
            comparison.applied.get(node).map(|it| short(&it.checksum)).unwrap_or_default();
        let now = migration.up.checksum;
        Problematic {
            code: "changed",
            title: format!(
                "`{}` was changed after it was applied: checksum {recorded} then, {now} now",
                migration.id
            ),
            place: Some(Place::file(&migration.source)),
            help: vec![
                "restore its up script as it was, and write the change as a new migration"
                    .to_owned(),
                "layout, comments and the header may change freely".to_owned(),
            ],
        }
    });
    let applied =
        comparison.unknown.iter().map(|it| (&it.id, format!("applied at {}", it.applied_at)));
    let begun = comparison.unknown_unfinished.iter().map(|id| (id, "begun".to_owned()));
    let unknown = applied.chain(begun).map(|(id, when)| Problematic {
        code: "unknown",
        title: format!("the ledger holds `{id}`, {when}, which no file has"),
        place: None,
        help: vec![
            "restore its file; or is `--dir` another branch's or another project's?".to_owned(),
        ],
    });
    changed.chain(unknown).collect()
}

fn interrupted(graph: &MigrationGraph, one: &Interrupted, ledger: &Ledger) -> Problematic {
    let migration = graph.migration(one.node);
    let number = one.statement;
    let span =
        migration.up.statements.get(number.saturating_sub(1)).map(|statement| statement.span);
    let place = match span {
        Some(span) => Place::new(&migration.source, span, format!("statement {number}")),
        None => Place::file(&migration.source),
    };
    let table = ledger.statements();
    let row = format!("WHERE migration_id = '{}' AND statement = {number}", migration.id);
    let several = migration.up.step(number).is_some_and(|step| step.statements().len() > 1);
    let what = if several { "the transaction that begins with statement" } else { "statement" };
    let (title, help) = if one.changed {
        (
            format!(
                "{what} {number} of `{}` was run by an earlier run, and the file now holds another",
                migration.id
            ),
            vec![
                "restore the statements that have run; change or add only what comes behind them"
                    .to_owned(),
            ],
        )
    } else {
        (
            format!(
                "statement {number} of `{}` was begun at {} and nobody knows whether it is done",
                migration.id, one.started.started_at
            ),
            vec![
                format!(
                    "look at the database; if it is done, run `UPDATE {table} SET finished_at = now() {row}`"
                ),
                format!(
                    "if it is not, remove what it may have left (such as an INVALID index) and run `DELETE FROM {table} {row}`"
                ),
                "then run `migraph up` again".to_owned(),
            ],
        )
    };
    Problematic { code: "interrupted", title, place: Some(place), help }
}

/// Text for diagnostics that are no error: warnings.
pub(super) fn warnings(all: &[Diagnostic]) {
    if !all.is_empty() {
        output::log(diagnostics::render(all).trim_end());
    }
}
