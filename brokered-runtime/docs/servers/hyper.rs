//! A daemon on hyper.

use std::convert::Infallible;
use std::future;
use std::io;
use std::time::Duration;

use brokered_runtime::{Bound, Stopping, TokioListener, TokioStream, brokered_daemon};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;

/// Replies with the body of the request. Once the daemon shuts down, it asks the client to close its connection.
fn echo(request: Request<Incoming>, stopping: &Stopping) -> Response<Incoming> {
    let mut response = Response::new(request.into_body());
    if stopping.is_set() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// The next client. `None` once the daemon shuts down.
async fn accept(listener: &mut TokioListener) -> Option<TokioStream> {
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            // Descriptors have run out. A connection that ends frees some.
            Err(error) => {
                eprintln!("cannot accept clients: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[brokered_daemon("hyper-daemon")]
#[tokio::main]
async fn main(bound: Bound) -> io::Result<()> {
    let stopping = bound.handle().stopping();
    let drained = bound.handle().drained();
    let mut listener = bound.into_tokio()?;
    let connections = GracefulShutdown::new();
    while let Some(client) = accept(&mut listener).await {
        let stopping = stopping.clone();
        let service = service_fn(move |request| {
            let response = echo(request, &stopping);
            future::ready(Ok::<_, Infallible>(response))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(client), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
    drained.await;
    connections.shutdown().await;
    Ok(())
}
