//! `sqitch.conf`: where a project keeps its plan and its scripts.
//!
//! The file has the form of git's configuration, and its paths begin where it lies. One
//! of the engine's goes before one of `core`
//! (<https://sqitch.org/docs/manual/sqitch-configuration/>); those of targets are not
//! looked at, since a target is a database and chosen at each run.

use std::path::{Component, Path};

use super::super::tree::Tree;
use crate::load;

/// The sections that say something to us, the first one first.
const SECTIONS: [&str; 2] = ["engine \"pg\"", "core"];

/// Where things are, as the files' names begin in the tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) plan: String,
    pub(super) deploy: String,
    pub(super) revert: String,
    pub(super) verify: String,
}

impl Places {
    /// Those that the configuration names, when the plan is there; else the usual ones.
    pub(super) fn of(tree: &Tree) -> Self {
        let source = tree.get("sqitch.conf").map(|file| load::read_source(file.path.clone()));
        let named = source.and_then(Result::ok).map(|source| Self::named(source.text()));
        named.filter(|it| tree.get(&it.plan).is_some()).unwrap_or_else(|| Self::named(""))
    }

    fn named(configuration: &str) -> Self {
        let value = |key| SECTIONS.into_iter().find_map(|it| value(configuration, it, key));
        let top = value("top_dir").unwrap_or(".");
        let path = |key, usual| match value(key) {
            Some(path) => below(path, ""),
            None => below(top, usual),
        };
        Self {
            plan: path("plan_file", "sqitch.plan"),
            deploy: path("deploy_dir", "deploy"),
            revert: path("revert_dir", "revert"),
            verify: path("verify_dir", "verify"),
        }
    }
}

/// The path as names in the tree are written.
fn below(directory: &str, name: &str) -> String {
    let path = Path::new(directory).join(name);
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The last value that a section gives to a key.
fn value<'a>(configuration: &'a str, wanted: &str, key: &str) -> Option<&'a str> {
    let mut section = "";
    let mut found = None;
    for line in configuration.lines().map(str::trim) {
        if let Some((name, _)) = line.strip_prefix('[').and_then(|it| it.split_once(']')) {
            section = name;
        } else if section.eq_ignore_ascii_case(wanted)
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            let value = value.split(['#', ';']).next().unwrap_or_default();
            found = Some(value.trim().trim_matches('"'));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_engine_or_of_the_core_or_the_usual() {
        let cases = [
            ("", "sqitch.plan deploy revert verify"),
            ("[core]\n\tengine = pg\n\t# top_dir = x\n", "sqitch.plan deploy revert verify"),
            ("[core]\ntop_dir = ./db/ ; here\n", "db/sqitch.plan db/deploy db/revert db/verify"),
            (
                "[core]\nTop_Dir = a\nplan_file = p.plan\n[engine \"pg\"]\n top_dir = \"b\"\n deploy_dir=./c\n",
                "p.plan c b/revert b/verify",
            ),
            ("[engine \"mysql\"]\ntop_dir = m\n", "sqitch.plan deploy revert verify"),
        ];
        for (text, expected) in cases {
            let Places { plan, deploy, revert, verify } = Places::named(text);
            assert_eq!(format!("{plan} {deploy} {revert} {verify}"), expected, "{text}");
        }
    }
}
