//! Small things that every text output needs.

use std::time::Duration;

use crate::model::shown;

/// The width that plain text keeps to.
pub(crate) const WIDTH: usize = 80;

/// A duration as people read it: three significant figures at most.
pub(crate) fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match time.as_secs() {
        0 if ms < 10.0 => format!("{ms:.1} ms"),
        0 => format!("{ms:.0} ms"),
        seconds @ 1..60 => {
            let decimals = if seconds < 10 { 2 } else { 1 };
            format!("{:.decimals$} s", time.as_secs_f64())
        }
        seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 migration`, `2 migrations`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Text from elsewhere, safe for a terminal; each line behind the first is indented.
pub(crate) fn indented(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n  ")
}

/// Joins `words` with `separator` into lines of at most [`WIDTH`] characters,
/// the first beginning with `first`, the others with as many blanks.
pub(crate) fn wrapped(first: &str, words: &[&str], separator: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = vec![first.to_owned()];
    for (at, word) in words.iter().enumerate() {
        let tail = if at + 1 < words.len() { separator } else { "" };
        let piece = format!("{word}{tail}");
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        let fits = last + piece.trim_end().chars().count() <= WIDTH;
        match lines.last_mut() {
            Some(line) if fits || *line == indent => line.push_str(&piece),
            _ => lines.push(format!("{indent}{piece}")),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_fitting_unit() {
        let cases = [
            (0, "0.0 ms"),
            (1_234, "1.2 ms"),
            (12_345, "12 ms"),
            (999_000, "999 ms"),
            (1_234_000, "1.23 s"),
            (12_345_000, "12.3 s"),
            (61_000_000, "1 min 01 s"),
            (3_660_000_000, "1 h 01 min"),
        ];
        for (micros, expected) in cases {
            assert_eq!(duration(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn text_from_elsewhere_cannot_move_the_cursor() {
        let text = "a\u{1b}[2J\u{9b}31mb\r\nc\rd\n\te\u{7}é";
        assert_eq!(indented(text), "a\\u{1b}[2J\\u{9b}31mb\n  c\\rd\n  \\te\\u{7}é");
    }

    #[test]
    fn lists_are_wrapped_at_the_width() {
        let words = vec!["0123456789"; 8];
        let text = wrapped("needs ", &words, ", ");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.lines().count(), 2);
        assert_eq!(wrapped("x: ", &[], ", "), "x:\n");
    }
}
