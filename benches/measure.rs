//! The figures of `docs/performance.md`, measured on the finished program:
//! `cargo bench --bench measure`, or with one of `plan`, `client`, `parallel`
//! behind `--`.
//!
//! Machines are noisy, so what counts are ratios of runs that follow each other,
//! and processor time.

#![expect(clippy::expect_used, reason = "a measurement that cannot be made must stop")]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod workload;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use migraph::postgres::ephemeral::{EphemeralServer, Options};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

const PAIRS: usize = 11;
const RUNS: usize = 5;
const WIDE_JOBS: u16 = 8;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` runs benches too, without this.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name);
    println!("machine: {}", machine());
    // First: the memory of all children is counted together.
    if wants("plan") {
        plan();
    }
    if wants("client") {
        client();
    }
    if wants("parallel") {
        parallel();
    }
}

/// `plan` of 10,000 files against `cat` of them, both from the page cache.
fn plan() {
    let dir = directory_of(&workload::headers(10_000));
    let plan = || {
        let mut command = migraph(dir.path());
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
            let wall =
                run(migraph(dir.path()).args(["up", "--jobs", "4", "--database-url", &database]));
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
            run(migraph(dir.path()).args(args)).as_secs_f64()
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

/// A server of our own, and a new database in it for each run.
struct Server {
    postgres: EphemeralServer,
    runtime: tokio::runtime::Runtime,
    databases: std::cell::Cell<u32>,
}

impl Server {
    fn start() -> Self {
        let postgres = EphemeralServer::start(&Options::default()).expect("a PostgreSQL server");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("an event loop");
        Self { postgres, runtime, databases: std::cell::Cell::default() }
    }

    /// The connection string of a database that is new.
    fn fresh_database(&self) -> String {
        let number = self.databases.get() + 1;
        self.databases.set(number);
        let settings = self.postgres.settings();
        self.runtime.block_on(async {
            let connected = settings.connect(tokio_postgres::NoTls).await;
            let (client, connection) = connected.expect("a connection");
            let driver = tokio::spawn(connection);
            let created = client.batch_execute(&format!("CREATE DATABASE bench{number}")).await;
            created.expect("a new database");
            drop(client);
            driver.await.expect("the task ends").expect("the connection ends");
        });
        let (host, port) = (self.postgres.host(), self.postgres.port());
        format!("host={host} port={port} user={} dbname=bench{number}", self.postgres.user())
    }
}

fn directory_of(files: &[workload::File]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    workload::write(dir.path(), files).expect("room for the files");
    dir
}

fn migraph(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migraph"));
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
