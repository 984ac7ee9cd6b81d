//! What to do while no new session can be had.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

/// Probes before the run gives up: about half a minute in all.
const PROBES: usize = 10;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A circuit breaker: closed while sessions can be had. When one cannot, it opens
/// and lets a single probe through after a while, later each time.
#[derive(Default)]
pub(super) struct Circuit {
    /// The waits that are left; `None` while it is closed.
    waits: Option<ExponentialBackoff>,
    /// Nobody tries before this; `None` while closed or while a probe is under way.
    until: Option<Instant>,
}

impl Circuit {
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
        *self = Self::default();
    }

    /// None could. Returns how long nothing is tried; `None` to give up.
    pub(super) fn failed(&mut self) -> Option<Duration> {
        let now = Instant::now();
        // Several may have been trying when it opened.
        if let Some(until) = self.until {
            return Some(until.saturating_duration_since(now));
        }
        let waits = self.waits.get_or_insert_with(|| {
            ExponentialBuilder::new()
                .with_jitter()
                .with_min_delay(FIRST_WAIT)
                .with_max_delay(LONGEST_WAIT)
                .with_max_times(PROBES)
                .build()
        });
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
