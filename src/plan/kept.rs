//! Dicts and lists that are C code's own: what ctypes keeps alive since its memory has the
//! address, what a stream has yet to write and has the length of. They are not rewritten.

use std::ops::ControlFlow;

use pyo3_ffi::{PyDict_CheckExact, PyObject};
use rustc_hash::FxHashSet;

use super::Planner;
use crate::edit::{Edit, OfHolder};
use crate::error::{Place, Refusal};
use crate::ffi::{self, bindings as c};

impl Planner<'_> {
    /// # Safety
    /// I1 and I2.
    pub(super) unsafe fn refuse_kept(&mut self) {
        let have_text = self.olds.have_text;
        let changes = &mut self.plan.changes;
        // SAFETY: the caller's promise.
        let may_be_kept = |edit: &&Edit| unsafe {
            edit.slot.role() == c::GCR_DICT_VALUE && c::gcr_is_ctypes_key(edit.slot.key) != 0
                || have_text && c::gcr_may_be_pending(edit.holder, edit.old) != 0
        };
        let groups = || {
            let may_be = |group: &OfHolder| have_text || group.has(&[c::GCR_DICT_VALUE]);
            changes.edits.by_holder().filter(may_be)
        };
        if !groups().any(|group| group.edits.iter().any(|edit| may_be_kept(&edit))) {
            return;
        }
        // SAFETY: the caller's promise.
        let kept = unsafe { kept() };
        for group in groups().filter(|group| kept.contains(&(group.holder as usize))) {
            for edit in group.edits.iter().filter(may_be_kept) {
                let place = Some(Place { holder: edit.holder, slot: Some(edit.slot) });
                let reason = "C code keeps private state about this very object".into();
                changes.refusals.push(Refusal { old: edit.old as usize, place, reason });
            }
        }
    }
}

/// All there are.
///
/// # Safety
/// I1 and I2.
unsafe fn kept() -> FxHashSet<usize> {
    let mut open: Vec<*mut PyObject> = Vec::new();
    let mut kept = FxHashSet::default();
    // SAFETY: the caller's promise; the visitors allocate Rust memory only.
    unsafe {
        ffi::heap(|object| {
            let dict = c::gcr_ctypes_kept(object);
            if !dict.is_null() {
                open.push(dict);
            }
            let list = c::gcr_pending_list(object);
            if !list.is_null() {
                kept.insert(list as usize);
            }
            ControlFlow::Continue(())
        });
        while let Some(dict) = open.pop() {
            if PyDict_CheckExact(dict) != 0 && kept.insert(dict as usize) {
                ffi::traverse(dict, |inner| {
                    open.push(inner);
                    ControlFlow::Continue(())
                });
            }
        }
    }
    kept
}
