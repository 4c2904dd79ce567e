//! What a remap must know of the whole heap besides who holds an old.

use std::ops::ControlFlow;

use pyo3_ffi::{PyModule_GetDict, PyObject, PyTuple_CheckExact, PyTypeObject};
use rustc_hash::FxHashSet;

use crate::ffi::{self, bindings as c};

#[derive(Debug, Default)]
pub(crate) struct World {
    /// Every class that is alive: those the collector lists, and what stands in
    /// their MROs, and the static types, which are on no list.
    pub(crate) types: Vec<*mut PyObject>,
    /// Namespaces of classes and modules, which no hash depends on.
    pub(crate) namespaces: FxHashSet<usize>,
    /// Listed tables with other keys than str, and objects that store a hash.
    pub(crate) hashed: Vec<*mut PyObject>,
}

impl World {
    /// # Safety
    /// I1.
    pub(crate) unsafe fn look() -> Self {
        let mut world = World::default();
        let mut seen = FxHashSet::default();
        // SAFETY: I1; the visitor allocates Rust memory only.
        unsafe {
            ffi::heap(|object| {
                match c::gcr_nature_of(object) {
                    c::GCR_IS_TYPE => world.add_with_bases(object, &mut seen),
                    c::GCR_IS_MODULE => {
                        world.namespaces.insert(PyModule_GetDict(object) as usize);
                    }
                    c::GCR_STORES_HASHES => world.hashed.push(object),
                    _ => {}
                }
                ControlFlow::Continue(())
            });
            ffi::roots(|slot| {
                if slot.role == c::GCR_TYPE_DICT {
                    world.add(slot.key, &mut seen);
                }
                ControlFlow::Continue(())
            });
        }
        world
    }

    /// # Safety
    /// I1, and `type_` is alive.
    unsafe fn add_with_bases(&mut self, type_: *mut PyObject, seen: &mut FxHashSet<usize>) {
        // SAFETY: the caller's promise; what a live class refers to is alive.
        unsafe {
            self.add(type_, seen);
            let mro = (*type_.cast::<PyTypeObject>()).tp_mro;
            if !mro.is_null() && PyTuple_CheckExact(mro) != 0 {
                for index in 0..pyo3_ffi::PyTuple_GET_SIZE(mro) {
                    self.add(pyo3_ffi::PyTuple_GET_ITEM(mro, index), seen);
                }
            }
        }
    }

    /// # Safety
    /// I1, and `type_` is alive.
    unsafe fn add(&mut self, type_: *mut PyObject, seen: &mut FxHashSet<usize>) {
        if seen.insert(type_ as usize) {
            self.types.push(type_);
            // SAFETY: the caller's promise.
            let namespace = unsafe { c::gcr_type_namespace(type_) };
            self.namespaces.insert(namespace as usize);
        }
    }
}
