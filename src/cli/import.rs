//! `migraph import`.

use super::args::{Format, Global, ImportArgs};
use super::error::CliError;
use super::setup;
use crate::exit::Exit;
use crate::import::{self, Defines, Import, ImportOptions, Linking};
use crate::report::document::{Document, Problem};
use crate::report::import::{ImportBody, left_out, notes, summary, table};
use crate::report::output;
use crate::report::progress::Verbosity;

pub(super) fn run(global: &Global, args: &ImportArgs) -> Result<Exit, CliError> {
    let out = args.out.as_deref();
    match out {
        Some(out) => import::check_target(out).map_err(CliError::Write)?,
        None if args.dry_run => {}
        None => return Err(CliError::NoTarget),
    }
    let options = ImportOptions {
        dir: args.source.clone(),
        layout: args.from,
        linking: if args.chain { Linking::Chain } else { Linking::Inferred },
        defines: Defines::new(args.define.clone()),
    };
    let found = import::import(&options).map_err(CliError::Import)?;
    let out = out.filter(|_| !args.dry_run && !found.migrations.is_empty());
    if let Some(out) = out {
        import::write(&found, out).map_err(CliError::Write)?;
    }
    match args.format {
        Format::Json => json(&found, out.is_some()),
        Format::Text => text(setup::verbosity(global), &found, out.is_some()),
    }
    Ok(if found.left_out.is_empty() { Exit::Done } else { Exit::Failed })
}

fn text(verbosity: Verbosity, found: &Import, written: bool) {
    if verbosity > Verbosity::Quiet {
        output::data(&table(found));
        if !found.notes.is_empty() {
            output::log(notes(found).trim_end());
        }
    }
    if !found.left_out.is_empty() {
        output::log(left_out(found).trim_end());
    }
    if verbosity > Verbosity::Quiet {
        output::data(&summary(found, written, verbosity > Verbosity::Normal));
    }
}

fn json(found: &Import, written: bool) {
    let errors = found.left_out.iter().map(|one| Problem::of(&one.into())).collect();
    let body = ImportBody::of(found, written);
    let document = Document::new("import", found.left_out.is_empty(), body);
    output::data(&document.errors(errors).warnings(&found.notes).render());
}
