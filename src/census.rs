//! Who refers to what is wanted, among given objects or all: for a reload's looks at the heap.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashMap;

use crate::api::returned;
use crate::arguments;
use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::object::{list, Owned, Raised};
use crate::ready::ready;

/// `_holders(objects, wanted)`: of each object in a list that refers to something in
/// another, its index and the `id` of what it refers to, once for each reference; and for each
/// that is wanted, how many of these there are.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn holders(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let (mut objects, mut wanted) = (ptr::null_mut::<PyObject>(), ptr::null_mut::<PyObject>());
    // SAFETY: CPython passes live arguments and holds the GIL; a traversal runs no Python,
    // so that the lists stay as they are until all hits are noted.
    let result = unsafe {
        let parsed = py::PyArg_ParseTuple(
            args,
            c"O!O!:_holders".as_ptr(),
            &raw mut py::PyList_Type,
            &raw mut objects,
            &raw mut py::PyList_Type,
            &raw mut wanted,
        );
        if parsed == 0 {
            return ptr::null_mut();
        }
        let item = |list, index| py::PyList_GET_ITEM(list, index);
        let mut counts = vec![0; py::PyList_GET_SIZE(wanted) as usize];
        let wanted: FxHashMap<_, _> =
            (0..counts.len()).map(|index| (item(wanted, index as isize), index)).collect();
        let mut found: Vec<(isize, Vec<*mut PyObject>)> = Vec::new();
        for index in 0..py::PyList_GET_SIZE(objects) {
            let mut hits = Vec::new();
            ffi::traverse(item(objects, index), |referent| {
                if let Some(&index) = wanted.get(&referent) {
                    hits.push(referent);
                    counts[index] += 1;
                }
                ControlFlow::Continue(())
            });
            if !hits.is_empty() {
                found.push((index, hits));
            }
        }
        told(found, counts)
    };
    returned(result.map(Owned::into_ptr))
}

/// # Safety
/// The GIL is held.
unsafe fn told(
    found: Vec<(isize, Vec<*mut PyObject>)>,
    counts: Vec<isize>,
) -> Result<Owned, Raised> {
    // SAFETY: only numbers are made of the pointers.
    unsafe {
        let found = list(found.into_iter().map(|(index, hits)| {
            let hits =
                list(hits.into_iter().map(|hit| Owned::steal(py::PyLong_FromVoidPtr(hit.cast()))))?;
            Owned::steal(py::Py_BuildValue(c"(nO)".as_ptr(), index, hits.as_ptr()))
        }))?;
        let counts = list(counts.into_iter().map(|n| Owned::steal(py::PyLong_FromSsize_t(n))))?;
        Owned::steal(py::Py_BuildValue(c"(OO)".as_ptr(), found.as_ptr(), counts.as_ptr()))
    }
}

/// `_holders_of(*wanted)`: what `gc.get_referrers` gives, and those of the objects that
/// `gc.freeze` has put aside, which that passes over.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn holders_of(
    _module: *mut PyObject,
    wanted: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a tuple and holds the GIL; I1 until the holders are owned.
    let result = unsafe {
        (|| {
            ready()?;
            let map = arguments::wanted(wanted)?;
            let mut found = Vec::new();
            ffi::scan(&map.sieve(), |holder, _, hit| {
                if hit != c::GCR_NO_REFERENT && holder != wanted && refers(holder, &map) {
                    found.push(Owned::borrow(holder));
                }
            });
            list(found.into_iter().map(Ok))
        })()
    };
    returned(result.map(Owned::into_ptr))
}

/// `_exit_callbacks()`: what C code has for atexit: of each callback the function, the
/// arguments, and the keywords if there are any, in one list. Since 3.14 that is a list of tuples.
///
/// # Safety
/// Called by CPython as a METH_NOARGS function.
pub(crate) unsafe extern "C" fn exit_callbacks(
    _module: *mut PyObject,
    _nothing: *mut PyObject,
) -> *mut PyObject {
    let mut found = Vec::new();
    // SAFETY: I1 by the GIL, which CPython holds; I3, since `ready` has checked it; what stands
    // in a root is alive until this thread runs Python.
    let result = unsafe {
        ready().and_then(|()| {
            ffi::roots(|slot| {
                if slot.name().is_some_and(|name| name.to_bytes().starts_with(ATEXIT)) {
                    found.push(Owned::borrow(slot.load() as *mut PyObject));
                }
                ControlFlow::Continue(())
            });
            list(found.into_iter().map(Ok))
        })
    };
    returned(result.map(Owned::into_ptr))
}

/// How csrc/roots.c names the slots.
const ATEXIT: &[u8] = b"atexit callback";

/// # Safety
/// I1, and `holder` is alive.
unsafe fn refers(holder: *mut PyObject, map: &ForwardingMap) -> bool {
    let mut found = false;
    // SAFETY: the caller's promise.
    unsafe {
        ffi::traverse(holder, |referent| {
            found = map.find(referent as usize).is_some();
            match found {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
    }
    found
}
