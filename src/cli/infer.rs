//! `migraph infer`.

use std::path::{Path, PathBuf};

use super::args::{Format, Global, InferArgs, OrderArg};
use super::error::{CliError, warnings};
use super::setup;
use crate::analyse::{Completion, Strictness};
use crate::config::Environment;
use crate::exit::Exit;
use crate::load::{LoadOptions, Loaded, load};
use crate::ops;
use crate::parse::{Depth, Unlisted};
use crate::report::document::{Document, InferBody};
use crate::report::text::count;
use crate::report::{infer, output};

/// The directory we are in; when it is gone, the root.
fn here() -> PathBuf {
    Path::new(".").canonicalize().unwrap_or_else(|_| PathBuf::from("/"))
}

pub(super) fn run(
    global: &Global,
    args: &InferArgs,
    environment: &Environment,
) -> Result<Exit, CliError> {
    let options = setup::looked_at(global, environment, Depth::Meaning);
    let options = LoadOptions { unlisted: Unlisted::Nothing, ..options };
    let Loaded { graph, readings, warnings: mut found } =
        load(&options).map_err(CliError::Files)?;
    let completion = Completion {
        strictness: match args.order {
            OrderArg::Strict => Strictness::Strict,
            OrderArg::Relaxed => Strictness::Relaxed,
        },
        keep_declared: args.keep_declared,
    };
    let inference = ops::infer(&graph, readings, completion).map_err(CliError::File)?;
    found.extend(inference.warnings.iter().cloned());
    if args.write {
        ops::write(&inference.changes).map_err(CliError::File)?;
    }
    match args.format {
        Format::Json => {
            let body = InferBody::of(&graph, &inference, args.write);
            let document = Document::new("infer", true, body);
            output::data(&document.warnings(&found).render());
        }
        Format::Text => {
            warnings(&found);
            output::data(&match (args.diff, args.write) {
                (true, _) => infer::diff(&inference.changes, &here()),
                (_, true) => format!("{} written\n", count(inference.changes.len(), "file")),
                _ => infer::render(&graph, &inference),
            });
        }
    }
    Ok(Exit::Done)
}
