//! What must follow the edits: planned before the first store, done after the last.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use pyo3_ffi::{PyObject, PyTuple_CheckExact, PyTypeObject, PyType_Check, PyType_Modified};

use crate::ffi::{self, bindings as c};
use crate::plan::Edit;
use crate::search::Holders;

#[derive(Debug, Default)]
pub(crate) struct Repairs {
    /// Untracked holders that receive a tracked object.
    to_track: Vec<*mut PyObject>,
    /// Classes whose attributes changed under their method caches.
    modified_types: Vec<*mut PyObject>,
}

impl Repairs {
    /// Untracked holders of a tracked new, and the untracked containers around
    /// them: an untracked container may only hold untracked objects, or cycles
    /// through it would never be freed.
    ///
    /// # Safety
    /// I1 and I2.
    pub(crate) unsafe fn plan_tracking(&mut self, edits: &[Edit], holders: &Holders) {
        let mut around: HashMap<usize, Vec<*mut PyObject>> = HashMap::new();
        for &(inner, outer) in &holders.untracked {
            around.entry(inner as usize).or_default().push(outer);
        }
        let mut pending: Vec<*mut PyObject> =
            edits.iter().map(|edit| edit.holder).filter(|holder| !holder.is_null()).collect();
        let mut seen = HashSet::new();
        while let Some(holder) = pending.pop() {
            // SAFETY: the caller's promise: holders are alive.
            let untracked = unsafe { c::gcr_is_gc(holder) != 0 && c::gcr_is_tracked(holder) == 0 };
            if untracked && seen.insert(holder as usize) {
                self.to_track.push(holder);
                pending.extend(around.get(&(holder as usize)).into_iter().flatten());
            }
        }
    }

    /// Finds the classes that the edits change, and returns the edits that a
    /// class cannot follow, with the reason.
    ///
    /// # Safety
    /// I1 and I2.
    pub(crate) unsafe fn plan_types(&mut self, edits: &[Edit]) -> Vec<(Edit, &'static str)> {
        let mut by_holder: HashMap<usize, Vec<&Edit>> = HashMap::new();
        for edit in edits.iter().filter(|edit| !edit.holder.is_null()) {
            by_holder.entry(edit.holder as usize).or_default().push(edit);
        }
        let mut refused = Vec::new();
        // SAFETY: the caller's promise.
        let types = unsafe { all_types() };
        for type_ in types {
            // SAFETY: a class that is alive, by I1.
            let (namespace, bases, mro, flags) = unsafe {
                let class = type_.cast::<PyTypeObject>();
                let namespace = c::gcr_type_namespace(type_);
                (namespace, (*class).tp_bases, (*class).tp_mro, (*class).tp_flags)
            };
            let is_heap = flags & pyo3_ffi::Py_TPFLAGS_HEAPTYPE != 0;
            for tuple in [bases, mro] {
                for edit in by_holder.get(&(tuple as usize)).into_iter().flatten() {
                    refused.push((**edit, "it is a base of a class, which is not repaired yet"));
                }
            }
            if namespace.is_null() {
                continue;
            }
            let mut modified = false;
            for edit in by_holder.get(&(namespace as usize)).into_iter().flatten() {
                modified = true;
                // SAFETY: the caller's promise.
                let fills_slot =
                    unsafe { c::gcr_fills_type_slot(edit.slot.key, edit.old, edit.new) } != 0;
                if !is_heap {
                    refused.push((**edit, "it is an attribute of a static type"));
                } else if fills_slot {
                    let reason = "a C slot of the class is made from it, which is not repaired yet";
                    refused.push((**edit, reason));
                }
            }
            // Specialised attribute loads keep what a descriptor wraps (a
            // property's getter) under the class's version: LOAD_ATTR_PROPERTY.
            // SAFETY: the caller's promise; a namespace of a live class is alive.
            unsafe {
                ffi::traverse(namespace, |value| {
                    if by_holder.contains_key(&(value as usize))
                        && (*(*value).ob_type).tp_descr_get.is_some()
                    {
                        modified = true;
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                });
            }
            if modified && is_heap {
                self.modified_types.push(type_);
            }
        }
        refused
    }

    /// # Safety
    /// I1, I2 and I5; after the last store.
    pub(crate) unsafe fn commit(&self) {
        // SAFETY: the caller's promise; the holders and types are alive because
        // their referents were just rewritten in them.
        unsafe {
            for &holder in &self.to_track {
                c::gcr_track(holder);
            }
            for &type_ in &self.modified_types {
                PyType_Modified(type_.cast());
            }
        }
    }
}

/// Every class that is alive: those the collector lists, and what stands in
/// their MROs (static types are on no list).
///
/// # Safety
/// I1.
unsafe fn all_types() -> Vec<*mut PyObject> {
    let mut seen = HashSet::new();
    let mut types = Vec::new();
    let mut add = |type_: *mut PyObject| {
        if seen.insert(type_ as usize) {
            types.push(type_);
        }
    };
    // SAFETY: I1; the visitor allocates Rust memory only.
    unsafe {
        ffi::heap(|object| {
            if PyType_Check(object) != 0 {
                add(object);
                let mro = (*object.cast::<PyTypeObject>()).tp_mro;
                if !mro.is_null() && PyTuple_CheckExact(mro) != 0 {
                    for index in 0..pyo3_ffi::PyTuple_GET_SIZE(mro) {
                        add(pyo3_ffi::PyTuple_GET_ITEM(mro, index));
                    }
                }
            }
            ControlFlow::Continue(())
        });
    }
    types
}
