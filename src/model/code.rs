//! The names of all kinds of problems, in one table.

use std::fmt;

/// One line for each kind of problem: its variant and its name, which is also the
/// name of its page in `docs/rules/`. Without the page this does not compile.
macro_rules! codes {
    (
        migraph { $($ours:ident = $our_name:literal),+ $(,)? }
        safety { $($safety:ident = $safety_name:literal),+ $(,)? }
    ) => {
        codes! { @all $($ours = $our_name,)+ $($safety = $safety_name,)+ }

        impl Code {
            /// The rules about the safety of an application that runs meanwhile. They
            /// are squawk's, and have its names.
            pub const SAFETY: &[Self] = &[$(Self::$safety),+];
        }
    };
    (@all $($variant:ident = $name:literal),+ $(,)?) => {
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
    migraph {
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
        MixedNontransactional = "mixed-nontransactional",
        ConcurrentlyIfNotExists = "concurrently-if-not-exists",
        ConcurrentlyOnNewTable = "concurrently-on-new-table",
        NotAdditive = "not-additive",
        NotRepeatable = "not-repeatable",
        BlockingStatement = "blocking-statement",
        Opaque = "opaque",
        ColumnOrder = "column-order",
        Barrier = "barrier",
        Conflict = "conflict",
        RedundantDependency = "redundant-dependency",
        UnexplainedDependency = "unexplained-dependency",
        BranchConflict = "branch-conflict",
        MalformedIgnore = "malformed-ignore",
        UnusedIgnore = "unused-ignore",
        IgnoreWithoutReason = "ignore-without-reason",
        CodeMigration = "code-migration",
        Template = "template",
        Repeatable = "repeatable",
        SameVersion = "same-version",
        MissingUp = "missing-up",
        UnreadableLayout = "unreadable-layout",
        AssumedOrder = "assumed-order",
        NoPlace = "no-place",
        NeedsLeftOut = "needs-left-out",
        NoStatement = "no-statement",
        Remarked = "remarked",
        Configuration = "configuration",
        TooMany = "too-many",
    }
    safety {
        AddingFieldWithDefault = "adding-field-with-default",
        AddingForeignKeyConstraint = "adding-foreign-key-constraint",
        AddingNotNullableField = "adding-not-nullable-field",
        AddingSerialPrimaryKeyField = "adding-serial-primary-key-field",
        RenamingColumn = "renaming-column",
        RenamingTable = "renaming-table",
        DisallowedUniqueConstraint = "disallowed-unique-constraint",
        BanDropDatabase = "ban-drop-database",
        PreferBigintOverInt = "prefer-bigint-over-int",
        PreferBigintOverSmallint = "prefer-bigint-over-smallint",
        PreferIdentity = "prefer-identity",
        PreferRobustStmts = "prefer-robust-stmts",
        PreferTextField = "prefer-text-field",
        PreferTimestampTz = "prefer-timestamp-tz",
        BanCharField = "ban-char-field",
        BanDropColumn = "ban-drop-column",
        BanDropTable = "ban-drop-table",
        BanDropNotNull = "ban-drop-not-null",
        AddingRequiredField = "adding-required-field",
        BanCreateDomainWithConstraint = "ban-create-domain-with-constraint",
        BanAlterDomainWithAddConstraint = "ban-alter-domain-with-add-constraint",
        BanTruncateCascade = "ban-truncate-cascade",
        RequireLockTimeout = "require-lock-timeout",
        RequireStatementTimeout = "require-statement-timeout",
        RequireEnumValueOrdering = "require-enum-value-ordering",
        RequireTableSchema = "require-table-schema",
        IdentifierTooLong = "identifier-too-long",
        RequireConcurrentIndexCreation = "require-concurrent-index-creation",
        RequireConcurrentIndexDeletion = "require-concurrent-index-deletion",
        RequireConcurrentPartitionDetach = "require-concurrent-partition-detach",
        RequireConcurrentReindex = "require-concurrent-reindex",
        ChangingColumnType = "changing-column-type",
        ConstraintMissingNotValid = "constraint-missing-not-valid",
        BanDuplicateColumnAssignments = "ban-duplicate-column-assignments",
        BanDropView = "ban-drop-view",
        BanDropFunction = "ban-drop-function",
        BanDropType = "ban-drop-type",
        BanDropSchema = "ban-drop-schema",
        BanDropSequence = "ban-drop-sequence",
        BanDropDomain = "ban-drop-domain",
        BanDropDefault = "ban-drop-default",
        BanDropTrigger = "ban-drop-trigger",
        BanDropConstraint = "ban-drop-constraint",
        BanDropGeneratedExpression = "ban-drop-generated-expression",
        RenamingObject = "renaming-object",
        BanSetSchema = "ban-set-schema",
        BanAlterIdentity = "ban-alter-identity",
        BanDropExtension = "ban-drop-extension",
        BanAlterGeneratedExpression = "ban-alter-generated-expression",
        BanDropIndex = "ban-drop-index",
        BanSetDefault = "ban-set-default",
        BanDisableTrigger = "ban-disable-trigger",
        BanReplicaIdentity = "ban-replica-identity",
        BanDropPolicy = "ban-drop-policy",
        BanRevoke = "ban-revoke",
        BanReplaceViewFunction = "ban-replace-view-function",
        BanAlterPolicyCondition = "ban-alter-policy-condition",
        BanAlterPolicyRoles = "ban-alter-policy-roles",
        BanCreatePolicy = "ban-create-policy",
        BanAlterFunctionOptions = "ban-alter-function-options",
        BanAlterViewOptions = "ban-alter-view-options",
        BanAlterRoleOptions = "ban-alter-role-options",
        BanAlterDatabaseOptions = "ban-alter-database-options",
        BanAlterRowLevelSecurity = "ban-alter-row-level-security",
        BanNewWriteRestriction = "ban-new-write-restriction",
        BanAddEnumValue = "ban-add-enum-value",
        BanAddCompositeAttribute = "ban-add-composite-attribute",
        BanAddColumn = "ban-add-column",
        BanDetachInheritance = "ban-detach-inheritance",
        BanAlterSequenceValues = "ban-alter-sequence-values",
        BanAlterSystemOptions = "ban-alter-system-options",
        BanAlterExtension = "ban-alter-extension",
    }
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
