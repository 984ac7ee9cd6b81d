//! `[rules]` in `migraph.toml`: which rules are on.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, span};
use crate::model::{Code, Diagnostic, Level, Place, Preset, Rules};
use crate::suggest::nearest;

/// What turns on several rules at once.
const PRESET: &str = "preset";

impl Reader<'_> {
    /// A preset first, wherever it stands; then single rules.
    pub(super) fn rules(&mut self, table: &DeTable<'_>) {
        for (_, value) in table.iter().filter(|(key, _)| key.get_ref() == PRESET) {
            self.preset(value);
        }
        for (key, value) in table.iter().filter(|(key, _)| key.get_ref() != PRESET) {
            self.rule(key.get_ref(), &key.span(), value);
        }
    }

    fn preset(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(name) = self.scalar(value) else { return };
        if let Some(preset) = Preset::named(&name) {
            self.file.rules = Rules::of(preset);
        } else {
            let names = Preset::ALL.map(Preset::as_str);
            let message = format!("there is no preset `{name}`");
            self.no_such(&message, &value.span(), (&name, &names));
        }
    }

    fn rule(&mut self, written: &str, range: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let name = written.replace('_', "-");
        let codes = match (Code::of_squawk(&name), Code::named(&name)) {
            (Some([]), _) => {
                self.problem(
                    &format!("migraph does not need the rule `{written}`"),
                    range,
                    NOT_NEEDED,
                );
                return;
            }
            (Some(codes), _) => codes.to_vec(),
            (None, Some(code)) if code.default_level().is_some() => vec![code],
            (None, Some(_)) => {
                self.problem(&format!("the level of `{written}` is fixed"), range, FIXED);
                return;
            }
            (None, None) => {
                let settable = Code::ALL.iter().filter(|code| code.default_level().is_some());
                let names: Vec<_> = settable.map(|code| code.as_str()).chain([PRESET]).collect();
                self.no_such(&format!("there is no rule `{written}`"), range, (&name, &names));
                return;
            }
        };
        let Some(level) = self.level(value) else { return };
        for code in codes {
            // Only rules with a level of their own are left here.
            let _ = self.file.rules.set(code, level);
        }
    }

    fn level(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Level> {
        let name = self.scalar(value)?;
        let level = Level::named(&name);
        if level.is_none() {
            let names = Level::ALL.map(Level::as_str);
            self.no_such(&format!("there is no level `{name}`"), &value.span(), (&name, &names));
        }
        level
    }

    fn no_such(&mut self, message: &str, range: &Range<usize>, (name, all): (&str, &[&str])) {
        let help = match nearest(name, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all.len() <= Level::ALL.len() => format!("there are: {}", all.join(", ")),
            None => "`migraph validate --list-rules` lists them".to_owned(),
        };
        self.problem(message, range, &help);
    }

    fn problem(&mut self, message: &str, range: &Range<usize>, help: &str) {
        let place = Place::new(self.source, span(range), "");
        self.problems.push(Diagnostic::error(Code::Configuration, message).at(place).help(help));
    }
}

const FIXED: &str = "it is about what makes a run impossible or unsafe, and `up` relies on it";

const NOT_NEEDED: &str = "remove it: `own-transaction` and `not-in-transaction` are always on, and no PostgreSQL that migraph is tested with has REPACK";

#[cfg(test)]
mod tests {
    use super::super::ConfigFile;
    use super::*;

    fn read(text: &str) -> Result<Rules, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("migraph.toml");
        std::fs::write(&path, text).unwrap();
        let shown = |one: Diagnostic| {
            let at = one.place.as_ref().and_then(Place::location).unwrap();
            format!("{}:{} {}; {}", at.line, at.column, one.message, one.help.join(" "))
        };
        ConfigFile::read(&path, &[])
            .map(|file| file.rules)
            .map_err(|all| all.into_iter().map(shown).collect())
    }

    #[test]
    fn a_rule_goes_before_the_preset_wherever_it_stands() {
        let text = "[rules]\nban-drop-index = \"off\"\nban_char_field = \"warn\"\npreset = \"additive-only\"\nopaque = \"error\"";
        let rules = read(text).unwrap();
        let levels = [
            Code::BanDropIndex,
            Code::BanDropTable,
            Code::BanCharField,
            Code::Opaque,
            Code::Barrier,
        ];
        let levels: Vec<_> = levels.map(|code| rules.level(code).unwrap().as_str()).into();
        assert_eq!(levels, ["off", "error", "warn", "error", "info"]);
    }

    #[test]
    fn a_rule_of_squawks_that_stands_for_two_is_both() {
        let rules = read("[rules]\nrequire-timeout-settings = \"warn\"").unwrap();
        let level = |code| rules.level(code);
        assert_eq!(level(Code::RequireLockTimeout), Some(Level::Warn));
        assert_eq!(level(Code::RequireStatementTimeout), Some(Level::Warn));
    }

    #[test]
    fn every_mistake_is_placed() {
        let cases = [
            (
                "[rules]\nban-drop-tabel = \"error\"",
                "2:1 there is no rule `ban-drop-tabel`; did you mean `ban-drop-table`?",
            ),
            (
                "[rules]\nopaque = \"warning\"",
                "2:10 there is no level `warning`; there are: off, info, warn, error",
            ),
            (
                "[rules]\nopaque = 1",
                "2:10 there is no level `1`; there are: off, info, warn, error",
            ),
            (
                "[rules]\nopaque = \"errror\"",
                "2:10 there is no level `errror`; did you mean `error`?",
            ),
            ("[rules]\nopaque = [\"warn\"]", "2:10 expected a string, a number or a boolean; "),
            (
                "[rules]\npreset = \"additive\"",
                "2:10 there is no preset `additive`; there are: additive-only, production",
            ),
            (
                "[rules]\npreset = \"Production\"",
                "2:10 there is no preset `Production`; did you mean `production`?",
            ),
            (
                "[rules]\ntransaction-nesting = \"warn\"",
                &format!("2:1 migraph does not need the rule `transaction-nesting`; {NOT_NEEDED}"),
            ),
            (
                "[rules]\nundeclared-dependency = \"off\"",
                &format!("2:1 the level of `undeclared-dependency` is fixed; {FIXED}"),
            ),
            (
                "[rules]\nxyzzy = \"warn\"",
                "2:1 there is no rule `xyzzy`; `migraph validate --list-rules` lists them",
            ),
            (
                "rules = \"production\"",
                "1:9 `rules` is a table; write `[rules]` and its keys on lines below",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).unwrap_err(), [expected], "{text}");
        }
    }
}
