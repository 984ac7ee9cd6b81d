//! The binary against real servers: one ephemeral PostgreSQL for all tests here,
//! a database of its own for each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test"
)]
#![expect(unreachable_pub, reason = "a test binary's modules export to each other")]

mod applying;
mod copy;
mod crashes;
mod dump;
mod failures;
mod fast;
mod fingerprint;
mod guard;
mod harness;
mod healing;
mod left_behind;
mod locks;
mod lost;
mod notices;
mod poolers;
mod refusals;
mod repair;
mod replay;
mod retries;
mod room;
mod sample;
mod segments;
mod settings;
mod silence;
mod statements;
