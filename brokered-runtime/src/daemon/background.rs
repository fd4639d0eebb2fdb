//! [`Background`]: a state that loads while clients are served.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread;

use super::bound::{Bound, ReadinessGuard, prove_in_background};
use super::lifecycle::Lifecycle;
use super::report::LoadNumber;
use super::run::message_of;
use super::state::{LoadFailed, State, name_of};
use super::stopping::{StopState, Stopping};
use super::trace;

/// A state that loads on a thread of its own, while clients are served.
///
/// As a parameter of `main`, it is there at once; what is in it comes later. The daemon is ready when it has
/// loaded. Clones are of the same state.
///
/// ```no_run
/// use std::io::{self, Write};
/// use brokered_runtime::{Background, Bound, State, brokered_daemon};
///
/// struct Index(Vec<String>);
///
/// impl State for Index {
///     type Error = io::Error;
///
///     fn load(bound: &Bound) -> Result<Self, io::Error> {
///         let mut words = Vec::new();
///         for (number, shard) in ["a", "b", "c"].iter().enumerate() {
///             bound.set_status(&format!("loading {} of 3 shards", number + 1));
///             words.extend(std::fs::read_to_string(shard)?.lines().map(str::to_owned));
///         }
///         Ok(Index(words))
///     }
/// }
///
/// #[brokered_daemon("indexd")]
/// fn main(bound: Bound, index: Background<Index>) -> io::Result<()> {
///     bound.serve(|mut client| match index.try_get() {
///         Some(index) => writeln!(client, "{} words", index.0.len()),
///         None => writeln!(client, "still loading"),
///     })
/// }
/// ```
///
/// # A load that fails
///
/// ends the daemon, as one in the foreground does: with exit code 70, and with the reason in the record, for the
/// client that started the daemon and for whoever waits for it. Clients that are being served have one second.
/// So nobody ever gets an error from here: whoever waits for the state waits until the process is gone.
pub struct Background<T> {
    cell: Arc<Cell<T>>,
}

struct Cell<T> {
    value: OnceLock<T>,
    /// Set when there is a value.
    loaded: Arc<StopState>,
}

impl<T> Background<T> {
    /// The state, once it has loaded. Blocks until then.
    #[must_use]
    pub fn get(&self) -> &T {
        loop {
            if let Some(value) = self.try_get() {
                return value;
            }
            Stopping::of(&self.cell.loaded).wait();
        }
    }

    /// The state, if it has loaded.
    #[must_use]
    pub fn try_get(&self) -> Option<&T> {
        self.cell.value.get()
    }

    /// The state, once it has loaded, to be awaited in any executor.
    pub fn wait(&self) -> impl Future<Output = &T> + Send
    where
        T: Send + Sync,
    {
        Loading {
            state: self,
            loaded: Stopping::of(&self.cell.loaded),
        }
    }
}

/// The wait for a state.
struct Loading<'a, T> {
    state: &'a Background<T>,
    loaded: Stopping,
}

impl<'a, T> Future for Loading<'a, T> {
    type Output = &'a T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<&'a T> {
        match self.state.try_get() {
            Some(value) => Poll::Ready(value),
            None => Pin::new(&mut self.loaded)
                .poll(context)
                .map(|()| self.state.get()),
        }
    }
}

impl<T> Clone for Background<T> {
    fn clone(&self) -> Self {
        Self {
            cell: Arc::clone(&self.cell),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Background<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_get() {
            Some(value) => f.debug_tuple("Background").field(value).finish(),
            None => f.write_str("Background(loading)"),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T> State for Background<T>
where
    T: State + Send + Sync + 'static,
{
    type Error = io::Error;

    /// Starts to load it.
    fn load(bound: &Bound) -> io::Result<Self> {
        let cell = Arc::new(Cell {
            value: OnceLock::new(),
            loaded: Arc::default(),
        });
        let lifecycle = Arc::clone(bound.lifecycle());
        let not_ready = bound.defer_ready();
        let name = name_of::<T>();
        let report = lifecycle.report();
        let number = report
            .is_in_background(&name_of::<Self>(), &name)
            .unwrap_or_else(|| report.begin_load(&name, true));
        let background = Self {
            cell: Arc::clone(&cell),
        };
        thread::Builder::new()
            .name(format!("load {name}"))
            .spawn(move || load(&cell, &name, number, &lifecycle, not_ready))?;
        Ok(background)
    }
}

/// What the thread does.
fn load<T: State>(
    cell: &Cell<T>,
    name: &str,
    number: LoadNumber,
    lifecycle: &Arc<Lifecycle>,
    not_ready: ReadinessGuard,
) {
    let _span = trace::load(name);
    let bound = prove_in_background(Arc::clone(lifecycle));
    let loaded = panic::catch_unwind(AssertUnwindSafe(|| {
        T::load(&bound).map_err(|error| LoadFailed::of(name, error.into().as_ref()))
    }));
    let why = match loaded {
        Ok(Ok(value)) => {
            lifecycle.report().end_load(number, None);
            let _ = cell.value.set(value);
            cell.loaded.set();
            cell.loaded.wake();
            drop(not_ready);
            return;
        }
        Ok(Err(failed)) => {
            lifecycle.set_errno(failed.errno);
            failed.why
        }
        Err(panic) => {
            let why = panicked(name, panic.as_ref());
            // Dropping it could panic once more.
            std::mem::forget(panic);
            why
        }
    };
    lifecycle.report().end_load(number, Some(&why));
    lifecycle.fail(&why);
    // Nobody is ever told that this daemon is ready.
    std::mem::forget(not_ready);
}

fn panicked(name: &str, panic: &(dyn Any + Send)) -> String {
    format!("loading {name} panicked: {}", message_of(panic))
}
