//! Sourcegraph's migrator: directories with `up.sql`, `down.sql` and `metadata.yaml`,
//! which names the parents.
//!
//! A directory is `{number}` or `{number}_{name}`. `parents` are numbers, a list or one;
//! the migrator runs any order that they permit
//! (`doc/dev/background-information/sql/migrations.md` of its public snapshot). Each
//! is run in a transaction, but for `createIndexConcurrently: true`.

use std::collections::{BTreeMap, BTreeSet};

use yaml_rust2::{Yaml, YamlLoader};

use super::super::Layout;
use super::super::names::{self, Label};
use super::super::reading::{Entry, Reading};
use super::super::tree::File;
use super::directories::{directories, rest_is_unused, without_up};
use crate::model::{Code, Diagnostic, Number, Place};

/// One directory.
struct Node<'a> {
    number: Number,
    rest: &'a str,
    /// `None` when they cannot be known: it is left out.
    metadata: Option<Metadata>,
    files: Files<'a>,
}

struct Files<'a> {
    up: &'a File,
    down: Option<&'a File>,
    metadata: Option<&'a File>,
}

/// What `metadata.yaml` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metadata {
    name: Option<String>,
    parents: Vec<Number>,
    concurrently: bool,
    privileged: bool,
}

impl Node<'_> {
    fn parents(&self) -> &[Number] {
        self.metadata.as_ref().map_or(&[], |it| &it.parents)
    }
}

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let mut nodes: BTreeMap<Number, Node<'_>> = BTreeMap::new();
    for (dir, files) in directories(reading, Layout::Sourcegraph) {
        let Some(node) = node(reading, dir, files) else { continue };
        match nodes.get(&node.number) {
            Some(kept) => {
                let kept = kept.files.up;
                super::versioned::same_version(reading, node.files.up, kept, Layout::Sourcegraph);
            }
            None => {
                nodes.insert(node.number.clone(), node);
            }
        }
    }
    in_order(reading, nodes);
}

fn node<'a>(
    reading: &mut Reading<'_>,
    dir: &'a str,
    mut files: BTreeMap<&str, &'a File>,
) -> Option<Node<'a>> {
    let Some((number, rest)) = Number::read(dir) else {
        rest_is_unused(reading, files);
        return None;
    };
    let (up, down) = (files.remove("up.sql"), files.remove("down.sql"));
    let metadata = files.remove("metadata.yaml");
    rest_is_unused(reading, files);
    let Some(up) = up else {
        let beside: Vec<_> = down.into_iter().chain(metadata).collect();
        without_up(reading, dir, ("up.sql", &beside));
        return None;
    };
    let said = if let Some(file) = metadata {
        of_file(reading, file)
    } else {
        reading.leave_out(up, Code::UnreadableLayout, "there is no `metadata.yaml` beside it");
        None
    };
    Some(Node { number, rest, metadata: said, files: Files { up, down, metadata } })
}

/// Takes the entries in an order that the parents permit, by number where they
/// permit several.
fn in_order(reading: &mut Reading<'_>, mut open: BTreeMap<Number, Node<'_>>) {
    for node in open.values() {
        for parent in node.parents().iter().filter(|it| !open.contains_key(it)) {
            let file = node.files.metadata.unwrap_or(node.files.up);
            let why = format!("the parent {} is no migration", parent.as_str());
            reading.leave_out(file, Code::UnknownDependency, why);
        }
    }
    let known: BTreeSet<Number> = open.keys().cloned().collect();
    let mut index: BTreeMap<Number, usize> = BTreeMap::new();
    while !open.is_empty() {
        let is_done = |parent: &Number| index.contains_key(parent) || !known.contains(parent);
        let ready = open.values().find(|node| node.parents().iter().all(is_done));
        let Some(number) = ready.map(|node| node.number.clone()) else { break };
        if let Some(node) = open.remove(&number) {
            let entry = entry(reading, &node, &index);
            index.insert(number, reading.entries.len());
            reading.entries.push(entry);
        }
    }
    for node in open.into_values() {
        let why = "its parents go round in a circle, or lead to such";
        reading.leave_out(node.files.metadata.unwrap_or(node.files.up), Code::Cycle, why);
    }
}

fn entry(reading: &mut Reading<'_>, node: &Node<'_>, index: &BTreeMap<Number, usize>) -> Entry {
    let Node { number, rest, files, .. } = node;
    let unknown = Metadata::default();
    let metadata = node.metadata.as_ref().unwrap_or(&unknown);
    if metadata.privileged {
        let what = "it is privileged: a role with more rights must run it";
        reading.note(files.up, Code::NoPlace, what);
    }
    let name = metadata.name.as_deref().filter(|_| rest.is_empty());
    let rest = name.map_or_else(|| (*rest).to_owned(), |name| format!("_{}", slug(name)));
    let all = [Some(files.up), files.down, files.metadata];
    Entry {
        label: Label::numbered(vec![number.clone()], "", &rest),
        files: all.into_iter().flatten().map(|it| it.name.clone()).collect(),
        title: metadata.name.as_deref().map_or_else(|| names::title(&rest), names::one_line),
        description: None,
        timestamp: names::timestamp(number.as_str()),
        declared: metadata.parents.iter().filter_map(|it| index.get(it).copied()).collect(),
        outside_transaction: metadata.concurrently,
        up: node.metadata.as_ref().and_then(|_| reading.whole(files.up)),
        down: files.down.and_then(|down| reading.whole(down)),
    }
}

/// A name as a part of an id.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// What a file says; without that nobody knows the parents, and it is said why.
fn of_file(reading: &mut Reading<'_>, file: &File) -> Option<Metadata> {
    let source = reading.source(file)?;
    let said = metadata(source.text()).map_err(|why| {
        let problem = Diagnostic::error(Code::UnreadableLayout, why);
        reading.problems.push(problem.at(Place::file(&source)));
    });
    said.ok()
}

fn metadata(text: &str) -> Result<Metadata, String> {
    let documents =
        YamlLoader::load_from_str(text).map_err(|error| format!("this is no YAML: {error}"))?;
    let Some(Yaml::Hash(map)) = documents.into_iter().next() else {
        return Err("the file has no keys".to_owned());
    };
    let get = |key: &str| map.get(&Yaml::String(key.to_owned()));
    let is_set = |key| get(key).and_then(Yaml::as_bool) == Some(true);
    let parents = match get("parents").or_else(|| get("parent")) {
        None | Some(Yaml::Null) => vec![],
        Some(Yaml::Array(items)) => items.iter().map(parent).collect::<Result<_, _>>()?,
        Some(one) => vec![parent(one)?],
    };
    Ok(Metadata {
        name: get("name").and_then(scalar),
        parents,
        concurrently: is_set("createIndexConcurrently"),
        privileged: is_set("privileged"),
    })
}

fn scalar(value: &Yaml) -> Option<String> {
    match value {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn parent(value: &Yaml) -> Result<Number, String> {
    let text = scalar(value).unwrap_or_default();
    let whole = Number::read(&text).filter(|(_, rest)| rest.is_empty());
    whole.map(|(number, _)| number).ok_or_else(|| "`parents` is no list of numbers".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read() {
        let shown = |text: &str| match metadata(text) {
            Ok(it) => {
                let parents: Vec<_> = it.parents.iter().map(Number::as_str).collect();
                format!("{:?} {parents:?} {} {}", it.name, it.concurrently, it.privileged)
            }
            Err(why) => why,
        };
        let cases = [
            ("name: a b\nparents: [1, 22]\n", "Some(\"a b\") [\"1\", \"22\"] false false"),
            ("name: 'x'\nparents:\n  - 7\n", "Some(\"x\") [\"7\"] false false"),
            ("parent: 3\ncreateIndexConcurrently: true", "None [\"3\"] true false"),
            ("name: x\nprivileged: true\nparents: []", "Some(\"x\") [] false true"),
            ("name: x", "Some(\"x\") [] false false"),
            ("parents: [a]", "`parents` is no list of numbers"),
            ("- a", "the file has no keys"),
            ("", "the file has no keys"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert!(shown("a: [").starts_with("this is no YAML"));
    }
}
