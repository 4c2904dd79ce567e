//! Contexts that have a value for a replaced variable.

use std::ffi::{c_int, c_void};
use std::ptr;

use pyo3_ffi::PyObject;

use crate::edit::ContextChange;
use crate::ffi::bindings as c;

/// The mappings to come, ready to be swapped in.
#[derive(Debug)]
pub(crate) struct ContextRepair(*mut c::gcr_contexts);

impl ContextRepair {
    /// `None` without memory.
    ///
    /// # Safety
    /// I1 and I2. Allocates, so the collector must be off.
    pub(crate) unsafe fn prepare(change: Option<&ContextChange>) -> Option<Self> {
        let Some(change) = change else { return Some(ContextRepair(ptr::null_mut())) };
        let arg = (&raw const *change).cast_mut().cast();
        // SAFETY: the caller's promise; the change outlives the call.
        let prepared = unsafe { c::gcr_contexts_prepare(Some(forward), Some(follows), arg) };
        (!prepared.is_null()).then_some(ContextRepair(prepared))
    }

    /// # Safety
    /// I1, I2 and I5.
    pub(crate) unsafe fn commit(&self) {
        if !self.0.is_null() {
            // SAFETY: the caller's promise; prepared, and not released.
            unsafe { c::gcr_contexts_commit(self.0) };
        }
    }

    /// How many entries get another variable.
    pub(crate) fn replaced(&self) -> usize {
        if self.0.is_null() {
            return 0;
        }
        // SAFETY: prepared, and not released.
        unsafe { c::gcr_contexts_replaced(self.0) }
    }

    /// Context, variable and lost value where two variables become one; borrowed.
    pub(crate) fn collisions(&self) -> Vec<[*mut PyObject; 3]> {
        if self.0.is_null() {
            return Vec::new();
        }
        // SAFETY: prepared, and not released; a list of tuples of three.
        unsafe {
            let list = c::gcr_contexts_collisions(self.0);
            (0..pyo3_ffi::PyList_GET_SIZE(list))
                .map(|index| pyo3_ffi::PyList_GET_ITEM(list, index))
                .map(|entry| [0, 1, 2].map(|part| pyo3_ffi::PyTuple_GET_ITEM(entry, part)))
                .collect()
        }
    }

    /// The contexts that change, borrowed.
    pub(crate) fn changed(&self) -> Vec<*mut PyObject> {
        if self.0.is_null() {
            return Vec::new();
        }
        // SAFETY: prepared, and not released.
        let at = |index| unsafe { c::gcr_contexts_changed(self.0, index) };
        (0..).map(at).take_while(|context| !context.is_null()).collect()
    }
}

impl Drop for ContextRepair {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: prepared, and released once; the GIL is held. Done last,
            // since the former mappings' objects may go with them.
            unsafe { c::gcr_contexts_release(self.0) };
        }
    }
}

unsafe extern "C" fn forward(object: *mut PyObject, change: *mut c_void) -> *mut PyObject {
    // SAFETY: `prepare` passes its change, which outlives the call.
    let change = unsafe { &*change.cast::<ContextChange>() };
    change.forward.get(&(object as usize)).map_or(object, |&new| new as *mut PyObject)
}

unsafe extern "C" fn follows(context: *mut PyObject, change: *mut c_void) -> c_int {
    // SAFETY: as in `forward`.
    let change = unsafe { &*change.cast::<ContextChange>() };
    c_int::from(change.contexts.follow(context as usize))
}
