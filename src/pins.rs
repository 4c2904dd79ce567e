//! Olds that C code up the stack may still be using: kept alive until it cannot.

use std::sync::{Mutex, PoisonError};

use pyo3_ffi::{PyObject, PyType_Check, Py_DECREF, Py_INCREF};
use rustc_hash::FxHashSet;

use crate::ffi::{self, bindings as c};
use crate::fresh;

/// Addresses of the pinned objects, each owning one count.
static PINNED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Pins those of `olds` that are in use, and releases what was pinned before and
/// is no longer. Returns how many of `olds` are pinned.
///
/// # Safety
/// The GIL is held; the olds are alive; `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn hold(olds: impl Iterator<Item = *mut PyObject>, base: usize) -> usize {
    let mut all = take_pinned();
    let before = all.len();
    // Edits of one old mostly stand together.
    olds.for_each(|old| {
        if all.len() == before || all.last() != Some(&(old as usize)) {
            all.push(old as usize);
        }
    });
    let (before, olds) = all.split_at(before);
    // SAFETY: the caller's promise.
    let kept = unsafe { in_use(&all, base) };
    let pinned =
        ascending(olds.to_vec()).iter().filter(|old| kept.binary_search(old).is_ok()).count();
    for &old in &kept {
        // SAFETY: the caller's promise.
        unsafe { Py_INCREF(old as *mut PyObject) };
    }
    PINNED.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    // Last, and with the list unlocked: a finalizer may call remap.
    for &old in before {
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

/// Those of `objects` that C code may be using, each once.
///
/// # Safety
/// The GIL is held; `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn in_use(objects: &[usize], base: usize) -> Vec<usize> {
    // SAFETY: the caller's promise.
    let used = unsafe { Words::around(objects, base, 0) }.among(objects);
    let (fresh, older): (Vec<usize>, Vec<usize>) =
        used.into_iter().partition(|&object| fresh::is_fresh(object));
    if fresh.is_empty() {
        return older;
    }
    // SAFETY: the caller's promise; the ceiling is from `ffi::call_with_base` too.
    let words = unsafe { Words::around(&fresh, base, fresh::ceiling()) };
    ascending([older, words.among(&fresh)].concat())
}

/// What C code may be using: far fewer words than there may be objects to be found
/// among them. `None` if that is not known.
struct Words(Option<FxHashSet<usize>>);

impl Words {
    /// Those between the lowest and the highest of `objects`, on this thread's stack those
    /// up to `ceiling`, if that is not 0.
    ///
    /// # Safety
    /// The GIL is held; `base` and `ceiling` are from `ffi::call_with_base`.
    unsafe fn around(objects: &[usize], base: usize, ceiling: usize) -> Self {
        match (objects.iter().min(), objects.iter().max()) {
            (Some(&low), Some(&high)) => {
                // SAFETY: the caller's promise.
                Words(unsafe { ffi::stack_words(low, high, base, ceiling) })
            }
            _ => Words(Some(FxHashSet::default())),
        }
    }

    /// Those of `objects` that are or may be there, each once.
    fn among(&self, objects: &[usize]) -> Vec<usize> {
        let is_there = |object: &usize| self.0.as_ref().is_none_or(|words| words.contains(object));
        ascending(objects.iter().copied().filter(is_there).collect())
    }
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
