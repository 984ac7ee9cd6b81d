//! All rules, for people.

use std::fmt::Write as _;

use crate::model::{Code, Rules};

/// A line for each rule: its level, its name, what it is about. What has no level of
/// its own is an error, or what `import` tells.
pub(crate) fn list(rules: &Rules) -> String {
    let ours = &Code::ALL[..Code::ALL.len() - Code::SAFETY.len()];
    let mut out = String::from("level  rule\n");
    for (title, codes) in [("migraph's own", ours), ("safety", Code::SAFETY)] {
        let _ = writeln!(out, "\n{title}:");
        for code in codes {
            let level = rules.level(*code).map_or("fixed", |level| level.as_str());
            let _ = writeln!(out, "{level:5}  {:36}  {}", code.as_str(), code.summary());
        }
    }
    out + "\n`[rules]` in migraph.toml gives a rule another level, unless it is fixed;\n`migraph validate --explain RULE` tells more.\n"
}
