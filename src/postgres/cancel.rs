//! A cancel request that goes through a connection pooler.
//!
//! It travels on a connection of its own. tokio-postgres closes that as soon as
//! the request is sent; a server has read it by then, but a pooler must first open
//! a connection to the server. PgBouncer drops a request whose client has gone,
//! and version 1.18 crashes on it (pgbouncer/pgbouncer#801). So, as libpq does, we
//! wait until the other end has closed the connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Config};

use super::tls::Tls;

/// Asks the pooler at `config` to cancel what `token`'s session is doing. Whether
/// it was heard shows elsewhere, so that no error is worth a word here.
pub(super) async fn through_pooler(token: &CancelToken, config: &Config, tls: &Tls) {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts() {
        [Host::Tcp(name)] => {
            if let Ok(stream) = TcpStream::connect((name.as_str(), port)).await {
                send(token, stream, name, tls.clone()).await;
            }
        }
        [Host::Unix(dir)] => {
            let path = dir.join(format!(".s.PGSQL.{port}"));
            if let Ok(stream) = UnixStream::connect(path).await {
                send(token, stream, "", tls.clone()).await;
            }
        }
        // Only tokio-postgres knows which of several the session went to.
        _ => drop(token.cancel_query(tls.clone()).await),
    }
}

async fn send<S>(token: &CancelToken, stream: S, host: &str, mut tls: Tls)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tls = MakeTlsConnect::<UntilClosed<S>>::make_tls_connect(&mut tls, host);
    if let Ok(tls) = tls {
        drop(token.cancel_query_raw(UntilClosed(stream), tls).await);
    }
}

/// A stream whose shutdown is to wait for the other end's.
struct UntilClosed<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for UntilClosed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for UntilClosed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
