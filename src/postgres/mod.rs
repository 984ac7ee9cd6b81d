//! PostgreSQL: sessions, the run lock, the ledger, and applying a migration.

mod bare;
mod baseline;
mod by_step;
mod cancel;
mod capacity;
mod engine;
pub mod ephemeral;
mod error;
mod failure;
mod heal;
mod holder;
mod keys;
mod ledger;
mod lock;
mod message;
mod notices;
mod reach;
mod record;
mod repair;
mod resolve;
mod session;
mod target;
mod tls;
mod transactional;
mod tuning;

pub use capacity::{Capacity, Limit, capacity};
pub use engine::{Postgres, PostgresCanceller, PostgresWorker};
pub use error::ConnectError;
pub use holder::{Doing, Holder};
pub use ledger::{Ledger, LedgerError, LedgerState};
pub use lock::{LockError, RunLock, Waiting, WaitingFor};
pub use message::Timeouts;
pub use reach::{ReachError, Reached};
pub use repair::Repair;
pub use target::Target;
pub use tuning::{RefusedSetting, Tuning, flush};
