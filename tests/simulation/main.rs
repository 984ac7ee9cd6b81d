//! The run loop against a database that exists only here, in virtual time.
//!
//! One seed is one interleaving: graph, durations, faults, signals and waits all
//! come from it, and the clock only moves when everybody waits. A seed that fails
//! is replayed with `MIGRAPH_SEED=n cargo test --test simulation`; `make faults`
//! runs a hundred thousand (`MIGRAPH_SEEDS`).

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
#![expect(unreachable_pub, reason = "a test binary's modules export to each other")]

mod scenario;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use scenario::Scenario;

/// As many as a test run can afford.
const SEEDS: u64 = 4_000;

#[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn every_interleaving_keeps_the_promises() {
    let seeds = match setting("MIGRAPH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("MIGRAPH_SEEDS").unwrap_or(SEEDS),
    };
    let mut seen = world::Seen::default();
    for seed in seeds.clone() {
        let one = catch_unwind(AssertUnwindSafe(|| Scenario::new(seed).play()));
        match one {
            Ok(events) => seen.add(&events),
            Err(error) => {
                eprintln_seed(seed);
                std::panic::resume_unwind(error);
            }
        }
    }
    // A simulation that never reaches a path proves nothing about it.
    if seeds.end - seeds.start >= SEEDS {
        seen.assert_all();
    }
}

#[expect(clippy::print_stderr, reason = "the one thing a failed simulation has to say")]
fn eprintln_seed(seed: u64) {
    eprintln!("replay with MIGRAPH_SEED={seed} cargo test --test simulation");
}
