//! When two migrations must not run at once.

use crate::model::Span;
use crate::sql::{Aspect, Cell, Footprint, LockMode, ObjectId, Op};

/// Why two migrations must not run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// One would wait for the other, and both for each other in the worst case.
    Locks {
        /// The relation.
        relation: ObjectId,
        /// The first one's mode and place.
        one: (LockMode, Span),
        /// The other's.
        other: (LockMode, Span),
    },
    /// Both write one row of the catalogue: `tuple concurrently updated`
    /// (PG-FACTS 2).
    Row {
        /// The object or name.
        cell: Cell,
        /// Where the first one does.
        one: Span,
        /// Where the other does.
        other: Span,
    },
    /// One builds or drops `CONCURRENTLY` on a table that the other touches: a
    /// deadlock that leaves an INVALID index (PG-FACTS 3).
    Concurrently {
        /// The table.
        table: ObjectId,
        /// Where the first one does.
        one: Span,
        /// Where the other does.
        other: Span,
    },
}

/// The first reason why `one` and `other` must not run at once.
pub fn conflict(one: &Footprint, other: &Footprint) -> Option<Collision> {
    concurrently(one, other, false)
        .or_else(|| concurrently(other, one, true))
        .or_else(|| locks(one, other))
        .or_else(|| rows(one, other))
}

fn concurrently(builder: &Footprint, other: &Footprint, swapped: bool) -> Option<Collision> {
    builder.concurrent().iter().find_map(|(table, span)| {
        let (_, theirs) = other.locks_on(*table)?;
        let (one, other) = if swapped { (theirs, *span) } else { (*span, theirs) };
        Some(Collision::Concurrently { table: *table, one, other })
    })
}

fn locks(one: &Footprint, other: &Footprint) -> Option<Collision> {
    one.locks().find_map(|(relation, modes, span)| {
        let (theirs, place) = other.locks_on(relation)?;
        let (mine, their) = modes.conflict(theirs)?;
        Some(Collision::Locks { relation, one: (mine, span), other: (their, place) })
    })
}

/// Names, definitions and privileges are rows of the catalogue, the last two the same
/// one; a relation's own row is also written by whatever locks it strongly.
fn rows(one: &Footprint, other: &Footprint) -> Option<Collision> {
    let writes = |op: Op| op != Op::Read;
    let mine = one.touches().filter(|(_, op, touch)| writes(*op) && !touch.soft);
    mine.flat_map(|(cell, _, touch)| of_one_row(cell).map(move |it| (cell, it, touch))).find_map(
        |(cell, theirs, touch)| {
            let theirs = [Op::Add, Op::Write].into_iter().find_map(|op| other.touch(theirs, op));
            let theirs = theirs.filter(|it| !it.soft)?;
            Some(Collision::Row { cell, one: touch.span, other: theirs.span })
        },
    )
}

/// The cells whose change writes the same row as a change of `cell` does.
fn of_one_row(cell: Cell) -> impl Iterator<Item = Cell> {
    let cells = match cell {
        Cell::Name(_) => [Some(cell), None],
        Cell::Object(id, Aspect::Definition | Aspect::Privileges) => {
            [Aspect::Definition, Aspect::Privileges].map(|it| Some(Cell::Object(id, it)))
        }
        Cell::Object(..) => [None, None],
    };
    cells.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Catalogue, read};
    use crate::syntax::parse;

    const SETUP: &str = "create table t(x int); create table u(x int primary key);
        create type e as enum ('a'); create function f() returns int language sql as 'select 1'";

    /// What kind of conflict there is between two scripts, behind the set-up.
    fn between(one: &str, other: &str) -> &'static str {
        let mut catalogue = Catalogue::default();
        let mut replay = |sql: &str| catalogue.replay(&read(&parse(sql).unwrap()));
        replay(SETUP);
        let (one, other) = (replay(one), replay(other));
        match conflict(&one, &other) {
            None => "none",
            Some(Collision::Locks { .. }) => "locks",
            Some(Collision::Row { .. }) => "row",
            Some(Collision::Concurrently { .. }) => "concurrently",
        }
    }

    /// PG-FACTS 1 and 2 have the experiment behind each.
    #[test]
    fn what_the_server_keeps_apart_is_a_conflict() {
        let cases = [
            ("create table a(x int references u)", "create table b(x int references u)", "locks"),
            ("create table a(x int references u)", "select * from u", "none"),
            ("alter table t add a int", "alter table t add b int", "locks"),
            ("create index i on t(x)", "create index j on t(x)", "none"),
            ("create index i on t(x)", "insert into t values (1)", "locks"),
            ("create view v as select x from t", "create view w as select x from t", "none"),
            ("create view v as select x from t", "alter table t add a int", "locks"),
            ("comment on table t is 'a'", "comment on column t.x is 'b'", "locks"),
            ("grant select on t to r", "grant insert on t to r", "locks"),
            ("grant select on t to r", "alter table t add a int", "locks"),
            ("grant select on t to r", "alter table t set (fillfactor = 50)", "locks"),
            ("grant select on t to r", "insert into t values (1)", "none"),
            ("grant connect on database d to r", "grant create on database d to r", "row"),
            ("alter role r set work_mem = '1MB'", "alter role r login", "row"),
            ("grant select on all tables in schema public to r", "drop table t", "locks"),
            (
                "create or replace function f() returns int language sql as 'select 2'",
                "create or replace function f() returns int language sql as 'select 3'",
                "row",
            ),
            (
                "grant execute on all functions in schema public to r",
                "alter function f() cost 5",
                "row",
            ),
            ("grant usage on type e to r", "alter type e rename to g", "row"),
            ("create schema if not exists s", "create schema if not exists s", "row"),
            (
                "create index concurrently i on t(x)",
                "create index concurrently j on t(x)",
                "concurrently",
            ),
            ("create index concurrently i on t(x)", "create index concurrently j on u(x)", "none"),
            ("insert into t values (1)", "insert into t values (2)", "none"),
            ("create table a(x int)", "create table b(x int)", "none"),
        ];
        for (one, other, expected) in cases {
            assert_eq!(between(one, other), expected, "{one} / {other}");
        }
    }
}
