//! Another `@dependencies` in a file, and every other byte as it was.

use crate::model::{Header, MigrationId, Source};

/// Longer lists are broken into lines of at most so many columns.
const WIDTH: usize = 100;

/// The bytes of a file, `raw`, with `@dependencies` set to `ids`. `source` and `header`
/// are what was read from them.
///
/// An entry that is there is replaced where it stands; without one, a line is put
/// before everything else. Line ends are those of the file, and a byte order mark
/// stays.
pub fn with_dependencies(
    raw: &str,
    (source, header): (&Source, &Header),
    ids: &[&MigrationId],
) -> String {
    let ending = if raw.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(at) = header.dependencies_at else {
        let (mark, text) = raw.split_at(raw.len() - raw.trim_start_matches('\u{feff}').len());
        return format!("{mark}{}{ending}{text}", entry("-- ", ids, ending));
    };
    let first = source.location(at.start).line - 1;
    let last = source.location(at.end).line - 1;
    let line_start = source.text()[..at.start].rfind('\n').map_or(0, |end| end + 1);
    let written = &source.text()[line_start..at.end];
    let prefix = written.split('@').next().unwrap_or("-- ");
    let behind = source.text()[at.end..].split('\n').next().unwrap_or_default();
    let mut out = String::with_capacity(raw.len() + 64);
    for (number, line) in raw.split_inclusive('\n').enumerate() {
        if number == first {
            // Of a first line, the byte order mark.
            out.push_str(&line[..line.len() - line.trim_start_matches('\u{feff}').len()]);
            out.push_str(&entry(prefix, ids, ending));
            out.push_str(behind);
        }
        if number == last {
            let end = line.len() - line.trim_end_matches(['\r', '\n']).len();
            out.push_str(&line[line.len() - end..]);
        }
        if number < first || number > last {
            out.push_str(line);
        }
    }
    out
}

/// The entry, without a line end behind it.
fn entry(prefix: &str, ids: &[&MigrationId], ending: &str) -> String {
    let names: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
    let line = format!("{prefix}@dependencies: [{}]", names.join(", "));
    if line.chars().count() <= WIDTH {
        return line;
    }
    let mut out = format!("{prefix}@dependencies: [");
    let mut width = usize::MAX;
    for (at, name) in names.iter().enumerate() {
        let item = if at + 1 < names.len() { format!("{name},") } else { (*name).to_owned() };
        if width.saturating_add(item.len() + 1) > WIDTH {
            out = out + ending + prefix + "    " + &item;
            width = prefix.len() + 4 + item.len();
        } else {
            out = out + " " + &item;
            width += item.len() + 1;
        }
    }
    out + ending + prefix + "]"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Depth, parse};

    fn rewritten(raw: &str, ids: &[&str]) -> String {
        let file = parse("0009_x.sql".into(), raw.as_bytes().to_vec(), Depth::Tokens);
        let ids: Vec<MigrationId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        with_dependencies(raw, (&file.source, &file.header), &ids.iter().collect::<Vec<_>>())
    }

    #[test]
    fn only_the_entry_changes() {
        let cases = [
            (
                "in its place",
                "-- @name: X\n-- @dependencies: [a]\n-- @x: 1\nSELECT 1;",
                "-- @name: X\n-- @dependencies: [b, c]\n-- @x: 1\nSELECT 1;",
            ),
            (
                "CRLF stays",
                "-- @dependencies: []\r\nSELECT 1;\r\n",
                "-- @dependencies: [b, c]\r\nSELECT 1;\r\n",
            ),
            (
                "with a byte order mark",
                "\u{feff}-- @dependencies: [a]\nSELECT 1;",
                "\u{feff}-- @dependencies: [b, c]\nSELECT 1;",
            ),
            (
                "its indentation stays",
                "  --@dependencies: [a]\nSELECT 1;",
                "  --@dependencies: [b, c]\nSELECT 1;",
            ),
            (
                "a list over lines becomes one",
                "-- @dependencies: [\n--   a,\n--   b\n-- ]\n\nSELECT 1;",
                "-- @dependencies: [b, c]\n\nSELECT 1;",
            ),
            (
                "a header without one",
                "-- @name: X\nSELECT 1;",
                "-- @dependencies: [b, c]\n-- @name: X\nSELECT 1;",
            ),
            (
                "no header",
                "\u{feff}SELECT 1;\r\n",
                "\u{feff}-- @dependencies: [b, c]\r\nSELECT 1;\r\n",
            ),
            (
                "at the end of the file",
                "-- @name: X\n-- @dependencies: [a]",
                "-- @name: X\n-- @dependencies: [b, c]",
            ),
        ];
        for (why, raw, expected) in cases {
            assert_eq!(rewritten(raw, &["b", "c"]), expected, "{why}");
            assert_eq!(rewritten(expected, &["b", "c"]), expected, "{why}, twice");
        }
    }

    #[test]
    fn a_long_list_is_broken_and_read_again() {
        let ids: Vec<_> = (0..30).map(|n| format!("{n:04}_a_rather_long_name")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let text = rewritten("-- @dependencies: []\nSELECT 1;", &ids);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        let file = parse("0099_x.sql".into(), text.clone().into_bytes(), Depth::Tokens);
        let found: Vec<_> = file.header.dependencies.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(found, ids);
        assert!(file.diagnostics.is_empty(), "{:?}", file.diagnostics);
        assert_eq!(rewritten(&text, &ids), text);
    }
}
