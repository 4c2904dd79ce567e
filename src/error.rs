//! Why a remap did not happen. Values until `api` raises them.

use std::borrow::Cow;

use pyo3_ffi::PyObject;

use crate::slot::Slot;

/// One reason not to start. All of a call are collected and reported together.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The old of the pair.
    pub(crate) old: usize,
    /// The holder and slot that cannot take the new; `None` when the old itself
    /// is what is refused.
    pub(crate) place: Option<Place>,
    pub(crate) reason: Cow<'static, str>,
}

/// Where a refused slot is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Null for a slot of the interpreter or of a running frame.
    pub(crate) holder: *mut PyObject,
    /// `None` when the slot could not be located.
    pub(crate) slot: Option<Slot>,
}

/// Why a remap cannot be prepared when an allocation fails.
pub(crate) const NO_MEMORY: &str = "there is no memory to prepare it";
