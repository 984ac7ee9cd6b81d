//! One process of the program, and what became of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Database, PASSWORD};
use crate::proxy::Proxy;
use crate::workload::{HURRY, STORM};

/// Whoever takes longer without faults hangs.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Where and on what the program is run.
pub struct Place<'a> {
    pub migrations: &'a Path,
    /// Where the outputs go.
    pub outputs: &'a Path,
    pub database: &'a Database,
}

/// How it is run.
pub struct Flags {
    args: Vec<String>,
    options: &'static str,
    /// Through a network that can be cut.
    cuttable: bool,
}

impl Flags {
    /// What people might write, in any weather.
    pub fn stormy(rng: &mut Rng) -> Self {
        let mut args = vec!["--jobs".to_owned(), rng.usize(1..9).to_string()];
        let mut add = |words: &[&str]| args.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["--schedule", if rng.bool() { "layers" } else { "ready" }]);
        match rng.u8(0..5) {
            0 => add(&["--fail-fast"]),
            1..=2 => add(&["--keep-going"]),
            _ => {}
        }
        if rng.u8(0..4) == 0 {
            add(&["--fast"]);
        }
        if rng.u8(0..3) == 0 {
            add(&["--lock-timeout", ["50ms", "300ms", "2s"][rng.usize(0..3)]]);
        }
        if rng.u8(0..10) == 0 {
            add(&["--statement-timeout", "400ms"]);
        }
        add(&["--retries", ["0", "2", "5"][rng.usize(0..3)]]);
        add(&["--wait-lock", ["1", "10", "60"][rng.usize(0..3)]]);
        add(&["--wait-server", ["0", "0", "20"][rng.usize(0..3)]]);
        // Without the locks that the SQL tells of there are deadlocks to be survived.
        if rng.bool() {
            add(&["--trust-declared"]);
        }
        Self { args, options: STORM, cuttable: rng.u8(0..3) != 0 }
    }

    /// The one run that must succeed.
    pub fn calm(rng: &mut Rng) -> Self {
        let schedule = if rng.bool() { "layers" } else { "ready" };
        let jobs = rng.usize(1..9).to_string();
        let args = ["--jobs", &jobs, "--schedule", schedule, "--retries", "30"];
        Self { args: args.map(str::to_owned).to_vec(), options: "", cuttable: false }
    }

    /// One migration after another, without any naps.
    pub fn serial() -> Self {
        let args = ["--jobs", "1"].map(str::to_owned).to_vec();
        Self { args, options: HURRY, cuttable: false }
    }
}

pub struct Runner {
    /// Also its application_name.
    pub name: String,
    child: Child,
    pub proxy: Option<Proxy>,
    outputs: PathBuf,
    /// True once something was done to it, or to the server while it lived.
    pub touched: bool,
    /// True once a connection of it was cut.
    pub was_cut: bool,
    /// The signals it was sent.
    pub signals: Vec<Signal>,
    args: Vec<String>,
}

/// How it ended.
pub struct Ended {
    pub name: String,
    pub touched: bool,
    pub was_cut: bool,
    pub signals: Vec<Signal>,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its report; `None` when it was killed.
    pub report: Option<Value>,
    pub is_fast: bool,
    /// What it has put right.
    pub healed: Vec<String>,
}

impl Runner {
    pub fn up(name: String, place: &Place<'_>, mut flags: Flags) -> Self {
        flags.args.splice(0..0, ["up", "--format", "json", "-v"].map(str::to_owned));
        Self::start(name, place, flags)
    }

    /// Starts the program with other words than `up`'s.
    pub fn verb(name: String, place: &Place<'_>, args: &[&str]) -> Self {
        let args = args.iter().map(|word| (*word).to_owned()).collect();
        Self::start(name, place, Flags { args, options: "", cuttable: false })
    }

    fn start(name: String, place: &Place<'_>, flags: Flags) -> Self {
        let proxy = flags.cuttable.then(|| Proxy::new(place.database.port));
        let port = proxy.as_ref().map_or(place.database.port, Proxy::port);
        let url = Database { name: place.database.name.clone(), port }.url();
        let output =
            |what: &str| File::create(place.outputs.join(format!("{name}.{what}"))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_migraph"))
            .arg("--dir")
            .arg(place.migrations)
            .args(&flags.args)
            .env_clear()
            .envs([("DATABASE_URL", &*url), ("PGAPPNAME", &name), ("PGOPTIONS", flags.options)])
            .stdin(Stdio::null())
            .stdout(output("out"))
            .stderr(output("err"))
            .spawn()
            .expect("the binary was built");
        let outputs = place.outputs.to_owned();
        let (touched, was_cut, signals) = Default::default();
        Self { name, child, proxy, outputs, touched, was_cut, signals, args: flags.args }
    }

    /// What it was started with, in a line.
    pub fn words(&self) -> String {
        let cuttable = if self.proxy.is_some() { " (through a proxy)" } else { "" };
        format!("{} {}{cuttable}", self.name, self.args.join(" "))
    }

    pub fn signal(&mut self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // It is a child that nobody has waited for, so the number is still its own.
        kill(pid, signal).unwrap();
        if !matches!(signal, Signal::SIGSTOP | Signal::SIGCONT) {
            self.signals.push(signal);
        }
        self.touched = true;
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().unwrap()?;
        Some(self.account(status.code()))
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            assert!(Instant::now() < deadline, "{} hangs", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn account(&self, code: Option<i32>) -> Ended {
        let read = |what: &str| {
            std::fs::read_to_string(self.outputs.join(format!("{}.{what}", self.name)))
                .expect("outputs are UTF-8")
        };
        let (out, err) = (read("out"), read("err"));
        let name = self.name.clone();
        assert!(!format!("{out}{err}").contains(PASSWORD), "{name} showed a password");
        assert!(!err.contains("panicked"), "{name} panicked: {err}");
        let report = code.map(|_| {
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{name}: {error}: {out}"))
        });
        let is_fast = self.args.iter().any(|word| word == "--fast");
        let healed = err.lines().filter(|line| line.starts_with("healed ")).map(str::to_owned);
        let healed = healed.collect();
        let Self { touched, was_cut, .. } = *self;
        let signals = self.signals.clone();
        Ended { name, touched, was_cut, signals, code, report, is_fast, healed }
    }
}

impl Drop for Runner {
    /// Nothing of a round that failed goes on behind it.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// The list `of` in its report; empty when there is none.
    pub fn list(&self, of: &str) -> Vec<Value> {
        let report = self.report.as_ref();
        report.and_then(|it| it[of].as_array()).cloned().unwrap_or_default()
    }

    /// The codes of the errors that kept it from running.
    pub fn errors(&self) -> Vec<String> {
        self.list("errors")
            .iter()
            .map(|it| it["code"].as_str().unwrap_or_default().into())
            .collect()
    }

    /// It has said that everything is applied.
    pub fn is_complete(&self) -> bool {
        self.code == Some(0) && self.batch().is_some()
    }

    pub fn batch(&self) -> Option<&str> {
        self.report.as_ref()?["batch_id"].as_str()
    }
}
