//! The command line: clap's types, then one file for each verb.

mod args;
mod error;
mod plan;
mod setup;
mod signals;
mod status;
mod up;
mod validate;

use std::ffi::OsString;
use std::path::Path;

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::config::Environment;
use crate::exit::Exit;
use crate::report::output;
use args::{Args, Verb};
use error::CliError;

/// Runs the program with `args` (the program's name first).
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    match run_command(args) {
        Exit::Done if output::failed() => {
            output::log("error: the result could not be written to stdout");
            Exit::Failed
        }
        exit => exit,
    }
}

fn run_command(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = asks_for_json(&args);
    let environment = match Environment::of_process().or_dot_env(Path::new(".")) {
        Ok(environment) => environment,
        Err(error) => return CliError::Config(error).report("migraph", json),
    };
    match parse(args, &environment) {
        Ok(args) => dispatch(args, &environment),
        // --help and --version are "errors" too; they go to stdout.
        Err(error) if !error.use_stderr() => {
            output::data(&error.render().ansi().to_string());
            Exit::Done
        }
        Err(error) => CliError::Usage(Box::new(error)).report("migraph", json),
    }
}

fn dispatch(args: Args, environment: &Environment) -> Exit {
    output::set_colour(match args.global.color {
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    });
    let Some(verb) = args.verb else {
        output::data(args::GUIDE);
        return Exit::Done;
    };
    match verb {
        Verb::Plan(verb) => {
            let json = verb.format == args::PlanFormat::Json;
            plan::run(&args.global, &verb, environment).unwrap_or_else(|it| it.report("plan", json))
        }
        Verb::Validate(verb) => {
            let json = verb.format == args::Format::Json;
            validate::run(&args.global, &verb).unwrap_or_else(|it| it.report("validate", json))
        }
        Verb::Up(verb) => {
            let json = verb.format == args::Format::Json;
            up::run(&args.global, &verb, environment).unwrap_or_else(|it| it.report("up", json))
        }
        Verb::Status(verb) => {
            let json = verb.format == args::Format::Json;
            status::run(&args.global, &verb, environment)
                .unwrap_or_else(|it| it.report("status", json))
        }
    }
}

/// `MIGRAPH_JOBS` and its like stand for the flag when it is not given.
fn parse(args: Vec<OsString>, environment: &Environment) -> Result<Args, clap::Error> {
    let with_environment = |command: clap::Command| {
        command.mut_args(|arg| {
            let name = arg.get_long().map(variable_of);
            // The URL has its own order of variables, and must not show in a message.
            let value = name
                .filter(|name| name != "MIGRAPH_DATABASE_URL")
                .and_then(|name| environment.get(&name).map(str::to_owned));
            match value {
                None => arg,
                Some(value) if arg.get_action().takes_values() => {
                    arg.default_value(value).hide_default_value(true)
                }
                // A flag without a value: in the environment it is `true`, `1`, `yes` …
                Some(value) => arg.value_parser(BoolishValueParser::new()).default_value(value),
            }
        })
    };
    let mut command = with_environment(Args::command()).mut_subcommands(with_environment);
    let matches = command
        .try_get_matches_from_mut(args)
        .map_err(|error| with_variable(error, environment))?;
    refuse_two_servers(&mut command, &matches)?;
    Args::from_arg_matches(&matches)
}

/// Names the variable that a value came from: nobody looks for it in the environment.
fn with_variable(mut error: clap::Error, environment: &Environment) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg).and_then(|arg| arg.strip_prefix("--"));
    let long = flag.and_then(|arg| arg.split(' ').next());
    let name = long.map(variable_of).filter(|name| {
        environment.get(name).is_some_and(|value| Some(value) == text(ContextKind::InvalidValue))
    });
    if let Some(name) = name {
        let tip = format!("the value is that of {name}, in the environment or in `.env`");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn variable_of(long: &str) -> String {
    format!("MIGRAPH_{}", long.to_uppercase().replace('-', "_"))
}

/// clap's own `conflicts_with` does not see flags of which one stands before the
/// verb and the other behind it.
fn refuse_two_servers(
    command: &mut clap::Command,
    matches: &ArgMatches,
) -> Result<(), clap::Error> {
    let Some(("up", up)) = matches.subcommand() else { return Ok(()) };
    let given = |id| up.value_source(id) == Some(ValueSource::CommandLine);
    let other = [("database_url", "--database-url"), ("offline", "--offline")];
    match other.into_iter().find(|(id, _)| given(id)) {
        Some((_, flag)) if given("ephemeral") => Err(command.error(
            ErrorKind::ArgumentConflict,
            format!("`--ephemeral` cannot be used with `{flag}`"),
        )),
        _ => Ok(()),
    }
}

/// Before the command line is understood, an error must know its form.
fn asks_for_json(args: &[OsString]) -> bool {
    let is = |at: usize, text: &str| args.get(at).is_some_and(|arg| arg == text);
    (1..args.len()).any(|at| is(at, "--format=json") || is(at, "--format") && is(at + 1, "json"))
}
