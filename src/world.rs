//! What a remap must know of the whole heap besides who holds an old.

use std::collections::HashSet;
use std::ops::ControlFlow;

use pyo3_ffi::{PyObject, PyTuple_CheckExact, PyTypeObject, PyType_Check};

use crate::ffi::{self, bindings as c};

#[derive(Debug, Default)]
pub(crate) struct World {
    /// Every class that is alive: those the collector lists, and what stands in
    /// their MROs (static types are on no list).
    pub(crate) types: Vec<*mut PyObject>,
    /// Namespaces of classes and modules, which no hash depends on.
    pub(crate) namespaces: HashSet<usize>,
}

impl World {
    /// # Safety
    /// I1.
    pub(crate) unsafe fn look() -> Self {
        let mut world = World::default();
        let mut seen = HashSet::new();
        // SAFETY: I1; the visitor allocates Rust memory only.
        unsafe {
            ffi::heap(|object| {
                if PyType_Check(object) == 0 {
                    let namespace = c::gcr_module_namespace(object);
                    if !namespace.is_null() {
                        world.namespaces.insert(namespace as usize);
                    }
                    return ControlFlow::Continue(());
                }
                world.add(object, &mut seen);
                let mro = (*object.cast::<PyTypeObject>()).tp_mro;
                if !mro.is_null() && PyTuple_CheckExact(mro) != 0 {
                    for index in 0..pyo3_ffi::PyTuple_GET_SIZE(mro) {
                        world.add(pyo3_ffi::PyTuple_GET_ITEM(mro, index), &mut seen);
                    }
                }
                ControlFlow::Continue(())
            });
        }
        world
    }

    /// # Safety
    /// I1, and `type_` is alive.
    unsafe fn add(&mut self, type_: *mut PyObject, seen: &mut HashSet<usize>) {
        if seen.insert(type_ as usize) {
            self.types.push(type_);
            // SAFETY: the caller's promise.
            let namespace = unsafe { c::gcr_type_namespace(type_) };
            self.namespaces.insert(namespace as usize);
        }
    }
}
