//! Namespaces that frames borrow from their functions: one must not leave a function of
//! which a frame may go on, in a remap as little as in its undo.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::edit::Edits;
use crate::error::{Place, Refusal};
use crate::ffi::{self, bindings as c};

/// Why edits of functions cannot be made, but for olds that are `refused` already.
///
/// # Safety
/// I1, I2 and I3.
pub(crate) unsafe fn refusals(edits: &Edits, refused: &[Refusal]) -> Vec<Refusal> {
    let mut found = Vec::new();
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        let names: FxHashSet<usize> = edits
            .by_holder()
            .filter(|group| py::PyFunction_Check(group.holder) != 0)
            .flat_map(|group| group.edits)
            .filter(|edit| py::PyDict_Check(edit.old) != 0)
            .map(|edit| edit.old as usize)
            .filter(|old| refused.iter().all(|refusal| refusal.old != *old))
            .collect();
        if names.is_empty() {
            return found;
        }
        ffi::heap(|object| {
            let read =
                |&&dict: &&usize| c::gcr_reads_names_from(object, dict as *mut PyObject) != 0;
            let place = Place { holder: object, slot: None };
            found.extend(names.iter().find(read).map(|&old| Refusal {
                old,
                place: Some(place),
                reason: "it is suspended and reads its names from it".into(),
            }));
            ControlFlow::Continue(())
        });
        ffi::frames(|slot| {
            let old = slot.load();
            if slot.kind() == c::GCR_BORROWED && names.contains(&old) {
                let place = Some(Place { holder: ptr::null_mut(), slot: Some(slot) });
                let reason = "a running frame reads its names from it".into();
                found.push(Refusal { old, place, reason });
            }
            ControlFlow::Continue(())
        });
    }
    found
}
