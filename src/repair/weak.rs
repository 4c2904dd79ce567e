//! Weak references that move from an old to its new.

use std::ptr;

use pyo3_ffi::PyObject;

use crate::ffi::bindings as c;

/// The weak references of one object that are to refer to another.
#[derive(Debug)]
pub(crate) struct WeakMove {
    pub(crate) from: *mut PyObject,
    pub(crate) to: *mut PyObject,
    prepared: *mut c::gcr_weakrefs,
}

/// Why weak references cannot move.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// They stay with the old one.
    NotReferable,
    OutOfMemory,
}

impl WeakMove {
    /// `only`, ascending, names those that move; `None` means all.
    ///
    /// # Safety
    /// I1; `from` and `to` stay alive as long as this does.
    pub(crate) unsafe fn prepare(
        from: *mut PyObject,
        to: *mut PyObject,
        only: Option<&[*mut PyObject]>,
    ) -> Result<Self, Stuck> {
        let (list, length) = only.map_or((ptr::null(), 0), |only| (only.as_ptr(), only.len()));
        let mut why = ptr::null();
        // SAFETY: the caller's promise.
        let prepared = unsafe { c::gcr_weakrefs_prepare(from, to, list, length, &raw mut why) };
        match (prepared.is_null(), why.is_null()) {
            (false, _) => Ok(WeakMove { from, to, prepared }),
            (true, true) => Err(Stuck::OutOfMemory),
            (true, false) => Err(Stuck::NotReferable),
        }
    }

    /// The weak references that move, borrowed.
    pub(crate) fn references(&self) -> Vec<*mut PyObject> {
        // SAFETY: `prepared` is from `gcr_weakrefs_prepare` and not freed.
        unsafe {
            let length = c::gcr_weakrefs_length(self.prepared);
            (0..length).map(|index| c::gcr_weakrefs_item(self.prepared, index)).collect()
        }
    }
}

/// Moves them all: first off every list, then onto every list, so that a swap
/// moves each once.
///
/// # Safety
/// I1, I2 and I5; nothing ran Python since they were prepared.
pub(crate) unsafe fn commit(moves: &[WeakMove]) {
    // SAFETY: the caller's promise.
    unsafe {
        for move_ in moves {
            c::gcr_weakrefs_detach(move_.prepared);
        }
        for move_ in moves {
            c::gcr_weakrefs_attach(move_.prepared);
        }
    }
}

impl Drop for WeakMove {
    fn drop(&mut self) {
        // SAFETY: `prepared` is from `gcr_weakrefs_prepare`, freed once.
        unsafe { c::gcr_weakrefs_free(self.prepared) };
    }
}
