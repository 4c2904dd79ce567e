//! Olds that C code up the stack may still be using: kept alive until it cannot.

use std::sync::{Mutex, PoisonError};

use pyo3_ffi::{PyObject, PyType_Check, Py_DECREF, Py_INCREF};

use crate::ffi::bindings as c;

/// Addresses of the pinned objects, each owning one count.
static PINNED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Pins those of `olds` that are in use, and releases what was pinned before and
/// is no longer. Returns how many of `olds` are pinned.
///
/// # Safety
/// The GIL is held; the olds are alive; `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn hold(olds: impl Iterator<Item = *mut PyObject>, base: usize) -> usize {
    let mut distinct = Vec::new();
    // Edits of one old mostly stand together.
    olds.for_each(|old| {
        if distinct.last() != Some(&(old as usize)) {
            distinct.push(old as usize);
        }
    });
    let olds = ascending(distinct);
    let before = take_pinned();
    // SAFETY: the caller's promise.
    let kept = unsafe { in_use(before.iter().chain(&olds).copied().collect(), base) };
    for &old in &kept {
        // SAFETY: the caller's promise.
        unsafe { Py_INCREF(old as *mut PyObject) };
    }
    let pinned = kept.iter().filter(|old| olds.binary_search(old).is_ok()).count();
    PINNED.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    // Last, and with the list unlocked: a finalizer may call remap.
    for old in before {
        let old = old as *mut PyObject;
        // SAFETY: the count that the list owned.
        unsafe {
            if PyType_Check(old) != 0 {
                c::gcr_make_class_young(old);
            }
            Py_DECREF(old);
        }
    }
    pinned
}

/// Those of `objects` that C code may be using, each once and in order.
///
/// # Safety
/// The GIL is held; `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn in_use(objects: Vec<usize>, base: usize) -> Vec<usize> {
    let all = ascending(objects);
    let mut used = vec![0u8; all.len()];
    // SAFETY: the caller's promise; the two arrays have one length.
    unsafe { c::gcr_in_use(all.as_ptr().cast(), all.len(), base, used.as_mut_ptr()) };
    all.into_iter().zip(used).filter(|(_, used)| *used != 0).map(|(object, _)| object).collect()
}

/// Each once, in order.
fn ascending(mut addresses: Vec<usize>) -> Vec<usize> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Whether anything is pinned.
pub(crate) fn any() -> bool {
    !PINNED.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// The pinned objects, of each of which the list owns one count.
pub(crate) fn owned() -> Vec<usize> {
    PINNED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn take_pinned() -> Vec<usize> {
    std::mem::take(&mut *PINNED.lock().unwrap_or_else(PoisonError::into_inner))
}
