//! PostgreSQL: sessions, the run lock, the ledger, and applying a migration.

mod by_step;
mod engine;
pub mod ephemeral;
mod error;
mod failure;
mod keys;
mod ledger;
mod lock;
mod message;
mod record;
mod resolve;
mod session;
mod target;
mod tls;
mod transactional;

pub use engine::{Postgres, PostgresCanceller, PostgresWorker};
pub use error::ConnectError;
pub use ledger::{Ledger, LedgerError, LedgerState};
pub use lock::{Holder, LockError, RunLock, Waiting, WaitingFor};
pub use target::{Target, server_version};
