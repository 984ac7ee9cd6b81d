//! What a campaign has done, in numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::fault::Fault;
use crate::runner::Ended;

#[derive(Default)]
pub struct Tally {
    pub rounds: usize,
    pub migrations: usize,
    /// How many of each kind, how many of these hit somebody at work, and how many
    /// of these a statement outside of transactions.
    faults: BTreeMap<Fault, [usize; 3]>,
    /// The longest time that sessions have outlived their runner.
    pub afterlife: Duration,
    /// By how a runner ended.
    runners: BTreeMap<String, usize>,
    /// Anything else that is worth a number.
    others: BTreeMap<String, usize>,
}

impl Tally {
    pub fn faults(&self) -> usize {
        self.sums()[0]
    }

    fn sums(&self) -> [usize; 3] {
        [0, 1, 2].map(|at| self.faults.values().map(|counts| counts[at]).sum())
    }

    pub fn fault(&mut self, fault: Fault, hit: bool, bare: bool) {
        let counts = self.faults.entry(fault).or_default();
        for (count, more) in counts.iter_mut().zip([true, hit, bare]) {
            *count += usize::from(more);
        }
    }

    pub fn ended(&mut self, ended: &Ended) {
        let how = match (ended.code, ended.errors().first()) {
            (None, _) => "killed".to_owned(),
            (Some(code), Some(error)) => format!("exit {code}, {error}"),
            (Some(code), None) => format!("exit {code}"),
        };
        *self.runners.entry(how).or_default() += 1;
        for line in &ended.healed {
            let kinds = [
                ("dropped the INVALID index", "healed: INVALID index dropped"),
                ("is done already", "healed: found to be done"),
                ("which was half done", "healed: pending detach finalised"),
                ("set as in the session of", "healed: settings of the session brought back"),
                ("answer to COMMIT was lost", "unclear outcome: found to be applied"),
            ];
            let kind = kinds.into_iter().find(|(text, _)| line.contains(text));
            self.add(kind.unwrap_or_else(|| panic!("{line}")).1, 1);
        }
        for migration in ended.list("migrations") {
            let retries = migration["retries"].as_u64().unwrap();
            self.add("tried again in the same run", usize::try_from(retries).unwrap());
            self.failure(&migration["failure"]);
        }
    }

    /// How an answer that was lost was found out.
    fn failure(&mut self, failure: &Value) {
        let message = failure["message"].as_str().unwrap_or_default();
        let unclear = match failure["kind"].as_str() {
            Some("unknown") => "unclear outcome: the server could not be asked",
            _ if message.contains("the ledger shows that") => {
                "unclear outcome: found to be rolled back"
            }
            _ if message.contains("is done and recorded, but the") => {
                "unclear outcome: step found to be done"
            }
            _ => return,
        };
        self.add(unclear, 1);
    }

    pub fn add(&mut self, what: impl Into<String>, count: usize) {
        *self.others.entry(what.into()).or_default() += count;
    }

    /// What the ledger of a round says was tried again.
    pub fn retries(&mut self, database: &crate::harness::Database) {
        let sql = "SELECT coalesce(sqlstate, outcome), count(*) FROM migraph.__migration_attempts__ WHERE outcome <> 'applied' GROUP BY 1";
        for line in database.sql(sql).lines() {
            let (state, count) = line.split_once('|').unwrap();
            self.add(format!("failed tries in the ledger: {state}"), count.parse().unwrap());
        }
    }

    pub fn render(&self, wall: Duration) -> String {
        let mut text = format!(
            "\n{} rounds in {} s: {} migrations, {} runners\n\n",
            self.rounds,
            wall.as_secs(),
            self.migrations,
            self.runners.values().sum::<usize>(),
        );
        let _ = writeln!(
            text,
            "no session outlived its runner by more than {} ms\n",
            self.afterlife.as_millis()
        );
        let _ = writeln!(
            text,
            "{:<42} {:>6} {:>18} {:>20}",
            "fault", "times", "hit a migration", "outside transactions"
        );
        let mut line = |what: &str, [all, hits, bare]: [usize; 3]| {
            let _ = writeln!(text, "{what:<42} {all:>6} {hits:>18} {bare:>20}");
        };
        self.faults.iter().for_each(|(fault, counts)| line(fault.name(), *counts));
        line("all", self.sums());
        for (title, counts) in [("runners", &self.runners), ("what else happened", &self.others)] {
            let _ = writeln!(text, "\n{title}");
            for (what, count) in counts {
                let _ = writeln!(text, "{what:<60} {count:>8}");
            }
        }
        text
    }
}
