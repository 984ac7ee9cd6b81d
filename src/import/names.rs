//! Names of other tools, and the ids that are made of them.

use std::iter;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::{MigrationId, Number};

/// A longer name is cut: file systems take 255 bytes, the ending included.
const MAX_NAME: usize = 200;

/// The version that `text` begins with, perhaps behind a `V`, and what stands behind it:
/// `1.10.0` of `v1.10.0_users`, and only `1` of `1.2nd_try`.
pub(super) fn version(text: &str) -> Option<(Vec<Number>, &str)> {
    let (first, mut rest) = Number::read(text.strip_prefix(['v', 'V']).unwrap_or(text))?;
    let mut version = vec![first];
    while let Some((number, behind)) = rest.strip_prefix('.').and_then(Number::read)
        && !behind.starts_with(char::is_alphanumeric)
    {
        version.push(number);
        rest = behind;
    }
    Some((version, rest))
}

/// A version for comparing: `1` is `1.0`.
pub(super) fn comparable(version: &[Number]) -> Vec<Number> {
    let zeros = version.iter().rev().take_while(|number| number.is_zero()).count();
    version[..version.len() - zeros].to_vec()
}

/// What an id is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Label {
    /// The numbers, which may need zeros in front to sort as texts, each behind what
    /// stands before it.
    pub(super) numbers: Vec<(&'static str, Number)>,
    /// Behind the numbers.
    pub(super) rest: String,
}

impl Label {
    /// A name without numbers.
    pub(super) fn plain(name: &str) -> Self {
        Self { rest: name.to_owned(), ..Self::default() }
    }

    /// Numbers with `joint` between them, and what stands behind them.
    pub(super) fn numbered(numbers: Vec<Number>, joint: &'static str, rest: &str) -> Self {
        let joints = iter::once("").chain(iter::repeat(joint));
        Self { numbers: joints.zip(numbers).collect(), rest: rest.to_owned() }
    }

    /// The name with its numbers brought to these widths.
    fn text(&self, widths: &[usize]) -> String {
        let padded = |(at, (joint, number)): (usize, &(&str, Number))| {
            let width = widths.get(at).copied().unwrap_or(0);
            format!("{joint}{:0>width$}", number.as_str())
        };
        let numbers: String = self.numbers.iter().enumerate().map(padded).collect();
        numbers + &self.rest
    }
}

/// One id for each label, in this order: unique, and rising, so that the order of
/// the files is the history.
///
/// The name itself where that is so already; else with zeros before its numbers;
/// else with its position before it.
pub(super) fn ids(labels: &[Label]) -> Vec<MigrationId> {
    let as_written: Vec<_> = labels.iter().map(|label| sanitised(&label.text(&[]))).collect();
    if rises(&as_written) {
        return as_written.iter().map(|name| id(name)).collect();
    }
    let widths = widths(labels);
    let padded: Vec<_> = labels.iter().map(|label| sanitised(&label.text(&widths))).collect();
    if rises(&padded) {
        return padded.iter().map(|name| id(name)).collect();
    }
    let width = labels.len().to_string().len().max(4);
    let with_position = |(at, name): (usize, &String)| id(&format!("{:0width$}_{name}", at + 1));
    as_written.iter().enumerate().map(with_position).collect()
}

fn rises(names: &[String]) -> bool {
    names.is_sorted_by(|a, b| a < b)
}

/// How wide the widest number at each position is.
fn widths(labels: &[Label]) -> Vec<usize> {
    let most = labels.iter().map(|label| label.numbers.len()).max().unwrap_or(0);
    let width = |at: usize| {
        let lengths = labels.iter().filter_map(|label| label.numbers.get(at));
        lengths.map(|(_, number)| number.as_str().len()).max().unwrap_or(0).min(MAX_NAME)
    };
    (0..most).map(width).collect()
}

/// The name with `_` for what no id may hold.
fn sanitised(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let name: String = name.chars().take(MAX_NAME).map(allowed).collect();
    match name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()) {
        "" => "migration".to_owned(),
        anchored => anchored.to_owned(),
    }
}

#[expect(clippy::expect_used, reason = "`sanitised` leaves nothing else")]
fn id(name: &str) -> MigrationId {
    name.parse().expect("a sanitised name is an id")
}

/// A name as people write it: `add_users` is "add users".
pub(super) fn title(name: &str) -> Option<String> {
    let words = |c: char| if c == '_' || c.is_control() { ' ' } else { c };
    let text: String = name.chars().map(words).collect();
    one_line(&text)
}

/// The text on one line, without blanks at its ends.
pub(super) fn one_line(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    (!line.is_empty()).then_some(line)
}

/// The instant that a number in a file name stands for, taken as UTC: digits of a
/// date and a time (8 of a date; 14; 17 with milliseconds), or seconds (10) or
/// milliseconds (13) since 1970. `None` for any other number, and for one that is
/// no instant between 1990 and 2100.
pub(super) fn timestamp(digits: &str) -> Option<Timestamp> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = |text: &str| text.parse().ok().and_then(|it| Timestamp::from_second(it).ok());
    let at = match digits.len() {
        8 => civil(&format!("{digits}000000")),
        14 => civil(digits),
        17 => civil(&digits[..14]),
        10 => seconds(digits),
        13 => seconds(&digits[..10]),
        _ => None,
    }?;
    let year = at.to_zoned(TimeZone::UTC).year();
    (1990..2100).contains(&year).then_some(at)
}

/// A number by which instants can be ordered: one of 17 digits, which is a date and a
/// time, becomes milliseconds since 1970, and any other stays.
pub(super) fn instant(number: &Number) -> Number {
    let digits = number.as_str();
    let at = timestamp(digits).filter(|_| digits.len() == 17);
    let text = at.map(|at| format!("{}{}", at.as_second(), &digits[14..]));
    let milliseconds = text.and_then(|text| Some(Number::read(&text)?.0));
    milliseconds.unwrap_or_else(|| number.clone())
}

fn civil(digits: &str) -> Option<Timestamp> {
    let part = |from: usize, to: usize| digits.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    let at: DateTime = text.parse().ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> Label {
        match Number::read(name) {
            Some((number, rest)) => Label::numbered(vec![number], "", rest),
            None => Label::plain(name),
        }
    }

    #[test]
    fn ids_keep_the_name_and_the_order() {
        let cases: [(&[&str], &[&str]); 7] = [
            (&["001_a", "002_b"], &["001_a", "002_b"]),
            (&["1_a", "2_b", "10_c"], &["01_a", "02_b", "10_c"]),
            (&["9_a", "20240101_b"], &["00000009_a", "20240101_b"]),
            (&["users", "accounts"], &["0001_users", "0002_accounts"]),
            (&["a b/ä", "c"], &["a_b__", "c"]),
            (&["_x", ""], &["0001_x", "0002_migration"]),
            (&["a", "a"], &["0001_a", "0002_a"]),
        ];
        for (names, expected) in cases {
            let labels: Vec<_> = names.iter().map(|name| label(name)).collect();
            let found: Vec<_> = ids(&labels).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{names:?}");
        }
    }

    #[test]
    fn instants_are_ordered() {
        let number = |text| Number::read(text).unwrap().0;
        assert_eq!(instant(&number("20240131093000123")), number("1706693400123"));
        assert_eq!(instant(&number("20240131093000")), number("20240131093000"));
    }

    #[test]
    fn versions_are_read_as_far_as_they_are_numbers() {
        let cases = [
            ("1.10.0", Some(("1.10.0", ""))),
            ("v1.9_a", Some(("1.9", "_a"))),
            ("V0001.Schema", Some(("0001", ".Schema"))),
            ("001.do.a", Some(("001", ".do.a"))),
            ("1.2nd", Some(("1", ".2nd"))),
            ("1.", Some(("1", "."))),
            ("1.9.0-rc1", Some(("1.9.0", "-rc1"))),
            ("vx", None),
            ("a1", None),
        ];
        let shown =
            |numbers: Vec<Number>| numbers.iter().map(Number::as_str).collect::<Vec<_>>().join(".");
        for (text, expected) in cases {
            let found = version(text).map(|(numbers, rest)| (shown(numbers), rest));
            let found = found.as_ref().map(|(numbers, rest)| (numbers.as_str(), *rest));
            assert_eq!(found, expected, "{text}");
        }
        let order = |text| comparable(&version(text).unwrap().0);
        assert!(order("1.9") < order("1.10") && order("1.9") < order("1.9.1"));
        assert!(order("1") == order("1.0.0") && order("0.9") < order("0.10"));
    }

    #[test]
    fn numbers_that_are_instants_are_known() {
        let cases = [
            ("20240131093000", Some("2024-01-31T09:30:00Z")),
            ("20240131", Some("2024-01-31T00:00:00Z")),
            ("20240131093000123", Some("2024-01-31T09:30:00Z")),
            ("1706693400", Some("2024-01-31T09:30:00Z")),
            ("1706693400123", Some("2024-01-31T09:30:00Z")),
            ("20230322519590", None),
            ("00000000000000", None),
            ("0000000001", None),
            ("12", None),
            ("2024013109300é", None),
        ];
        for (digits, expected) in cases {
            assert_eq!(timestamp(digits).map(|at| at.to_string()).as_deref(), expected, "{digits}");
        }
    }
}
