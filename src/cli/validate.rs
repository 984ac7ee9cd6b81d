//! `migraph validate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::args::{Form, Global, LOCK_TIMEOUT, ValidateArgs};
use super::error::CliError;
use super::setup;
use crate::config::{ConfigFile, Environment};
use crate::exit::Exit;
use crate::git;
use crate::lint::LintOptions;
use crate::load::{self, LoadOptions, Loaded};
use crate::model::{Code, Diagnostic, Diagnostics, Severity};
use crate::ops;
use crate::parse::{Depth, parse_timeout};
use crate::report::document::{Document, Empty, Problem, ValidateBody};
use crate::report::findings::{Finding, Findings};
use crate::report::text::count;
use crate::report::{diagnostics, output, rules};

pub(super) fn run(
    global: &Global,
    args: &ValidateArgs,
    settings: (&Environment, &ConfigFile),
) -> Result<Exit, CliError> {
    let options = options(settings);
    if let Some(code) = args.explain {
        output::data(code.page());
        return Ok(Exit::Done);
    }
    if args.list_rules {
        output::data(&rules::list(&options.rules));
        return Ok(Exit::Done);
    }
    let directory = setup::looked_at(global, settings.0, Depth::Meaning);
    let (migrations, found) = match load::load(&directory) {
        Ok(loaded) => (Some(loaded.graph.len()), check(global, args, &options, loaded)?),
        Err(found) => (None, and_the_rest(&directory, &options, options.rules.apply(found))),
    };
    let wanted = wanted(global, &args.files)?;
    let found = touching(found, &wanted);
    let ok = !found.iter().any(|one| one.severity.fails(args.strict));
    match Form::from(args.format) {
        Form::Json => json(migrations, found, args.strict),
        Form::Text => text(global, migrations, &found, ok),
        Form::Style(style) => output::data(&style.render(&Findings {
            command: "validate",
            all: found.iter().filter(|one| !is_hidden(one, global)).map(Finding::from).collect(),
            files: files(global, &wanted),
            strict: args.strict,
            complete: true,
        })),
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn check(
    global: &Global,
    args: &ValidateArgs,
    options: &LintOptions,
    loaded: Loaded,
) -> Result<Diagnostics, CliError> {
    let Some(base) = &args.base else { return Ok(ops::validate(loaded, options)) };
    let ids = loaded.graph.ids().map(ToString::to_string).collect();
    let comparison = git::compare(&global.dir, base, &ids).map_err(CliError::Git)?;
    let branch = ops::branch(&loaded, &global.dir, &comparison, setup::unlisted(global));
    let mut found = ops::validate(loaded, options);
    // What is merged already is past the question whether it is safe.
    found.retain(|one| {
        let file = one.place.as_ref().map(|place| place.source.path());
        !one.code.is_about_safety() || file.is_none_or(|file| branch.new_here.contains(file))
    });
    found.extend(branch.found);
    Diagnostic::sort(&mut found);
    Ok(found)
}

/// The rules, and the timeouts that `up` would take from the same settings.
fn options((environment, file): (&Environment, &ConfigFile)) -> LintOptions {
    let timeout = |variable: &str, key: &str| {
        environment.get(variable).or_else(|| file.get(key)).and_then(parse_timeout)
    };
    let lock = timeout("MIGRAPH_LOCK_TIMEOUT", "lock-timeout");
    LintOptions {
        rules: file.rules.clone(),
        lock_timeout: lock.or_else(|| parse_timeout(LOCK_TIMEOUT)),
        statement_timeout: timeout("MIGRAPH_STATEMENT_TIMEOUT", "statement-timeout"),
    }
}

/// A broken file is no reason to leave the others unread.
fn and_the_rest(
    directory: &LoadOptions,
    options: &LintOptions,
    mut found: Diagnostics,
) -> Diagnostics {
    let rest = load::around_broken(directory);
    let around = |loaded| ops::validate_around_broken(loaded, options);
    found.extend(rest.into_iter().flat_map(around));
    Diagnostic::sort(&mut found);
    found
}

/// The real paths of the files that were named; nothing when none was.
fn wanted(global: &Global, files: &[PathBuf]) -> Result<BTreeSet<PathBuf>, CliError> {
    let dir = real_path(&global.dir).unwrap_or_else(|| global.dir.clone());
    let real = |file: &PathBuf| {
        let found = real_path(file).filter(|path| path.starts_with(&dir));
        found.ok_or_else(|| CliError::NoSuchFile(file.clone()))
    };
    files.iter().map(real).collect()
}

/// The path without links; of a link that leads nowhere its own path. `None` when
/// there is nothing of that name: a mistyped path must not pass for a good file.
fn real_path(path: &Path) -> Option<PathBuf> {
    let itself = || {
        path.symlink_metadata().ok()?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(parent.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(itself)
}

/// The files that were looked at, or those of them that were named.
fn files(global: &Global, wanted: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut all = load::files(&global.dir).unwrap_or_default();
    let is_wanted = |path: &PathBuf| real_path(path).is_some_and(|path| wanted.contains(&path));
    all.retain(|path| wanted.is_empty() || is_wanted(path));
    all
}

/// What has a place in one of `files`, or in no file at all.
fn touching(found: Diagnostics, files: &BTreeSet<PathBuf>) -> Diagnostics {
    let is_wanted = |path: &Path| real_path(path).is_some_and(|path| files.contains(&path));
    let touches = |one: &Diagnostic| {
        let mut places = one.place.iter().chain(&one.related).peekable();
        // One message stands for all files without a header.
        let general = places.peek().is_none() || one.code == Code::NoHeaders;
        general || places.any(|place| is_wanted(place.source.path()))
    };
    found.into_iter().filter(|one| files.is_empty() || touches(one)).collect()
}

/// What is worth knowing and in nobody's way is for those who ask.
fn is_hidden(one: &Diagnostic, global: &Global) -> bool {
    one.severity == Severity::Info && !global.verbose
}

fn text(global: &Global, migrations: Option<usize>, found: &[Diagnostic], ok: bool) {
    let shown: Vec<_> = found.iter().filter(|one| !is_hidden(one, global)).cloned().collect();
    if !shown.is_empty() {
        output::log(diagnostics::render(&shown).trim_end());
    }
    let notes = match found.len() - shown.len() {
        0 => String::new(),
        notes => format!("; {} (`-v` shows them)", count(notes, "note")),
    };
    match (ok, migrations) {
        (true, _) if global.quiet => {}
        (true, Some(migrations)) if shown.is_empty() => {
            output::data(&format!("{} valid{notes}\n", count(migrations, "migration")));
        }
        (true, None) => output::data("no problem in the files named; others have some\n"),
        _ => output::log(&diagnostics::summary(found)),
    }
}

fn json(migrations: Option<usize>, found: Diagnostics, strict: bool) {
    let (notes, found): (Diagnostics, Diagnostics) =
        found.into_iter().partition(|one| one.severity == Severity::Info);
    let (errors, warnings): (Diagnostics, Diagnostics) =
        found.into_iter().partition(|one| one.severity.fails(strict));
    let (ok, errors) =
        (errors.is_empty(), errors.iter().map(|one| Problem::of(&one.into())).collect());
    output::data(&match migrations {
        Some(migrations) => {
            let document = Document::new("validate", ok, ValidateBody { migrations });
            document.errors(errors).warnings(&warnings).notes(&notes).render()
        }
        None => Document::new("validate", ok, Empty {}).errors(errors).warnings(&warnings).render(),
    });
}
