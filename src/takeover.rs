//! The door by which a reloaded function takes over what another is made of.

use std::ffi::c_long;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;

use crate::ffi::bindings as c;

/// `_swap_functions(left, right)`: two functions trade everything but identity.
/// False, with nothing changed, when they cannot.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn swap_functions(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let (mut left, mut right) = (ptr::null_mut::<PyObject>(), ptr::null_mut::<PyObject>());
    // SAFETY: CPython passes live arguments and holds the GIL; the format has a
    // target of its type for each letter; I3 and I4 for the swap, which moves no count.
    unsafe {
        let format = c"OO:_swap_functions".as_ptr();
        if py::PyArg_ParseTuple(args, format, &raw mut left, &raw mut right) == 0 {
            return ptr::null_mut();
        }
        py::PyBool_FromLong(c_long::from(c::gcr_swap_functions(left, right)))
    }
}
