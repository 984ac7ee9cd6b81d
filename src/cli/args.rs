//! The command line, as clap sees it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ColorChoice, Parser, Subcommand, ValueEnum};

use crate::import::Layout;
use crate::model::Code;
use crate::parse::parse_timeout;
use crate::plan::Schedule;
use crate::report::findings::Style;
use crate::suggest::nearest;

/// What `migraph` alone prints.
pub(super) const GUIDE: &str = "\
migraph runs the SQL migrations of a directory in parallel on PostgreSQL.

  migraph validate           check every file, without a database
  migraph plan               show what would run: layers, times, critical path
  migraph up --ephemeral     try it on a PostgreSQL that is thrown away
  migraph up                 apply what is pending
  migraph status             show what is applied
  migraph import DIR         take over the migrations of another tool

Each file says what it needs in its header: -- @dependencies: [0001_users]
`migraph help` lists every verb and flag.
";

/// How long `up` waits for each lock unless told otherwise.
pub(super) const LOCK_TIMEOUT: &str = "5s";

/// Parallel, DAG-based migrations for PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "migraph", version, about, propagate_version = true, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

/// Flags that every verb has.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, clap::Args)]
pub(super) struct Global {
    /// The migrations directory
    #[arg(long, global = true, value_name = "DIR", default_value = "migrations")]
    pub(super) dir: PathBuf,
    /// Which database: postgres://user@host/database, or libpq's key=value form
    #[arg(long, global = true, value_name = "URL")]
    pub(super) database_url: Option<String>,
    /// Use no database, even when one is set
    #[arg(long, global = true)]
    pub(super) offline: bool,
    /// How many seconds to wait for a server that is starting or has no room
    #[arg(long, global = true, value_name = "SECONDS", default_value = "0")]
    pub(super) wait_server: u32,
    /// The schema that holds migraph's own tables
    #[arg(long, global = true, value_name = "NAME", default_value = "migraph")]
    pub(super) ledger_schema: String,
    /// The configuration file; default migraph.toml here or above
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Read each file without a header as depending on the one before it
    #[arg(long, global = true)]
    pub(super) assume_chain: bool,
    /// Read every script anew, and keep nothing of it for the next run
    #[arg(long, global = true)]
    pub(super) no_cache: bool,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
    /// Say failures only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show what would run: layers, estimates and the critical path
    Plan(PlanArgs),
    /// Check every file: headers, dependencies and SQL
    Validate(ValidateArgs),
    /// Apply what is pending, in parallel
    Up(UpArgs),
    /// Show what is applied, pending, changed or unknown
    Status(StatusArgs),
    /// Show or write the dependencies that the SQL implies
    Infer(InferArgs),
    /// Say what became of a migration that was left half done outside a transaction
    Repair(RepairArgs),
    /// Make migration files of those of another tool
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Only these migrations and what they need
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(super) target: Vec<String>,
    /// Measured times: a report of `up --format json`
    #[arg(long, value_name = "FILE")]
    pub(super) timings: Option<PathBuf>,
    /// How many workers to estimate for; without it 4, or what the server can spare
    #[arg(long, short, value_name = "N", value_parser = jobs())]
    pub(super) jobs: Option<u16>,
    /// Keep only apart what `@exclusiveWith` says, whatever the SQL says
    #[arg(long)]
    pub(super) trust_declared: bool,
    /// The same as `--format dot`
    #[arg(long, conflicts_with = "format")]
    pub(super) dot: bool,
    /// How to print it
    #[arg(long, default_value = "text")]
    pub(super) format: PlanFormat,
}

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// Report only problems that touch these files
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Take warnings for errors
    #[arg(long)]
    pub(super) strict: bool,
    /// Look also at what a merge with this branch of git would bring
    #[arg(long, value_name = "REF")]
    pub(super) base: Option<String>,
    /// List every rule with its level, and do nothing else
    #[arg(long, conflicts_with_all = ["files", "strict", "format"])]
    pub(super) list_rules: bool,
    /// Print the page about a rule, and do nothing else
    #[arg(long, value_name = "RULE", value_parser = rule, conflicts_with_all = ["files", "strict", "format", "list_rules"])]
    pub(super) explain: Option<Code>,
    /// How to print it
    #[arg(long, default_value = "text")]
    pub(super) format: ValidateFormat,
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct UpArgs {
    /// Only these migrations and what they need
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(super) target: Vec<String>,
    /// At most so many migrations at once, each on a connection of its own; without
    /// it 4, or what the server can spare
    #[arg(long, short, value_name = "N", value_parser = jobs())]
    pub(super) jobs: Option<u16>,
    /// Finish each layer before the next, or start each migration when it is ready
    #[arg(long, default_value = "layers")]
    pub(super) schedule: ScheduleArg,
    /// Print what would run, and touch nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Start a PostgreSQL of its own, use it, and throw it away
    #[arg(long)]
    pub(super) ephemeral: bool,
    /// How many seconds to wait for another run to end
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(super) wait_lock: u32,
    /// Keep only apart what `@exclusiveWith` says, whatever the SQL says
    #[arg(long)]
    pub(super) trust_declared: bool,
    /// Cancel what runs when a migration fails
    #[arg(long, conflicts_with = "keep_going")]
    pub(super) fail_fast: bool,
    /// When a migration fails, go on with all that does not need it
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Trade safety against a crash of the server for speed, while the run lasts
    #[arg(long)]
    pub(super) fast: bool,
    /// How often to try a migration again after a deadlock and its like
    #[arg(long, value_name = "N", default_value = "5")]
    pub(super) retries: u16,
    /// How long to wait for each lock; 0 for ever. `@lockTimeout` goes first
    #[arg(long, value_name = "TIME", default_value = LOCK_TIMEOUT, value_parser = timeout)]
    pub(super) lock_timeout: Duration,
    /// How long each statement may take; 0 for ever. `@statementTimeout` goes first
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub(super) statement_timeout: Option<Duration>,
    /// How to print the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// Exit with 6 when something is pending, 5 when ledger and files disagree
    #[arg(long)]
    pub(super) exit_code: bool,
    /// How to print it
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct InferArgs {
    /// Print a patch for `git apply` or `patch -p1`
    #[arg(long, conflicts_with = "write")]
    pub(super) diff: bool,
    /// Write the dependencies into the headers, and change nothing else
    #[arg(long)]
    pub(super) write: bool,
    /// Keep all of the history's result, or leave what commutes unordered
    #[arg(long, default_value = "strict")]
    pub(super) order: OrderArg,
    /// Keep dependencies that are declared and not implied by the SQL
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set
    )]
    pub(super) keep_declared: bool,
    /// How to print it
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OrderArg {
    /// The order of a table's columns too
    Strict,
    /// What commutes stays unordered
    Relaxed,
}

#[derive(Debug, clap::Args)]
pub(super) struct RepairArgs {
    /// The migration: its id or its file
    pub(super) id: String,
    #[command(flatten)]
    pub(super) choice: RepairChoice,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(super) reason: Option<String>,
    /// How many seconds to wait for a run to end
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(super) wait_lock: u32,
    /// How to print the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct RepairChoice {
    /// The statement in question is not done and nothing of it is left: run it again
    #[arg(long)]
    pub(super) retry: bool,
    /// Everything before statement N is done, nothing from there on
    #[arg(long, value_name = "N")]
    pub(super) resume_at: Option<NonZeroUsize>,
    /// All of the migration is done
    #[arg(long)]
    pub(super) mark_applied: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The other tool's directory
    #[arg(value_name = "DIR")]
    pub(super) source: PathBuf,
    /// The layout of the directory; without it, it is guessed
    #[arg(long, value_name = "LAYOUT", value_parser = layout())]
    pub(super) from: Option<Layout>,
    /// Where to write the files: a directory that is empty or is not there yet
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Let each migration depend on the one before it
    #[arg(long)]
    pub(super) chain: bool,
    /// Put VALUE in for ${NAME}, {{ NAME }}, {{ .NAME }} and their like
    #[arg(long, value_name = "NAME=VALUE", value_parser = define)]
    pub(super) define: Vec<(String, String)>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How to print the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// The names of the layouts are the library's.
fn layout() -> impl clap::builder::TypedValueParser<Value = Layout> {
    let names = PossibleValuesParser::new(Layout::ALL.map(Layout::as_str));
    let of = |name: String| Layout::ALL.into_iter().find(|it| it.as_str() == name);
    names.try_map(move |name| of(name).ok_or("no such layout"))
}

fn define(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected `NAME=VALUE`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Each kind of finding has a name and a page.
fn rule(name: &str) -> Result<Code, String> {
    let names = || Code::ALL.iter().map(|code| code.as_str());
    Code::named(name).ok_or_else(|| match nearest(name, names()) {
        Some(near) => format!("there is no such rule; did you mean `{near}`?"),
        None => "there is no such rule; `--list-rules` lists them".to_owned(),
    })
}

/// More than PostgreSQL's usual 100 connections is a slip of the finger, but
/// not ours to forbid.
fn jobs() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=1000)
}

/// As in a migration's header.
fn timeout(text: &str) -> Result<Duration, String> {
    parse_timeout(text).ok_or_else(|| "expected a time such as `500ms`, `5s` or `2min`".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    Text,
    Json,
    Dot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ValidateFormat {
    /// For people, on stderr
    Text,
    /// One versioned document
    Json,
    /// `file:line:column: error: message [code]`
    Gcc,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for reports of test results
    Junit,
}

/// What a command that ends badly is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text on stderr.
    Text,
    /// The JSON document.
    Json,
    /// A form for findings.
    Style(Style),
}

impl Form {
    /// The form of this name; text where there is none.
    pub(super) fn named(name: &str) -> Self {
        ValidateFormat::from_str(name, false).map_or(Self::Text, Self::from)
    }
}

impl From<ValidateFormat> for Form {
    fn from(format: ValidateFormat) -> Self {
        match format {
            ValidateFormat::Text => Self::Text,
            ValidateFormat::Json => Self::Json,
            ValidateFormat::Gcc => Self::Style(Style::Gcc),
            ValidateFormat::Github => Self::Style(Style::Github),
            ValidateFormat::Sarif => Self::Style(Style::Sarif),
            ValidateFormat::Junit => Self::Style(Style::Junit),
        }
    }
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

impl From<PlanFormat> for Form {
    fn from(format: PlanFormat) -> Self {
        match format {
            PlanFormat::Text | PlanFormat::Dot => Self::Text,
            PlanFormat::Json => Self::Json,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ScheduleArg {
    Layers,
    Ready,
}

impl From<ScheduleArg> for Schedule {
    fn from(arg: ScheduleArg) -> Self {
        match arg {
            ScheduleArg::Layers => Self::Layers,
            ScheduleArg::Ready => Self::Ready,
        }
    }
}
