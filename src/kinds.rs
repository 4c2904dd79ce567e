//! What a value is by its type alone: a reload asks that of all it looks at, many times.

use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject, Py_ssize_t};

use crate::ffi::bindings as c;
use crate::ready::ready;

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
        let (kind, wanted) = (py::Py_TYPE(*arguments), *arguments.add(1));
        let plain = match py::PyTuple_CheckExact(wanted) {
            0 => derives(kind, wanted),
            _ => (0..py::PyTuple_GET_SIZE(wanted)).try_fold(false, |found, index| {
                Some(found || derives(kind, py::PyTuple_GET_ITEM(wanted, index))?)
            }),
        };
        let outcome = match plain {
            Some(found) => found.into(),
            None => py::PyObject_IsSubclass(kind.cast(), wanted),
        };
        match outcome {
            outcome if outcome < 0 => ptr::null_mut(),
            outcome => py::PyBool_FromLong(outcome.into()),
        }
    }
}

/// Whether a type is `wanted`, or derived from it; unknown where `wanted` is no plain class, and
/// may have an opinion of its own.
///
/// # Safety
/// Both are alive, and the GIL is held.
unsafe fn derives(kind: *mut PyTypeObject, wanted: *mut PyObject) -> Option<bool> {
    // SAFETY: the caller's promise.
    unsafe {
        let is_plain = py::Py_TYPE(wanted) == &raw mut py::PyType_Type;
        is_plain.then(|| py::PyType_IsSubtype(kind, wanted.cast()) != 0)
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

/// `_leave_bases(cls)`: takes a class out of the `__subclasses__()` of its bases. To assign its
/// `__bases__` puts it back.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn leave_bases(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let mut cls = ptr::null_mut::<PyObject>();
    // SAFETY: CPython passes a live argument and holds the GIL; the format has a target
    // of its type, a class, which has bases.
    unsafe {
        let class = &raw mut py::PyType_Type;
        if py::PyArg_ParseTuple(args, c"O!:_leave_bases".as_ptr(), class, &raw mut cls) == 0
            || c::gcr_type_leave_bases(cls) < 0
        {
            return ptr::null_mut();
        }
        py::Py_NewRef(py::Py_None())
    }
}

/// `_make_young(*objects)`: the next young collection looks at them.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn make_young(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live tuple and holds the GIL.
    unsafe {
        for index in 0..py::PyTuple_GET_SIZE(args) {
            c::gcr_make_young(py::PyTuple_GET_ITEM(args, index));
        }
        py::Py_NewRef(py::Py_None())
    }
}

/// `_fits(old, new)`: whether instances of a class can become those of another as they are.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn fits(_module: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    let (mut old, mut new) = (ptr::null_mut::<PyObject>(), ptr::null_mut::<PyObject>());
    // SAFETY: CPython passes live arguments and holds the GIL; the format has a
    // target of its type for each letter, and the first is a class.
    unsafe {
        let format = c"O!O:_fits".as_ptr();
        let class = &raw mut py::PyType_Type;
        if ready().is_err()
            || py::PyArg_ParseTuple(args, format, class, &raw mut old, &raw mut new) == 0
        {
            return ptr::null_mut();
        }
        py::PyBool_FromLong(c::gcr_class_refusal(old, new).is_null().into())
    }
}
