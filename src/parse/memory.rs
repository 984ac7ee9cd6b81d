//! What was made of scripts before.

use crate::sql::Reading;

/// What a script was read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The parser's verdict alone.
    Verdict,
    /// What it says, too.
    Meaning,
}

/// Remembers valid scripts by their text, so that the parser need not be asked again.
///
/// It may forget anything at any time, and never makes anything up: what it recalls
/// was made by this very program of this very text.
pub trait Memory: Sync {
    /// What the script `text` says, if it is known to be valid; nothing for
    /// [`Purpose::Verdict`].
    fn recall(&self, text: &str, purpose: Purpose) -> Option<Vec<Reading>>;

    /// Takes note that `text` is valid and says `readings`.
    fn remember(&self, text: &str, purpose: Purpose, readings: &[Reading]);
}

/// Remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn recall(&self, _: &str, _: Purpose) -> Option<Vec<Reading>> {
        None
    }

    fn remember(&self, _: &str, _: Purpose, _: &[Reading]) {}
}
