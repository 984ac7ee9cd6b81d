//! What takes away or narrows what was there, and no rule of its own is about.

use std::ops::Range;

use super::in_file;
use super::made::Made;
use crate::model::{Code, Diagnostic, Diagnostics, Migration, Place, Span};
use crate::sql::act::{Act, AlterRelation, Change, ColumnAspect, RowAccess, Uses};
use crate::sql::{QName, Reading};

/// What of `migration` is not additive, a finding for each statement; those at which
/// other rules find something are theirs. `takes` says of a name's place whether
/// [`crate::syntax::takings`] has it.
pub(super) fn check(
    migration: &Migration,
    readings: &[Reading],
    is_left_to_others: impl Fn(Range<usize>) -> bool,
    takes: impl Fn(Span) -> bool,
) -> Diagnostics {
    let mut made = Made::default();
    let mut found = Vec::new();
    for reading in readings {
        let what = reading.acts.iter().find_map(|act| taken(act, &made, &takes));
        if let Some(what) =
            what.filter(|_| !is_left_to_others(reading.span.start..reading.span.end))
        {
            let place = Place::new(&migration.source, in_file(migration, reading.span), "");
            found.push(Diagnostic::warning(Code::NotAdditive, format!("this {what}")).at(place).help(
                "first deploy code that does without it; then let this pass with `-- migraph-ignore: not-additive: the reason`",
            ));
        }
        made.by(reading);
    }
    found
}

/// What `act` takes away, for people.
fn taken(act: &Act, made: &Made<'_>, takes: &impl Fn(Span) -> bool) -> Option<String> {
    let old = |name: &QName| !made.has(name);
    let shown = |name: &QName| format!("`{}`", name.name.as_str());
    match act {
        Act::Drop(it) => {
            let of_old = it.on.as_ref().is_none_or(&old);
            let name = it.names.iter().find(|name| it.on.is_some() || old(name));
            let name = name.map(shown).filter(|_| of_old)?;
            Some(format!("drops {} {name}", it.kind.as_str()))
        }
        Act::AlterRelation(it) if !made.covers(it) => narrowed(it),
        Act::Rename(it) if it.on.as_ref().map_or_else(|| old(&it.name), &old) => {
            Some(format!("renames {} {}", it.kind.as_str(), shown(&it.name)))
        }
        Act::SetSchema(it) if old(&it.name) => {
            Some(format!("moves {} {} to another schema", it.kind.as_str(), shown(&it.name)))
        }
        Act::EnumValue(it) if it.renamed.is_some() && old(&it.ty) => {
            Some(format!("renames a value of {}", shown(&it.ty)))
        }
        Act::Truncate(it) => Some(emptied(it.names.iter().find(|name| old(name))?)),
        Act::Use(it) => written(it).find(|name| takes(name.span) && old(name)).map(emptied),
        Act::Alter(it) if takes(it.name.span) && old(&it.name) => {
            Some(format!("takes something out of {} {}", it.kind.as_str(), shown(&it.name)))
        }
        Act::Grant(it) if !it.give => Some("takes privileges away".to_owned()),
        Act::Block(acts) | Act::Perhaps(acts) => {
            acts.iter().find_map(|act| taken(act, made, takes))
        }
        _ => None,
    }
}

fn emptied(name: &QName) -> String {
    format!("removes all rows of `{}`", name.name.as_str())
}

/// The tables of which rows are removed.
fn written(uses: &Uses) -> impl Iterator<Item = &QName> {
    let written = uses.relations.iter().filter(|one| one.access == RowAccess::Write);
    written.map(|one| &one.name)
}

fn narrowed(it: &AlterRelation) -> Option<String> {
    let table = it.name.name.as_str();
    it.changes.iter().find_map(|change| match change {
        Change::DropColumn(member) => {
            Some(format!("drops column `{}` of `{table}`", member.name.as_str()))
        }
        Change::DropConstraint(member) => {
            Some(format!("drops constraint `{}` of `{table}`", member.name.as_str()))
        }
        Change::RenameColumn(name, ..) => {
            Some(format!("renames column `{}` of `{table}`", name.as_str()))
        }
        Change::RenameConstraint(name, ..) => {
            Some(format!("renames constraint `{}` of `{table}`", name.as_str()))
        }
        Change::RenameTo(_) => Some(format!("renames `{table}`")),
        Change::SetSchema(..) => Some(format!("moves `{table}` to another schema")),
        Change::Detach { .. } => Some(format!("detaches from or of `{table}`")),
        Change::AddConstraint(_) => Some(format!("narrows what may be written to `{table}`")),
        Change::Column(column) => match column.what {
            ColumnAspect::Type(_) => {
                Some(format!("changes the type of `{}` of `{table}`", column.name.as_str()))
            }
            ColumnAspect::NotNull => Some(format!("narrows what may be written to `{table}`")),
            ColumnAspect::Default(false) => {
                Some(format!("drops the default of `{}` of `{table}`", column.name.as_str()))
            }
            _ => None,
        },
        _ => None,
    })
}
