//! Who may change the heap: one at a time.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pyo3_ffi as py;

/// The thread whose transaction runs; 0 for none.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// How many milliseconds a transaction waits for that of another thread before it
/// begins all the same: user code of that one may be waiting for this thread.
const PATIENCE: usize = 2000;

/// One transaction at a time. While one asks user code for hashes other threads run,
/// and what two ask about would keep changing the plan of the other.
pub(crate) struct Turn(bool);

impl Turn {
    /// # Safety
    /// The GIL is held; it is given up while another thread has its turn.
    pub(crate) unsafe fn take() -> Self {
        thread_local! { static ME: u8 = const { 0 } }
        let me = ME.with(|me| ptr::from_ref(me) as usize);
        for _ in 0..PATIENCE {
            match OWNER.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Turn(true),
                // A finalizer or a callback in a transaction of this thread.
                Err(owner) if owner == me => return Turn(false),
                Err(_) => {}
            }
            // SAFETY: the caller's promise.
            unsafe {
                let state = py::PyEval_SaveThread();
                std::thread::sleep(Duration::from_millis(1));
                py::PyEval_RestoreThread(state);
            }
        }
        Turn(false)
    }

    /// Whether it is this one's turn, and nobody else's.
    pub(crate) fn is_own(&self) -> bool {
        self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0 {
            OWNER.store(0, Ordering::Relaxed);
        }
    }
}
