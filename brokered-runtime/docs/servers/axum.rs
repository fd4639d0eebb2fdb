//! A daemon on axum.

use std::future;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use brokered_runtime::{Bound, Stopping, TokioListener, TokioStream, brokered_daemon};

/// The clients of the daemon, for axum.
struct Clients(TokioListener);

impl axum::serve::Listener for Clients {
    type Io = TokioStream;
    type Addr = ();

    async fn accept(&mut self) -> (TokioStream, ()) {
        loop {
            match self.0.accept().await {
                Ok(Some(client)) => return (client, ()),
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

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Asks the client to close its connection, once the daemon shuts down.
fn close_when_stopping(stopping: &Stopping, mut response: Response) -> Response {
    if stopping.is_set() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

#[brokered_daemon("axum-daemon")]
#[tokio::main]
async fn main(bound: Bound) -> io::Result<()> {
    let drained = bound.handle().drained();
    let stopping = bound.handle().stopping();
    let router = Router::new()
        .route("/", get(async || "hello\n").post(async |body: String| body))
        .layer(map_response(move |response| {
            future::ready(close_when_stopping(&stopping, response))
        }));
    axum::serve(Clients(bound.into_tokio()?), router)
        .with_graceful_shutdown(drained)
        .await
}
