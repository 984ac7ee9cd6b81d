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

use clap::{CommandFactory, FromArgMatches};

use crate::config::Environment;
use crate::exit::Exit;
use crate::report::output;
use args::{Args, Verb};
use error::CliError;

/// Runs the program with `args` (the program's name first).
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
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
            let name = arg
                .get_long()
                .map(|long| format!("MIGRAPH_{}", long.to_uppercase().replace('-', "_")));
            // The URL has its own order of variables, and must not show in a message.
            let value = name
                .filter(|name| name != "MIGRAPH_DATABASE_URL")
                .and_then(|name| environment.get(&name).map(str::to_owned));
            match value {
                Some(value) => arg.default_value(value).hide_default_value(true),
                None => arg,
            }
        })
    };
    let command = with_environment(Args::command()).mut_subcommands(with_environment);
    Args::from_arg_matches(&command.try_get_matches_from(args)?)
}

/// Before the command line is understood, an error must know its form.
fn asks_for_json(args: &[OsString]) -> bool {
    let is = |at: usize, text: &str| args.get(at).is_some_and(|arg| arg == text);
    (1..args.len()).any(|at| is(at, "--format=json") || is(at, "--format") && is(at + 1, "json"))
}
