//! Untracked holders of a tracked new, and the untracked containers around them:
//! an untracked container may only hold untracked objects, or cycles through it
//! would never be freed.

use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::Edits;
use crate::ffi::bindings as c;
use crate::search::Holders;

/// The holders to put on the collector's lists.
///
/// # Safety
/// I1 and I2.
pub(crate) unsafe fn plan(edits: &Edits, holders: &Holders) -> Vec<*mut PyObject> {
    // SAFETY: the caller's promise: holders are alive.
    let is_untracked = |holder: *mut PyObject| unsafe {
        c::gcr_is_gc(holder) != 0 && c::gcr_is_tracked(holder) == 0
    };
    let mut to_track = Vec::new();
    let mut pending: Vec<*mut PyObject> = edits
        .by_holder()
        .map(|group| group.holder)
        .filter(|&holder| is_untracked(holder))
        .collect();
    let mut around: FxHashMap<usize, Vec<*mut PyObject>> = FxHashMap::default();
    if !pending.is_empty() {
        for &(inner, outer) in &holders.untracked {
            around.entry(inner as usize).or_default().push(outer);
        }
    }
    let mut seen = FxHashSet::default();
    while let Some(holder) = pending.pop() {
        if is_untracked(holder) && seen.insert(holder as usize) {
            to_track.push(holder);
            pending.extend(around.get(&(holder as usize)).into_iter().flatten());
        }
    }
    to_track
}
