//! Which rules are on, and how bad is what they find.
//!
//! What makes a run impossible or unsafe is an error, and nothing here changes
//! that. The other codes have a level that is a matter of taste, or of how the
//! application is deployed.

use std::collections::BTreeMap;

use super::code::Code;
use super::diagnostic::{Diagnostic, Diagnostics, Severity};

/// What a rule's findings are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing: they are not told.
    Off,
    /// A note.
    Info,
    /// A warning.
    Warn,
    /// An error.
    Error,
}

impl Level {
    /// Every level, the mildest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Info, Self::Warn, Self::Error];

    /// Its name in `migraph.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Info => Some(Severity::Info),
            Self::Warn => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

impl Code {
    /// The level that it has unless told otherwise; `None` when nobody may change it.
    pub fn default_level(self) -> Option<Level> {
        match self {
            code if Self::OWN_SAFETY.contains(&code) => Some(Level::Off),
            Self::ColumnOrder
            | Self::Barrier
            | Self::Conflict
            | Self::RedundantDependency
            | Self::UnexplainedDependency => Some(Level::Info),
            Self::UnknownKey
            | Self::Opaque
            | Self::MixedNontransactional
            | Self::ConcurrentlyIfNotExists
            | Self::ConcurrentlyOnNewTable
            | Self::MalformedIgnore
            | Self::UnusedIgnore
            | Self::IgnoreWithoutReason => Some(Level::Warn),
            code => Self::SAFETY.contains(&code).then_some(Level::Off),
        }
    }

    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// What stands for a rule of squawk's linter that migraph has under another name;
    /// nothing for one that it does not need.
    pub fn of_squawk(name: &str) -> Option<&'static [Self]> {
        match name {
            "prefer-timestamptz" => Some(&[Self::PreferTimestampTz]),
            "require-timeout-settings" => {
                Some(&[Self::RequireLockTimeout, Self::RequireStatementTimeout])
            }
            // PostgreSQL has REPACK from 19 on only; for the others, `not-in-transaction`
            // and `own-transaction` are more exact.
            "prefer-repack"
            | "ban-concurrent-index-creation-in-transaction"
            | "ban-uncommitted-transaction"
            | "transaction-nesting" => Some(&[]),
            _ => None,
        }
    }

    /// Our own rules about the safety of an application that runs meanwhile: what
    /// squawk's do not see.
    pub const OWN_SAFETY: [Self; 3] =
        [Self::NotAdditive, Self::NotRepeatable, Self::BlockingStatement];

    /// True for the rules about a running application, squawk's and ours.
    pub fn is_about_safety(self) -> bool {
        Self::OWN_SAFETY.contains(&self) || Self::SAFETY.contains(&self)
    }

    /// True for what a comment may silence: not what is fixed, and not what comments
    /// themselves do wrong.
    pub fn can_be_ignored(self) -> bool {
        let about_comments =
            matches!(self, Self::MalformedIgnore | Self::UnusedIgnore | Self::IgnoreWithoutReason);
        self.default_level().is_some() && !about_comments
    }
}

/// A set of rules that are turned on together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Nothing is dropped, renamed or narrowed.
    AdditiveOnly,
    /// That, and each statement can be repeated, spares the old version of the
    /// application, and keeps nobody waiting.
    Production,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 2] = [Self::AdditiveOnly, Self::Production];

    /// Its name in `migraph.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdditiveOnly => "additive-only",
            Self::Production => "production",
        }
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// The rules whose findings it makes errors.
    pub fn codes(self) -> impl Iterator<Item = Code> {
        let more: &[Code] = match self {
            Self::AdditiveOnly => &[],
            Self::Production => &PRODUCTION,
        };
        ADDITIVE.iter().chain(more).copied()
    }
}

/// What `additive-only` turns on: first what is dropped, then what is renamed or
/// moved, then what is narrowed.
const ADDITIVE: [Code; 28] = [
    Code::NotAdditive,
    Code::BanDetachInheritance,
    Code::BanDropColumn,
    Code::BanDropConstraint,
    Code::BanDropDatabase,
    Code::BanDropDefault,
    Code::BanDropDomain,
    Code::BanDropExtension,
    Code::BanDropFunction,
    Code::BanDropGeneratedExpression,
    Code::BanDropIndex,
    Code::BanDropPolicy,
    Code::BanDropSchema,
    Code::BanDropSequence,
    Code::BanDropTable,
    Code::BanDropTrigger,
    Code::BanDropType,
    Code::BanDropView,
    Code::BanRevoke,
    Code::BanTruncateCascade,
    Code::BanSetSchema,
    Code::RenamingColumn,
    Code::RenamingObject,
    Code::RenamingTable,
    Code::AddingRequiredField,
    Code::BanNewWriteRestriction,
    Code::ChangingColumnType,
    // A gate that opens without a reason is none.
    Code::IgnoreWithoutReason,
];

/// What `production` turns on besides: first what the old version of the application
/// would feel, then what can be repeated, then what would keep others waiting.
const PRODUCTION: [Code; 19] = [
    Code::BanAlterGeneratedExpression,
    Code::BanAlterIdentity,
    Code::BanDisableTrigger,
    Code::BanDropNotNull,
    Code::NotRepeatable,
    Code::PreferRobustStmts,
    Code::BlockingStatement,
    Code::AddingFieldWithDefault,
    Code::AddingForeignKeyConstraint,
    Code::AddingNotNullableField,
    Code::AddingSerialPrimaryKeyField,
    Code::BanAlterDomainWithAddConstraint,
    Code::ConstraintMissingNotValid,
    Code::DisallowedUniqueConstraint,
    Code::RequireConcurrentIndexCreation,
    Code::RequireConcurrentIndexDeletion,
    Code::RequireConcurrentPartitionDetach,
    Code::RequireConcurrentReindex,
    Code::RequireLockTimeout,
];

/// The level of every rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    changed: BTreeMap<Code, Level>,
}

impl Rules {
    /// The levels that `preset` gives.
    pub fn of(preset: Preset) -> Self {
        Self { changed: preset.codes().map(|code| (code, Level::Error)).collect() }
    }

    /// Gives `code` another level; false when it has one that nobody may change.
    #[must_use]
    pub fn set(&mut self, code: Code, level: Level) -> bool {
        let may = code.default_level().is_some();
        if may {
            self.changed.insert(code, level);
        }
        may
    }

    /// The level of `code`; `None` when it is not for us to say.
    pub fn level(&self, code: Code) -> Option<Level> {
        self.changed.get(&code).copied().or_else(|| code.default_level())
    }

    /// True when what `code` finds is told.
    pub fn is_on(&self, code: Code) -> bool {
        self.level(code) != Some(Level::Off)
    }

    /// The same findings at the levels that are wanted. What is an error of itself
    /// stays one.
    pub fn apply(&self, found: Diagnostics) -> Diagnostics {
        let at_level = |one: Diagnostic| match self.level(one.code) {
            Some(level) if !one.is_error() => {
                level.severity().map(|severity| Diagnostic { severity, ..one })
            }
            _ => Some(one),
        };
        found.into_iter().filter_map(at_level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_run_unsafe_stays_an_error() {
        let mut rules = Rules::default();
        for code in [Code::UndeclaredDependency, Code::Syntax, Code::Cycle] {
            assert!(!rules.set(code, Level::Off) && rules.is_on(code) && !code.can_be_ignored());
        }
        assert!(rules.set(Code::UnknownKey, Level::Off));
        // As a misspelt `@dependencies`.
        let found = vec![Diagnostic::error(Code::UnknownKey, "")];
        assert_eq!(rules.apply(found).len(), 1);
    }

    #[test]
    fn levels_change_severities() {
        let mut rules = Rules::default();
        let severity = |rules: &Rules, code| {
            let found = rules.apply(vec![Diagnostic::warning(code, "")]);
            found.first().map(|one| one.severity)
        };
        assert_eq!(severity(&rules, Code::BanDropTable), None, "off by default");
        assert!(
            rules.set(Code::BanDropTable, Level::Error) && rules.set(Code::Opaque, Level::Info)
        );
        assert_eq!(severity(&rules, Code::BanDropTable), Some(Severity::Error));
        assert_eq!(severity(&rules, Code::Opaque), Some(Severity::Info));
    }

    #[test]
    fn presets_turn_on_what_can_be_turned_on() {
        for preset in Preset::ALL {
            assert_eq!(Preset::named(preset.as_str()), Some(preset));
            let codes: Vec<_> = preset.codes().collect();
            let rules = Rules::of(preset);
            assert_eq!(rules.changed.len(), codes.len(), "named twice");
            assert!(codes.iter().all(|code| code.default_level() < Some(Level::Error)));
            assert!(codes.iter().all(|code| code.default_level().is_some()));
        }
    }
}
