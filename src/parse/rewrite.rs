//! Another `@dependencies` in a file, and every other byte as it was.

use std::collections::BTreeMap;

use crate::model::{Header, MigrationId, Source, Span};

/// Longer lists are broken into lines of at most so many columns.
const WIDTH: usize = 100;

/// The bytes of a file, `raw`, with `@dependencies` set to `ids`. `source` and `header`
/// are what was read from them.
///
/// What stands between the brackets is replaced, in the layout that it has; without an
/// entry, a line is put before everything else. Line ends are those of the file, and a
/// byte order mark stays.
pub fn with_dependencies(
    raw: &str,
    (source, header): (&Source, &Header),
    ids: &[&MigrationId],
) -> String {
    let ending = if raw.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(at) = header.dependencies_at else {
        let (mark, text) = raw.split_at(raw.len() - raw.trim_start_matches('\u{feff}').len());
        let list = Layout::on_one_line().list("-- @dependencies: [", ids);
        let entry = format!("-- @dependencies: [{list}]").replace('\n', ending);
        return format!("{mark}{entry}{ending}{text}");
    };
    let text = source.text();
    let inside = inside(text, at);
    let first = source.location(inside.start).line - 1;
    let last = source.location(inside.end).line - 1;
    let line_start = text[..at.start].rfind('\n').map_or(0, |end| end + 1);
    let head = &text[line_start..inside.start];
    let items = Layout::of(text, inside, header).list(head, ids);
    let behind = text[inside.end..].split('\n').next().unwrap_or_default();
    let mut out = String::with_capacity(raw.len() + 64);
    for (number, line) in raw.split_inclusive('\n').enumerate() {
        if number == first {
            // Of a first line, the byte order mark.
            out.push_str(&line[..line.len() - line.trim_start_matches('\u{feff}').len()]);
            out.push_str(&format!("{head}{items}{behind}").replace('\n', ending));
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

/// What stands between the brackets of the entry; neither a key nor an id has one.
fn inside(text: &str, entry: Span) -> Span {
    let start = text[entry.start..].find('[').map_or(entry.end, |at| entry.start + at + 1);
    let end = text[start..].find(']').map_or(entry.end, |at| start + at);
    Span::new(start, end)
}

/// How a list is written, but for its items and the commas between them.
#[derive(Default)]
struct Layout {
    /// Before the first item.
    before: String,
    /// Between two items, where a line is broken; `None` to break none.
    line_break: Option<String>,
    /// Whether each item has a line of its own.
    each: bool,
    /// Around each item: nothing or quotes.
    quote: String,
    /// Behind the last item, when a line ends there: a comma or nothing.
    comma: &'static str,
    /// Behind the last item and that.
    behind: String,
    /// The blanks at the end of a line, by the item that they stand behind.
    blanks: BTreeMap<MigrationId, String>,
}

impl Layout {
    fn on_one_line() -> Self {
        Self::default()
    }

    /// Over lines that begin with `prefix`, as many items on each as it can have.
    fn over_lines(prefix: &str, quote: &str) -> Self {
        let line_break = format!("\n{prefix}    ");
        Self {
            before: line_break.clone(),
            line_break: Some(line_break),
            each: false,
            quote: quote.to_owned(),
            behind: format!("\n{prefix}"),
            ..Self::default()
        }
    }

    /// That of the list which stands `inside` of the brackets.
    fn of(text: &str, inside: Span, header: &Header) -> Self {
        let items: Vec<Span> = header.dependencies.iter().map(|item| item.span).collect();
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Self::on_one_line();
        };
        let without = |from: usize, to: usize, marks: &[char]| text[from..to].replace(marks, "");
        let before = without(inside.start, first.start, &['"', '\'']);
        let behind = without(last.end, inside.end, &['"', '\'']);
        let (line_end, behind) = behind.split_at(behind.find('\n').unwrap_or(0));
        let gaps: Vec<_> = items
            .windows(2)
            .map(|pair| without(pair[0].end, pair[1].start, &['"', '\'', ',']))
            .collect();
        let breaks =
            gaps.iter().chain([&before]).filter_map(|gap| gap.find('\n').map(|at| &gap[at..]));
        let line_break = breaks.min_by_key(|line_break| line_break.len()).map(str::to_owned);
        let blanks =
            |gap: &String| gap.split_once('\n').map_or_else(String::new, |(it, _)| it.to_owned());
        let blanks = gaps.iter().map(blanks).chain([line_end.replace(',', "")]);
        let ids = header.dependencies.iter().map(|item| item.id.clone());
        let each = line_break.is_some() && gaps.iter().all(|gap| gap.contains('\n'));
        let quote = text[..first.start].chars().next_back().filter(|c| "\"'".contains(*c));
        Self {
            before,
            line_break,
            each,
            quote: quote.map(String::from).unwrap_or_default(),
            comma: if line_end.contains(',') { "," } else { "" },
            behind: behind.to_owned(),
            blanks: ids.zip(blanks).collect(),
        }
    }

    /// The items behind `head`, which ends in the bracket. One line that gets too long is
    /// broken.
    fn list(&self, head: &str, ids: &[&MigrationId]) -> String {
        if ids.is_empty() {
            return String::new();
        }
        let list = self.filled(head, ids);
        let line = || format!("{head}{list}]");
        if self.line_break.is_none() && !list.contains('\n') && line().chars().count() > WIDTH {
            let prefix = head.split('@').next().unwrap_or("-- ");
            return Self::over_lines(prefix, &self.quote).filled(head, ids);
        }
        list
    }

    fn filled(&self, head: &str, ids: &[&MigrationId]) -> String {
        let mut out = format!("{head}{}", self.before);
        let mut blanks = "";
        for (at, id) in ids.iter().enumerate() {
            let comma = if at + 1 < ids.len() { "," } else { "" };
            let item = format!("{0}{id}{0}{comma}", self.quote);
            let line = out.rsplit('\n').next().unwrap_or_default();
            let full = || line.chars().count() + 1 + item.len() > WIDTH;
            match &self.line_break {
                _ if at == 0 => {}
                Some(line_break) if self.each || full() => {
                    out.extend([blanks, line_break]);
                }
                _ => out.push(' '),
            }
            out.push_str(&item);
            blanks = self.blanks.get(*id).map_or("", String::as_str);
        }
        if self.behind.starts_with('\n') {
            out.extend([self.comma, blanks]);
        }
        out.split_off(head.len()) + &self.behind
    }
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
    fn the_layout_of_a_list_stays() {
        let cases = [
            (
                "a list over lines stays one",
                "-- @dependencies: [\n--   a\n-- ]\n\nSELECT 1;",
                "-- @dependencies: [\n--   b,\n--   c\n-- ]\n\nSELECT 1;",
            ),
            (
                "in its own layout",
                "-- @dependencies: ['a',\r\n--\t'd',\r\n--\r\n--\t'e',] (a remark [x])\r\nSELECT 1;",
                "-- @dependencies: ['b',\r\n--\t'c',] (a remark [x])\r\nSELECT 1;",
            ),
            (
                "with the blanks at the ends of its lines",
                "-- @dependencies: [ \n--   \"a\", \n--   \"c\",  \n--   \"b\",\t\n-- ]\nSELECT 1;",
                "-- @dependencies: [ \n--   \"b\",\t\n--   \"c\",  \n-- ]\nSELECT 1;",
            ),
            (
                "several on a line",
                "-- @dependencies: [a, d,\n--   e, f\n-- ]\nSELECT 1;",
                "-- @dependencies: [b, c\n-- ]\nSELECT 1;",
            ),
            (
                "a remark stays",
                "-- @dependencies: [ a ]  (needs its table)\nSELECT 1;",
                "-- @dependencies: [ b, c ]  (needs its table)\nSELECT 1;",
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
        assert!(text.contains("0029_a_rather_long_name\n-- ]\nSELECT 1;"), "{text}");
        let remarked = rewritten("-- @dependencies: [a] (why)\nSELECT 1;", &ids);
        assert_eq!(remarked, text.replace(']', "] (why)"));
        assert_eq!(rewritten(&text, &[]), "-- @dependencies: []\nSELECT 1;");
        let file = parse("0099_x.sql".into(), text.clone().into_bytes(), Depth::Tokens);
        let found: Vec<_> = file.header.dependencies.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(found, ids);
        assert!(file.diagnostics.is_empty(), "{:?}", file.diagnostics);
        assert_eq!(rewritten(&text, &ids), text);
    }
}
