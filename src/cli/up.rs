//! `migraph up`.

use std::io::IsTerminal;
use std::mem::take;
use std::time::Duration;

use super::args::{Format, Global, UpArgs};
use super::error::{CliError, warnings};
use super::setup;
use super::signals::{Received, forward};
use crate::config::{ConfigFile, Environment};
use crate::exec::{Ended, OnFailure, StopSignal};
use crate::exit::Exit;
use crate::load::Loaded;
use crate::ops::{self, PlanOptions, UpOptions, UpReport};
use crate::parse::Depth;
use crate::plan::Timings;
use crate::postgres::ephemeral::EphemeralServer;
use crate::postgres::{Ledger, Target, Timeouts, Tuning};
use crate::report::document::{Document, PlanBody, Problem, UpBody};
use crate::report::progress::Verbosity;
use crate::report::{output, plan, progress, up};

pub(super) fn run(
    global: &Global,
    args: &UpArgs,
    (environment, file): (&Environment, &ConfigFile),
) -> Result<Exit, CliError> {
    let depth = if args.trust_declared { Depth::Syntax } else { Depth::Meaning };
    let mut loaded = setup::files(global, depth)?;
    let readings = take(&mut loaded.readings);
    let graph = &loaded.graph;
    let options = PlanOptions {
        wanted: ops::wanted(graph, &args.target).map_err(CliError::Targets)?,
        timings: Timings::default(),
        jobs: args.jobs.map(usize::from),
        separation: ops::separation(graph, readings, args.trust_declared),
    };
    if args.format == Format::Text {
        warnings(&loaded.warnings);
    }
    let mut ephemeral = None;
    let target = match args.ephemeral {
        true => {
            let server =
                EphemeralServer::start(&environment.ephemeral()).map_err(CliError::Ephemeral)?;
            Some(Target::new(&ephemeral.insert(server).settings()))
        }
        false => setup::database(global, environment)?,
    };
    let target = target.ok_or(CliError::NoDatabase { verb: "up" })?;
    let ledger = setup::ledger(global);
    let command = Command { global, args, environment, file, loaded: &loaded, target, ledger };
    let exit = if args.dry_run { command.dry_run(options) } else { command.up(options) };
    drop(ephemeral);
    exit
}

struct Command<'a> {
    global: &'a Global,
    args: &'a UpArgs,
    environment: &'a Environment,
    file: &'a ConfigFile,
    loaded: &'a Loaded,
    target: Target,
    ledger: Ledger,
}

impl Command<'_> {
    fn dry_run(&self, options: PlanOptions) -> Result<Exit, CliError> {
        let mut on_wait = setup::waits_aloud(self.global);
        let graph = &self.loaded.graph;
        let planning = ops::dry_run(graph, &self.target, &self.ledger, options, &mut on_wait);
        let planned = setup::runtime()?.block_on(planning);
        let planned = planned.map_err(|error| self.error(error, Exit::Failed))?;
        output::data(&match self.args.format {
            Format::Text => plan::render(&self.loaded.graph, &planned),
            Format::Json => Document::new("up", true, PlanBody::of(&self.loaded.graph, &planned))
                .warnings(&self.loaded.warnings)
                .shortage(planned.shortage)
                .render(),
        });
        Ok(Exit::Done)
    }

    fn up(&self, options: PlanOptions) -> Result<Exit, CliError> {
        let options = UpOptions {
            plan: options,
            schedule: self.args.schedule.into(),
            wait_lock: Duration::from_secs(u64::from(self.args.wait_lock)),
            retries: usize::from(self.args.retries),
            on_failure: match (self.args.fail_fast, self.args.keep_going) {
                (true, _) => OnFailure::FailFast,
                (_, true) => OnFailure::KeepGoing,
                _ => OnFailure::Finish,
            },
            tuning: match self.args.fast {
                true => Tuning::fast(&self.file.tuning),
                false => Tuning::default(),
            },
            timeouts: Timeouts {
                lock: Some(self.args.lock_timeout),
                statement: self.args.statement_timeout,
            },
        };
        let (stop, control) = StopSignal::new();
        let received = Received::default();
        let mut sink =
            progress::sink(&self.loaded.graph, setup::verbosity(self.global), self.draws());
        let result = setup::runtime()?.block_on(async {
            let work = ops::up(
                &self.loaded.graph,
                &self.target,
                &self.ledger,
                options,
                (control, &mut *sink),
            );
            tokio::select! {
                result = work => Ok(result),
                // Only ends when signals cannot be received at all.
                failed = forward(stop, received.clone()) => Err(failed),
            }
        });
        drop(sink);
        let result = match result {
            Ok(result) => result,
            Err(failed) => return failed.map_err(CliError::System).map(|()| Exit::Failed),
        };
        let signal = received.exit();
        let report = result.map_err(|error| self.error(error, signal.unwrap_or(Exit::Failed)))?;
        let exit = exit_of(&report, signal);
        self.print(&report, exit);
        Ok(exit)
    }

    fn error(&self, error: ops::UpError, signal: Exit) -> CliError {
        CliError::of_up(&self.loaded.graph, error, signal)
    }

    /// Bars need a terminal that can move its cursor, and nobody reading along.
    fn draws(&self) -> bool {
        let dumb = self.environment.get("TERM") == Some("dumb");
        let ci = self.environment.get("CI").is_some();
        std::io::stderr().is_terminal() && !dumb && !ci
    }

    fn print(&self, report: &UpReport, exit: Exit) {
        match self.args.format {
            Format::Json => {
                let body = UpBody::of(&self.loaded.graph, report, self.args.schedule.into());
                let document = Document::new("up", exit == Exit::Done, body)
                    .errors(lost_lock(report).into_iter().collect())
                    .warnings(&self.loaded.warnings)
                    .shortage(report.planned.shortage);
                output::data(&document.render());
            }
            Format::Text if setup::verbosity(self.global) > Verbosity::Quiet => {
                output::data(&up::render(&self.loaded.graph, report));
            }
            Format::Text => {}
        }
    }
}

/// Why the run ended, when that is in no migration.
fn lost_lock(report: &UpReport) -> Option<Problem> {
    let is_why = report.lock_lost && report.result.ended != Ended::Complete;
    let message = "the run lock was lost with its session, so everything that ran was cancelled";
    let help = "run `migraph up` again: it goes on from here";
    is_why.then(|| Problem::new("lock-lost", message.to_owned(), help.to_owned()))
}

/// A signal that came too late to stop anything does not count.
fn exit_of(report: &UpReport, signal: Option<Exit>) -> Exit {
    match (report.result.ended, signal) {
        (Ended::Complete, _) if report.unflushed.is_some() => Exit::Failed,
        (Ended::Complete, _) => Exit::Done,
        (_, Some(exit)) => exit,
        (Ended::Failed | Ended::Stopped, None) => Exit::Failed,
    }
}
