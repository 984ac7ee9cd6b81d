//! The names of all kinds of problems, in one table.

use std::fmt;

/// One line for each kind of problem: its variant and its name, which is also the
/// name of its page in `docs/rules/`. Without the page this does not compile.
macro_rules! codes {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// The stable name of a kind of problem, such as `unknown-dependency`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "`page` says what each means")]
        pub enum Code {
            $($variant),+
        }

        impl Code {
            /// Every kind, in the order in which problems of one place are told.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as it stands in outputs and may be relied on.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// The page that explains it, in Markdown: a title, a sentence that sums
            /// it up, and sections.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/docs/rules/", $name, ".md"
                    ))),+
                }
            }
        }
    };
}

codes! {
    UnreadableFile = "unreadable-file",
    NotUtf8 = "not-utf8",
    NulByte = "nul-byte",
    InvalidId = "invalid-id",
    DuplicateId = "duplicate-id",
    NoHeaders = "no-headers",
    MissingDependencies = "missing-dependencies",
    MalformedHeader = "malformed-header",
    DuplicateKey = "duplicate-key",
    UnknownKey = "unknown-key",
    UnknownDependency = "unknown-dependency",
    SelfDependency = "self-dependency",
    DuplicateDependency = "duplicate-dependency",
    Cycle = "cycle",
    Section = "section",
    EmptyScript = "empty-script",
    Unterminated = "unterminated",
    TooDeep = "too-deep",
    Syntax = "syntax",
    OwnTransaction = "own-transaction",
    NotInTransaction = "not-in-transaction",
    SessionReset = "session-reset",
    UnsupportedCopy = "unsupported-copy",
    PsqlCommand = "psql-command",
    UndeclaredDependency = "undeclared-dependency",
    Opaque = "opaque",
    ColumnOrder = "column-order",
    Barrier = "barrier",
    Conflict = "conflict",
    RedundantDependency = "redundant-dependency",
    UnexplainedDependency = "unexplained-dependency",
    CodeMigration = "code-migration",
    Template = "template",
    Repeatable = "repeatable",
    SameVersion = "same-version",
    MissingUp = "missing-up",
    UnreadableLayout = "unreadable-layout",
    NoPlace = "no-place",
    NeedsLeftOut = "needs-left-out",
    NoStatement = "no-statement",
    Remarked = "remarked",
    Configuration = "configuration",
    TooMany = "too-many",
}

impl Code {
    /// The sentence below the title of its page.
    pub fn summary(self) -> &'static str {
        self.page().split("\n\n").nth(1).unwrap_or_default().trim()
    }

    /// The first paragraph of its page's section "Problem".
    pub fn problem(self) -> &'static str {
        let section = self.page().split("\n## Problem\n\n").nth(1).unwrap_or_default();
        section.split("\n\n").next().unwrap_or_default().trim()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
