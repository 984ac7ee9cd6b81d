//! Everything that can end a command badly: its exit code, its text, its JSON.

use std::path::PathBuf;

use super::args::Form;
use super::problem::{Problematic, disagreements, interrupted, refused_setting};
use crate::config::ConfigError;
use crate::exit::Exit;
use crate::git::GitError;
use crate::graph::MigrationGraph;
use crate::import::{ImportError, WriteError};
use crate::model::{Diagnostic, Diagnostics};
use crate::ops::{FileError, RepairError, ServerError, UnknownTargets, UpError};
use crate::postgres::LockError;
use crate::postgres::ephemeral::EphemeralError;
use crate::report::diagnostics;
use crate::report::document::{Document, Empty, Problem};
use crate::report::findings::{Finding, Findings};
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
    /// `validate --base`.
    Git(GitError),
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
    /// A file that could not be read or written.
    File(FileError),
    /// A repair that cannot be.
    Repair(RepairError),
    /// No ephemeral server.
    Ephemeral(EphemeralError),
    /// A directory that cannot be imported.
    Import(ImportError),
    /// No place for what is imported.
    Write(WriteError),
    /// `import` without `--out`.
    NoTarget,
    /// The system refused something that every program needs.
    System(std::io::Error),
    /// A signal came before anything ran.
    Stopped(Exit),
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
            | Self::Git(_)
            | Self::Timings { .. }
            | Self::Tuning(_)
            | Self::Import(_)
            | Self::Write(WriteError::NotEmpty(_) | WriteError::NotDirectory(_))
            | Self::NoTarget
            | Self::Repair(RepairError::NoStep { .. }) => Exit::Usage,
            Self::Files(_)
            | Self::Interrupted(_)
            | Self::File(_)
            | Self::Repair(_)
            | Self::System(_)
            | Self::Write(_) => Exit::Failed,
            Self::Lock(LockError::TimedOut { .. }) => Exit::Locked,
            Self::Lock(LockError::Lost(_)) | Self::Server(_) | Self::Ephemeral(_) => Exit::Connect,
            Self::Disagree(_) => Exit::Disagree,
            Self::Stopped(exit) => *exit,
        }
    }

    /// Says it: on stderr as text, or as the one document on stdout.
    pub(super) fn report(&self, command: &'static str, form: Form) -> Exit {
        match form {
            Form::Text => output::log(self.text().trim_end()),
            Form::Json => {
                let errors = self.findings().iter().map(Problem::of).collect();
                let document = Document::new(command, false, Empty {}).errors(errors);
                output::data(&document.render());
            }
            Form::Style(style) => {
                let (all, files) = (self.findings(), vec![]);
                let found = Findings { command, all, files, strict: false, complete: false };
                output::data(&style.render(&found));
            }
        }
        self.exit()
    }

    fn text(&self) -> String {
        match self {
            Self::Usage(error) => error.render().ansi().to_string(),
            Self::ConfigFile(all) | Self::Import(ImportError::Unreadable(all)) => {
                diagnostics::render(all)
            }
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

    fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Files(all)
            | Self::ConfigFile(all)
            | Self::Import(ImportError::Unreadable(all)) => all.iter().map(Finding::from).collect(),
            Self::Disagree(all) | Self::Interrupted(all) | Self::Tuning(all) => {
                all.iter().map(Problematic::finding).collect()
            }
            Self::Usage(error) => {
                let text = error.render().to_string();
                let message = text.strip_prefix("error: ").unwrap_or(&text).trim().to_owned();
                vec![Finding::of_command("usage", message, vec![])]
            }
            other => vec![other.single().finding()],
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
            Self::Git(error) => one("git", error.to_string(), error.help()),
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
            Self::File(error) => one("file", error.to_string(), String::new()),
            Self::Repair(error) => one("repair", error.to_string(), repair_help(error)),
            Self::Import(error) => one("import", error.to_string(), error.help()),
            Self::Write(error) => one("import-target", error.to_string(), write_help(error)),
            Self::NoTarget => one(
                "no-target",
                "`import` needs a directory to write to".to_owned(),
                "name it with `--out DIR`, or look first with `--dry-run`".to_owned(),
            ),
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
    pub(super) fn of_up(graph: &MigrationGraph, error: UpError, signal: Exit) -> Self {
        match error {
            UpError::Server(error) => Self::Server(error),
            UpError::Lock(error) => Self::Lock(error),
            UpError::Disagree(comparison) => Self::Disagree(disagreements(graph, &comparison)),
            UpError::Interrupted(all) => {
                Self::Interrupted(all.iter().map(|one| interrupted(graph, one)).collect())
            }
            UpError::Tuning(refused) => Self::Tuning(refused.iter().map(refused_setting).collect()),
            UpError::Stopped => Self::Stopped(signal),
        }
    }

    /// What `repair` says.
    pub(super) fn of_repair(error: RepairError, signal: Exit) -> Self {
        match error {
            RepairError::Server(error) => Self::Server(error),
            RepairError::Lock(error) => Self::Lock(error),
            RepairError::Unknown(error) => Self::Targets(error),
            RepairError::Stopped => Self::Stopped(signal),
            other => Self::Repair(other),
        }
    }
}

fn repair_help(error: &RepairError) -> String {
    match error {
        RepairError::NoStep { steps, .. } => {
            let steps: Vec<_> = steps.iter().map(usize::to_string).collect();
            match steps.as_slice() {
                [] => "the file now runs in one transaction: choose `--retry`".to_owned(),
                steps => format!("steps begin at {}", steps.join(", ")),
            }
        }
        RepairError::Applied(_) | RepairError::NotBegun(_) | RepairError::Clear { .. } => {
            "`migraph status` shows what is unfinished".to_owned()
        }
        _ => String::new(),
    }
}

fn write_help(error: &WriteError) -> String {
    match error {
        WriteError::Refused { source, .. } => source.to_string(),
        _ => {
            "`--out` takes a directory that is empty or is not there yet: nothing is ever replaced"
                .to_owned()
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

/// Text for diagnostics that are no error: warnings.
pub(super) fn warnings(all: &[Diagnostic]) {
    if !all.is_empty() {
        output::log(diagnostics::render(all).trim_end());
    }
}
