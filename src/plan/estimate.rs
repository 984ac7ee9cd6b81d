//! How long a migration will take.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::model::{Impact, Migration};

/// What an estimate is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// This migration's own time, measured elsewhere.
    Measured,
    /// The median of measured migrations with the same `@performanceImpact`.
    Median,
    /// A fixed value for its `@performanceImpact`.
    Fixed,
}

impl Basis {
    /// One word for outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Median => "median",
            Self::Fixed => "fixed",
        }
    }
}

/// An expected duration and what it is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The expected time.
    pub time: Duration,
    /// Where it comes from.
    pub basis: Basis,
}

/// Measured times by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timings(BTreeMap<String, Duration>);

/// A file that is no report of ours.
#[derive(Debug, thiserror::Error)]
#[error("not a report of `migraph up --format json`: {0}")]
pub struct InvalidTimings(#[from] serde_json::Error);

/// The part of the report that matters here.
#[derive(Deserialize)]
struct Report {
    migrations: Vec<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    id: String,
    execution_time_ms: Option<f64>,
}

impl Timings {
    /// Reads the document that `up --format json` prints.
    pub fn from_report(json: &str) -> Result<Self, InvalidTimings> {
        let report: Report = serde_json::from_str(json)?;
        let measured = report.migrations.into_iter();
        Ok(measured.filter_map(|it| Some((it.id, it.execution_time_ms?))).collect())
    }

    /// These, and those of `other` for ids that are not in these.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        for (id, time) in &other.0 {
            self.0.entry(id.clone()).or_insert(*time);
        }
        self
    }
}

/// From ids and milliseconds; what is no duration is left out.
impl FromIterator<(String, f64)> for Timings {
    fn from_iter<T: IntoIterator<Item = (String, f64)>>(times: T) -> Self {
        let time = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).ok();
        Self(times.into_iter().filter_map(|(id, ms)| Some((id, time(ms)?))).collect())
    }
}

/// Gives each migration its estimate.
#[derive(Clone, Debug)]
pub struct Estimator {
    timings: Timings,
    medians: BTreeMap<Impact, Duration>,
}

impl Estimator {
    /// Uses `timings`, and the medians of those that are about `migrations`.
    pub fn new<'a>(timings: Timings, migrations: impl IntoIterator<Item = &'a Migration>) -> Self {
        let mut by_impact: BTreeMap<Impact, Vec<Duration>> = BTreeMap::new();
        for migration in migrations {
            if let Some(time) = timings.0.get(migration.id.as_str()) {
                by_impact.entry(migration.header.impact).or_default().push(*time);
            }
        }
        let medians = by_impact.into_iter().map(|(impact, times)| (impact, median(times)));
        Self { medians: medians.collect(), timings }
    }

    /// The best guess there is.
    pub fn estimate(&self, migration: &Migration) -> Estimate {
        let impact = migration.header.impact;
        if let Some(time) = self.timings.0.get(migration.id.as_str()) {
            return Estimate { time: *time, basis: Basis::Measured };
        }
        match self.medians.get(&impact) {
            Some(time) => Estimate { time: *time, basis: Basis::Median },
            None => Estimate { time: fixed(impact), basis: Basis::Fixed },
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let middle = times.len() / 2;
    match times.len() {
        0 => Duration::ZERO,
        odd if odd % 2 == 1 => times[middle],
        _ => (times[middle - 1] + times[middle]) / 2,
    }
}

/// Guesses for a directory of which nothing has been measured; only their ratio
/// shapes the plan.
fn fixed(impact: Impact) -> Duration {
    Duration::from_millis(match impact {
        Impact::Low => 10,
        Impact::Medium => 100,
        Impact::High => 1_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_halves_its_values() {
        let ms =
            |values: &[u64]| median(values.iter().copied().map(Duration::from_millis).collect());
        assert_eq!(ms(&[]), Duration::ZERO);
        assert_eq!(ms(&[3, 1, 2]), Duration::from_millis(2));
        assert_eq!(ms(&[4, 1, 2, 3]), Duration::from_micros(2_500));
    }

    #[test]
    fn a_report_gives_times_for_what_ran() {
        let json = r#"{"schema_version": 1, "migrations": [
            {"id": "a", "execution_time_ms": 1.5, "more": 1}, {"id": "b", "execution_time_ms": null}, {"id": "c"}]}"#;
        let timings = Timings::from_report(json).unwrap();
        assert_eq!(timings, Timings::from_iter([("a".to_owned(), 1.5)]));
        assert!(Timings::from_report("[]").is_err());
    }
}
