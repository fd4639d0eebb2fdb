//! The client's calls for tokio.

use std::io;
use std::panic;

use interprocess::local_socket::tokio::Stream;
use tokio::task::{JoinError, spawn_blocking};

use super::error::LaunchError;
use crate::{Daemon, Instance, IpcStream, own_daemon, platform};

impl Instance {
    /// Connects to the daemon. Never starts it. [`connect`](Instance::connect) for tokio.
    ///
    /// ```
    /// use brokered_runtime::{Daemon, LaunchError};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), LaunchError> {
    /// match INDEXD.instance().connect_tokio().await {
    ///     Ok(_stream) => println!("indexd is running"),
    ///     Err(LaunchError::NotRunning { .. }) => println!("indexd is not running"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`connect`](Instance::connect).
    ///
    /// # Panics
    ///
    /// Panics if it is not polled in a tokio runtime whose I/O is enabled.
    pub async fn connect_tokio(&self) -> Result<Stream, LaunchError> {
        self.run_on_tokio(Self::try_connect_now, Self::connect)
            .await
    }

    /// Connects to the daemon, and starts it first if it is not running.
    /// [`connect_or_spawn`](Instance::connect_or_spawn) for tokio.
    ///
    /// A daemon that is listening is connected to without blocking, unless the client waits until it is
    /// [ready](crate::WaitFor::Ready). Everything else runs on one of the runtime's blocking threads. Dropping the
    /// future ends the waiting, but not a start that has begun.
    ///
    /// The stream's [`shutdown`](https://docs.rs/tokio/1/tokio/io/trait.AsyncWriteExt.html#method.shutdown)
    /// does nothing. On Unix, its `inner()` is a tokio `UnixStream`, which has the file descriptor.
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
    /// let mut reply = String::new();
    /// stream.read_to_string(&mut reply).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`connect_or_spawn`](Instance::connect_or_spawn).
    ///
    /// # Panics
    ///
    /// Panics if it is not polled in a tokio runtime whose I/O is enabled.
    pub async fn connect_or_spawn_tokio(&self) -> Result<Stream, LaunchError> {
        self.run_on_tokio(Self::try_connect_as_wanted_now, Self::connect_or_spawn)
            .await
    }

    /// Tries the call that does not block, then makes the blocking call on a thread of the runtime.
    async fn run_on_tokio(
        &self,
        try_now: fn(&Self) -> Result<Option<IpcStream>, LaunchError>,
        connect: fn(&Self) -> Result<IpcStream, LaunchError>,
    ) -> Result<Stream, LaunchError> {
        let stream = if let Some(stream) = try_now(self)? {
            stream
        } else {
            let instance = self.clone();
            let task = own_daemon::task();
            let connected = spawn_blocking(move || {
                let _task = own_daemon::begin(task);
                connect(&instance)
            })
            .await;
            connected.unwrap_or_else(|error| Err(self.join_error(error)))?
        };
        let endpoint = &self.paths()?.socket;
        platform::into_tokio(stream).map_err(LaunchError::io(
            "register with tokio the connection to",
            endpoint,
        ))
    }

    /// Resumes a panic. Any other error means that the runtime is shutting down.
    fn join_error(&self, error: JoinError) -> LaunchError {
        match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(error) => LaunchError::Io {
                operation: "start the daemon of",
                path: self.paths().map_or_else(
                    |_| self.directory().to_owned(),
                    |paths| paths.directory().to_owned(),
                ),
                source: io::Error::other(error),
                refusal: None,
            },
        }
    }
}

impl Daemon {
    /// Connects to the default instance. See [`Instance::connect_tokio`].
    ///
    /// # Errors
    ///
    /// See [`Instance::connect_tokio`].
    ///
    /// # Panics
    ///
    /// See [`Instance::connect_tokio`].
    pub async fn connect_tokio(self) -> Result<Stream, LaunchError> {
        self.instance().connect_tokio().await
    }

    /// Connects to the default instance, and starts it first if it is not running. See
    /// [`Instance::connect_or_spawn_tokio`].
    ///
    /// # Errors
    ///
    /// See [`Instance::connect_or_spawn_tokio`].
    ///
    /// # Panics
    ///
    /// See [`Instance::connect_or_spawn_tokio`].
    pub async fn connect_or_spawn_tokio(self) -> Result<Stream, LaunchError> {
        self.instance().connect_or_spawn_tokio().await
    }
}
