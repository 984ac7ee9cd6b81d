//! One session of the pool, and leaving nothing behind in it.

use std::pin::Pin;
use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::StreamExt;
use tokio_postgres::{CancelToken, Error, SimpleQueryStream};

use super::error::ConnectError;
use super::notices::Ear;
use super::reach::first_row;
use super::target::{TOKEN_SETTING, Target};

/// A session with a backend of its own.
///
/// Between two migrations it is as new: `DISCARD ALL` is sent right behind each,
/// without waiting for its answer, which [`Session::cleaned`] reads later.
pub(super) struct Session {
    object: Object,
    pid: i32,
    ear: Arc<Ear>,
    /// Sent behind each `DISCARD ALL` where startup options cannot be.
    settings: Option<Arc<str>>,
    cleaning: Vec<Pin<Box<SimpleQueryStream>>>,
    /// False once something went wrong that leaves its state unknown.
    fit: bool,
}

impl Session {
    /// Refuses a session that has not got our startup options: what answered the
    /// run's first session is not what answers now.
    pub(super) async fn new(object: Object, target: &Target) -> Result<Self, ConnectError> {
        let sql = format!(
            "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('{TOKEN_SETTING}',true)"
        );
        let asked = first_row(&object, &sql).await;
        let mut row = asked.map_err(|error| ConnectError::new(target, &error))?.into_iter();
        let pid = row.next().flatten().and_then(|pid| pid.parse().ok()).unwrap_or(0);
        let token = row.next().flatten().unwrap_or_default();
        let ear = target.ear(&token).ok_or_else(|| ConnectError::options_lost(target))?;
        let settings = target.settings(&token).map(Arc::from);
        Ok(Self { object, pid, ear, settings, cleaning: Vec::new(), fit: true })
    }

    /// The backend's process id.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Where its notices go.
    pub(super) fn ear(&self) -> Arc<Ear> {
        Arc::clone(&self.ear)
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

    /// Sends `DISCARD ALL` behind whatever has been sent, and our settings where
    /// it does not bring them back.
    pub(super) async fn clean(&mut self) -> Result<(), Error> {
        self.send_behind("DISCARD ALL").await?;
        match self.settings.clone() {
            Some(settings) => self.send_behind(&settings).await,
            None => Ok(()),
        }
    }

    async fn send_behind(&mut self, sql: &str) -> Result<(), Error> {
        let answer = self.object.simple_query_raw(sql).await?;
        self.cleaning.push(Box::pin(answer));
        Ok(())
    }

    /// Reads the answers to the last [`Session::clean`].
    pub(super) async fn cleaned(&mut self) -> Result<(), Error> {
        for mut answer in self.cleaning.drain(..) {
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
