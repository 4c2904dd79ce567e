//! Untracked holders of a tracked new, and the untracked containers around them:
//! an untracked container may only hold untracked objects, or cycles through it
//! would never be freed.

use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::Edit;
use crate::ffi::bindings as c;
use crate::search::Holders;

/// The holders to put on the collector's lists.
///
/// # Safety
/// I1 and I2.
pub(crate) unsafe fn plan(edits: &[Edit], holders: &Holders) -> Vec<*mut PyObject> {
    let mut to_track = Vec::new();
    let mut around: FxHashMap<usize, Vec<*mut PyObject>> = FxHashMap::default();
    for &(inner, outer) in &holders.untracked {
        around.entry(inner as usize).or_default().push(outer);
    }
    let mut pending: Vec<*mut PyObject> =
        edits.iter().map(|edit| edit.holder).filter(|holder| !holder.is_null()).collect();
    let mut seen = FxHashSet::default();
    while let Some(holder) = pending.pop() {
        // SAFETY: the caller's promise: holders are alive.
        let untracked = unsafe { c::gcr_is_gc(holder) != 0 && c::gcr_is_tracked(holder) == 0 };
        if untracked && seen.insert(holder as usize) {
            to_track.push(holder);
            pending.extend(around.get(&(holder as usize)).into_iter().flatten());
        }
    }
    to_track
}
