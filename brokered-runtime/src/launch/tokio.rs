//! The same client on tokio.

use std::io;
use std::panic;

use interprocess::local_socket::tokio::Stream;
use tokio::task::{JoinError, spawn_blocking};

use super::error::LaunchError;
use crate::{Daemon, Instance, IpcStream, platform};

impl Instance {
    /// Connects to the daemon, and starts nothing. [`connect`](Instance::connect) for tokio.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Instance::connect).
    ///
    /// # Panics
    ///
    /// If it is not polled in a tokio runtime whose I/O is enabled.
    pub async fn connect_tokio(&self) -> Result<Stream, LaunchError> {
        self.on_tokio(Self::connect_at_once, Self::connect).await
    }

    /// Connects to the daemon, and starts it if it is not there.
    /// [`connect_or_spawn`](Instance::connect_or_spawn) for tokio.
    ///
    /// A daemon that listens is connected to at once, unless it has to be [ready](crate::Wait::Ready), too. All
    /// else may take its time, and is done on one of the runtime's threads for blocking work; to drop the future
    /// ends the waiting, not the start of a daemon that has begun.
    ///
    /// The stream's [`shutdown`](https://docs.rs/tokio/1/tokio/io/trait.AsyncWriteExt.html#method.shutdown)
    /// does nothing; on Unix, its `inner()` is a tokio `UnixStream`, and has the file descriptor.
    ///
    /// ```no_run
    /// use brokered_runtime::Daemon;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut stream = INDEXD.instance().connect_or_spawn_tokio().await?;
    /// stream.write_all(b"how many files?\n").await?;
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`connect_or_spawn`](Instance::connect_or_spawn).
    ///
    /// # Panics
    ///
    /// If it is not polled in a tokio runtime whose I/O is enabled.
    pub async fn connect_or_spawn_tokio(&self) -> Result<Stream, LaunchError> {
        self.on_tokio(Self::find_at_once, Self::connect_or_spawn)
            .await
    }

    async fn on_tokio(
        &self,
        at_once: fn(&Self) -> Result<Option<IpcStream>, LaunchError>,
        connect: fn(&Self) -> Result<IpcStream, LaunchError>,
    ) -> Result<Stream, LaunchError> {
        let stream = if let Some(stream) = at_once(self)? {
            stream
        } else {
            let instance = self.clone();
            let connected = spawn_blocking(move || connect(&instance)).await;
            connected.unwrap_or_else(|error| Err(self.not_run(error)))?
        };
        let endpoint = &self.paths()?.socket;
        platform::into_tokio(stream).map_err(LaunchError::io("wait without blocking for", endpoint))
    }

    /// A panic goes on. What remains is that the runtime is shutting down.
    fn not_run(&self, error: JoinError) -> LaunchError {
        match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(error) => LaunchError::Io {
                doing: "start the daemon of",
                path: self.paths().map_or_else(
                    |_| self.directory().to_owned(),
                    |paths| paths.directory().to_owned(),
                ),
                source: io::Error::other(error),
            },
        }
    }
}

impl Daemon {
    /// Connects to the default instance. See [`Instance::connect_tokio`].
    ///
    /// # Errors
    ///
    /// As for [`Instance::connect`].
    ///
    /// # Panics
    ///
    /// See [`Instance::connect_tokio`].
    pub async fn connect_tokio(self) -> Result<Stream, LaunchError> {
        self.instance().connect_tokio().await
    }

    /// Connects to the default instance, and starts it if it is not there. See
    /// [`Instance::connect_or_spawn_tokio`].
    ///
    /// # Errors
    ///
    /// As for [`Instance::connect_or_spawn`].
    ///
    /// # Panics
    ///
    /// See [`Instance::connect_or_spawn_tokio`].
    pub async fn connect_or_spawn_tokio(self) -> Result<Stream, LaunchError> {
        self.instance().connect_or_spawn_tokio().await
    }
}
