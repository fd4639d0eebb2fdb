//! What another crate can bring along that runs before a daemon is bound, and how to see it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says on standard error whether the daemon's endpoint is there by now.
pub fn look() {
    let directory = env::var_os("BROKERED_RUNTIME_DIR");
    let is_there = directory.is_some_and(|directory| has_socket(Path::new(&directory)));
    let text: &[u8] = if is_there {
        b"after bind\n"
    } else {
        b"before bind\n"
    };
    let _ = io::stderr().write_all(text);
}

fn has_socket(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            entry
                .file_type()
                .is_ok_and(|it| it.is_socket() || it.is_dir() && has_socket(&entry.path()))
        })
    })
}

/// Calls a function before `main`.
#[macro_export]
macro_rules! at_start {
    ($function:path) => {
        const _: () = {
            extern "C" fn start() {
                $function();
            }
            #[used]
            #[link_section = ".init_array"]
            static START: extern "C" fn() = start;
        };
    };
}

/// The system's allocator, which calls a function at its first allocation.
pub struct Hooked {
    function: fn(),
    is_called: AtomicBool,
}

impl Hooked {
    /// One that calls `function`.
    pub const fn new(function: fn()) -> Self {
        Self {
            function,
            is_called: AtomicBool::new(false),
        }
    }
}

// SAFETY: what is given out is the system allocator's.
unsafe impl GlobalAlloc for Hooked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.is_called.swap(true, Ordering::Relaxed) {
            (self.function)();
        }
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(memory, layout) }
    }
}
