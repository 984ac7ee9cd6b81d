//! `migraph.toml`: flags that stand in a file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::{Code, Diagnostic, Diagnostics, Place, Rules, Source, Span};
use crate::suggest::nearest;

/// The file's name.
const NAME: &str = "migraph.toml";

/// Flags whose value is a path, which is relative to the file.
const PATHS: [&str; 3] = ["dir", "timings", "out"];

/// What a configuration file says. Every key in it is a flag that exists; whether
/// its value fits is the flag's own business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is; empty when there is none.
    pub path: PathBuf,
    /// Values by the flag's long name.
    flags: BTreeMap<String, String>,
    /// `[tuning]`: server settings for `up --fast`, in the order of their names.
    pub tuning: Vec<(String, String)>,
    /// `[rules]`: the level of each rule.
    pub rules: Rules,
}

impl ConfigFile {
    /// The nearest file of that name in `dir` or above it.
    pub fn find(dir: &Path) -> Option<PathBuf> {
        let real = dir.canonicalize().ok()?;
        real.ancestors().map(|dir| dir.join(NAME)).find(|path| path.is_file())
    }

    /// Reads `path`, in which the flags `known` may stand. All problems at once.
    pub fn read(path: &Path, known: &[String]) -> Result<Self, Diagnostics> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            vec![Diagnostic::error(Code::Configuration, message)]
        })?;
        let source = Arc::new(Source::new(path, text));
        let table =
            DeTable::parse(source.text()).map_err(|error| vec![no_toml(&source, &error)])?;
        let file = Self { path: path.to_owned(), ..Self::default() };
        let mut reader = Reader { source: &source, known, file, problems: vec![] };
        for (key, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(tuning) if key.get_ref() == "tuning" => reader.tuning(tuning),
                DeValue::Table(rules) if key.get_ref() == "rules" => reader.rules(rules),
                _ if ["tuning", "rules"].contains(&key.get_ref().as_ref()) => {
                    reader.no_table(key.get_ref(), &value.span());
                }
                _ => reader.flag(key, value),
            }
        }
        if reader.problems.is_empty() { Ok(reader.file) } else { Err(reader.problems) }
    }

    /// The value of a flag, by its long name.
    pub fn get(&self, flag: &str) -> Option<&str> {
        self.flags.get(flag).map(String::as_str)
    }
}

fn no_toml(source: &Arc<Source>, error: &toml::de::Error) -> Diagnostic {
    let message = format!("this is no TOML: {}", error.message());
    Diagnostic::error(Code::Configuration, message).at(match error.span() {
        Some(range) => Place::new(source, span(&range), "here"),
        None => Place::file(source),
    })
}

pub(super) fn span(range: &Range<usize>) -> Span {
    Span::new(range.start, range.end)
}

pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<Source>,
    known: &'a [String],
    pub(super) file: ConfigFile,
    pub(super) problems: Diagnostics,
}

impl Reader<'_> {
    fn flag(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let name = key.get_ref().replace('_', "-");
        if !self.known.contains(&name) {
            self.unknown(key.get_ref(), &key.span(), &name);
            return;
        }
        let Some(mut text) = self.scalar(value) else { return };
        if PATHS.contains(&name.as_str()) {
            let dir = self.file.path.parent().unwrap_or(Path::new(""));
            text = dir.join(text).to_string_lossy().into_owned();
        }
        self.file.flags.insert(name, text);
    }

    fn tuning(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            if let Some(text) = self.scalar(value) {
                self.file.tuning.push((key.get_ref().to_string(), text));
            }
        }
    }

    fn no_table(&mut self, key: &str, range: &Range<usize>) {
        let place = Place::new(self.source, span(range), "");
        let message = format!("`{key}` is a table");
        self.problems.push(
            Diagnostic::error(Code::Configuration, message)
                .at(place)
                .help(format!("write `[{key}]` and its keys on lines below")),
        );
    }

    /// A string, a number or a boolean as the command line would have it.
    pub(super) fn scalar(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.as_str().replace('_', "")),
            DeValue::Float(number) => Some(number.as_str().replace('_', "")),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            other => {
                let label = format!("this is of type {}", other.type_str());
                let place = Place::new(self.source, span(&value.span()), label);
                let message = "expected a string, a number or a boolean";
                self.problems.push(Diagnostic::error(Code::Configuration, message).at(place));
                None
            }
        }
    }

    fn unknown(&mut self, written: &str, range: &Range<usize>, name: &str) {
        let place = Place::new(self.source, span(range), "no flag has this name");
        let problem =
            Diagnostic::error(Code::Configuration, format!("unknown key `{written}`")).at(place);
        let near = nearest(name, self.known.iter().map(String::as_str).chain(["tuning", "rules"]));
        self.problems.push(match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => {
                problem.help("the keys are the long names of flags; `migraph up --help` lists them")
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfigFile, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        std::fs::write(&path, text).unwrap();
        let known = ["jobs", "dir", "lock-timeout", "fast"].map(str::to_owned);
        let shown = |one: Diagnostic| {
            let at = one.place.as_ref().and_then(Place::location).unwrap();
            format!("{}:{} {} {}", at.line, at.column, one.message, one.help.join(" "))
        };
        ConfigFile::read(&path, &known).map_err(|all| all.into_iter().map(shown).collect())
    }

    #[test]
    fn flags_and_tuning_are_read() {
        let file = read("jobs = 1_0\nlock_timeout = \"5s\"\nfast = true\ndir = \"m\"\n[tuning]\njit = false\nwork_mem = \"8MB\"").unwrap();
        assert_eq!(
            (file.get("jobs"), file.get("lock-timeout"), file.get("fast")),
            (Some("10"), Some("5s"), Some("true"))
        );
        assert_eq!(file.get("dir"), file.path.with_file_name("m").to_str());
        let tuning =
            [("jit", "false"), ("work_mem", "8MB")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(file.tuning, tuning);
    }

    #[test]
    fn every_problem_is_placed() {
        let found = read("job = 1\njobs = [1]\nxyz = 2").unwrap_err();
        assert_eq!(
            found,
            [
                "1:1 unknown key `job` did you mean `jobs`?",
                "2:8 expected a string, a number or a boolean ",
                "3:1 unknown key `xyz` the keys are the long names of flags; `migraph up --help` lists them",
            ]
        );
        assert!(read("jobs = ").unwrap_err()[0].contains("this is no TOML"));
    }

    #[test]
    fn the_nearest_file_upwards_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(ConfigFile::find(&deep), None);
        std::fs::write(dir.path().join(NAME), "").unwrap();
        let found = ConfigFile::find(&deep).unwrap();
        assert_eq!(found, dir.path().canonicalize().unwrap().join(NAME));
    }
}
