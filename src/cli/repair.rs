//! `migraph repair`.

use std::time::Duration;

use super::args::{Format, Global, RepairArgs, RepairChoice};
use super::error::{CliError, warnings};
use super::setup;
use super::signals::{Received, forward};
use crate::config::Environment;
use crate::exec::StopSignal;
use crate::exit::Exit;
use crate::graph::MigrationGraph;
use crate::ops::{self, RepairAction, RepairOptions, Repaired};
use crate::parse::Depth;
use crate::report::document::{Document, RepairBody};
use crate::report::output;
use crate::report::text::count;

pub(super) fn run(
    global: &Global,
    args: &RepairArgs,
    environment: &Environment,
) -> Result<Exit, CliError> {
    let loaded = setup::files(global, Depth::Syntax)?;
    let graph = &loaded.graph;
    let target = setup::database(global, environment)?;
    let target = target.ok_or(CliError::NoDatabase { verb: "repair" })?;
    let ledger = setup::ledger(global);
    let options = RepairOptions {
        id: args.id.clone(),
        action: action(&args.choice),
        reason: args.reason.clone(),
        wait_lock: Duration::from_secs(u64::from(args.wait_lock)),
    };
    let (stop, control) = StopSignal::new();
    let received = Received::default();
    let (mut on_wait, mut on_lock) = (setup::waits_aloud(global), setup::queues_aloud(global));
    let result = setup::runtime()?.block_on(async {
        let waits = (control, &mut on_wait as ops::OnWait<'_>, &mut on_lock as _);
        let work = ops::repair(graph, &target, &ledger, options, waits);
        tokio::select! {
            result = work => Ok(result),
            // Only ends when signals cannot be received at all.
            failed = forward(stop, received.clone()) => Err(failed),
        }
    });
    let result = match result {
        Ok(result) => result,
        Err(failed) => return failed.map_err(CliError::System).map(|()| Exit::Failed),
    };
    let repaired = result
        .map_err(|error| CliError::of_repair(error, received.exit().unwrap_or(Exit::Failed)))?;
    match args.format {
        Format::Text => {
            warnings(&loaded.warnings);
            output::data(&text(graph, repaired));
        }
        Format::Json => {
            let document = Document::new("repair", true, RepairBody::of(graph, repaired));
            output::data(&document.warnings(&loaded.warnings).render());
        }
    }
    Ok(Exit::Done)
}

fn action(choice: &RepairChoice) -> RepairAction {
    match choice.resume_at {
        Some(at) => RepairAction::ResumeAt(at.get()),
        None if choice.mark_applied => RepairAction::MarkApplied,
        None => RepairAction::Retry,
    }
}

fn text(graph: &MigrationGraph, repaired: Repaired) -> String {
    let migration = graph.migration(repaired.node);
    match repaired.resumes_at {
        None => format!("`{}` is recorded as applied\n", migration.id),
        Some(at) => format!(
            "`migraph up` goes on with `{}` at statement {at} of its {}\n",
            migration.id,
            count(migration.up.statements.len(), "statement")
        ),
    }
}
