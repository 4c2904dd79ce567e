//! Why a remap did not happen. Values until `api` raises them, but for those that
//! concern no pair.

use std::borrow::Cow;
use std::ffi::CStr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;

use crate::object::{module, Owned, Raised};
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

impl Place {
    /// What it is made of.
    pub(crate) fn objects(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        let holder = Some(self.holder).filter(|holder| !holder.is_null());
        holder.into_iter().chain(self.slot.iter().flat_map(Slot::objects))
    }
}

/// The refusals of a call, with what their places are made of: what holds an old may be
/// garbage, which the collector frees while an error is being made of them.
#[derive(Debug)]
pub(crate) struct Refusals {
    pub(crate) all: Vec<Refusal>,
    _held: Vec<Owned>,
}

impl Refusals {
    /// # Safety
    /// I1 since the places were found.
    pub(crate) unsafe fn hold(all: Vec<Refusal>) -> Self {
        let held = all
            .iter()
            .filter_map(|refusal| refusal.place.as_ref())
            .flat_map(Place::objects)
            // SAFETY: the caller's promise.
            .map(|object| unsafe { Owned::borrow(object) })
            .collect();
        Refusals { all, _held: held }
    }
}

/// Why a remap cannot be prepared when an allocation fails.
pub(crate) const NO_MEMORY: &str = "there is no memory to prepare it";

/// Why tables cannot be indexed anew, which nothing but memory is needed for.
pub(crate) const NO_MEMORY_TO_INDEX: &CStr =
    c"there is no memory to index the keys of changed classes";

/// Raises a `gcremap.RemapError` that is about no pair.
///
/// # Safety
/// The GIL is held.
pub(crate) unsafe fn raise_remap_error(message: &CStr) {
    // SAFETY: the caller's promise.
    let _: Result<(), Raised> = unsafe {
        (|| {
            let home = module(c"gcremap._errors")?;
            let class =
                Owned::steal(py::PyObject_GetAttrString(home.as_ptr(), c"RemapError".as_ptr()))?;
            py::PyErr_SetString(class.as_ptr(), message.as_ptr());
            Ok(())
        })()
    };
}
