//! Tuples that C code is still building: nobody may keep a count of these.
//!
//! PySequence_Tuple, which a generator may run under, resizes its tuple only while nobody
//! else has a count of it (Objects/tupleobject.c, _PyTuple_Resize, up to 3.13).

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::OfHolder;
use crate::forwarding::{ForwardingMap, Pair};
use crate::object::Owned;
use crate::pins;
use crate::plan::{self, Options};
use crate::transaction::Outcome;

/// The holders of the outcome that are such tuples: with items yet to come; or full for
/// now, with one count that is no slot's, and known to C code up the stack.
///
/// # Safety
/// I1, I2 and I3; `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn tuples(outcome: &Outcome, base: usize) -> FxHashSet<usize> {
    let mut unfinished = FxHashSet::default();
    let mut full = FxHashMap::default();
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        for OfHolder { holder, .. } in outcome.edits.by_holder() {
            if py::PyTuple_CheckExact(holder) == 0 {
                continue;
            }
            if is_full(holder) {
                full.insert(holder as usize, 0);
            } else {
                unfinished.insert(holder as usize);
            }
        }
        if full.is_empty() {
            return unfinished;
        }
        for object in outcome.objects() {
            full.entry(object as usize).and_modify(|held| *held += 1);
        }
        let alone =
            |&(&tuple, &held): &(&usize, &isize)| py::Py_REFCNT(tuple as *mut PyObject) == held + 1;
        let alone: Vec<usize> = full.iter().filter(alone).map(|(&tuple, _)| tuple).collect();
        let used = pins::in_use(&alone, base);
        if used.is_empty() {
            return unfinished;
        }
        // Words on a stack may be left over, of one that something else holds by now.
        let Ok(other) = Owned::steal(py::PyTuple_New(0)) else {
            py::PyErr_Clear();
            return unfinished;
        };
        let new = other.as_ptr() as usize;
        let Ok(map) = ForwardingMap::new(used.iter().map(|&old| Pair { old, new })) else {
            return unfinished;
        };
        let options = Options { frames: true, ..Options::default() };
        let _held: Vec<Owned> = used.iter().map(|&old| Owned::borrow(old as *mut _)).collect();
        let found = plan::plan(&map, &options, outcome.objects());
        let left = map.pairs().iter().zip(found.leftovers);
        unfinished.extend(left.filter(|(_, count)| *count > 0).map(|(pair, _)| pair.old));
    }
    unfinished
}

/// # Safety
/// I1; `tuple` is one.
unsafe fn is_full(tuple: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (0..py::PyTuple_GET_SIZE(tuple)).all(|at| !py::PyTuple_GET_ITEM(tuple, at).is_null()) }
}
