//! The figures of `docs/performance.md`, measured on the finished program:
//! `cargo bench --bench measure`, or with one of `plan`, `analysis`, `client`,
//! `parallel`, `frame` behind `--`. `frame --against=PROGRAM` measures another
//! migraph too.
//!
//! Machines are noisy, so what counts are ratios of runs that follow each other,
//! and processor time.

#![expect(clippy::expect_used, reason = "a measurement that cannot be made must stop")]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod prototype;
mod workload;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use migraph::config::Environment;
use migraph::postgres::ephemeral::EphemeralServer;
use migraph::syntax::on_large_stack;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use rayon::prelude::*;
use tokio_postgres::{Config, NoTls};

const PROGRAM: &str = env!("CARGO_BIN_EXE_migraph");
const PAIRS: usize = 11;
const RUNS: usize = 5;
const WIDE_JOBS: u16 = 8;
const ROUNDS: usize = 21;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` runs benches too, without this.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    for (flag, verdict) in [("--bare=", false), ("--verdict=", true)] {
        if let Some(dir) = args.iter().find_map(|arg| arg.strip_prefix(flag)) {
            return bare(dir.as_ref(), verdict);
        }
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name);
    println!("machine: {}", machine());
    // First: the memory of all children is counted together.
    if wants("plan") {
        plan();
    }
    if wants("analysis") {
        analysis();
    }
    if wants("client") {
        client();
    }
    if wants("parallel") {
        parallel();
    }
    if wants("frame") {
        frame(args.iter().find_map(|arg| arg.strip_prefix("--against=")).map(Path::new));
    }
}

/// `plan` of 10,000 files against `cat` of them, both from the page cache.
fn plan() {
    let dir = directory_of(&workload::headers(10_000));
    let plan = || {
        let mut command = migraph(PROGRAM.as_ref(), dir.path());
        run(command.args(["plan", "--offline", "--format", "json"]))
    };
    let cat = || run(Command::new("sh").args(["-c", "cat *.sql"]).current_dir(dir.path()));
    cat();
    plan();
    let pairs: Vec<(Duration, Duration)> = (0..PAIRS).map(|_| (cat(), plan())).collect();
    let ratios = pairs.iter().map(|(cat, plan)| plan.as_secs_f64() / cat.as_secs_f64());
    let memory = children().max_rss() / 1024;
    println!(
        "plan: 10,000 files, cat {}, plan {}, ratio {:.2} (median of {PAIRS} pairs), {memory} MiB",
        shown(median(pairs.iter().map(|it| it.0.as_secs_f64()))),
        shown(median(pairs.iter().map(|it| it.1.as_secs_f64()))),
        median(ratios),
    );
}

/// The program's own processor time for 1,000 tiny migrations.
fn client() {
    let dir = directory_of(&workload::small_tables(1_000, 12));
    let server = Server::start();
    let times: Vec<(f64, f64)> = (0..RUNS)
        .map(|_| {
            let database = server.fresh_database();
            let before = processor_time();
            let wall = run(migraph(PROGRAM.as_ref(), dir.path()).args([
                "up",
                "--jobs",
                "4",
                "--database-url",
                &database,
            ]));
            (processor_time() - before, wall.as_secs_f64())
        })
        .collect();
    println!(
        "client: 1,000 tiny migrations, jobs 4: {} of its own processor time, {} in all (median of {RUNS})",
        shown(median(times.iter().map(|it| it.0))),
        shown(median(times.iter().map(|it| it.1))),
    );
}

/// 200 migrations that each wait for 50 ms: what parallelism gains at most.
fn parallel() {
    let dir = directory_of(&workload::sleeps(200, 8));
    let server = Server::start();
    for schedule in ["layers", "ready"] {
        let time = |jobs: u16| {
            let (database, jobs) = (server.fresh_database(), jobs.to_string());
            let args = ["up", "--schedule", schedule, "--jobs", &jobs, "--database-url", &database];
            run(migraph(PROGRAM.as_ref(), dir.path()).args(args)).as_secs_f64()
        };
        let (one, wide) = (time(1), median((0..3).map(|_| time(WIDE_JOBS))));
        println!(
            "parallel: 200 times 50 ms in 8 layers, {schedule}: jobs 1 {}, jobs {WIDE_JOBS} {}, {:.2} times faster",
            shown(one),
            shown(wide),
            one / wide
        );
    }
}

/// What understanding costs beside the parser, over the same files, in turns; and
/// how it grows.
fn analysis() {
    for (count, rounds) in [(1_000, 21), (10_000, 7), (100_000, 1)] {
        let dir = directory_of(&workload::application(count));
        let program = std::env::current_exe().expect("a program that runs has a name");
        let parser = |what: &str| {
            let mut bare = Command::new(&program);
            measured(bare.arg("--bench").arg(format!("--{what}={}", dir.path().display())))
        };
        let cache = tempfile::tempdir().expect("a directory for the cache");
        let ours = |args: &[&str]| {
            let mut migraph = migraph(PROGRAM.as_ref(), dir.path());
            measured(migraph.env("XDG_CACHE_HOME", cache.path()).args(args).arg("--offline"))
        };
        let all = [
            ("validate --no-cache", &["validate", "--no-cache"][..]),
            ("infer --no-cache", &["infer", "--no-cache", "--format", "json"]),
            ("plan --no-cache", &["plan", "--no-cache", "--format", "json"]),
            ("validate again", &["validate"]),
            ("infer again", &["infer", "--format", "json"]),
            ("plan again", &["plan", "--format", "json"]),
            ("plan --trust-declared", &["plan", "--trust-declared", "--format", "json"]),
        ];
        let first = ours(&["validate"]);
        println!(
            "analysis: {count} files, the first run: {} of processor time",
            shown(first.processor)
        );
        let rounds: Vec<Vec<Cost>> = (0..rounds)
            .map(|_| {
                let parsers = [parser("bare"), parser("verdict")].into_iter();
                parsers.chain(all.map(|it| ours(it.1))).collect()
            })
            .collect();
        println!("analysis: {count} files, fastest of {} rounds, against the parser", rounds.len());
        let names = ["the bare parser", "the parser with its verdict"]
            .into_iter()
            .chain(all.map(|it| it.0));
        for (which, name) in names.enumerate() {
            let least = |what: fn(&Cost) -> f64, which: usize| {
                least(rounds.iter().map(|costs| what(&costs[which])))
            };
            let (wall, cpu) = (least(|it| it.wall, which), least(|it| it.processor, which));
            println!(
                "  {name}: {} ({:.2}), {} of processor time ({:.2}), {:.0} MiB",
                shown(wall),
                wall / least(|it| it.wall, 0),
                shown(cpu),
                cpu / least(|it| it.processor, 0),
                least(|it| it.memory, which)
            );
        }
    }
}

/// Reads every file of `dir` and parses it, on as many threads as migraph does. The
/// tree alone is no verdict: what it allows too much is found on a second way through.
fn bare(dir: &Path, verdict: bool) {
    let files = migraph::load::files(dir).expect("a directory");
    let parse = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a file");
        let parsed = black_box(squawk_syntax::SourceFile::parse(&text));
        if verdict {
            black_box(parsed.errors());
        }
        parsed.syntax_node().text_range().len()
    };
    let bytes: u32 = on_large_stack(|| files.par_iter().map(parse).map(u32::from).sum());
    println!("{bytes} bytes");
}

/// What one run of a program took: seconds, seconds, and MiB.
struct Cost {
    wall: f64,
    processor: f64,
    memory: f64,
}

/// Runs `command`, whatever it finds.
fn measured(command: &mut Command) -> Cost {
    let (before, start) = (processor_time(), Instant::now());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    // What it says while it ends counts no more: there is no memory left.
    let watch = std::thread::spawn(move || {
        let mut peak = 0.0;
        while let Some(memory) = peak_memory(&status) {
            peak = memory;
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    child.wait().expect("it ends");
    let wall = start.elapsed().as_secs_f64();
    let memory = watch.join().expect("it only reads");
    Cost { wall, processor: processor_time() - before, memory }
}

/// The most that a process has had so far, in MiB.
fn peak_memory(status: &str) -> Option<f64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// What migraph adds to the least that does the same: 1,000 tables one after
/// another, in turns. *Applying* goes from the first start to the last commit,
/// opening the worker's session included; *whole* is the program from its start to
/// its end, against the prototype from its first connection.
fn frame(other: Option<&Path>) {
    let files = workload::tables(1_000, 12);
    let dir = directory_of(&files);
    let server = Server::start();
    let up = |program: &Path, flags: &[&str]| {
        let mut command = migraph(program, dir.path());
        command.args(["up", "--jobs", "1"]).args(flags);
        timed(command.args(["--database-url", &server.fresh_database()]))
    };
    let scripts = server.order(dir.path(), &files);
    let prototype = || {
        let settings: Config = server.fresh_database().parse().expect("a connection string");
        let applied = server.runtime.block_on(prototype::apply(&settings, &scripts));
        applied.expect("the prototype applies what migraph did").map(|time| time.as_secs_f64())
    };
    let rounds: Vec<[[f64; 2]; 4]> = (0..ROUNDS)
        .map(|_| {
            [
                prototype(),
                up(PROGRAM.as_ref(), &[]),
                up(PROGRAM.as_ref(), &["--trust-declared"]),
                other.map_or([f64::NAN; 2], |other| up(other, &[])),
            ]
        })
        .collect();
    println!("frame: 1,000 tables, --jobs 1, fastest and median of {ROUNDS} rounds");
    let columns = ["prototype", "migraph", "migraph --trust-declared", "the other program"];
    for (at, what) in ["applying", "whole"].into_iter().enumerate() {
        for (which, name) in columns.iter().enumerate().filter(|it| it.0 < 3 || other.is_some()) {
            let fastest = |which: usize| least(rounds.iter().map(|times| times[which][at]));
            let middle = median(rounds.iter().map(|times| times[which][at]));
            let ratio = |to: usize| {
                let ratio = median(rounds.iter().map(|it| it[which][at] / it[to][at]));
                format!("{:.2} ({ratio:.2})", fastest(which) / fastest(to))
            };
            let (time, middle) = (shown(fastest(which)), shown(middle));
            let against =
                other.map_or_else(String::new, |_| format!(", to the other {}", ratio(3)));
            println!("  {what}: {name} {time} ({middle}); to the prototype {}{against}", ratio(0));
        }
    }
}

/// A server of our own, and a new database in it for each run.
struct Server {
    postgres: EphemeralServer,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        let options = Environment::of_process().ephemeral();
        let postgres = EphemeralServer::start(&options).expect("a PostgreSQL server");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("an event loop");
        Self { postgres, runtime }
    }

    /// The id and the SQL of each of `files`, in the order in which migraph applies
    /// them one after another.
    fn order(&self, dir: &Path, files: &[workload::File]) -> Vec<(String, String)> {
        let database = self.fresh_database();
        run(migraph(PROGRAM.as_ref(), dir).args([
            "up",
            "--jobs",
            "1",
            "--database-url",
            &database,
        ]));
        let settings: Config = database.parse().expect("a connection string");
        let sql = "SELECT id FROM migraph.__migrations__ ORDER BY applied_at";
        let rows = self.runtime.block_on(async {
            let (client, connection) = settings.connect(NoTls).await.expect("a connection");
            tokio::spawn(connection);
            client.query(sql, &[]).await.expect("the ledger")
        });
        let script = |id: String| {
            let file = files.iter().find(|file| file.id == id).expect("it was a file");
            (id, file.up.clone())
        };
        rows.iter().map(|row| script(row.get(0))).collect()
    }

    /// The connection string of a database that is new. The one before it is gone:
    /// autovacuum would come to its tables during the next measurement.
    fn fresh_database(&self) -> String {
        let settings = self.postgres.settings();
        self.runtime.block_on(async {
            let connected = settings.connect(NoTls).await;
            let (client, connection) = connected.expect("a connection");
            let driver = tokio::spawn(connection);
            for sql in ["DROP DATABASE IF EXISTS bench WITH (FORCE)", "CREATE DATABASE bench"] {
                client.batch_execute(sql).await.expect("a new database");
            }
            drop(client);
            driver.await.expect("the task ends").expect("the connection ends");
        });
        let (host, port) = (self.postgres.host(), self.postgres.port());
        format!("host={host} port={port} user={} dbname=bench", self.postgres.user())
    }
}

fn directory_of(files: &[workload::File]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    workload::write(dir.path(), files).expect("room for the files");
    dir
}

fn migraph(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().arg("--dir").arg(dir);
    command
}

/// How long a program takes to its good end.
fn run(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = began.elapsed();
    assert!(status.expect("the program starts").success(), "{command:?} failed");
    took
}

/// How long an `up` took to apply its migrations, as its document says, and how
/// long as a whole.
fn timed(command: &mut Command) -> [f64; 2] {
    let start = Instant::now();
    let output = command.args(["--format", "json"]).stderr(Stdio::null()).output();
    let whole = start.elapsed().as_secs_f64();
    let output = output.expect("the program starts");
    let document: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("a document on stdout");
    assert!(output.status.success(), "{document}");
    [document["wall_ms"].as_f64().expect("a time") / 1e3, whole]
}

/// Of all children that have ended.
fn children() -> Usage {
    getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts")
}

fn processor_time() -> f64 {
    let seconds = |time: TimeVal| Duration::from(timespec(time)).as_secs_f64();
    let used = children();
    seconds(used.user_time()) + seconds(used.system_time())
}

fn timespec(time: TimeVal) -> nix::sys::time::TimeSpec {
    nix::sys::time::TimeSpec::new(time.tv_sec(), time.tv_usec() * 1_000)
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn shown(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

/// The processor's name and how many there are.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {}", model.map_or("unknown", |(_, name)| name))
}
