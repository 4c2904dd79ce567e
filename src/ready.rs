//! What the engine learns and imports when it is first used: too much for every
//! program that imports gcremap, and too late once a heap has been looked at.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi::bindings as c;
use crate::object::{module, Raised};
use crate::turn::Turn;

static READY: AtomicBool = AtomicBool::new(false);

/// Makes the engine ready. In a signal handler or a finalizer that runs while it is
/// being made ready it works with what there is: the probe stands in for walkers.
///
/// # Safety
/// The GIL is held. The first time, runs Python.
pub(crate) unsafe fn ready() -> Result<(), Raised> {
    if READY.load(Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: the caller's promise, for every call in this block.
    unsafe {
        let turn = Turn::take();
        if READY.load(Ordering::Relaxed) || !turn.is_own() {
            return Ok(());
        }
        if c::gcr_learn() < 0 {
            return Err(Raised);
        }
        // Not what only refusals need: it imports dataclasses, and much with that.
        for name in [c"gcremap._report", c"gcremap._future", c"gcremap._dispatch"] {
            module(name)?;
        }
    }
    READY.store(true, Ordering::Relaxed);
    Ok(())
}
