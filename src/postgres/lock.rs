//! One run at a time, and no run beside the remains of a dead one.
//!
//! The coordinator's session holds RUN, and RUNKEY, a random key of this run,
//! both exclusively. Whoever applies a migration holds WORK, shared. A new
//! coordinator takes RUN, then waits until it could have WORK to itself: then no
//! backend of a dead run is left. Both are polled, never waited for in the
//! server: a waiting statement holds a snapshot, and `CREATE INDEX CONCURRENTLY`
//! waits for snapshots (flyway/flyway#1654).

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_postgres::{Client, Error};

use super::holder::{Holder, holders};
use super::keys::Keys;

const POLL: Duration = Duration::from_millis(100);
/// How long a wait is before it is worth a word, and between two words.
const QUIET: Duration = Duration::from_millis(500);
const REPEAT: Duration = Duration::from_secs(5);

/// How often the coordinator looks whether its session is closed.
const PING: Duration = Duration::from_millis(250);
/// How many such looks stand between two questions to the server.
const PINGS_PER_CHECK: usize = 20;
/// A server that does not answer for so long is taken for lost.
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// How long what has been asked of such a server, cancel requests above all, is
/// waited for.
const LAST_WORD: Duration = Duration::from_secs(15);

/// What a new run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// Another run holds RUN.
    Run,
    /// A backend of a run that died still works.
    Orphan,
}

/// Said while a run waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// For what.
    pub reason: WaitingFor,
    /// Who is in the way; empty when it has just gone.
    pub holders: Vec<Holder>,
    /// Who applies migrations for the other run, when that is what is waited for.
    pub workers: Vec<Holder>,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else still held it when the time was over.
    #[error("another run did not end within {} s", waited.as_secs())]
    TimedOut {
        /// How long we waited.
        waited: Duration,
        /// Who was in the way.
        waiting: Waiting,
    },
    /// The session was lost.
    #[error("the session that waits for the lock was lost")]
    Lost(#[from] Error),
}

/// The run lock: as long as this lives, this run is the only one, and its
/// workers' fences stand. Dropping it closes the session, which releases it.
#[derive(Debug)]
pub struct RunLock {
    client: Client,
    keys: Keys,
    run_key: i64,
    /// True once the server did not answer, with its session still open.
    silent: watch::Sender<bool>,
}

impl RunLock {
    /// Takes the lock of the ledger in `schema` with `client`'s session, waiting
    /// at most `patience`.
    pub async fn acquire(
        client: Client,
        schema: &str,
        patience: Duration,
        on_wait: &mut dyn FnMut(&Waiting),
    ) -> Result<Self, LockError> {
        let keys = Keys::of(schema);
        let run_key = random_key();
        let began = Instant::now();
        let mut wait = Wait { client: &client, keys, began, patience, said: None, tell: on_wait };
        wait.until_granted(WaitingFor::Run).await?;
        wait.until_granted(WaitingFor::Orphan).await?;
        client.query_one("SELECT pg_catalog.pg_advisory_unlock($1)", &[&keys.work]).await?;
        client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&run_key]).await?;
        Ok(Self { client, keys, run_key, silent: watch::Sender::new(false) })
    }

    /// The coordinator's session. It must never be in a transaction for long.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Ends when the session is gone, and with it the lock. Asks the server every
    /// few seconds, because a network that swallows packets says nothing.
    pub async fn lost(&self) {
        loop {
            for _ in 0..PINGS_PER_CHECK {
                if self.client.is_closed() {
                    return;
                }
                tokio::time::sleep(PING).await;
            }
            let answer = tokio::time::timeout(PING_TIMEOUT, self.client.batch_execute(""));
            match answer.await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    self.silent.send_replace(true);
                    return;
                }
            }
        }
    }

    /// Ends when the server has been silent for so long that nothing asked of it will
    /// be answered any more. Its sessions stay open: nobody has closed them.
    pub(super) async fn silenced(&self) {
        // The other end lives as long as we do.
        let _ = self.silent.subscribe().wait_for(|silent| *silent).await;
        tokio::time::sleep(LAST_WORD).await;
    }

    /// The key that workers hold, shared.
    pub(super) fn work_key(&self) -> i64 {
        self.keys.work
    }

    /// The key whose holder is this run's coordinator.
    pub(super) fn run_key(&self) -> i64 {
        self.run_key
    }
}

struct Wait<'a> {
    client: &'a Client,
    keys: Keys,
    began: Instant,
    patience: Duration,
    said: Option<Instant>,
    tell: &'a mut dyn FnMut(&Waiting),
}

impl Wait<'_> {
    async fn until_granted(&mut self, reason: WaitingFor) -> Result<(), LockError> {
        let key = match reason {
            WaitingFor::Run => self.keys.run,
            WaitingFor::Orphan => self.keys.work,
        };
        loop {
            let taken = "SELECT pg_catalog.pg_try_advisory_lock($1)";
            if self.client.query_one(taken, &[&key]).await?.get(0) {
                return Ok(());
            }
            let waited = self.began.elapsed();
            let due = self.said.map_or(waited >= QUIET, |said| said.elapsed() >= REPEAT);
            if due || waited >= self.patience {
                let waiting = self.look(reason).await?;
                if waited >= self.patience {
                    return Err(LockError::TimedOut { waited, waiting });
                }
                (self.tell)(&waiting);
                self.said = Some(Instant::now());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn look(&self, reason: WaitingFor) -> Result<Waiting, Error> {
        let working = holders(self.client, self.keys.work).await?;
        let (holders, workers) = match reason {
            WaitingFor::Run => (holders(self.client, self.keys.run).await?, working),
            WaitingFor::Orphan => (working, Vec::new()),
        };
        Ok(Waiting { reason, holders, workers })
    }
}

fn random_key() -> i64 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes.iter().skip(8).fold(0_i64, |key, byte| (key << 8) | i64::from(*byte))
}
