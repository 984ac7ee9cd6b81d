//! `migraph status`.

use super::args::{Format, Global, StatusArgs};
use super::error::{CliError, warnings};
use super::setup;
use crate::config::Environment;
use crate::exit::Exit;
use crate::ops;
use crate::parse::Depth;
use crate::report::document::{Document, StatusBody};
use crate::report::{output, status};

pub(super) fn run(
    global: &Global,
    args: &StatusArgs,
    environment: &Environment,
) -> Result<Exit, CliError> {
    let loaded = setup::files(global, Depth::Tokens)?;
    let graph = &loaded.graph;
    let target = setup::database(global, environment)?;
    let target = target.ok_or(CliError::NoDatabase { verb: "status" })?;
    let ledger = setup::ledger(global);
    let mut on_wait = setup::waits_aloud(global);
    let found = setup::runtime()?.block_on(ops::status(graph, &target, &ledger, &mut on_wait));
    let found = found.map_err(CliError::Server)?;
    let agrees = found.comparison.agrees();
    match args.format {
        Format::Text => {
            warnings(&loaded.warnings);
            output::data(&status::render(graph, &found));
        }
        Format::Json => {
            let document = Document::new("status", agrees, StatusBody::of(graph, &found));
            output::data(&document.warnings(&loaded.warnings).render());
        }
    }
    Ok(match () {
        () if !args.exit_code => Exit::Done,
        () if !agrees => Exit::Disagree,
        () if !found.pending.is_empty() => Exit::Pending,
        () => Exit::Done,
    })
}
