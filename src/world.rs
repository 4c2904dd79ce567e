//! What a remap must know of the whole heap besides who holds an old. The types and
//! the modules that were imported are found quickly; the rest needs a pass over the
//! heap, and is only asked for when it matters.

use std::ops::ControlFlow;

use pyo3_ffi::{PyModule_GetDict, PyObject};
use rustc_hash::FxHashSet;

use crate::ffi::{self, bindings as c};
use crate::forwarding::{ForwardingMap, Sieve};

#[derive(Debug, Default)]
pub(crate) struct World {
    /// Every class that is alive.
    pub(crate) types: Vec<*mut PyObject>,
    /// Namespaces of imported modules.
    pub(crate) modules: Vec<*mut PyObject>,
    /// Namespaces of the classes and of imported modules; of all, once complete.
    pub(crate) namespaces: FxHashSet<usize>,
    /// Listed tables with other keys than str, and listed objects that store a hash;
    /// once complete.
    hashed: Vec<*mut PyObject>,
    is_complete: bool,
}

impl World {
    /// # Safety
    /// I1.
    pub(crate) unsafe fn quick() -> Self {
        let mut world = World::default();
        // SAFETY: I1; the visitors allocate Rust memory only.
        unsafe {
            ffi::types(|type_| {
                world.add_type(type_);
                ControlFlow::Continue(())
            });
            ffi::module_namespaces(|namespace| {
                world.modules.push(namespace);
                world.namespaces.insert(namespace as usize);
                ControlFlow::Continue(())
            });
        }
        world
    }

    /// Whether `dict` is the namespace of a class or a module, on which no hash depends.
    ///
    /// # Safety
    /// I1.
    pub(crate) unsafe fn is_namespace(&mut self, dict: *mut PyObject) -> bool {
        if !self.namespaces.contains(&(dict as usize)) {
            // SAFETY: the caller's promise.
            unsafe { self.complete() };
        }
        self.namespaces.contains(&(dict as usize))
    }

    /// Tables and objects with hashes that may change, and the namespaces.
    ///
    /// # Safety
    /// I1.
    pub(crate) unsafe fn hashed(&mut self) -> (&[*mut PyObject], &FxHashSet<usize>) {
        // SAFETY: the caller's promise.
        unsafe { self.complete() };
        (&self.hashed, &self.namespaces)
    }

    /// Looks at every object on the collector's lists, and calls `visit` with those that
    /// may refer to what passes the sieve. Returns how many there are.
    ///
    /// # Safety
    /// I1 and I3; `visit` must not allocate, track or untrack Python objects.
    pub(crate) unsafe fn pass(
        &mut self,
        sieve: &Sieve<'_>,
        mut visit: impl FnMut(*mut PyObject, c::gcr_hit),
    ) -> usize {
        self.is_complete = true;
        // SAFETY: the caller's promise.
        unsafe {
            ffi::scan(sieve, |object, nature, hit| {
                match nature {
                    // One that left its base's list of subclasses, as a class may on its
                    // way out.
                    c::GCR_IS_TYPE => self.add_type(object),
                    c::GCR_IS_MODULE => {
                        self.namespaces.insert(PyModule_GetDict(object) as usize);
                    }
                    c::GCR_STORES_HASHES => self.hashed.push(object),
                    _ => {}
                }
                if hit != c::GCR_NO_REFERENT {
                    visit(object, hit);
                }
            })
        }
    }

    /// # Safety
    /// I1; `type_` is a type and alive.
    unsafe fn add_type(&mut self, type_: *mut PyObject) {
        // SAFETY: the caller's promise.
        if self.namespaces.insert(unsafe { c::gcr_type_namespace(type_) } as usize) {
            self.types.push(type_);
        }
    }

    /// # Safety
    /// I1.
    unsafe fn complete(&mut self) {
        if !self.is_complete {
            // SAFETY: the caller's promise.
            unsafe { self.pass(&ForwardingMap::empty().sieve(), |_, _| ()) };
        }
    }
}
