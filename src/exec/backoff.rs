//! Waits that grow, with jitter so that two that collided do not collide again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// `times` waits that double from `first` up to `longest`, each lengthened by up to
/// `first`. With a `seed` they are the same every time, for simulations.
pub(super) fn backoff(
    first: Duration,
    longest: Duration,
    times: usize,
    seed: Option<u64>,
) -> ExponentialBackoff {
    let builder = ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(first)
        .with_max_delay(longest)
        .with_max_times(times);
    match seed {
        Some(seed) => builder.with_jitter_seed(seed).build(),
        None => builder.build(),
    }
}
