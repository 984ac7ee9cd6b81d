//! Footprints of broken, hostile and very large scripts: never a panic, never a
//! place outside of the script, never a time that grows with its square.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use migraph::analyse::{Strictness, infer};
use migraph::sql::{Catalogue, Footprint, read};
use migraph::syntax::{lex, on_large_stack, parse};
use proptest::prelude::*;

fn footprint(catalogue: &mut Catalogue, sql: &str) -> Footprint {
    match parse(sql) {
        Ok(tree) => catalogue.replay(&read(&tree)),
        Err(_) => Footprint::default(),
    }
}

fn assert_inside(sql: &str, footprint: &Footprint) {
    let touches = footprint.touches().map(|(_, _, touch)| touch.span);
    let locks = footprint.locks().map(|(_, _, span)| span);
    let remarks = footprint.opaque().iter().chain(footprint.barriers()).map(|it| it.span);
    for span in touches.chain(locks).chain(remarks) {
        assert!(sql.get(span.start..span.end).is_some(), "{span:?} in {} bytes: {sql}", sql.len());
    }
}

/// Every statement form that is read, once: the sample's scripts and some more.
fn scripts() -> &'static [String] {
    static SCRIPTS: OnceLock<Vec<String>> = OnceLock::new();
    SCRIPTS.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.collect();
        files.sort();
        let mut texts: Vec<_> =
            files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        let more = "alter table a attach partition b default; comment on policy p on a is null;
            create cast (int as text) with inout; drop cast (int as text); create operator + (leftarg = int);
            alter type t add attribute a int; grant all on all tables in schema s to r; reindex table a;
            merge into a using b on true when matched then delete; copy a from stdin;\n1\n\\.\n
            create rule r as on insert to v do instead (insert into t values (new.a); select 1);
            do $$ begin execute 'select ' || $a$1$a$; end $$; select E'a'\n'\\'b', U&'\\0041'; truncate a, b cascade";
        texts.push(more.to_owned());
        texts
    })
}

/// A script with some of its tokens lost, doubled or moved.
fn mutated() -> impl Strategy<Value = String> {
    let at = any::<prop::sample::Index>;
    let edits = prop::collection::vec((0..4_u8, at(), at()), 0..12);
    (at(), edits).prop_map(|(script, edits)| {
        let text = script.get(scripts()).as_str();
        let mut parts: Vec<&str> = lex(text).tokens.iter().map(|it| it.text(text)).collect();
        for (edit, one, other) in edits {
            if parts.is_empty() {
                break;
            }
            let (one, other) = (one.index(parts.len()), other.index(parts.len()));
            match edit {
                0 => drop(parts.remove(one)),
                1 => parts.insert(other, parts[one]),
                2 => parts.swap(one, other),
                _ => parts.truncate(one.max(1)),
            }
        }
        parts.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn broken_scripts_are_survived(one in mutated(), other in mutated()) {
        on_large_stack(|| {
            let mut catalogue = Catalogue::default();
            let footprints: Vec<_> = [&one, &other, &one]
                .map(|sql| {
                    let footprint = footprint(&mut catalogue, sql);
                    assert_inside(sql, &footprint);
                    footprint
                })
                .into();
            infer(&footprints, Strictness::Strict);
        });
    }
}

#[test]
fn no_place_of_the_sample_is_outside() {
    on_large_stack(|| {
        let mut catalogue = Catalogue::default();
        for sql in scripts() {
            assert_inside(sql, &footprint(&mut catalogue, sql));
        }
    });
}

/// Makes a script of a given size.
type Script = fn(usize) -> String;

/// The time of `work`, at best of two.
fn best(work: impl Fn()) -> Duration {
    let once = || {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    (0..2).map(|_| once()).min().unwrap()
}

#[test]
fn time_grows_with_the_size() {
    let many: [(&str, Script); 5] = [
        ("tables that point to one", |n| {
            let one = |i| format!("create table t{i}(id int primary key, a int references a);");
            "create table a(id int primary key);".to_owned() + &(0..n).map(one).collect::<String>()
        }),
        ("columns of one table", |n| {
            let one = |i| format!("alter table a add c{i} int;");
            "create table a(id int);".to_owned() + &(0..n).map(one).collect::<String>()
        }),
        ("rows of one statement", |n| {
            let one = |i| format!("({i}, 'name {i}', now()),");
            "create table a(i int, n text, t date); insert into a values ".to_owned()
                + &(0..n * 4).map(one).collect::<String>()
                + "(0, '', now())"
        }),
        ("views on views", |n| {
            let one = |i| format!("create view v{} as select id from v{i};", i + 1);
            "create view v0 as select 1 as id;".to_owned() + &(0..n).map(one).collect::<String>()
        }),
        ("functions", |n| {
            let one = |i| format!("create function f{i}() returns int language sql as 'select 1';");
            (0..n).map(one).collect()
        }),
    ];
    on_large_stack(|| {
        for (what, script) in many {
            let time = |n: usize| {
                let sql = script(n);
                best(|| drop(footprint(&mut Catalogue::default(), &sql)))
            };
            let (small, large) = (time(200), time(1_600));
            assert!(large < small * 8 * 4, "{what}: {small:?}, 8 times as many {large:?}");
        }
    });
}

#[test]
fn deep_nesting_is_survived() {
    on_large_stack(|| {
        let nested = |open: &str, close: &str| {
            format!("select {}1{}", open.repeat(1_000), close.repeat(1_000))
        };
        let mut catalogue = Catalogue::default();
        for sql in [nested("(", ")"), nested("(select ", ")"), nested("f(", ")"), nested("- ", "")]
        {
            footprint(&mut catalogue, &sql);
        }
    });
}

#[test]
fn what_goes_round_or_forks_often_is_survived() {
    let calls = |n: usize| {
        let one = |i| format!("perform f{i}();");
        let all: String = (0..n).map(one).collect();
        let one = |i| {
            format!(
                "create function f{i}() returns int language plpgsql as $$ begin {all} return 1; end $$;"
            )
        };
        (0..n).map(one).collect::<String>() + "select f0();"
    };
    let fork = |i| format!("create view v{} as select a.id from v{i} a, v{i} b;", i + 1);
    let scripts = [
        "create view a as select 1 as x; create view b as select * from a;
         create or replace view a as select * from b; select x from a; insert into b values (1)"
            .to_owned(),
        "create table a(); create table b() inherits (a); alter table a inherit b;
         alter table a add c int; insert into a values (1); drop table a cascade"
            .to_owned(),
        "create table t(id int); create view v0 as select id from t;".to_owned()
            + &(0..60).map(fork).collect::<String>()
            + "select * from v60",
        calls(40),
    ];
    on_large_stack(|| {
        for sql in scripts {
            let time = best(|| drop(footprint(&mut Catalogue::default(), &sql)));
            assert!(time < Duration::from_secs(2), "{time:?}: {}", &sql[..80]);
        }
    });
}
