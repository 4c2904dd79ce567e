//! What a value is by its type alone: a reload asks that of all it looks at, many times.

use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, Py_ssize_t};

/// `_is_a(value, kinds)`: whether the type of `value` is one of `kinds`, or derived from it.
///
/// # Safety
/// Called by CPython as a METH_FASTCALL function.
pub(crate) unsafe extern "C" fn is_a(
    _module: *mut PyObject,
    arguments: *mut *mut PyObject,
    count: Py_ssize_t,
) -> *mut PyObject {
    // SAFETY: CPython passes `count` live objects and holds the GIL.
    unsafe {
        if count != 2 {
            py::PyErr_BadArgument();
            return ptr::null_mut();
        }
        match py::PyObject_IsSubclass(py::Py_TYPE(*arguments).cast(), *arguments.add(1)) {
            outcome if outcome < 0 => ptr::null_mut(),
            outcome => py::PyBool_FromLong(outcome.into()),
        }
    }
}

/// `_is_class(value)`: whether it is a class; a weak proxy of one only says that it is.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn is_class(
    _module: *mut PyObject,
    value: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live object and holds the GIL.
    unsafe { py::PyBool_FromLong(py::PyType_Check(value).into()) }
}
