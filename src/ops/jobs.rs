//! How many migrations at once.

use crate::postgres::{Capacity, Limit};

/// Without `--jobs`, where the server has room for them.
const USUAL: usize = 4;

/// How many workers, and why not as many as was to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// So many.
    pub count: usize,
    /// What is worth a word about it.
    pub shortage: Option<Shortage>,
}

/// The server has not enough sessions for the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// How many workers.
    pub workers: usize,
    /// True when these were asked for, false when they are what there is room for.
    pub asked: bool,
    /// How many more sessions the server can give, and why not more.
    pub capacity: Capacity,
}

impl Jobs {
    /// What was asked for; else the usual number, or as many as the server has
    /// room for, but one at least.
    pub(super) fn new(asked: Option<usize>, capacity: Option<Capacity>) -> Self {
        let spare = capacity.map_or(usize::MAX, |it| it.spare);
        let workers = asked.unwrap_or_else(|| USUAL.min(spare).max(1));
        let is_short = spare < asked.unwrap_or(USUAL);
        let shortage = capacity.filter(|_| is_short).map(|capacity| Shortage {
            workers,
            asked: asked.is_some(),
            capacity,
        });
        Self { count: workers, shortage }
    }
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { workers, asked, capacity: Capacity { spare, limit } } = *self;
        let sessions = |n: usize| if n == 1 { "1 session".into() } else { format!("{n} sessions") };
        let more = sessions(spare);
        match (asked, workers) {
            (true, _) => write!(
                f,
                "--jobs {workers} needs {}, and the server has room for {more}",
                sessions(workers)
            )?,
            (false, 1) => write!(f, "1 worker, because the server has room for {more}")?,
            (false, _) => write!(f, "{workers} workers, because the server has room for {more}")?,
        }
        match limit {
            Limit::Server { max, reserved, present } => {
                write!(f, " (max_connections {max}, {reserved} of them reserved, {present} in use)")
            }
            Limit::Role { max, present } => {
                write!(f, " (the user's connection limit is {max}, {present} in use)")
            }
            Limit::Database { max, present } => {
                write!(f, " (the database's connection limit is {max}, {present} in use)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(spare: usize) -> Capacity {
        Capacity { spare, limit: Limit::Role { max: 9, present: 8 } }
    }

    #[test]
    fn the_default_is_what_the_server_can_spare() {
        let cases = [
            (None, None, 4, ""),
            (None, Some(room(50)), 4, ""),
            (None, Some(room(4)), 4, ""),
            (None, Some(room(3)), 3, "3 workers, because the server has room for 3 sessions"),
            (None, Some(room(1)), 1, "1 worker, because the server has room for 1 session"),
            (None, Some(room(0)), 1, "1 worker, because the server has room for 0 sessions"),
            (Some(2), Some(room(2)), 2, ""),
            (Some(8), Some(room(8)), 8, ""),
            (Some(8), Some(room(7)), 8, "--jobs 8 needs 8 sessions, and the server has room for 7"),
            (Some(8), None, 8, ""),
        ];
        for (asked, capacity, count, said) in cases {
            let jobs = Jobs::new(asked, capacity);
            let text = jobs.shortage.map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(jobs.count, count, "{asked:?} {capacity:?}");
            assert!(text.starts_with(said) && text.is_empty() == said.is_empty(), "{text}");
        }
    }
}
