//! The apply log: what a report needs to put every slot back.
//!
//! A Python object of its own, so that the collector sees what it holds (a
//! report may be part of a cycle); the search knows the type and never rewrites
//! what a log holds.

use std::ffi::{c_int, c_void, CStr};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject, Py_DECREF};

use crate::facts::Facts;
use crate::ffi;
use crate::object::{list, Owned, Raised};
use crate::transaction::Outcome;
use crate::{api, undo};

#[repr(C)]
struct Log {
    base: PyObject,
    /// Owned; null until it is filled, and once undone or cleared.
    done: *mut Outcome,
    /// Owned; null until it is filled, and once cleared.
    told: *mut Told,
}

/// What the report says of objects, kept here so that it is no holder of them for
/// later remaps, whatever became of the log by then.
#[derive(Debug)]
struct Told {
    collisions: Vec<[Owned; 3]>,
    leftovers: Vec<(Owned, usize)>,
    facts: Facts,
}

impl Told {
    fn objects(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        let leftovers = self.leftovers.iter().map(|(old, _)| old);
        self.collisions.iter().flatten().chain(leftovers).map(Owned::as_ptr)
    }
}

static LOG_TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// Whether `object` is an apply log.
///
/// # Safety
/// `object` is alive.
pub(crate) unsafe fn is_log(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*object).ob_type == LOG_TYPE.load(Ordering::Relaxed) }
}

/// Creates the type; a new reference, or null with an exception.
pub(crate) fn create_type() -> *mut PyObject {
    let slots = Box::new([
        py::PyType_Slot { slot: py::Py_tp_traverse, pfunc: traverse as *mut c_void },
        py::PyType_Slot { slot: py::Py_tp_clear, pfunc: clear as *mut c_void },
        py::PyType_Slot { slot: py::Py_tp_dealloc, pfunc: dealloc as *mut c_void },
        py::PyType_Slot { slot: py::Py_tp_methods, pfunc: methods().cast() },
        py::PyType_Slot { slot: 0, pfunc: ptr::null_mut() },
    ]);
    let mut spec = py::PyType_Spec {
        name: c"gcremap._native.Log".as_ptr(),
        basicsize: size_of::<Log>() as c_int,
        itemsize: 0,
        flags: (py::Py_TPFLAGS_DEFAULT
            | py::Py_TPFLAGS_HAVE_GC
            | py::Py_TPFLAGS_DISALLOW_INSTANTIATION
            | py::Py_TPFLAGS_IMMUTABLETYPE) as u32,
        slots: Box::leak(slots).as_mut_ptr(),
    };
    // SAFETY: the spec and its slots are complete and terminated; they outlive
    // the type.
    let type_ = unsafe { py::PyType_FromSpec(&raw mut spec) };
    LOG_TYPE.store(type_.cast(), Ordering::Relaxed);
    type_
}

fn methods() -> *mut py::PyMethodDef {
    let method = |name: &'static CStr, function: py::PyCFunction| py::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: py::PyMethodDefPointer { PyCFunction: function },
        ml_flags: py::METH_NOARGS,
        ml_doc: ptr::null(),
    };
    Box::leak(Box::new([
        method(c"collisions", collisions),
        method(c"leftovers", leftovers),
        method(c"facts", facts),
        method(c"commit", commit),
        py::PyMethodDef {
            ml_name: c"undo".as_ptr(),
            ml_meth: py::PyMethodDefPointer { PyCFunction: put_back },
            ml_flags: py::METH_NOARGS,
            ml_doc: c"Put back every rewritten slot that still holds new; how many.".as_ptr(),
        },
        py::PyMethodDef::zeroed(),
    ]))
    .as_mut_ptr()
}

/// An empty log; null with an exception when memory is out.
pub(crate) fn allocate() -> *mut PyObject {
    let type_ = LOG_TYPE.load(Ordering::Relaxed);
    // SAFETY: the type was created when the module was. Its fields are zero: until the
    // log is filled, an undo from a callback or another thread finds nothing in it.
    unsafe { py::PyType_GenericAlloc(type_, 0) }
}

/// Hands what a remap did, or with `dry_run` would do, to a log.
///
/// # Safety
/// `log` is from [`allocate`], and was not filled before.
pub(crate) unsafe fn fill(log: *mut PyObject, mut outcome: Outcome, facts: Facts, dry_run: bool) {
    let collisions = std::mem::take(&mut outcome.collisions);
    let leftovers = std::mem::take(&mut outcome.leftovers);
    // SAFETY: the caller's promise.
    unsafe {
        let log = log.cast::<Log>();
        (*log).told = Box::into_raw(Box::new(Told { collisions, leftovers, facts }));
        if !dry_run {
            (*log).done = Box::into_raw(Box::new(outcome));
        }
    }
}

unsafe extern "C" fn traverse(log: *mut PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: the collector passes a live log; heap types visit their type.
    unsafe {
        let result = visit((*log).ob_type.cast(), arg);
        if result != 0 {
            return result;
        }
        let log = log.cast::<Log>();
        let done = (*log).done.as_ref().into_iter().flat_map(Outcome::objects);
        let told = (*log).told.as_ref().into_iter().flat_map(Told::objects);
        for object in done.chain(told) {
            let result = visit(object, arg);
            if result != 0 {
                return result;
            }
        }
    }
    0
}

unsafe extern "C" fn clear(log: *mut PyObject) -> c_int {
    // SAFETY: the collector passes a live log.
    unsafe { drop((take(log), take_told(log))) };
    0
}

unsafe extern "C" fn dealloc(log: *mut PyObject) {
    // SAFETY: the last reference is gone; the type is a heap type, of which each
    // instance owns a count.
    unsafe {
        let type_ = (*log).ob_type;
        py::PyObject_GC_UnTrack(log.cast());
        drop((take(log), take_told(log)));
        py::PyObject_GC_Del(log.cast());
        Py_DECREF(type_.cast());
    }
}

/// Takes what was done out, so that no finalizer sees it twice.
///
/// # Safety
/// `log` is a log.
unsafe fn take(log: *mut PyObject) -> Option<Box<Outcome>> {
    // SAFETY: the caller's promise; a non-null pointer is from `allocate`.
    unsafe {
        let done = std::mem::replace(&mut (*log.cast::<Log>()).done, ptr::null_mut());
        (!done.is_null()).then(|| Box::from_raw(done))
    }
}

/// # Safety
/// `log` is a log.
unsafe fn take_told(log: *mut PyObject) -> Option<Box<Told>> {
    // SAFETY: the caller's promise; a non-null pointer is from `allocate`.
    unsafe {
        let told = std::mem::replace(&mut (*log.cast::<Log>()).told, ptr::null_mut());
        (!told.is_null()).then(|| Box::from_raw(told))
    }
}

/// `collisions()`: a list of (container, key, lost value).
unsafe extern "C" fn collisions(log: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the method is called with a live log and the GIL.
    let result = unsafe {
        let told = (*log.cast::<Log>()).told.as_ref();
        list(told.into_iter().flat_map(|told| &told.collisions).map(|[table, key, value]| {
            let (table, key, value) = (table.as_ptr(), key.as_ptr(), value.as_ptr());
            Owned::steal(py::PyTuple_Pack(3, table, key, value))
        }))
    };
    api::returned(result.map(Owned::into_ptr))
}

/// `leftovers()`: a list of (old, count).
unsafe extern "C" fn leftovers(log: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the method is called with a live log and the GIL.
    let result = unsafe {
        let told = (*log.cast::<Log>()).told.as_ref();
        list(told.into_iter().flat_map(|told| &told.leftovers).map(|(old, count)| {
            Owned::steal(py::Py_BuildValue(c"(On)".as_ptr(), old.as_ptr(), *count))
        }))
    };
    api::returned(result.map(Owned::into_ptr))
}

/// `facts()`: a dict of the numbers that a report has.
unsafe extern "C" fn facts(log: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the method is called with a live log and the GIL.
    let result = unsafe {
        match (*log.cast::<Log>()).told.as_ref() {
            Some(told) => told.facts.to_python(),
            None => Owned::steal(py::PyDict_New()),
        }
    };
    api::returned(result.map(Owned::into_ptr))
}

/// `commit()`: there is no undo any more, and the olds may be freed.
unsafe extern "C" fn commit(log: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the method is called with a live log and the GIL.
    unsafe {
        drop(take(log));
        py::Py_NewRef(py::Py_None())
    }
}

/// `undo()`: how many references it put back.
unsafe extern "C" fn put_back(log: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the method is called with a live log and the GIL.
    unsafe {
        ffi::call_with_base(|base| {
            let Some(done) = take(log) else { return py::PyLong_FromSize_t(0) };
            match undo::undo(&done, base, log) {
                Ok(restored) => py::PyLong_FromSize_t(restored),
                Err(Raised) => {
                    // Nothing was changed: it can be tried again.
                    (*log.cast::<Log>()).done = Box::into_raw(done);
                    ptr::null_mut()
                }
            }
        })
    }
}
