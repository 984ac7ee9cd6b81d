//! `COPY … FROM STDIN` in migrations.

use super::harness::{Ended, Project};

fn up(sql: &str) -> (Project, Ended) {
    let project = Project::new(&[("0001_a", "", sql)]);
    let ended = project.run(&["up"]);
    (project, ended)
}

fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn data_are_copied_in_the_migrations_transaction() {
    let sql = "CREATE TABLE t (a int, b text);\nCOPY t FROM stdin;\n1\tit's \\\\ $$\n2\t\\N\n\\.\nINSERT INTO t SELECT 3, 'ä' || count(*) FROM t;\nCOPY t (b, a) FROM STDIN WITH (FORMAT csv, HEADER);\nb,a\n\"two\nlines\",4\n\\.\nCOPY t FROM stdin;\n\\.\nUPDATE t SET a = a + 10;";
    let (project, ended) = up(sql);
    ended.exits(0);
    let rows = "SELECT string_agg(a || coalesce(':' || b, ''), ',' ORDER BY a) FROM t";
    assert_eq!(project.database.sql(rows), "11:it's \\ $$,12,13:ä2,14:two\nlines");
    assert_eq!(project.ledger(), "0001_a");
    let xmins = "SELECT count(DISTINCT x) FROM (SELECT xmin::text x FROM t UNION SELECT xmin::text FROM migraph.__migrations__) q";
    assert_eq!(project.database.sql(xmins), "1", "one transaction");
}

#[test]
fn more_than_fits_one_message_is_copied() {
    let rows: String = lines(60_000, |n| format!("{n}\t{}", "x".repeat(40)));
    let (project, ended) =
        up(&format!("CREATE TABLE t (a int, b text);\nCOPY t FROM stdin;\n{rows}\\.\n"));
    ended.exits(0);
    assert_eq!(project.database.sql("SELECT count(*), sum(a) FROM t"), "60000|1799970000");
}

#[test]
fn what_is_wrong_with_the_data_is_shown_at_its_line() {
    let table = "CREATE TABLE \"My t\" (a int PRIMARY KEY, b text);";
    let many: String = lines(60_000, |n| n.to_string());
    let cases = [
        // (what follows the table; SQLSTATE; line and column in the file)
        ("COPY \"My t\" (a) FROM stdin;\n1\n2\nthree\n\\.\nSELECT 1;", "22P02", 6, 1),
        ("COPY public.\"My t\" (a) FROM stdin;\n1\n1\n\\.", "23505", 5, 1),
        ("COPY \"My t\" FROM stdin (FORMAT csv);\n1,a\n2,\"\n\"\n3\n\\.", "22P04", 7, 1),
        ("COPY \"My t\" (a, nope) FROM stdin;\n1\t2\n\\.", "42703", 3, 1),
        ("COPY nowhere FROM stdin;\n1\n\\.", "42P01", 3, 1),
        ("COPY \"My t\" (a) FROM stdin;\n1\n\\.\nSELECT nope;", "42703", 6, 8),
        (&format!("COPY \"My t\" (a) FROM stdin;\nx\n{many}\\."), "22P02", 4, 1),
    ];
    for (sql, sqlstate, line, column) in cases {
        let shown: String = sql.chars().take(80).collect();
        let project = Project::new(&[("0001_a", "", &format!("{table}\n{sql}"))]);
        let ended = project.run(&["up", "--format", "json"]).exits(1);
        let failure = ended.json()["migrations"][0]["failure"].clone();
        assert_eq!(failure["sqlstate"], sqlstate, "{shown}: {failure}");
        assert_eq!(failure["kind"], "rolled-back", "{shown}: {failure}");
        let place = (failure["line"].as_u64(), failure["column"].as_u64());
        assert_eq!(place, (Some(line), Some(column)), "{shown}: {failure}");
        assert_eq!(project.ledger(), "");
        let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
        assert_eq!(project.database.sql(tables), "0", "{shown}: all of it is rolled back");
    }
}

#[test]
fn a_rejected_copy_takes_nothing_else_with_it() {
    let project = Project::new(&[
        ("0001_t", "", "CREATE TABLE t (a int);"),
        ("0002_bad", "0001_t", "COPY t FROM stdin;\nx\n\\."),
        ("0003_beside", "0001_t", "SELECT pg_sleep(0.3);"),
    ]);
    let ended = project.run(&["up", "--jobs", "2"]).exits(1);
    ended.says(&["0002_bad.sql:3:1", "COPY t, line 1, column a", "statement 1 of 1"]);
    assert_eq!(project.ledger(), "0001_t 0003_beside");
    project.write("0002_bad", "0001_t", "COPY t FROM stdin;\n7\n\\.");
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT a FROM t"), "7");
    assert_eq!(
        project.database.sql("SELECT outcome, sqlstate FROM migraph.__migration_attempts__ WHERE migration_id = '0002_bad' ORDER BY attempt"),
        "failed|22P02\napplied|"
    );
}

#[test]
fn a_copy_beside_what_needs_no_transaction_is_a_segment() {
    let sql = "VACUUM n;\nCOPY n FROM stdin;\n1\n2\n\\.\nBEGIN;\nCOPY n FROM stdin;\n3\nx\n\\.\nCOMMIT;\nCOPY n FROM stdin;\n5\n\\.\n";
    let project =
        Project::new(&[("0001_n", "", "CREATE TABLE n (i int);"), ("0002_c", "0001_n", sql)]);
    let numbers = "SELECT string_agg(i::text, ' ' ORDER BY i) FROM n";
    project.run(&["up"]).exits(1).says(&["0002_c.sql:10:1", "statement 3 of 4"]);
    assert_eq!(project.database.sql(numbers), "1 2");
    // Data count as what was run.
    project.write("0002_c", "0001_n", &sql.replace("1\n2\n", "1\n1\n").replace('x', "4"));
    project.run(&["up"]).exits(1).says(&["statement 2 of `0002_c` was run by an earlier run"]);
    project.write("0002_c", "0001_n", &sql.replace('x', "4"));
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(numbers), "1 2 3 4 5");
}

/// A trigger that sleeps keeps the COPY at work while its backend is ended.
#[test]
fn a_backend_that_is_lost_during_a_copy_has_rolled_back() {
    let table = "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN new; END $$; CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();";
    for way in ["pg_terminate_backend", "pg_cancel_backend"] {
        let project = Project::new(&[
            ("0001_t", "", table),
            ("0002_c", "0001_t", "CREATE TABLE u ();\nCOPY t FROM stdin;\n1\n\\."),
        ]);
        let run = project.start(&["up"]);
        super::crashes::running(&project.database, "COPY t FROM", 1);
        project.database.sql(&format!("SELECT {way}(pid) FROM pg_stat_activity WHERE query LIKE 'COPY t FROM%' AND datname = current_database()"));
        let ended = run.end().exits(1);
        ended.says(&["migration `0002_c` failed"]);
        project.database.until_gone();
        assert_eq!(project.ledger(), "0001_t");
        assert_eq!(
            project.database.sql("SELECT to_regclass('u') IS NULL, (SELECT count(*) FROM t)"),
            "t|0"
        );
    }
}
