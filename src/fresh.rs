//! Objects made since a call began: the frames above it cannot know them. What stands there
//! and looks like such an object is left over, of one that had its address before.

use std::cell::RefCell;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::ffi;

/// The innermost call of `_enclosed` on this thread.
#[derive(Default)]
struct Enclosed {
    /// Where its callers' words stand; 0 outside such a call.
    ceiling: usize,
    objects: FxHashSet<usize>,
}

thread_local! {
    static ENCLOSED: RefCell<Enclosed> = RefCell::default();
}

/// Above it on this thread's stack nothing is known of what [`is_fresh`].
pub(crate) fn ceiling() -> usize {
    ENCLOSED.with_borrow(|enclosed| enclosed.ceiling)
}

/// Whether the object was made within the call. An address stays fresh: what takes the place
/// of a fresh object is made later still.
pub(crate) fn is_fresh(object: usize) -> bool {
    ENCLOSED.with_borrow(|enclosed| enclosed.objects.contains(&object))
}

/// `_enclosed(function)`: what it returns. Its callers wait until then.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn enclosed(
    _module: *mut PyObject,
    function: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live object and holds the GIL.
    unsafe {
        ffi::call_with_base(|ceiling| {
            let inner = Enclosed { ceiling, ..Enclosed::default() };
            let outer = ENCLOSED.replace(inner);
            let result = py::PyObject_CallNoArgs(function);
            ENCLOSED.set(outer);
            result
        })
    }
}

/// `_made_within(objects)`: these were made since the call began. Of dicts that is not known:
/// up to 3.13 the collector takes an old one up when it is given its first container.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn made_within(
    _module: *mut PyObject,
    objects: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live object and holds the GIL; the items of a list are alive.
    unsafe {
        if py::PyList_Check(objects) == 0 {
            py::PyErr_BadArgument();
            return std::ptr::null_mut();
        }
        ENCLOSED.with_borrow_mut(|enclosed| {
            let items = (0..py::PyList_GET_SIZE(objects))
                .map(|index| py::PyList_GET_ITEM(objects, index))
                .filter(|&item| py::PyDict_CheckExact(item) == 0);
            enclosed.objects.extend(items.map(|item| item as usize));
        });
        py::Py_NewRef(py::Py_None())
    }
}
