//! The fault campaign: the program against a real server, and everything that can
//! happen to both of them.
//!
//! Each round applies a workload that would be wrong if anything ran twice or was
//! left out, while runners are killed, sessions ended, connections cut and the
//! server stopped; then one clean `up` must bring exactly what a serial run brings.
//! `docs/reliability.md` tells what is promised and what is checked.
//!
//! One seed is one workload and one schedule of faults. What a fault hits depends on
//! the machine's timing too, so a replay is likely to fail again, not certain to.
//!
//! ```sh
//! cargo test --test faults                         # as long as a test run may take
//! MIGRAPH_FAULTS=500 cargo test --test faults      # until so many faults
//! MIGRAPH_FAULT_SEED=7 MIGRAPH_FAULTS=1 cargo test --test faults   # one round
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test"
)]
#![expect(unreachable_pub, reason = "a test binary's modules export to each other")]

mod accounts;
mod checks;
mod fault;
#[path = "../server/fingerprint.rs"]
mod fingerprint;
#[path = "../server/harness.rs"]
#[allow(dead_code, reason = "shared with the tests of the server, which use all of it")]
mod harness;
mod inject;
mod journal;
mod operator;
mod proxy;
mod round;
mod runner;
mod server;
mod storm;
mod tally;
mod workload;

use std::io::Write;
use std::time::{Duration, Instant};

use server::Server;
use tally::Tally;

/// As much as a test run can afford.
const SHORT: Duration = Duration::from_secs(100);

/// When a campaign ends.
enum Until {
    Time(Duration),
    Faults(usize),
}

impl Until {
    /// A round is not begun when it would most likely end too late.
    fn is_over(&self, began: Instant, tally: &Tally) -> bool {
        match self {
            Self::Faults(count) => tally.faults() >= *count,
            Self::Time(limit) => {
                let rounds = u32::try_from(tally.rounds.max(1)).unwrap();
                began.elapsed() + began.elapsed() / rounds > *limit
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Shown for a test that passes, too.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[test]
fn whatever_happens_each_migration_is_applied_exactly_once() {
    let first = setting("MIGRAPH_FAULT_SEED").unwrap_or(1);
    let until = match setting("MIGRAPH_FAULTS") {
        Some(count) => Until::Faults(usize::try_from(count).unwrap()),
        None => Until::Time(SHORT),
    };
    let began = Instant::now();
    let mut server = Server::start();
    let mut tally = Tally::default();
    for seed in first.. {
        if until.is_over(began, &tally) {
            break;
        }
        round::play(seed, &mut server, &mut tally);
    }
    say(&tally.render(began.elapsed()));
}
