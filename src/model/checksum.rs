//! The fingerprint of a script.

use std::fmt;

/// The algorithm's name, stored beside each checksum so that a later one can
/// tell what it compares with. What it hashes is described in
/// `docs/design/checksums.md`.
pub const CHECKSUM_ALGORITHM: &str = "migraph-tokens-1";

/// SHA-256 over a script's tokens.
///
/// Two scripts that differ only in layout, comments or the case of unquoted
/// words have the same one. `Display` shows the first 16 hex digits, `{:#}` all 64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Wraps a finished digest.
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// All 64 hex digits, as the ledger stores them.
    pub fn to_hex(self) -> String {
        format!("{self:#}")
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { 32 } else { 8 };
        // Formatting each byte was a sixth of our own time for a tiny migration.
        let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
        let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
        f.write_str(&self.0[..shown].iter().flat_map(digits).collect::<String>())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
