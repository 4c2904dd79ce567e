//! Pairs of classes: what an old one says of itself stays as it is.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi::{PyObject, PyTypeObject, PyType_Check};
use rustc_hash::FxHashSet;

use super::Planner;
use crate::edit::Bases;
use crate::ffi::{self, bindings as c};

impl Planner<'_> {
    /// Pairs of classes, and what old classes say of themselves.
    ///
    /// # Safety
    /// I1 and I2.
    pub(super) unsafe fn take_classes(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            for sides in std::mem::take(&mut self.olds.classes) {
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                self.add_parts(old);
                if PyType_Check(new) != 0 {
                    self.plan.changes.classes.push((old, new));
                }
            }
        }
        self.plan.changes.bases = Bases::Follow { kept: self.options.excluded.clone() };
        // SAFETY: the caller's promise.
        unsafe { self.keep_class_cells() };
    }

    /// The cells by which methods know their class, of olds that are new elsewhere: they
    /// live on, and `super()` in them must find the class that it is in. Methods of other
    /// olds may still run, for instances of the new.
    ///
    /// # Safety
    /// I1 and I2.
    unsafe fn keep_class_cells(&mut self) {
        let classes = &self.plan.changes.classes;
        let news: FxHashSet<usize> = classes.iter().map(|&(_, new)| new as usize).collect();
        let living = |old: usize| news.contains(&old) && self.map.find(old).is_some();
        if !news.iter().any(|&new| living(new)) {
            return;
        }
        let mut cells = Vec::new();
        // SAFETY: the caller's promise; the visitor allocates Rust memory only.
        unsafe {
            ffi::heap(|object| {
                let mut class = ptr::null_mut();
                let cell = c::gcr_class_cell(object, &raw mut class);
                if !cell.is_null() && living(class as usize) {
                    cells.push(cell as usize);
                }
                ControlFlow::Continue(())
            });
        }
        self.parts.extend(cells);
    }

    /// # Safety
    /// I1, and `class` is a class and alive.
    unsafe fn add_parts(&mut self, class: *mut PyObject) {
        // SAFETY: the caller's promise; what a live class refers to is alive.
        unsafe {
            let type_ = class.cast::<PyTypeObject>();
            self.parts.extend([(*type_).tp_mro as usize, (*type_).tp_bases as usize]);
            let namespace = c::gcr_type_namespace(class);
            if !namespace.is_null() {
                self.namespaces.insert(namespace as usize);
                ffi::traverse(namespace, |value| {
                    if c::gcr_is_part_of_class(value, class) != 0 {
                        self.parts.insert(value as usize);
                    }
                    ControlFlow::Continue(())
                });
            }
        }
    }
}
