//! Who refers to what is wanted, among given objects or all: for a reload's looks at the heap.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::returned;
use crate::arguments;
use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::object::{list, Owned, Raised};
use crate::ready::ready;

/// `_census(young, near, wanted)`, three lists: those of the young and near objects that refer
/// to something wanted, each with the `id` of what it refers to, once for each reference; and
/// what of the wanted something else refers to as well, by the reference counts. `young` itself
/// is nothing else; the other lists are, if they are not young.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn census(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let mut lists = [ptr::null_mut::<PyObject>(); 3];
    // SAFETY: CPython passes live arguments and holds the GIL; a traversal runs no Python,
    // so that the lists stay as they are until all hits are noted.
    let result = unsafe {
        let [young, near, wanted] = &mut lists;
        let list = &raw mut py::PyList_Type;
        let format = c"O!O!O!:_census".as_ptr();
        if py::PyArg_ParseTuple(args, format, list, young, list, near, list, wanted) == 0 {
            return ptr::null_mut();
        }
        let [young, near, wanted] = lists.map(|list| {
            (0..py::PyList_GET_SIZE(list)).map(move |index| py::PyList_GET_ITEM(list, index))
        });
        let mut counts: FxHashMap<_, _> = wanted.clone().map(|each| (each, 0)).collect();
        let mut older: FxHashSet<_> = near.clone().collect();
        for object in young.clone() {
            older.remove(&object);
            if let Some(count) = counts.get_mut(&object) {
                *count += 1;
            }
        }
        let mut found: Vec<(*mut PyObject, Vec<*mut PyObject>)> = Vec::new();
        for object in young.chain(near.filter(|each| older.remove(each))) {
            let mut hits = Vec::new();
            ffi::traverse(object, |referent| {
                if let Some(count) = counts.get_mut(&referent) {
                    hits.push(referent);
                    *count += 1;
                }
                ControlFlow::Continue(())
            });
            if !hits.is_empty() {
                found.push((object, hits));
            }
        }
        let strays: Vec<_> = wanted.filter(|each| py::Py_REFCNT(*each) != counts[each]).collect();
        told(found, strays)
    };
    returned(result.map(Owned::into_ptr))
}

/// # Safety
/// All of them are alive, and the GIL is held.
unsafe fn told(
    found: Vec<(*mut PyObject, Vec<*mut PyObject>)>,
    strays: Vec<*mut PyObject>,
) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise; of the hits only numbers are made.
    unsafe {
        let found = list(found.into_iter().map(|(holder, hits)| {
            let hits =
                list(hits.into_iter().map(|hit| Owned::steal(py::PyLong_FromVoidPtr(hit.cast()))))?;
            Owned::steal(py::PyTuple_Pack(2, holder, hits.as_ptr()))
        }))?;
        let strays = list(strays.into_iter().map(|each| Ok(Owned::borrow(each))))?;
        Owned::steal(py::PyTuple_Pack(2, found.as_ptr(), strays.as_ptr()))
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
