//! One session of the pool, and leaving nothing behind in it.

use std::pin::Pin;

use deadpool_postgres::Object;
use futures_util::StreamExt;
use tokio_postgres::{CancelToken, Error, SimpleQueryStream};

/// A session with a backend of its own.
///
/// Between two migrations it is as new: `DISCARD ALL` is sent right behind each,
/// without waiting for its answer, which [`Session::cleaned`] reads later.
pub(super) struct Session {
    object: Object,
    pid: i32,
    cleaning: Option<Pin<Box<SimpleQueryStream>>>,
    /// False once something went wrong that leaves its state unknown.
    fit: bool,
}

impl Session {
    pub(super) async fn new(object: Object) -> Result<Self, Error> {
        let pid = object.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).await?.get(0);
        Ok(Self { object, pid, cleaning: None, fit: true })
    }

    /// The backend's process id.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn client(&self) -> &tokio_postgres::Client {
        &self.object
    }

    pub(super) fn cancel_token(&self) -> CancelToken {
        self.object.cancel_token()
    }

    /// True while another migration may run in it.
    pub(super) fn is_fit(&self) -> bool {
        self.fit && !self.object.is_closed()
    }

    /// Sends `DISCARD ALL` behind whatever has been sent.
    pub(super) async fn clean(&mut self) -> Result<(), Error> {
        let answer = self.object.simple_query_raw("DISCARD ALL").await?;
        self.cleaning = Some(Box::pin(answer));
        Ok(())
    }

    /// Reads the answer to the last [`Session::clean`].
    pub(super) async fn cleaned(&mut self) -> Result<(), Error> {
        if let Some(mut answer) = self.cleaning.take() {
            while let Some(message) = answer.next().await {
                message?;
            }
        }
        Ok(())
    }

    /// Says that it must not be used again.
    pub(super) fn spoil(&mut self) {
        self.fit = false;
    }

    /// Closes the session instead of handing it back to the pool.
    pub(super) fn discard(self) {
        drop(Object::take(self.object));
    }
}
