//! The command line: clap's types, then one file for each verb.

mod args;
mod error;
mod import;
mod infer;
mod plan;
mod problem;
mod repair;
mod setup;
mod signals;
mod status;
mod up;
mod validate;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::config::{self, ConfigFile, Environment};
use crate::exit::Exit;
use crate::report::output;
use args::{Args, Form, Verb};
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
    // Before the command line is understood, an error must know its form.
    let flag = value_of(&args, "--format").and_then(OsStr::to_str);
    let form = |name: Option<&str>| Form::named(name.unwrap_or_default());
    let environment = match Environment::of_process().or_dot_env(Path::new(".")) {
        Ok(environment) => environment,
        Err(error) => return CliError::Config(error).report("migraph", form(flag)),
    };
    let meant = |name: &&str| is_meant(name, &args);
    let flag = flag.or_else(|| environment.get("MIGRAPH_FORMAT").filter(meant));
    let file = match config_file(&args, &environment) {
        Ok(file) => file,
        Err(error) => return error.report("migraph", form(flag)),
    };
    let flag = flag.or_else(|| file.get("format").filter(meant));
    match parse(&args, &environment, &file) {
        Ok(args) => dispatch(args, &environment, &file),
        // --help and --version are "errors" too; they go to stdout.
        Err(error) if !error.use_stderr() => {
            output::data(&error.render().ansi().to_string());
            Exit::Done
        }
        Err(error) => CliError::Usage(Box::new(error)).report("migraph", form(flag)),
    }
}

/// Whether a format that stands in the environment or in the file is one for this
/// command: those for findings are `validate`'s alone.
fn is_meant(format: &str, args: &[OsString]) -> bool {
    !matches!(Form::named(format), Form::Style(_)) || args.iter().any(|arg| arg == "validate")
}

/// The configuration file that is named, or the nearest one.
fn config_file(args: &[OsString], environment: &Environment) -> Result<ConfigFile, CliError> {
    let flag = value_of(args, "--config").map(PathBuf::from);
    let variable = || environment.get("MIGRAPH_CONFIG").map(PathBuf::from);
    let Some(path) = flag.or_else(variable).or_else(|| ConfigFile::find(Path::new("."))) else {
        return Ok(ConfigFile::default());
    };
    let command = Args::command();
    let verbs = command.get_subcommands();
    let longs = verbs.chain([&command]).flat_map(clap::Command::get_arguments);
    let own = ["config", "help", "version", "list-rules", "explain"];
    let known = longs.filter_map(clap::Arg::get_long).filter(|long| !own.contains(long));
    let known: Vec<_> = known.map(str::to_owned).collect();
    ConfigFile::read(&path, &known).map_err(CliError::ConfigFile)
}

/// The value of a flag that must be known before the command line is understood.
fn value_of<'a>(args: &'a [OsString], flag: &str) -> Option<&'a OsStr> {
    let joined = |arg: &'a OsString| {
        let rest = arg.as_encoded_bytes().strip_prefix(flag.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(rest))
    };
    let at = args.iter().position(|arg| arg == flag);
    let apart = at.and_then(|at| args.get(at + 1)).map(OsString::as_os_str);
    apart.or_else(|| args.iter().find_map(joined))
}

fn dispatch(args: Args, environment: &Environment, file: &ConfigFile) -> Exit {
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
            let form = Form::from(verb.format);
            plan::run(&args.global, &verb, environment).unwrap_or_else(|it| it.report("plan", form))
        }
        Verb::Validate(verb) => {
            let form = Form::from(verb.format);
            validate::run(&args.global, &verb, (environment, file))
                .unwrap_or_else(|it| it.report("validate", form))
        }
        Verb::Up(verb) => {
            let form = Form::from(verb.format);
            up::run(&args.global, &verb, (environment, file))
                .unwrap_or_else(|it| it.report("up", form))
        }
        Verb::Status(verb) => {
            let form = Form::from(verb.format);
            status::run(&args.global, &verb, environment)
                .unwrap_or_else(|it| it.report("status", form))
        }
        Verb::Infer(verb) => {
            let form = Form::from(verb.format);
            infer::run(&args.global, &verb, environment)
                .unwrap_or_else(|it| it.report("infer", form))
        }
        Verb::Repair(verb) => {
            let form = Form::from(verb.format);
            repair::run(&args.global, &verb, environment)
                .unwrap_or_else(|it| it.report("repair", form))
        }
        Verb::Import(verb) => {
            let form = Form::from(verb.format);
            import::run(&args.global, &verb).unwrap_or_else(|it| it.report("import", form))
        }
    }
}

/// `MIGRAPH_JOBS` and its like stand for the flag when it is not given, and behind
/// them the configuration file. A value that only another verb's flag of the name knows
/// is for that verb.
fn parse(
    args: &[OsString],
    environment: &Environment,
    file: &ConfigFile,
) -> Result<Args, clap::Error> {
    let all = Args::command();
    let with_environment = |command: clap::Command| {
        command.mut_args(|arg| {
            let long = arg.get_long().unwrap_or_default().to_owned();
            let value = match long.as_str() {
                // It has an order of variables of its own, which go before the file.
                "database-url" if config::names_database(environment) => None,
                "database-url" => file.get(&long),
                _ => {
                    let set = [environment.get(&variable_of(&long)), file.get(&long)];
                    set.into_iter().flatten().find(|value| !is_of_another(&all, &arg, value))
                }
            };
            let value = value.map(str::to_owned);
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

fn is_of_another(all: &clap::Command, arg: &clap::Arg, value: &str) -> bool {
    let takes = |arg: &clap::Arg| {
        let values = arg.get_possible_values();
        values.iter().any(|known| known.matches(value, false))
    };
    let flags = all.get_subcommands().flat_map(clap::Command::get_arguments);
    !takes(arg) && flags.filter(|it| it.get_long() == arg.get_long()).any(takes)
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
