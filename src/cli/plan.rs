//! `migraph plan`.

use super::args::{Global, PlanArgs, PlanFormat};
use super::error::{CliError, warnings};
use super::setup;
use crate::config::Environment;
use crate::exit::Exit;
use crate::load::{Loaded, load};
use crate::ops::{self, PlanOptions};
use crate::parse::Depth;
use crate::report::document::{Document, PlanBody};
use crate::report::{dot, output, plan};

pub(super) fn run(
    global: &Global,
    args: &PlanArgs,
    environment: &Environment,
) -> Result<Exit, CliError> {
    // Nothing will be run: what the headers say is read without the parser.
    let depth = if args.trust_declared { Depth::Tokens } else { Depth::Meaning };
    let options = setup::looked_at(global, environment, depth);
    let Loaded { graph, readings, warnings: found } = load(&options).map_err(CliError::Files)?;
    let graph = &graph;
    let options = PlanOptions {
        wanted: ops::wanted(graph, &args.target).map_err(CliError::Targets)?,
        timings: setup::timings(args.timings.as_deref())?,
        jobs: args.jobs.map(usize::from),
        separation: ops::separation(graph, readings, args.trust_declared),
    };
    let target = setup::database(global, environment)?;
    let ledger = setup::ledger(global);
    let database = target.as_ref().map(|target| (target, &ledger));
    let mut on_wait = setup::waits_aloud(global);
    let planning = ops::plan(graph, database, options, &mut on_wait);
    let planned = setup::runtime()?.block_on(planning);
    let planned = planned.map_err(CliError::Server)?;
    let format = if args.dot { PlanFormat::Dot } else { args.format };
    if format != PlanFormat::Json {
        warnings(&found);
    }
    output::data(&match format {
        PlanFormat::Text => plan::render(graph, &planned),
        PlanFormat::Dot => dot::render(graph, &planned),
        PlanFormat::Json => Document::new("plan", true, PlanBody::of(graph, &planned))
            .warnings(&found)
            .shortage(planned.shortage)
            .render(),
    });
    Ok(Exit::Done)
}
