//! What the server says of a migration, beside its answers.

use serde_json::Value;

use super::harness::Project;

/// The notices of the migration `id`.
fn notices<'a>(json: &'a Value, id: &str) -> &'a Vec<Value> {
    let migrations = json["migrations"].as_array().unwrap();
    let found = migrations.iter().find(|it| it["id"] == id);
    found.unwrap_or_else(|| panic!("{id}: {json}"))["notices"].as_array().unwrap()
}

/// Each notice of `id` as `severity statement: message`.
fn told(json: &Value, id: &str) -> Vec<String> {
    let line = |it: &Value| {
        let text = |field: &str| it[field].as_str().unwrap().to_owned();
        format!("{} {}: {}", text("severity"), it["statement"], text("message"))
    };
    notices(json, id).iter().map(line).collect()
}

fn up(project: &Project, code: i32) -> Value {
    project.run(&["up", "--format", "json"]).exits(code).json()
}

/// A statement that raises `level` with `message`.
fn raise(level: &str, message: &str) -> String {
    format!("DO $$ BEGIN RAISE {level} '{message}'; END $$;\n")
}

#[test]
fn what_a_script_raises_is_in_the_report_with_its_statement() {
    let sql = [
        "CREATE TABLE a ();\n",
        "DROP TABLE IF EXISTS nothing;\n",
        &raise("NOTICE", "one"),
        "SELECT 1;\n",
        "DO $$ BEGIN RAISE NOTICE 'two'; RAISE INFO 'three'; \
         RAISE WARNING 'four' USING DETAIL = 'more', HINT = 'mend', ERRCODE = '01007'; END $$;\n",
        "SET LOCAL client_min_messages = debug1;\n",
        &raise("DEBUG", "five"),
        &raise("LOG", "six"),
        "SET LOCAL client_min_messages = notice;\n",
    ];
    let project = Project::new(&[("0001_a", "", &sql.concat()), ("0002_b", "0001_a", "SELECT 1;")]);
    let json = up(&project, 0);
    let expected = [
        "notice 2: table \"nothing\" does not exist, skipping",
        "notice 3: one",
        "notice 5: two",
        "info 5: three",
        "warning 5: four",
        "debug 7: five",
        "log 8: six",
    ];
    assert_eq!(told(&json, "0001_a"), expected, "{json}");
    assert_eq!(told(&json, "0002_b"), [""; 0]);
    let warning = &notices(&json, "0001_a")[4];
    assert_eq!(warning["sqlstate"], "01007");
    assert_eq!((&warning["detail"], &warning["hint"]), (&"more".into(), &"mend".into()));
    assert_eq!(notices(&json, "0001_a")[0]["detail"], Value::Null);
}

#[test]
fn notices_are_shown_when_asked_for_and_warnings_always() {
    let sql = raise("NOTICE", "a note") + &raise("WARNING", "mind") + "SELECT 1;";
    let shown = |flags: &[&str]| {
        let project = Project::new(&[("0001_a", "", &sql)]);
        let ended = project.run(&[&["up"], flags].concat()).exits(0);
        (ended.stderr, ended.stdout)
    };
    let (stderr, stdout) = shown(&["-v"]);
    let lines = ["started 0001_a", "0001_a: NOTICE: a note", "0001_a: WARNING: mind", "applied"];
    let places = lines.map(|line| stderr.find(line).unwrap_or_else(|| panic!("{line}: {stderr}")));
    assert!(places.is_sorted(), "{stderr}");
    assert!(stdout.contains("\nthe server gave 1 warning and 1 notice (shown with -v)\n"));
    let (stderr, stdout) = shown(&[]);
    assert!(stderr.contains("0001_a: WARNING: mind\n") && !stderr.contains("NOTICE"), "{stderr}");
    assert!(stdout.contains("the server gave 1 warning and 1 notice"), "{stdout}");
    let (stderr, stdout) = shown(&["-q"]);
    assert_eq!(stderr + &stdout, "");
}

#[test]
fn without_a_warning_the_summary_says_nothing_of_notices() {
    let project = Project::new(&[("0001_a", "", "DROP TABLE IF EXISTS nothing;")]);
    let ended = project.run(&["up", "-v"]).exits(0);
    assert!(ended.stderr.contains("0001_a: NOTICE: table \"nothing\" does not"), "{ended:?}");
    assert!(!ended.stdout.contains("the server gave"), "{ended:?}");
}

/// A script could otherwise paint over what is said of other migrations.
#[test]
fn control_characters_do_not_reach_the_terminal() {
    let sql = "DO $$ BEGIN RAISE WARNING E'red \\x1b[31m\\n\\rtwo' USING HINT = E'\\x1b]0;x\\x07'; END $$;";
    let project = Project::new(&[("0001_a", "", sql)]);
    let stderr = project.run(&["up", "-v", "--color", "always"]).exits(0).stderr;
    let expected = "0001_a: WARNING: red \\u{1b}[31m\n  \\rtwo\n  hint: \\u{1b}]0;x\\u{7}\n";
    assert!(stderr.contains(expected), "{stderr:?}");
}

#[test]
fn scripts_that_run_step_by_step_have_theirs() {
    let sql = [
        "CREATE TABLE n (i int);\n",
        "SET client_min_messages = debug1;\n",
        "CREATE INDEX CONCURRENTLY n_i ON n (i);\n",
        "SET client_min_messages = notice;\n",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS n_i ON n (i);\n",
        &raise("NOTICE", "in a segment"),
        "BEGIN;\n",
        &raise("NOTICE", "first"),
        "DROP TABLE IF EXISTS nothing;\n",
        "COMMIT;\n",
    ];
    let project = Project::new(&[("0001_a", "", &sql.concat())]);
    let json = up(&project, 0);
    let told = told(&json, "0001_a");
    // What the server says of its own work differs by version; where it says it does not.
    let (debug, rest): (Vec<_>, Vec<_>) =
        told.iter().map(String::as_str).partition(|line| line.starts_with("debug"));
    assert!(!debug.is_empty() && debug.iter().all(|it| it.starts_with("debug 3: ")), "{debug:?}");
    let expected = [
        "notice 5: relation \"n_i\" already exists, skipping",
        "notice 6: in a segment",
        "notice 7: first",
        "notice 8: table \"nothing\" does not exist, skipping",
    ];
    assert_eq!(rest, expected);
}

/// The statements around the script are not the script's: the server would show
/// all of a message for each of these settings.
#[test]
fn what_the_server_says_of_our_own_statements_is_not_shown() {
    let loud = "SET client_min_messages = debug5; SET log_min_duration_statement = 0; SET log_statement = 'all';";
    let project = Project::new(&[
        ("0001_a", "", &format!("{loud} {}", raise("NOTICE", "mine"))),
        ("0002_b", "0001_a", "CREATE TABLE b ();"),
        ("0003_c", "0002_b", &format!("{loud} VACUUM b; CREATE TABLE c ();")),
        ("0004_d", "0003_c", "SELECT 1;"),
    ]);
    let json = project.run(&["up", "--jobs", "1", "--format", "json"]).exits(0).json();
    let first = told(&json, "0001_a");
    assert!(first.contains(&"notice 4: mine".to_owned()), "{first:?}");
    for id in ["0002_b", "0004_d"] {
        assert_eq!(told(&json, id), [""; 0], "{id}");
    }
    assert!(!told(&json, "0003_c").is_empty());
    for ours in ["__migrations__", "DISCARD ALL", "migraph.tx", "__migration_statements__"] {
        assert!(!json["migrations"].to_string().contains(ours), "{ours}: {json}");
    }
}

#[test]
fn what_is_deferred_to_commit_belongs_to_the_migration() {
    let sql = "CREATE TABLE t (i int);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE NOTICE 'deferred %', NEW.i; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION f();
        INSERT INTO t VALUES (7);";
    let json = up(&Project::new(&[("0001_a", "", sql)]), 0);
    assert_eq!(told(&json, "0001_a"), ["notice null: deferred 7"]);
}

#[test]
fn a_copy_whose_rows_raise_notices_goes_through() {
    let rows: Vec<_> = (0..20_000).map(|row| row.to_string()).collect();
    let sql = format!(
        "CREATE TABLE t (i int);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE NOTICE 'row %', NEW.i; RETURN NEW; END $$;
        CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
        COPY t FROM STDIN;\n{}\n\\.\n{}",
        rows.join("\n"),
        raise("NOTICE", "behind")
    );
    let project = Project::new(&[("0001_a", "", &sql)]);
    let json = up(&project, 0);
    let told = told(&json, "0001_a");
    assert_eq!((told.len(), &*told[0], &*told[99]), (100, "notice 4: row 0", "notice 4: row 99"));
    assert_eq!(json["migrations"][0]["notices_omitted"], 20_001 - 100);
    assert_eq!(project.database.sql("SELECT count(*) FROM t"), "20000");
}

#[test]
fn a_failing_migration_has_its_notices_too() {
    let sql = raise("NOTICE", "so far so good") + "SELECT 1/0;" + &raise("NOTICE", "never");
    let project = Project::new(&[("0001_a", "", &sql), ("0002_b", "0001_a", "SELECT 1;")]);
    let json = up(&project, 1);
    assert_eq!(told(&json, "0001_a"), ["notice 1: so far so good"]);
    assert_eq!(json["migrations"][0]["failure"]["statement"], 2);
    assert_eq!(told(&json, "0002_b"), [""; 0]);
}

#[test]
fn migrations_that_run_at_the_same_time_do_not_mix_theirs() {
    let sql = |name: &str| {
        format!(
            "DO $$ BEGIN FOR i IN 1..40 LOOP RAISE NOTICE '{name} %', i; PERFORM pg_sleep(0.01); END LOOP; END $$;"
        )
    };
    let ids = ["0001_a", "0002_b", "0003_c"];
    let files = ids.map(|id| (id, "", sql(id)));
    let project = Project::new(&[]);
    files.iter().for_each(|(id, needs, sql)| project.write(id, needs, sql));
    let ended = project.run(&["up", "-v", "--jobs", "3", "--format", "json"]).exits(0);
    for id in ids {
        let expected: Vec<_> = (1..=40).map(|i| format!("notice 1: {id} {i}")).collect();
        assert_eq!(told(&ended.json(), id), expected);
    }
    // They did run at the same time, or nothing of this is shown.
    let order: Vec<_> = ended.stderr.lines().filter(|line| line.contains("NOTICE")).collect();
    assert_eq!(order.len(), 120, "{}", ended.stderr);
    let first = order.iter().rposition(|line| line.starts_with("0001_a: NOTICE: 0001_a ")).unwrap();
    assert!(first > 60, "{order:?}");
}

#[test]
fn a_try_that_was_rolled_back_takes_its_notices_with_it() {
    let project = Project::new(&[(
        "0001_a",
        "",
        // A sequence does not roll back.
        "DO $$ BEGIN RAISE NOTICE 'try %', nextval('tries'); END $$; LOCK TABLE t;",
    )]);
    project.database.sql("CREATE TABLE t (); CREATE SEQUENCE tries");
    let holder = project.database.hold("BEGIN; LOCK TABLE t");
    let args = ["up", "-v", "--lock-timeout", "50ms", "--retries", "2", "--format", "json"];
    let ended = project.run(&args).exits(1);
    drop(holder);
    assert_eq!(told(&ended.json(), "0001_a"), ["notice 1: try 3"]);
    let parts = ["NOTICE: try 1", "trying 0001_a again", "NOTICE: try 2", "NOTICE: try 3"];
    let places = parts.map(|part| ended.stderr.find(part).unwrap_or_else(|| panic!("{ended:?}")));
    assert!(places.is_sorted(), "{ended:?}");
}

#[test]
fn a_flood_is_counted_and_hides_no_warning() {
    let flood = "DO $$ BEGIN FOR i IN 1..5000 LOOP RAISE NOTICE '% %', i, repeat('x', 5000); END LOOP; END $$;\n";
    let sql = flood.to_owned() + &raise("WARNING", "at the end");
    let project = Project::new(&[("0001_a", "", &sql)]);
    let ended = project.run(&["up", "-v", "--format", "json"]).exits(0);
    let json = ended.json();
    let told = told(&json, "0001_a");
    assert_eq!((told.len(), &*told[100]), (101, "warning 2: at the end"));
    assert_eq!(json["migrations"][0]["notices_omitted"], 4_900);
    let longest = told.iter().map(String::len).max().unwrap();
    assert!((2_000..2_100).contains(&longest), "{longest}");
    assert_eq!(ended.stderr.lines().filter(|line| line.contains(": NOTICE: ")).count(), 100);
    assert!(ended.stderr.contains("0001_a: 4900 more notices\n"), "{:.1000}", ended.stderr);
}
