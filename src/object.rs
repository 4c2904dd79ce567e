//! A reference that is counted, for the code that talks to Python.

use std::ffi::CStr;
use std::ptr::NonNull;

use pyo3_ffi::{PyList_Append, PyObject, Py_DECREF, Py_INCREF};

use crate::forwarding::Pair;

/// An exception is set in the interpreter; the boundary returns null.
#[derive(Debug)]
pub(crate) struct Raised;

/// Owns one count; the GIL is held wherever one lives.
#[derive(Debug)]
pub(crate) struct Owned(NonNull<PyObject>);

impl Owned {
    /// Takes over a new reference; null means that an exception is set.
    ///
    /// # Safety
    /// `object` is null or a reference that the caller owns and gives up.
    pub(crate) unsafe fn steal(object: *mut PyObject) -> Result<Self, Raised> {
        NonNull::new(object).map(Owned).ok_or(Raised)
    }

    /// # Safety
    /// `object` is alive.
    pub(crate) unsafe fn borrow(object: *mut PyObject) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Py_INCREF(object);
            Owned(NonNull::new_unchecked(object))
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// Gives the count to the caller.
    pub(crate) fn into_ptr(self) -> *mut PyObject {
        let object = self.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the count is ours, and the GIL is held.
        unsafe { Py_DECREF(self.as_ptr()) };
    }
}

/// Owns a count of both sides of each pair.
#[derive(Debug, Default)]
pub(crate) struct Sides(Vec<Pair>);

impl Sides {
    pub(crate) fn with_room_for(pairs: usize) -> Self {
        Sides(Vec::with_capacity(pairs))
    }

    /// # Safety
    /// All of them are alive.
    pub(crate) unsafe fn borrow(pairs: &[Pair]) -> Self {
        let sides = Sides(pairs.to_vec());
        for object in sides.objects() {
            // SAFETY: the caller's promise.
            unsafe { Py_INCREF(object) };
        }
        sides
    }

    pub(crate) fn push(&mut self, old: Owned, new: Owned) {
        self.0.push(Pair { old: old.into_ptr() as usize, new: new.into_ptr() as usize });
    }

    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.0
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.0.iter().flat_map(|pair| [pair.old, pair.new]).map(|object| object as *mut PyObject)
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        for object in self.objects() {
            // SAFETY: the counts are ours, and the GIL is held.
            unsafe { Py_DECREF(object) };
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn append(list: &Owned, item: &Owned) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    match unsafe { PyList_Append(list.as_ptr(), item.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised),
    }
}

/// A new list of what is made one by one.
///
/// # Safety
/// The GIL is held.
pub(crate) unsafe fn list(
    items: impl IntoIterator<Item = Result<Owned, Raised>>,
) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        let list = Owned::steal(pyo3_ffi::PyList_New(0))?;
        for item in items {
            append(&list, &item?)?;
        }
        Ok(list)
    }
}

/// A module of the package. Taken from `sys.modules` where it is, since an import
/// calls `builtins.__import__`, which may be anybody's code.
///
/// # Safety
/// The GIL is held.
pub(crate) unsafe fn module(name: &CStr) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        let key = Owned::steal(pyo3_ffi::PyUnicode_FromString(name.as_ptr()))?;
        let found = pyo3_ffi::PyImport_GetModule(key.as_ptr());
        if !found.is_null() || !pyo3_ffi::PyErr_Occurred().is_null() {
            return Owned::steal(found);
        }
        Owned::steal(pyo3_ffi::PyImport_ImportModule(name.as_ptr()))
    }
}
