//! `sqitch.plan`, as <https://sqitch.org/docs/manual/sqitch-plan/> and
//! <https://sqitch.org/docs/manual/sqitchchanges/> describe it.

use crate::model::Span;

/// A line that is no pragma, comment or blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `name [requires !conflicts] 2024-01-31T09:30:00Z Name <mail> # note`.
    Change(Change<'a>),
    /// `@tag …`, which belongs to the change before it.
    Tag(&'a str),
    /// `-name …`: a change that is taken back.
    Revert(&'a str),
}

/// A change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change<'a> {
    /// Its name, which may hold `/`.
    pub(super) name: &'a str,
    /// What it requires, as written.
    pub(super) requires: Vec<&'a str>,
    /// What it must not be deployed with, as written.
    pub(super) conflicts: Vec<&'a str>,
    /// When it was planned.
    pub(super) planned: Option<&'a str>,
    /// Why.
    pub(super) note: Option<&'a str>,
}

/// The lines of a plan that say something, with their places.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (Span, Line<'_>)> {
    let mut at = 0;
    let with_place = move |line| {
        let span = Span::new(at, at + str::len(line));
        at = span.end;
        (span, line)
    };
    text.split_inclusive('\n').map(with_place).filter_map(|(span, line)| Some((span, read(line)?)))
}

/// The plan's own project, from the pragma `%project=`.
pub(super) fn project(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (name, value) = line.trim().strip_prefix('%')?.split_once('=')?;
        (name.trim() == "project").then(|| value.trim())
    })
}

fn read(line: &str) -> Option<Line<'_>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['%', '#']) {
        return None;
    }
    let first = line.split_whitespace().next()?;
    if let Some(tag) = first.strip_prefix('@') {
        return Some(Line::Tag(tag));
    }
    if let Some(name) = first.strip_prefix('-') {
        return Some(Line::Revert(name));
    }
    Some(Line::Change(change(line)))
}

fn change(line: &str) -> Change<'_> {
    let (line, note) = match line.split_once(" #") {
        Some((line, note)) => (line, Some(note.trim()).filter(|note| !note.is_empty())),
        None => (line, None),
    };
    let line = line.trim_start_matches('+').trim_start();
    let end = line.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let (dependencies, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, rest)) => (inside, rest),
        None => ("", rest),
    };
    let (conflicts, requires): (Vec<_>, Vec<_>) =
        dependencies.split_whitespace().partition(|word| word.starts_with('!'));
    Change {
        name,
        requires,
        conflicts: conflicts.into_iter().map(|word| &word[1..]).collect(),
        planned: rest.split_whitespace().next(),
        note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_line_by_line() {
        let text = "%project=x\n\na 2024-01-31T09:30:00Z Ada <a@b> # First # one\n@v1 2024-01-31T09:30:00Z Ada <a@b>\nt/b [a@v1 !c other:d] 2024-02-01T00:00:00Z Ada <a@b>\n+e\n-a\n# end\n[";
        let found: Vec<_> = lines(text).map(|(_, line)| line).collect();
        let expected = [
            Line::Change(Change {
                name: "a",
                planned: Some("2024-01-31T09:30:00Z"),
                note: Some("First # one"),
                ..Change::default()
            }),
            Line::Tag("v1"),
            Line::Change(Change {
                name: "t/b",
                requires: vec!["a@v1", "other:d"],
                conflicts: vec!["c"],
                planned: Some("2024-02-01T00:00:00Z"),
                ..Change::default()
            }),
            Line::Change(Change { name: "e", ..Change::default() }),
            Line::Revert("a"),
            Line::Change(Change { planned: Some("["), ..Change::default() }),
        ];
        assert_eq!(found, expected);
        assert_eq!(project(text), Some("x"));
    }
}
