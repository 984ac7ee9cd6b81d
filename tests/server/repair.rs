//! `migraph repair`.

use nix::sys::signal::Signal;

use super::harness::Project;

const SCRIPT: &str = "BEGIN;\nINSERT INTO n VALUES (1);\nINSERT INTO n VALUES (2);\nCOMMIT;\nCALL p();\nINSERT INTO n VALUES (4);";

/// `0002_p` is a script of which statement 3, a CALL, is in doubt.
fn in_doubt() -> Project {
    let before = "CREATE TABLE n (i int);
        CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN INSERT INTO n VALUES (3); COMMIT; RAISE EXCEPTION ''no''; END';";
    let project = Project::new(&[("0001_n", "", before), ("0002_p", "0001_n", SCRIPT)]);
    project.run(&["up"]).exits(1).says(&["statement 3 may have done its work or not", "P0001"]);
    project.database.sql("CREATE OR REPLACE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN INSERT INTO n VALUES (3); COMMIT; END'; DELETE FROM n WHERE i = 3");
    project.run(&["up"]).exits(1).says(&["statement 3 of `0002_p` was begun", "0002_p.sql:6:1"]);
    project
}

fn rows(project: &Project) -> String {
    project.database.sql("SELECT i FROM n ORDER BY 1").replace('\n', " ")
}

#[test]
fn each_choice_leads_on() {
    let cases = [
        (vec!["--retry"], "goes on with `0002_p` at statement 3", "1 2 3 4"),
        (vec!["--resume-at", "4"], "at statement 4", "1 2 4"),
        (vec!["--resume-at", "1"], "at statement 1", "1 1 2 2 3 4"),
        (vec!["--mark-applied"], "`0002_p` is recorded as applied", "1 2"),
    ];
    for (choice, says, expected) in cases {
        let project = in_doubt();
        let args = [vec!["repair", "0002_p", "--reason", "I looked"], choice.clone()].concat();
        project.run(&args).exits(0).says(&[says]);
        let why = "SELECT message || ' by ' || recorded_by FROM migraph.__migration_attempts__ WHERE outcome = 'repaired' ORDER BY attempt DESC LIMIT 1";
        let why = project.database.sql(why);
        assert!(why.ends_with(": I looked by postgres"), "{why}");
        project.run(&["up"]).exits(0);
        assert_eq!(project.ledger(), "0001_n 0002_p");
        assert_eq!(rows(&project), expected, "{choice:?}");
        let open =
            "SELECT count(*) FROM migraph.__migration_statements__ WHERE finished_at IS NULL";
        assert_eq!(project.database.sql(open), "0");
    }
}

#[test]
fn a_changed_step_can_be_declared_done_or_not() {
    let project = in_doubt();
    project.run(&["repair", "0002_p", "--retry"]).exits(0);
    project.write("0002_p", "0001_n", &SCRIPT.replace("(2)", "(20)"));
    project.run(&["up"]).exits(1).says(&["statement 1 of `0002_p` was run by an earlier run"]);
    project.run(&["repair", "0002_p", "--resume-at", "3"]).exits(0);
    project.run(&["up"]).exits(0);
    assert_eq!(rows(&project), "1 2 3 4");
}

#[test]
fn what_needs_no_repair_is_refused() {
    let project = in_doubt();
    let refused = |args: &[&str], code, says| project.run(args).exits(code).says(&[says]);
    refused(&["repair", "0001_n", "--retry"], 1, "`0001_n` is applied");
    refused(&["repair", "0002_q", "--retry"], 2, "did you mean `0002_p`");
    refused(&["repair", "0002_p", "--resume-at", "2"], 2, "steps begin at 1, 3, 4");
    refused(&["repair", "0002_p", "--resume-at", "0"], 2, "--resume-at");
    refused(&["repair", "0002_p"], 2, "--mark-applied");
    refused(&["repair", "0002_p", "--retry", "--mark-applied"], 2, "cannot be used with");
    refused(&["repair", "0002_p", "--retry"], 0, "at statement 3");
    refused(&["repair", "0002_p", "--retry"], 1, "goes on at statement 3");
    project.write("0003_x", "", "SELECT 1;");
    refused(&["repair", "0003_x", "--retry"], 1, "no run has begun `0003_x`");
}

#[test]
fn a_repair_waits_for_the_run_to_end() {
    let project = in_doubt();
    project.write("0003_sleep", "", "SELECT pg_sleep(600);");
    let run = project.start(&["up", "--target", "0003_sleep"]);
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND datname = current_database()";
    project.database.until(sleeping, "1");
    let args = ["repair", "0002_p", "--retry", "--wait-lock", "1"];
    project.run(&args).exits(4).says(&["another run is in the way", "0003_sleep"]);
    run.signal(Signal::SIGTERM);
    run.end().exits(143);
    project.run(&args).exits(0);
}

#[test]
fn a_repair_speaks_json() {
    let project = in_doubt();
    let args = ["repair", "0002_p.sql", "--resume-at", "4", "--format", "json"];
    let document = project.run(&args).exits(0).json();
    assert_eq!(document["command"], "repair");
    assert_eq!(document["id"], "0002_p");
    assert_eq!(document["outcome"], "to-resume");
    assert_eq!(document["resumes_at"], 4);
    let document =
        project.run(&["repair", "0001_n", "--retry", "--format", "json"]).exits(1).json();
    assert_eq!(document["errors"][0]["code"], "repair");
}
