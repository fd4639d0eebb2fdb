//! [`Background`]: a state that loads while clients are served (step 6).

use std::any::Any;
use std::env;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread;

use super::bound::{Bound, new_bound_without_listener};
use super::guards::ReadinessGuard;
use super::latch::{Latch, LatchWaiter};
use super::lifecycle::Lifecycle;
use super::report::LoadIndex;
use super::state::{LoadFailed, State, load_boxed, name_of};
use super::thread_role::ThreadRole;
use super::trace;
use crate::diagnostics::panic_message;
use crate::{own_daemon, platform};

/// A state that loads on its own thread, while clients are served.
///
/// As a parameter of `main`, it is available at once, and its value later. The daemon is ready when the value has
/// loaded. A clone refers to the same value.
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
/// # Failed loads
///
/// A load that fails ends the daemon with exit code 70, like one in the foreground. The reason is in the record, and is
/// reported to the client that started the daemon and to clients that wait for readiness. Open connections have one
/// second to finish. So the methods here return no errors: a thread that waits for the value waits until the process
/// ends.
pub struct Background<T> {
    cell: Arc<Cell<T>>,
}

struct Cell<T> {
    value: OnceLock<Box<T>>,
    /// Set after the value.
    loaded: Arc<Latch>,
}

impl<T> Background<T> {
    /// The value. Blocks until it has loaded.
    #[must_use]
    pub fn get(&self) -> &T {
        loop {
            if let Some(value) = self.try_get() {
                return value;
            }
            LatchWaiter::new(&self.cell.loaded).wait();
        }
    }

    /// The value, if it has loaded.
    #[must_use]
    pub fn try_get(&self) -> Option<&T> {
        self.cell.value.get().map(Box::as_ref)
    }

    /// A future that returns the value once it has loaded. It works in any executor.
    pub fn wait(&self) -> impl Future<Output = &T> + Send
    where
        T: Send + Sync,
    {
        Loading {
            state: self,
            loaded: LatchWaiter::new(&self.cell.loaded),
        }
    }
}

/// The future of [`Background::wait`].
struct Loading<'a, T> {
    state: &'a Background<T>,
    loaded: LatchWaiter,
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

    /// Starts the thread that loads the value.
    fn load(bound: &Bound) -> io::Result<Self> {
        let cell = Arc::new(Cell {
            value: OnceLock::new(),
            loaded: Arc::default(),
        });
        let lifecycle = Arc::clone(bound.lifecycle());
        let not_ready = bound.defer_ready();
        let name = name_of::<T>();
        let report = lifecycle.report();
        let index = report
            .move_to_background(&name_of::<Self>(), &name)
            .unwrap_or_else(|| report.begin_load(&name, true));
        let background = Self {
            cell: Arc::clone(&cell),
        };
        thread::Builder::new()
            .name(format!("load {name}"))
            .stack_size(stack_size())
            .spawn(move || load(&cell, &name, index, &lifecycle, not_ready))?;
        Ok(background)
    }
}

/// The size of the thread's stack: that of the main thread, where the same state would otherwise load, or what the user
/// has set for all threads, if that is more.
fn stack_size() -> usize {
    let set_by_user = env::var("RUST_MIN_STACK").ok();
    let set_by_user = set_by_user.and_then(|size| size.parse().ok());
    platform::main_stack_size().max(set_by_user.unwrap_or(0))
}

/// Loads the value, on the thread.
fn load<T: State>(
    cell: &Cell<T>,
    name: &str,
    index: LoadIndex,
    lifecycle: &Arc<Lifecycle>,
    not_ready: ReadinessGuard,
) {
    let _span = trace::load(name);
    let _role = ThreadRole::Load(name_of::<T>).enter();
    let bound = new_bound_without_listener(Arc::clone(lifecycle));
    let _task = own_daemon::begin(Some(own_daemon::Task::BackgroundLoad));
    let loaded = panic::catch_unwind(AssertUnwindSafe(|| {
        load_boxed(T::load, &bound).map_err(|error| LoadFailed::of(name, error.into().as_ref()))
    }));
    let reason = match loaded {
        Ok(Ok(value)) => {
            lifecycle.report().end_load(index, None);
            let _ = cell.value.set(value);
            cell.loaded.set();
            cell.loaded.wake();
            drop(not_ready);
            return;
        }
        Ok(Err(failed)) => {
            lifecycle.set_errno(failed.errno);
            failed.reason
        }
        Err(payload) => {
            let reason = panicked(name, payload.as_ref());
            // Dropping the payload could panic again.
            mem::forget(payload);
            reason
        }
    };
    lifecycle.report().end_load(index, Some(&reason));
    lifecycle.fail(&reason);
    // The daemon must never become ready.
    mem::forget(not_ready);
}

fn panicked(name: &str, payload: &(dyn Any + Send)) -> String {
    format!("loading {name} panicked: {}", panic_message(payload))
}
