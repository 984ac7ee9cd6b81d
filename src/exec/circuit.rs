//! What to do while no new session can be had.

use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::time::Instant;

use super::backoff::backoff;

/// Probes before the run gives up: about half a minute in all.
const PROBES: usize = 10;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A circuit breaker: closed while sessions can be had. When one cannot, it opens
/// and lets a single probe through after a while, later each time.
pub(super) struct Circuit {
    /// The waits that are left; `None` while it is closed.
    waits: Option<ExponentialBackoff>,
    /// Nobody tries before this; `None` while closed or while a probe is under way.
    until: Option<Instant>,
    seed: Option<u64>,
}

impl Circuit {
    /// A closed one.
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self { waits: None, until: None, seed }
    }

    /// True when a migration may try to open a session now.
    pub(super) fn lets_through(&self) -> bool {
        self.waits.is_none() || self.until.is_some_and(|until| until <= Instant::now())
    }

    /// A migration is trying; while the circuit is open it is the only one.
    pub(super) fn trying(&mut self) {
        self.until = None;
    }

    /// A session could be opened.
    pub(super) fn succeeded(&mut self) {
        *self = Self::new(self.seed);
    }

    /// None could. Returns how long nothing is tried; `None` to give up.
    pub(super) fn failed(&mut self) -> Option<Duration> {
        let now = Instant::now();
        // Several may have been trying when it opened.
        if let Some(until) = self.until {
            return Some(until.saturating_duration_since(now));
        }
        let seed = self.seed;
        let waits =
            self.waits.get_or_insert_with(|| backoff(FIRST_WAIT, LONGEST_WAIT, PROBES, seed));
        let wait = waits.next()?;
        self.until = Some(now + wait);
        Some(wait)
    }

    /// Waits until the next probe may start; for ever when there is none to wait for.
    pub(super) async fn until_probe(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}
