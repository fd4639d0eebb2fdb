//! A daemon on tonic.

use std::error::Error;
use std::future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use brokered_runtime::{Bound, TokioListener, TokioStream, brokered_daemon};
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::Server;
use tonic::transport::server::Connected;

/// A client of the daemon, for tonic.
struct Client(TokioStream);

impl Connected for Client {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Client {
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
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

async fn accept(listener: &mut TokioListener) -> io::Result<Client> {
    loop {
        match listener.accept().await {
            Ok(Some(client)) => return Ok(Client(client)),
            // The daemon shuts down. `drained` ends the server.
            Ok(None) => future::pending().await,
            // Descriptors have run out. A connection that ends frees some.
            Err(error) => {
                eprintln!("cannot accept clients: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[brokered_daemon("tonic-daemon")]
#[tokio::main]
async fn main(bound: Bound) -> Result<(), Box<dyn Error>> {
    let drained = bound.handle().drained();
    let clients = stream::unfold(bound.into_tokio()?, async |mut listener| {
        let client = accept(&mut listener).await;
        Some((client, listener))
    });
    let (_, health) = tonic_health::server::health_reporter();
    Server::builder()
        .add_service(health)
        .serve_with_incoming_shutdown(clients, drained)
        .await?;
    Ok(())
}
