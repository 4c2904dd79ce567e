//! Who among given objects refers to what is wanted, for a reload's look at the young ones.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::api::returned;
use crate::ffi;
use crate::object::{list, Owned};

/// `_holders(objects, wanted)`: of each object in a list that refers to something in
/// another, its index and the `id` of what it refers to, once for each reference.
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
        let wanted: FxHashSet<_> =
            (0..py::PyList_GET_SIZE(wanted)).map(|index| item(wanted, index)).collect();
        let mut found: Vec<(isize, Vec<*mut PyObject>)> = Vec::new();
        for index in 0..py::PyList_GET_SIZE(objects) {
            let mut hits = Vec::new();
            ffi::traverse(item(objects, index), |referent| {
                if wanted.contains(&referent) {
                    hits.push(referent);
                }
                ControlFlow::Continue(())
            });
            if !hits.is_empty() {
                found.push((index, hits));
            }
        }
        list(found.into_iter().map(|(index, hits)| {
            let hits =
                list(hits.into_iter().map(|hit| Owned::steal(py::PyLong_FromVoidPtr(hit.cast()))))?;
            Owned::steal(py::Py_BuildValue(c"(nO)".as_ptr(), index, hits.as_ptr()))
        }))
    };
    returned(result.map(Owned::into_ptr))
}
