//! The tuples that the caller wrote the pairs in: nothing of them changes, but what they
//! hold is counted. There are as many of them as pairs: where they are many, they are most
//! of what refers to an old.

use pyo3_ffi::{PyObject, PyTuple_GET_ITEM};

use super::Planner;
use crate::arguments::is_pair;
use crate::object::Owned;

impl Planner<'_> {
    /// Whether it is the caller's tuple of a pair; then its references are explained.
    ///
    /// # Safety
    /// I1 and I2; `holder` is alive.
    pub(super) unsafe fn take_item(&mut self, holder: *mut PyObject) -> bool {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            if self.options.items.is_empty() || !is_pair(holder) {
                return false;
            }
            let side = |index| self.map.find(PyTuple_GET_ITEM(holder, index) as usize);
            let Some(pair) = side(0) else { return false };
            if self.options.items[pair].as_ref().map(Owned::as_ptr) != Some(holder) {
                return false;
            }
            let second = side(1);
            self.counts.explain(pair, 1);
            if let Some(second) = second {
                self.counts.explain(second, 1);
            }
            true
        }
    }
}
