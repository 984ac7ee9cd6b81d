//! Histories, and what they imply.

use super::*;
use crate::analyse::{backwards, undeclared};
use crate::sql::{Catalogue, read};
use crate::syntax::parse;

fn footprints(history: &[&str]) -> Vec<Footprint> {
    let mut catalogue = Catalogue::default();
    let script = |sql: &&str| catalogue.replay(&read(&parse(sql).unwrap()));
    history.iter().map(script).collect()
}

/// `1<0 2<0,1`: each migration that has dependencies, with them.
fn edges(history: &[&str], strictness: Strictness) -> String {
    let inferred = infer(&footprints(history), strictness);
    let one = |(node, parents): (usize, &Inferred)| {
        let parents: Vec<_> = parents.keys().map(ToString::to_string).collect();
        (!parents.is_empty()).then(|| format!("{node}<{}", parents.join(",")))
    };
    inferred.iter().enumerate().filter_map(one).collect::<Vec<_>>().join(" ")
}

/// `(makes, uses)`: where one is seen to need the other only by a name of its own
/// kind, by an extension's, or in a string.
#[test]
fn what_is_used_by_whatever_name_is_needed() {
    let pairs = [
        (
            "create operator === (leftarg = int, rightarg = int, function = f)",
            "create view v as select 1 === 2",
        ),
        ("create operator %% (rightarg = int, function = f)", "select %% 1"),
        (
            "create operator s.+ (leftarg = a, rightarg = a, function = f)",
            "set search_path = s; select x + y from z",
        ),
        ("create role r", "set role r"),
        ("create role r", "set session authorization r"),
        ("create role r", "create schema s authorization r"),
        ("create role r", "alter table t owner to r"),
        ("create role r", "alter default privileges for role r grant select on tables to public"),
        ("create text search configuration c (copy = english)", "select to_tsvector('c', 'x')"),
        ("create text search configuration c (copy = english)", "select 'public.c'::regconfig"),
        ("create text search dictionary c (template = simple)", "select ts_lexize('c', 'x')"),
        ("create table t(a int)", "select pg_total_relation_size('public.t')"),
        (
            "create table t(a int)",
            "do $$ begin if exists (select from pg_tables where tablename = 't') then create table u(); end if; end $$",
        ),
        ("create extension postgres_fdw", "create server s foreign data wrapper postgres_fdw"),
        ("create extension pg_trgm", "select 'a' % 'b'"),
        (
            "create extension plperl",
            "create function f() returns int language plperl as 'return 1'",
        ),
        ("create extension bloom", "create table t(a int); create index on t using bloom (a)"),
        ("create access method m type table handler h", "create table t(a int) using m"),
        ("create type r as range (subtype = int)", "select r(1, 2)"),
        ("create type r as range (subtype = int)", "create table t(a r_multirange)"),
        ("create type myrange as range (subtype = int)", "create table t(a mymultirange)"),
    ];
    for (makes, uses) in pairs {
        assert_eq!(edges(&[makes, uses], Strictness::Relaxed), "1<0", "{makes} / {uses}");
    }
}

/// `(why, there before, first, second, whether their order matters)`.
const BEHIND: &[(&str, &str, &str, &str, bool)] = &[
    (
        "a trigger's function",
        "create table t(a int); create function f() returns trigger language plpgsql as 'begin new.a = 1; return new; end'; create trigger g before insert on t for each row execute function f()",
        "create or replace function f() returns trigger language plpgsql as 'begin new.a = 2; return new; end'",
        "insert into t values (1)",
        true,
    ),
    (
        "a default's function",
        "create function f() returns int language sql as 'select 1'; create table t(a int default f())",
        "create or replace function f() returns int language sql as 'select 2'",
        "insert into t default values",
        true,
    ),
    (
        "a view's function",
        "create function f() returns int language sql as 'select 1'; create view v as select f() as a; create table t(a int)",
        "create or replace function f() returns int language sql as 'select 2'",
        "insert into t select a from v",
        true,
    ),
    (
        "where a sequence goes on",
        "create sequence s; create table t(a int)",
        "alter sequence s restart 100",
        "insert into t values (nextval('s'))",
        true,
    ),
    (
        "a row needs its partition",
        "create table p(a int) partition by list (a)",
        "create table p1 partition of p for values in (1)",
        "insert into p values (1)",
        true,
    ),
    (
        "an index that LIKE copies",
        "create table t(a int)",
        "create index i on t(a)",
        "create table u(like t including all)",
        true,
    ),
    (
        "a comment that LIKE copies",
        "create table t(a int)",
        "comment on column t.a is 'x'",
        "create table u(like t including all)",
        true,
    ),
    (
        "a default that LIKE copies",
        "create table t(a int)",
        "alter table t alter a set default 1",
        "create table u(like t including all)",
        true,
    ),
    (
        "asked whether a column is there",
        "create table t(a int)",
        "do $$ begin if exists (select from information_schema.columns where table_name = 't' and column_name = 'b') then update t set a = 1; end if; end $$",
        "alter table t add b int",
        true,
    ),
    (
        "other columns of the same rows",
        "create table t(a int, b int)",
        "update t set a = 1",
        "update t set b = 1",
        false,
    ),
    (
        "rows beside an index",
        "create table t(a int)",
        "insert into t values (1)",
        "create index i on t(a)",
        false,
    ),
];

#[test]
fn what_happens_behind_a_statement_counts() {
    for (why, before, first, second, matters) in BEHIND {
        let expected = if *matters { "1<0 2<1" } else { "1<0 2<0" };
        assert_eq!(edges(&[before, first, second], Strictness::Relaxed), expected, "{why}");
    }
}

/// Whatever names a value of an enum needs what adds that value, however far the
/// name is from the type.
#[test]
fn an_enums_value_is_needed_wherever_it_is_named() {
    let history = "create type e as enum ('a'); create table t(id int, v e);
        create view w as select v as z, id from t; create domain d as e;
        create type k as (n int, v e); create function f(e) returns int language sql as 'select 1';
        create table p(v e) partition by list (v); create table q(v e)";
    let uses = [
        "create index i on t (id) where v = 'b'",
        "create index i on t ((v = 'b'))",
        "alter table t add check (v <> 'b')",
        "alter table t add w bool generated always as (v = 'b') stored",
        "alter table t alter v set default 'b'",
        "alter table t alter id type text using case when v = 'b' then 'x' end",
        "create policy y on t using (v = 'b')",
        "create rule r as on insert to t where new.v = 'b' do nothing",
        "create domain c as e check (value <> 'b')",
        "create table s partition of p for values in ('b')",
        "alter table p attach partition q for values in ('b')",
        "create table s(v e[] default '{a, b}')",
        "create function g(v e default 'b') returns int language sql as 'select 1'",
        "create statistics s on (v = 'b'), id from t",
        "select * from w where z = 'b'",
        "select f('b')",
        "select 'b'::d",
        "select '(1,b)'::k",
        "with x as (select v as z from t) select * from x where z = 'b'",
        "do $$ begin update t set v = 'b'; end $$",
    ];
    for used in uses {
        let found = edges(&[history, "alter type e add value 'b'", used], Strictness::Relaxed);
        assert_eq!(found, "1<0 2<1", "{used}");
        let found = edges(&[history, "alter type e add value 'c'", used], Strictness::Relaxed);
        assert_eq!(found, "1<0 2<0", "{used}, and another value");
    }
}

/// `(why, history, dependencies)`; in the histories, `|` stands between two
/// migrations.
const CASES: &[(&str, &str, &str)] = &[
    ("nothing shared", "create table a(x int) | create table b(x int)", ""),
    (
        "a foreign key",
        "create table a(x int primary key) | create table b(x int references a)",
        "1<0",
    ),
    ("an index", "create table a(x int) | create index on a(x)", "1<0"),
    (
        "an index needs its column",
        "create table a(x int) | alter table a add y int | create index i on a(y)",
        "1<0 2<1",
    ),
    (
        "and no other column",
        "create table a(x int) | alter table a add y int | create index i on a(x)",
        "1<0 2<0",
    ),
    (
        "a view",
        "create table a(x int) | create view v as select x from a | drop view v | drop table a",
        "1<0 2<1 3<2",
    ),
    (
        "a view's star",
        "create table a(x int) | alter table a add y int | create view v as select * from a",
        "1<0 2<1",
    ),
    (
        "a part of a composite type that a function returns",
        "create type c as (p uuid); create function f() returns c language sql as 'select null::c';
         create table a(x text) | alter type c alter attribute p type text
         | create policy y on a using (x = (select p from f())) | drop policy y on a
         | alter type c alter attribute p type varchar",
        "1<0 2<1 3<2 4<3",
    ),
    (
        "a part of a composite column",
        "create type c as (p int); create table a(x c) | alter type c add attribute q int
         | create view v as select (x).q from a",
        "1<0 2<1",
    ),
    (
        "a column of the rows that a function returns",
        "create table a(x int); create function f() returns setof a language sql as 'select * from a'
         | alter table a rename x to y | create view v as select z.y from f() z",
        "1<0 2<1",
    ),
    (
        "indexes commute",
        "create table a(x int) | create index i on a(x) | create index j on a(x)",
        "1<0 2<0",
    ),
    (
        "columns stand in order",
        "create table a(x int) | alter table a add y int | alter table a add z int",
        "1<0 2<1",
    ),
    (
        "schemas",
        "create schema s | create table s.a(x int) | set search_path = s; select * from a",
        "1<0 2<1",
    ),
    (
        "a function that alters the table it is given",
        "create function f(t regclass) returns void language plpgsql as $$ begin execute format('alter table %s add c int', t); end $$ | create table a(x int) | select f('a') | create index on a(c)",
        "2<0,1 3<2",
    ),
    (
        "by name, by default, in a loop, and of several the one that takes as many",
        "create function f(t text, c text default 'c') returns void language plpgsql as $$ declare s text; begin s := 'alter table ' || quote_ident(t); execute s || ' add ' || c || ' int'; end $$; create function f() returns void language plpgsql as $$ begin execute (select 1); end $$ | create table a(x int); create table b(x int) | do $$ declare n text; begin foreach n in array array['a', 'b'] loop perform f(t := n); end loop; end $$ | create index on b(c)",
        "2<0,1 3<2",
    ),
    (
        "a variable is the same at both places",
        "create table a(x int); create table b(x int) | do $$ declare n text; begin foreach n in array array['a', 'b'] loop execute format('create index %I_idx on %I (x)', n, n); end loop; end $$ | drop index a_idx | drop index b_idx",
        "1<0 2<1 3<1",
    ),
    (
        "a role that a setting names",
        "create table a(x int) | create table b(x int) | do $$ declare r text = coalesce(current_setting('r', true), 'r'); begin execute 'grant all on a to ' || r; end $$",
        "2<0",
    ),
    (
        "a partition of a partition",
        "create table a(x int) partition by list (x) | create table b partition of a default partition by list (x) | create table c partition of b default | alter table a add y int | create index on c(y)",
        "1<0 2<1 3<2 4<3",
    ),
    (
        "quoted names differ",
        "create table \"A\"(x int) | create table a(x int) | select x from \"A\"",
        "2<0",
    ),
    (
        "a type in a column",
        "create type t as enum ('p') | create table a(x t) | drop table a | drop type t",
        "1<0 2<1 3<2",
    ),
    ("an array of a type", "create domain d as int | create table a(x d[])", "1<0"),
    (
        "a value of an enum",
        "create type t as enum ('p'); create table a(x t) | alter type t add value 'q' | insert into a values ('q')",
        "1<0 2<1",
    ),
    (
        "enum values stand in order",
        "create type t as enum ('p') | alter type t add value 'q' | alter type t add value 'r'",
        "1<0 2<1",
    ),
    (
        "a rename",
        "create table a(x int) | alter table a rename to b | create table a(x int) | select x from b",
        "1<0 2<1 3<1",
    ),
    (
        "a trigger's function",
        "create table a(x int) | create function f() returns trigger language plpgsql as 'begin return new; end' | create trigger t before insert on a for each row execute function f()",
        "2<0,1",
    ),
    (
        "a function that is replaced",
        "create function f() returns int language sql as 'select 1' | create or replace function f() returns int language sql as 'select 2' | select f()",
        "1<0 2<1",
    ),
    (
        "a function's SQL body",
        "create table a(x int) | create function f() returns bigint language sql as 'select count(x) from a'",
        "1<0",
    ),
    (
        "a called function's table",
        "create table a(x int) | create function f() returns void language plpgsql as 'begin delete from a; end' | insert into a values (1) | select f()",
        "1<0 2<0 3<1,2",
    ),
    (
        "rows that are read",
        "create table a(x int) | insert into a values (1) | update a set x = 2 | create table b as select x from a",
        "1<0 2<1 3<2",
    ),
    (
        "rows that are added",
        "create table a(x int) | insert into a(x) values (1) | insert into a(x) values (2)",
        "1<0 2<0",
    ),
    (
        "rows that are numbered",
        "create table a(i serial, x int) | insert into a(x) values (1) | insert into a(x) values (2)",
        "1<0 2<1",
    ),
    (
        "rows behind a foreign key",
        "create table a(x int primary key); create table b(x int references a) | insert into a values (1) | insert into b values (1)",
        "1<0 2<1",
    ),
    (
        "rows that must fit",
        "create table a(x int) | update a set x = 0 where x is null | alter table a alter x set not null",
        "1<0 2<1",
    ),
    (
        "a default for new rows",
        "create table a(x int, y int) | alter table a alter y set default 1 | insert into a(x) values (1)",
        "1<0 2<1",
    ),
    ("an owned sequence", "create table a(i serial) | alter sequence a_i_seq restart 5", "1<0"),
    (
        "a dropped column takes its index",
        "create table a(x int, y int) | create index i on a(y) | drop index i | alter table a drop y",
        "1<0 2<1 3<2",
    ),
    (
        "a key for a foreign key",
        "create table a(x int) | alter table a add unique (x) | create table b(x int references a(x))",
        "1<0 2<1",
    ),
    (
        "partitions",
        "create table a(x int) partition by range (x) | create table b partition of a for values from (1) to (2) | insert into b values (1) | select x from a",
        "1<0 2<1 3<2",
    ),
    (
        "privileges of all tables",
        "create table a(x int) | grant select on all tables in schema public to public | create table b(x int)",
        "1<0 2<1",
    ),
    (
        "grants commute",
        "create table a(x int) | grant select on a to r | grant insert on a to s",
        "1<0 2<0",
    ),
    (
        "default privileges",
        "create table a(x int) | alter default privileges grant select on tables to r | create table b(x int)",
        "1<0 2<1",
    ),
    ("extensions", "create extension citext | create table a(x citext)", "1<0"),
    (
        "operator classes",
        "create extension pg_trgm | create table a(x text) | create index i on a using gin (x gin_trgm_ops)",
        "2<0,1",
    ),
    (
        "plain types under gist",
        "create extension btree_gist | create table a(x int, exclude using gist (x with =))",
        "1<0",
    ),
    (
        "DO blocks",
        "create table a(x int) | do $$ begin execute 'alter table a add y int'; end $$ | select y from a",
        "1<0 2<1",
    ),
    (
        "names as strings",
        "create sequence s | select nextval('public.s') | select setval('s', 5)",
        "1<0 2<1",
    ),
    ("IF EXISTS of nothing", "drop table if exists a | create table a(x int)", "1<0"),
    ("temporary tables are nobody's", "create temp table a(x int) | create table a(x int)", ""),
    (
        "a name of WITH is no table",
        "create table a(x int) | with a as (select 1 as x) select x from a",
        "",
    ),
    (
        "but is within itself",
        "create table a(x int) | with a as (select x from a) select x from a",
        "1<0",
    ),
    (
        "policies",
        "create table a(x int); create table b(x int) | create policy p on a using (exists (select 1 from b))",
        "1<0",
    ),
    ("comments", "create table a(x int) | comment on column a.x is 'y'", "1<0"),
    (
        "set schema",
        "create schema s; create table a(x int) | alter table a set schema s | select x from s.a",
        "1<0 2<1",
    ),
    (
        "a statement put together",
        "create table a(x int) | do $$ declare t text; begin foreach t in array array['a'] loop execute format('drop table %I', t); end loop; end $$ | create table b(x int)",
        "1<0",
    ),
    (
        "a dynamic statement",
        "create table a(x text) | do $$ declare t text; begin for t in select x from a loop execute format('drop table %I', t); end loop; end $$ | create table b(x int)",
        "1<0 2<1",
    ),
    (
        "a star without what is dropped",
        "create table a(x int, y int) | alter table a drop y | create view v as select * from a",
        "1<0 2<1",
    ),
    (
        "a column that is dropped and one that is added",
        "create table a(x int, y int) | alter table a drop y | alter table a add z int",
        "1<0 2<0",
    ),
    (
        "a key decides what is inserted",
        "create table a(x int) | create unique index i on a(x) | insert into a(x) values (1) on conflict (x) do nothing",
        "1<0 2<1",
    ),
    (
        "a constraint and rows that fit",
        "create table a(x int) | alter table a add check (x > 0) | insert into a(x) values (1)",
        "1<0 2<0",
    ),
    (
        "the end of a constraint",
        "create table a(x int, constraint c check (x > 0)) | alter table a drop constraint c | insert into a(x) values (0)",
        "1<0 2<1",
    ),
    (
        "INTO at the end",
        "create table a(x int) | do $$ declare v int; begin select x from a where x > 0 into v; end $$",
        "1<0",
    ),
    (
        "a partition's constraints",
        "create table a(x int, constraint c check (x > 0)) partition by range (x) | create table b partition of a default | alter table b drop constraint c",
        "1<0 2<1",
    ),
    (
        "a type that a column no longer has",
        "create type t as enum ('p'); create table a(x t) | alter table a alter x type text using x::text | drop type t",
        "1<0 2<1",
    ),
    (
        "a function that a default no longer calls",
        "create function f() returns int language sql as 'select 1'; create table a(x int default f()) | alter table a alter x drop default | drop function f",
        "1<0 2<1",
    ),
];

/// Nothing here makes the tables and types that are used: a baseline elsewhere did.
const MADE_ELSEWHERE: &[(&str, &str)] = &[
    ("alter table u add a int | update u set a = 1", "1<0"),
    ("select mail from s.u | alter table s.u rename mail to m | select m from s.u", "1<0 2<1"),
    ("create policy p on s.o using (true) | drop policy p on s.o", "1<0"),
    ("drop trigger t on u | update u set a = 1", "1<0"),
    ("alter table u drop constraint c | insert into u values (1)", "1<0"),
    ("select 1 from u | drop table u", "1<0"),
    ("select 1 from u | drop table if exists u", "1<0"),
    ("select f() | drop function f()", "1<0"),
    ("select nextval('s') | select nextval('s')", "1<0"),
    ("create table s.t() | drop schema s cascade", "1<0"),
    ("create table t(a s.e) | alter type s.e add value 'z' | insert into t values ('z')", "2<0,1"),
    ("select 1 from u | create table u(a int) | drop table u", "1<0 2<1"),
    (
        "drop trigger if exists t on u | create trigger t after insert on u execute function f()",
        "1<0",
    ),
    ("alter publication p add table t | alter publication p drop table t", "1<0"),
    // Nobody knows what the extension brings along.
    ("create schema q; create extension pgmq with schema q | select q.create('x')", "1<0"),
    ("create extension unheard_of | create table t(a its_type)", "1<0"),
    // Foreign keys that nobody knows may tie them together.
    ("insert into u values (1) | insert into w values (1)", "1<0"),
    ("delete from u | insert into w values (1)", "1<0"),
    // The first schema may not be there, and then it is the second one's.
    (
        "set search_path = s, public; create table t() | alter table t add a int | \
        set search_path = s, public; select a from t",
        "1<0 2<1",
    ),
    // These change places.
    ("select 1 from u | select 1 from u", ""),
    ("create index on u(a) | alter table u add b int | create index on u(c)", ""),
    ("create table t(a int references u) | create table w(a int references u)", ""),
    ("update u set a = 1 | update w set a = 1", ""),
    ("create function f() returns int language sql as 'select a from u' | select 1 from u", ""),
];

/// `(why, history, what it implies with the order of columns left out)`.
const FINER: &[(&str, &str, &str)] = &[
    (
        "a column of its own, filled and made NOT NULL",
        "create table t(id int) | \
        alter table t add a text; update t set a = ''; alter table t alter a set not null | \
        alter table t add b text; update t set b = ''; alter table t alter b set not null",
        "1<0 2<0",
    ),
    (
        "two guards, each for its own column",
        "create table t(id int) | \
        do $$ begin if not exists (select 1 from information_schema.columns where \
        table_name = 't' and column_name = 'a') then alter table t add a int; end if; end $$ | \
        do $$ begin if not exists (select 1 from pg_attribute where attrelid = 't'::regclass \
        and attname = 'b') then alter table t add b int; end if; end $$ | \
        do $$ begin if not exists (select 1 from pg_constraint where conname = 'c') then \
        alter table t add constraint c check (id > 0); end if; end $$ | \
        do $$ begin if exists (select 1 from information_schema.columns where \
        table_name = 't' and column_name = 'a') then alter table t drop a; end if; end $$",
        "1<0 2<0 3<0 4<1",
    ),
    (
        "a check of one column, an update of another",
        "create table t(a int, b int) | update t set a = 1 | alter table t add check (b > 0)",
        "1<0 2<0",
    ),
    (
        "a check that is NOT VALID looks at every row that is written",
        "create table t(a int, b int) | update t set a = 1 | \
        alter table t add check (b > 0) not valid",
        "1<0 2<1",
    ),
    (
        "a sequence stays as long as a default needs it",
        "create table t(id serial) | alter table t alter id drop default | drop sequence t_id_seq",
        "1<0 2<1",
    ),
    (
        "a row that is there already may be passed over",
        "create table t(id int primary key) | do $$ begin insert into t values (1); \
        exception when unique_violation then null; end $$ | insert into t values (1)",
        "1<0 2<1",
    ),
    (
        "the later of two rows goes",
        "create table t(k int) | insert into t values (1) | insert into t values (1) | \
        delete from t a using t b where a.k = b.k and a.ctid > b.ctid",
        "1<0 2<1 3<2",
    ),
    (
        "rows are numbered as they stand, and in the way that the planner takes",
        "create table t(a int); create table u(b int); create table n(id serial, a int) | \
        create index on t(a) | alter table t add c text default 'x' | update t set a = 1 | \
        insert into n(a) select t.a from t, u",
        "1<0 2<0 3<2 4<1,3",
    ),
    (
        "a long name is made up as often as it takes",
        "create table a23456789_123456789_123456789_123456789_123456789_123456789_ab(x int) | \
        create index on a23456789_123456789_123456789_123456789_123456789_123456789_ab(x); \
        create index on a23456789_123456789_123456789_123456789_123456789_123456789_ab(x); \
        create index on a23456789_123456789_123456789_123456789_123456789_123456789_ab(x)",
        "1<0",
    ),
    (
        "a type that a column has no more takes nothing along",
        "create type e as enum ('a'); create table t(c e) | \
        alter table t alter c type text; drop type e cascade | update t set c = 'x'",
        "1<0 2<1",
    ),
    (
        "the server's own tables",
        "create type e as enum ('a'); create table t(c e) | \
        update pg_enum set enumlabel = 'b' where enumtypid = 'e'::regtype | \
        insert into t values ('b')",
        "1<0 2<1",
    ),
];

#[test]
fn what_changes_places_and_what_does_not() {
    for (why, history, expected) in FINER {
        let split: Vec<_> = history.split(" | ").collect();
        assert_eq!(edges(&split, Strictness::Relaxed), *expected, "{why}: {history}");
    }
}

#[test]
fn all_that_is_there_depends_on_who_makes_it() {
    let listing = "insert into t select table_name from information_schema.tables";
    let named = "insert into t select 1 from pg_class where relname = 'u'";
    let seen = footprints(&["create table t(a text)", listing, named, "select * from pg_class"]);
    let clear: Vec<_> = seen.iter().map(Footprint::is_clear).collect();
    assert_eq!(clear, [true, false, true, true]);
}

/// A history, what it declares, and what of that stands the wrong way round.
struct Backwards {
    history: &'static str,
    declared: &'static [&'static [usize]],
    found: &'static [(usize, usize)],
}

#[test]
fn what_is_declared_the_wrong_way_round_is_found() {
    let used_first = "create table o(u int references u) | create table u(id int)";
    let cases = [
        Backwards { history: used_first, declared: &[&[], &[0]], found: &[(0, 1)] },
        Backwards {
            history: "update t set t.a = 1 | create table t(a int)",
            declared: &[&[], &[0]],
            found: &[(0, 1)],
        },
        // Not declared at all: that is another finding.
        Backwards { history: used_first, declared: &[&[], &[]], found: &[] },
        // It was there once.
        Backwards {
            history: "create table u() | drop table u | select 1 from u | create table u()",
            declared: &[&[], &[0], &[1], &[2]],
            found: &[],
        },
        Backwards {
            history: "drop table if exists u | create table u()",
            declared: &[&[], &[0]],
            found: &[],
        },
    ];
    for Backwards { history, declared, found: expected } in cases {
        let declared: Vec<_> = declared.iter().map(|it| it.to_vec()).collect();
        let mut catalogue = Catalogue::default();
        let script = |sql: &str| catalogue.replay(&read(&parse(sql).unwrap()));
        let seen: Vec<_> = history.split(" | ").map(script).collect();
        let found = backwards(&seen, &declared, |cell| catalogue.is_only_made(cell));
        let found: Vec<_> = found.iter().map(|it| (it.dependent, it.dependency)).collect();
        assert_eq!(found, expected, "{history}");
    }
}

#[test]
fn who_takes_away_what_another_uses_has_to_wait_for_it() {
    let history =
        "create table t(a int) | alter table t rename a to b | create view v as select a from t";
    let split: Vec<_> = history.split(" | ").collect();
    let found = undeclared(
        &footprints(&split),
        &[vec![], vec![0], vec![0]],
        Strictness::Relaxed,
        |_, _| true,
    );
    let found: Vec<_> = found.iter().map(|it| (it.dependent, it.dependency)).collect();
    assert_eq!(found, [(1, 2)]);
}

#[test]
fn what_nobody_makes_is_kept_in_order_too() {
    for (history, expected) in MADE_ELSEWHERE {
        let split: Vec<_> = history.split(" | ").collect();
        assert_eq!(edges(&split, Strictness::Relaxed), *expected, "{history}");
    }
}

#[test]
fn a_history_implies_its_dependencies() {
    for (why, history, expected) in CASES {
        let history: Vec<_> = history.split(" | ").collect();
        assert_eq!(edges(&history, Strictness::Strict), *expected, "{why}: {history:?}");
    }
}

#[test]
fn the_order_of_columns_is_left_out_when_it_does_not_matter() {
    let history = ["create table a(x int)", "alter table a add y int", "alter table a add z int"];
    assert_eq!(edges(&history, Strictness::Relaxed), "1<0 2<0");
}

#[test]
fn what_is_inferred_is_enough_and_each_of_it_is_missed() {
    for (why, history, _) in CASES {
        let history: Vec<_> = history.split(" | ").collect();
        let footprints = footprints(&history);
        let inferred = infer(&footprints, Strictness::Strict);
        let declared: Vec<Vec<usize>> =
            inferred.iter().map(|it| it.keys().copied().collect()).collect();
        let missing = |declared: &[Vec<usize>]| {
            undeclared(&footprints, declared, Strictness::Strict, |_, _| true)
        };
        assert_eq!(missing(&declared), [], "{why}");
        for (node, parents) in declared.iter().enumerate() {
            for (at, parent) in parents.iter().enumerate() {
                let mut without = declared.clone();
                without[node].remove(at);
                let found = missing(&without);
                let named = found.iter().any(|it| {
                    let pair = (it.dependent, it.dependency);
                    pair == (node, *parent) || pair == (*parent, node)
                });
                assert!(named, "{why}: {node}<{parent} {found:?}");
            }
        }
    }
}
