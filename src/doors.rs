//! Doors for the tests: what walkers, traversals and the probe say of one object.

use std::ffi::{c_int, CStr};
use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::returned;
use crate::ffi::{self, bindings as c};
use crate::memory::Readable;
use crate::object::{list, Owned};
use crate::pins;
use crate::probe::{self, Missing};
use crate::ready::ready;

/// `(address, kind, role, accepts, flags, name, index, value)` of each
/// slot that the walker of the object knows.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn walk(
    _module: *mut PyObject,
    holder: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the GIL is held.
    if unsafe { ready() }.is_err() {
        return ptr::null_mut();
    }
    let mut slots = Vec::new();
    // SAFETY: CPython passes a live object and holds the GIL.
    let result = unsafe {
        ffi::walk(holder, |slot| {
            let value = slot.load() as *mut PyObject;
            if !value.is_null() {
                slots.push((slot, Owned::borrow(value)));
            }
            ControlFlow::Continue(())
        });
        list(slots.iter().map(|(slot, value)| {
            Owned::steal(py::Py_BuildValue(
                c"(niiiiznO)".as_ptr(),
                slot.address as isize,
                slot.kind() as c_int,
                slot.role() as c_int,
                slot.accepts() as c_int,
                slot.flags() as c_int,
                slot.name().map_or(ptr::null(), CStr::as_ptr),
                slot.index,
                value.as_ptr(),
            ))
        }))
    };
    returned(result.map(Owned::into_ptr))
}

/// What `tp_traverse` of the object shows, as a list.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn traverse(
    _module: *mut PyObject,
    holder: *mut PyObject,
) -> *mut PyObject {
    let mut shown = Vec::new();
    // SAFETY: CPython passes a live object and holds the GIL.
    let result = unsafe {
        ffi::traverse(holder, |referent| {
            shown.push(Owned::borrow(referent));
            ControlFlow::Continue(())
        });
        list(shown.into_iter().map(Ok))
    };
    returned(result.map(Owned::into_ptr))
}

/// The addresses of the slots that the object's traversal tells.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn told(
    _module: *mut PyObject,
    holder: *mut PyObject,
) -> *mut PyObject {
    let mut slots = Vec::new();
    // SAFETY: CPython passes a live object and holds the GIL.
    let result = unsafe {
        ffi::traverse_told(holder, |_, slot, _| {
            if !slot.is_null() {
                slots.push(slot as usize);
            }
        });
        list(slots.into_iter().map(|slot| Owned::steal(py::PyLong_FromSize_t(slot))))
    };
    returned(result.map(Owned::into_ptr))
}

/// The addresses of the slots that the probe finds for everything
/// that the object's traversal shows, walkers aside.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn probe(
    _module: *mut PyObject,
    holder: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the GIL is held.
    if unsafe { ready() }.is_err() {
        return ptr::null_mut();
    }
    let mut shown: FxHashMap<usize, usize> = FxHashMap::default();
    // SAFETY: CPython passes a live object and holds the GIL; I1 while the
    // probe runs.
    let result = unsafe {
        ffi::traverse(holder, |referent| {
            *shown.entry(referent as usize).or_default() += 1;
            ControlFlow::Continue(())
        });
        let mut missing = Missing::new(shown);
        let known = FxHashSet::default();
        let readable = Readable::now();
        let slots = probe::probe(holder, &mut missing, &known, &readable);
        list(slots.iter().map(|slot| Owned::steal(py::PyLong_FromSize_t(slot.address as usize))))
    };
    returned(result.map(Owned::into_ptr))
}

/// How complete the walker of the object is.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn coverage(
    _module: *mut PyObject,
    holder: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the GIL is held.
    if unsafe { ready() }.is_err() {
        return ptr::null_mut();
    }
    // SAFETY: CPython passes a live object and holds the GIL.
    unsafe { py::PyLong_FromLong(c::gcr_walker_coverage(holder) as _) }
}

/// The pinned objects, as a list.
///
/// # Safety
/// Called by CPython as a METH_NOARGS function.
pub(crate) unsafe extern "C" fn pinned(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the GIL is held. Owned before a list is made of them: that may start a
    // collection, after which pins are released.
    let result = unsafe {
        let owned = pins::owned().into_iter().map(|object| Owned::borrow(object as *mut PyObject));
        list(owned.collect::<Vec<_>>().into_iter().map(Ok))
    };
    returned(result.map(Owned::into_ptr))
}
