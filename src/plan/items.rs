//! The tuples that the caller wrote the pairs in: nothing of them changes, but what they
//! hold is counted.

use std::ptr;

use pyo3_ffi::{PyObject, PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE};

use super::Planner;

impl Planner<'_> {
    /// There are as many of the caller's tuples as pairs: where they are many, they are
    /// most of what refers to an old.
    ///
    /// # Safety
    /// I1 and I2.
    pub(super) unsafe fn sort_items(&mut self) {
        self.items = vec![ptr::null_mut(); self.map.pairs().len()];
        for &item in &self.options.items {
            // SAFETY: the caller's promise.
            if let Some(pair) = unsafe { self.pair_of_item(item) } {
                self.items[pair] = item;
            }
        }
    }

    /// # Safety
    /// I1, and `holder` is alive.
    unsafe fn pair_of_item(&self, holder: *mut PyObject) -> Option<usize> {
        // SAFETY: the caller's promise.
        unsafe {
            let may_be = PyTuple_CheckExact(holder) != 0 && PyTuple_GET_SIZE(holder) == 2;
            may_be.then(|| self.map.find(PyTuple_GET_ITEM(holder, 0) as usize)).flatten()
        }
    }

    /// Whether it is the caller's tuple of a pair; then its references are explained.
    ///
    /// # Safety
    /// I1 and I2; `holder` is alive.
    pub(super) unsafe fn take_item(&mut self, holder: *mut PyObject) -> bool {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            match self.pair_of_item(holder) {
                Some(pair) if self.items[pair] == holder => {
                    self.counts.explain(pair, 1);
                    let second = PyTuple_GET_ITEM(holder, 1) as usize;
                    if let Some(pair) = self.map.find(second) {
                        self.counts.explain(pair, 1);
                    }
                    true
                }
                _ => false,
            }
        }
    }
}
