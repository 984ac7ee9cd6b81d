//! What the server says beside its answers, and to which statement it belongs.
//!
//! tokio-postgres gives notices to the task that drives a connection, and answers
//! to whoever asked. So their order is lost, unless that task waits with each
//! notice until it was taken, and whoever listens reads all answers first: then a
//! notice is heard between the same two answers between which the server sent it.
//!
//! Nobody waits where nobody listens: what is said of our own statements, between
//! migrations and in other sessions is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{Sender, channel};
use tokio_postgres::error::{DbError, Severity};

use crate::engine::{Level, Note, Notice};

/// Where the notices of one session go.
#[derive(Default)]
pub(super) struct Ear(Mutex<Option<Sender<Box<DbError>>>>);

impl Ear {
    /// Hands `notice` to whoever listens, and waits until it was taken.
    pub(super) async fn tell(&self, notice: DbError) {
        let Some(listener) = lock(&self.0).clone() else { return };
        // An error: nobody listens any more.
        if listener.send(Box::new(notice)).await.is_ok() {
            drop(listener.reserve().await);
        }
    }

    /// Does `work`. Each notice that comes meanwhile is given to `hear` when `work`
    /// has read every answer before it, and none behind it.
    pub(super) async fn listen<T>(
        &self,
        work: impl Future<Output = T>,
        hear: impl Fn(&DbError),
    ) -> T {
        let (sender, mut notices) = channel(1);
        *lock(&self.0) = Some(sender);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(notice) = notices.recv() => hear(&notice),
            }
        }
    }
}

/// The ears of a target's sessions, by the token that each was opened with.
#[derive(Clone, Default)]
pub(super) struct Ears(Arc<Mutex<BTreeMap<String, Arc<Ear>>>>);

impl Ears {
    /// An ear for a session that is about to be opened with `token`.
    pub(super) fn add(&self, token: &str) -> Arc<Ear> {
        let ear = Arc::new(Ear::default());
        let mut ears = lock(&self.0);
        // Nobody else has those of sessions that are closed.
        ears.retain(|_, ear| Arc::strong_count(ear) > 1);
        ears.insert(token.to_owned(), Arc::clone(&ear));
        ear
    }

    /// The ear of the session that was opened with `token`; `None` when none was.
    pub(super) fn of(&self, token: &str) -> Option<Arc<Ear>> {
        lock(&self.0).get(token).cloned()
    }
}

/// Nothing here can panic while it holds a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells of what was said during `statement` (from 1), or at COMMIT.
pub(super) fn pass_on(tell: &dyn Fn(Note<'_>), statement: Option<usize>, said: &DbError) {
    let level = match said.parsed_severity() {
        Some(Severity::Debug) => Level::Debug,
        Some(Severity::Log) => Level::Log,
        Some(Severity::Info) => Level::Info,
        Some(Severity::Notice) => Level::Notice,
        // Errors are answers, not notices.
        _ => Level::Warning,
    };
    let notice = Notice::new(level, said.code().code(), said.message());
    tell(Note::Notice(notice.explained(said.detail(), said.hint()).during(statement)));
}
