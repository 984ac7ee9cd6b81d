//! What a server says beside its answers.

use std::fmt;

/// So many warnings of one try are kept, and as many of everything else: a script
/// can raise a million.
const KEPT: usize = 100;

/// The longest text that is kept, in characters.
const LONGEST: usize = 2_000;

/// How the server rates what it says, in PostgreSQL's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Only sent when a script asks for it by `client_min_messages`.
    Debug,
    /// Likewise.
    Log,
    /// What the user asked to be told, such as the progress of `VACUUM VERBOSE`.
    Info,
    /// What may help: `IF EXISTS` found nothing, a `RAISE NOTICE`.
    Notice,
    /// What is likely a mistake.
    Warning,
}

impl Level {
    /// As the server writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Log => "LOG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something the server said of a migration while it ran. None of its texts is
/// longer than 2,000 characters; they may hold control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How the server rates it.
    pub level: Level,
    /// Its five-character code; `00000` for most notices.
    pub sqlstate: String,
    /// What it said.
    pub message: String,
    /// Its detail.
    pub detail: Option<String>,
    /// Its hint.
    pub hint: Option<String>,
    /// The statement in the up script, from 1; `None` at COMMIT.
    pub statement: Option<usize>,
}

impl Notice {
    /// One without detail, hint and statement.
    pub fn new(level: Level, sqlstate: &str, message: &str) -> Self {
        Self {
            level,
            sqlstate: sqlstate.to_owned(),
            message: shortened(message),
            detail: None,
            hint: None,
            statement: None,
        }
    }

    /// The same, with the server's detail and hint.
    #[must_use]
    pub fn explained(self, detail: Option<&str>, hint: Option<&str>) -> Self {
        Self { detail: detail.map(shortened), hint: hint.map(shortened), ..self }
    }

    /// The same, said during this statement (from 1).
    #[must_use]
    pub fn during(self, statement: Option<usize>) -> Self {
        Self { statement, ..self }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What the server said during one try: the first of it, and how much it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    kept: Vec<Notice>,
    warnings: usize,
    others: usize,
}

impl Notices {
    /// Counts `notice`, and returns it if it is kept.
    pub fn push(&mut self, notice: Notice) -> Option<&Notice> {
        // Apart, so that no flood of notices takes a warning away.
        let alike = match notice.level {
            Level::Warning => &mut self.warnings,
            _ => &mut self.others,
        };
        *alike += 1;
        if *alike > KEPT {
            return None;
        }
        self.kept.push(notice);
        self.kept.last()
    }

    /// Those that are kept, in the order in which they came.
    pub fn kept(&self) -> &[Notice] {
        &self.kept
    }

    /// How many warnings there were.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// How many there were of everything else.
    pub fn others(&self) -> usize {
        self.others
    }

    /// How many are counted and not kept.
    pub fn omitted(&self) -> usize {
        self.warnings + self.others - self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_takes_no_warning_away() {
        let mut notices = Notices::default();
        for number in 0..1_000 {
            let kept = notices.push(Notice::new(Level::Notice, "00000", &number.to_string()));
            assert_eq!(kept.is_some(), number < KEPT, "{number}");
        }
        let warning = Notice::new(Level::Warning, "01000", "mind");
        assert_eq!(notices.push(warning.clone()), Some(&warning));
        assert_eq!((notices.warnings(), notices.others(), notices.omitted()), (1, 1_000, 900));
        assert_eq!(notices.kept().len(), KEPT + 1);
        assert_eq!(notices.kept()[99].message, "99");
    }

    #[test]
    fn long_texts_are_shortened_at_a_character() {
        let long = "é".repeat(LONGEST + 1);
        let notice =
            Notice::new(Level::Info, "00000", &long).explained(Some(&long), Some(&long[..4]));
        for text in [&notice.message, notice.detail.as_ref().unwrap()] {
            assert_eq!(text.chars().count(), LONGEST + 1);
            assert!(text.ends_with("é…"), "{text}");
        }
        assert_eq!(notice.hint.as_deref(), Some("éé"));
        let fits = "é".repeat(LONGEST);
        assert_eq!(Notice::new(Level::Info, "00000", &fits).message, fits);
    }
}
