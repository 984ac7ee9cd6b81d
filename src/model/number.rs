//! Numbers in names.

use std::cmp::Ordering;

/// A number in a name, of any length, ordered by its value.
#[derive(Clone, Debug)]
pub(crate) struct Number(String);

impl Number {
    /// The number that `text` begins with, and what stands behind it.
    pub(crate) fn read(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        (!digits.is_empty()).then(|| (Self(digits.to_owned()), rest))
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `0`, `00` …
    pub(crate) fn is_zero(&self) -> bool {
        self.value().0 == 0
    }

    fn value(&self) -> (usize, &str) {
        let digits = self.0.trim_start_matches('0');
        (digits.len(), digits)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value().cmp(&other.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let number = |text| Number::read(text).unwrap().0;
        assert!(number("9") < number("10") && number("0010") == number("10"));
        assert!(number("99999999999999999999999") > number("1"));
        assert!(number("00").is_zero() && !number("01").is_zero());
        assert_eq!(Number::read("x1").map(|it| it.1), None);
    }
}
