//! nom parsers for the values in a header.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::{char, line_ending, not_line_ending, space0, space1};
use nom::combinator::{cut, eof, opt, peek, recognize, value};
use nom::error::{ErrorKind, ParseError};
use nom::multi::{many0_count, separated_list0};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// What was expected where: `at` is the rest of the input from that place on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected<'a> {
    pub(super) at: &'a str,
    pub(super) what: &'static str,
}

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Self { at, what: "" }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(super) type Parsed<'a, T> = IResult<&'a str, T, Expected<'a>>;

/// Names what a parser expects, where it does not say so itself.
fn named<'a, T>(
    what: &'static str,
    mut parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        parser.parse(input).map_err(|error| {
            error
                .map(|found| if found.what.is_empty() { Expected { what, ..found } } else { found })
        })
    }
}

/// `@key:` at the beginning of a comment, up to its value.
pub(super) fn key(input: &str) -> Parsed<'_, &str> {
    let name = take_while1(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
    preceded((take_while1(|c| c == '-'), space0, char('@')), name).parse(input)
}

/// The colon behind a key.
pub(super) fn colon(input: &str) -> Parsed<'_, ()> {
    named("`:` behind the key", value((), (space0, char(':'), space0))).parse(input)
}

/// `Migration:`, `Date:` or `Description:`, the header of older files.
pub(super) fn old_key(input: &str) -> Parsed<'_, &str> {
    let name = alt((tag("Migration"), tag("Date"), tag("Description")));
    delimited((take_while1(|c| c == '-'), space0), name, (char(':'), space0)).parse(input)
}

/// A text up to the end of its line.
pub(super) fn text(input: &str) -> Parsed<'_, &str> {
    let (rest, line) = not_line_ending(input)?;
    match line.trim() {
        "" => Err(nom::Err::Error(Expected { at: input, what: "a text" })),
        text => Ok((rest, text)),
    }
}

/// The end of a line, perhaps with a remark in parentheses before it.
fn line_end(input: &str) -> Parsed<'_, ()> {
    let remark = (char('('), not_line_ending);
    let end = peek(alt((line_ending, eof)));
    named("the end of the line", value((), (space0, opt(remark), space0, end))).parse(input)
}

/// One word of a fixed set.
pub(super) fn word<'a, T: Copy>(
    what: &'static str,
    words: &'static [(&'static str, T)],
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        let (rest, found) = take_till(|c: char| c.is_whitespace() || c == '(')(input)?;
        match words.iter().find(|(word, _)| *word == found) {
            Some((_, value)) => line_end(rest).map(|(rest, ())| (rest, *value)),
            None => Err(nom::Err::Error(Expected { at: input, what })),
        }
    }
}

/// An instant: RFC 3339, or a date, perhaps with a time, taken as UTC.
pub(super) fn timestamp(input: &str) -> Parsed<'_, Timestamp> {
    let (rest, line) = not_line_ending(input)?;
    let read = |text: &str| {
        let midnight = || text.parse::<Date>().map(|date| date.at(0, 0, 0, 0));
        let civil = || text.parse::<DateTime>().or_else(|_| midnight()).ok();
        let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        text.parse::<Timestamp>().ok().or_else(|| civil().and_then(utc))
    };
    let what = "a date such as `2024-01-31` or `2024-01-31T09:30:00Z`";
    match read(line.trim()) {
        Some(found) => Ok((rest, found)),
        None => Err(nom::Err::Error(Expected { at: input, what })),
    }
}

/// PostgreSQL keeps its timeouts as milliseconds in 32 bits
/// (<https://www.postgresql.org/docs/current/runtime-config-client.html>).
const MAX_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// A span of time with its unit, or `0` for none.
pub(super) fn timeout(input: &str) -> Parsed<'_, Duration> {
    let (rest, line) = not_line_ending(input)?;
    match parse_timeout(line.trim()) {
        Some(found) => Ok((rest, found)),
        None => Err(nom::Err::Error(Expected {
            at: input,
            what: "a time such as `500ms`, `5s` or `2min`, in whole milliseconds, at most 24 days",
        })),
    }
}

/// Reads a timeout as the header and the command line have it: a number with its
/// unit, or `0` for no limit. In whole milliseconds, and not more than PostgreSQL
/// can keep.
pub fn parse_timeout(text: &str) -> Option<Duration> {
    let time = match text {
        "0" => Some(Duration::ZERO),
        text => text.parse::<SignedDuration>().ok().and_then(whole_milliseconds),
    };
    time.filter(|time| *time <= MAX_TIMEOUT)
}

/// The server would round anything finer, and knows nothing negative.
fn whole_milliseconds(time: SignedDuration) -> Option<Duration> {
    let whole = time.subsec_nanos() % 1_000_000 == 0;
    Duration::try_from(time).ok().filter(|_| whole)
}

/// Blanks, and line breaks when the next line is a comment too.
fn gap(input: &str) -> Parsed<'_, ()> {
    let line_break = recognize((line_ending, space0, tag("--")));
    value((), many0_count(alt((space1, line_break)))).parse(input)
}

fn item(input: &str) -> Parsed<'_, &str> {
    let bare = take_while1(|c: char| !c.is_whitespace() && !"[],\"'".contains(c));
    let quoted = |quote: char| {
        delimited(
            char(quote),
            take_till(move |c| c == quote || c == '\n'),
            cut(named("the closing quote", char(quote))),
        )
    };
    alt((quoted('"'), quoted('\''), bare)).parse(input)
}

/// What is missing where a list breaks off.
pub(super) const LIST_END: &str = "`,` or `]`";

/// `[a, "b", c,]`, perhaps over several comment lines; each item with the input
/// from its own place on.
pub(super) fn list(input: &str) -> Parsed<'_, Vec<&str>> {
    let open = named("a list such as `[0001_users, 0002_products]`, or `[]`", char('['));
    let comma = (gap, char(','), gap);
    let items = separated_list0(comma, item);
    let close = cut(named(LIST_END, (gap, opt((char(','), gap)), char(']'))));
    let list = delimited((open, gap), items, close);
    terminated(list, cut(line_end)).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_span_lines_be_quoted_and_end_in_a_comma() {
        let cases: [(&str, &[&str]); 6] = [
            ("[]", &[]),
            ("[ ]", &[]),
            ("[a]", &["a"]),
            ("[a, \"b\" ,'c',]", &["a", "b", "c"]),
            ("[\n--   a,\n-- b\n--]", &["a", "b"]),
            ("[a,\n--\n-- b] (the tables)", &["a", "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(list(text).map(|(_, items)| items), Ok(expected.to_vec()), "{text}");
        }
    }

    #[test]
    fn a_malformed_list_is_placed() {
        let cases = [
            ("a, b", "a, b", "a list such as `[0001_users, 0002_products]`, or `[]`"),
            ("[a b]", "b]", "`,` or `]`"),
            ("[a, b", "", "`,` or `]`"),
            ("[a,,b]", ",b]", "`,` or `]`"),
            ("[a\nb]", "\nb]", "`,` or `]`"),
            ("[\"a]", "", "the closing quote"),
            ("[a] b", "b", "the end of the line"),
        ];
        for (text, at, what) in cases {
            match list(text) {
                Err(nom::Err::Error(found) | nom::Err::Failure(found)) => {
                    assert_eq!(found, Expected { at, what }, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn dates_and_times_are_read() {
        let at = |text: &str| timestamp(text).map(|(_, at)| at.to_string()).ok();
        assert_eq!(at("2024-01-31T09:30:00+02:00").as_deref(), Some("2024-01-31T07:30:00Z"));
        assert_eq!(at("2024-01-31").as_deref(), Some("2024-01-31T00:00:00Z"));
        assert_eq!(at("2024-01-31 09:30:00").as_deref(), Some("2024-01-31T09:30:00Z"));
        assert_eq!(at("2024-02-31"), None);
        let time = |text: &str| timeout(text).map(|(_, time)| time.as_millis()).ok();
        for (text, expected) in [
            ("0", Some(0)),
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("2min", Some(120_000)),
            ("5", None),
            ("-5s", None),
            ("1ns", None),
            ("9999h", None),
            ("soon", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }
}
