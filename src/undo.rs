//! The apply log: what a report needs to put every slot back.
//!
//! A Python object of its own, so that the collector sees what it holds (a
//! report may be part of a cycle); the search knows the type and never rewrites
//! what a log holds.

use std::collections::{HashMap, HashSet};
use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject, Py_DECREF, Py_INCREF};

use crate::apply;
use crate::ffi::{self, bindings as c};
use crate::forwarding::{ForwardingMap, Pair};
use crate::locate::Locator;
use crate::pins;
use crate::plan::Edit;
use crate::repair::Repairs;
use crate::search::Holders;
use crate::slot::Slot;

#[repr(C)]
struct Log {
    base: PyObject,
    /// Owned; null once undone or cleared. Holder, old and new of each edit are
    /// owned by the log.
    edits: *mut Vec<Edit>,
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
    Box::leak(Box::new([
        py::PyMethodDef {
            ml_name: c"undo".as_ptr(),
            ml_meth: py::PyMethodDefPointer { PyCFunction: undo },
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
    // SAFETY: the type was created when the module was.
    unsafe {
        let log = py::PyType_GenericAlloc(type_, 0).cast::<Log>();
        if !log.is_null() {
            (*log).edits = Box::into_raw(Box::default());
        }
        log.cast()
    }
}

/// Hands applied edits to a fresh log, which takes references of its own.
///
/// # Safety
/// `log` is from [`allocate`]; I2.
pub(crate) unsafe fn fill(log: *mut PyObject, edits: Vec<Edit>) {
    // SAFETY: the caller's promise.
    unsafe {
        for edit in &edits {
            py::Py_XINCREF(edit.holder);
            Py_INCREF(edit.old);
            Py_INCREF(edit.new);
        }
        *(*log.cast::<Log>()).edits = edits;
    }
}

unsafe extern "C" fn traverse(log: *mut PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: the collector passes a live log; heap types visit their type.
    unsafe {
        let result = visit((*log).ob_type.cast(), arg);
        if result != 0 {
            return result;
        }
        let Some(edits) = (*log.cast::<Log>()).edits.as_ref() else { return 0 };
        for edit in edits {
            for object in [edit.holder, edit.old, edit.new] {
                let result = if object.is_null() { 0 } else { visit(object, arg) };
                if result != 0 {
                    return result;
                }
            }
        }
    }
    0
}

unsafe extern "C" fn clear(log: *mut PyObject) -> c_int {
    // SAFETY: the collector passes a live log.
    unsafe { drop_edits(take(log)) };
    0
}

unsafe extern "C" fn dealloc(log: *mut PyObject) {
    // SAFETY: the last reference is gone; the type is a heap type, of which each
    // instance owns a count.
    unsafe {
        let type_ = (*log).ob_type;
        py::PyObject_GC_UnTrack(log.cast());
        drop_edits(take(log));
        py::PyObject_GC_Del(log.cast());
        Py_DECREF(type_.cast());
    }
}

/// Takes the edits out, so that no finalizer sees them twice.
///
/// # Safety
/// `log` is a log.
unsafe fn take(log: *mut PyObject) -> Vec<Edit> {
    // SAFETY: the caller's promise; a non-null pointer is from `allocate`.
    unsafe {
        let edits = std::mem::replace(&mut (*log.cast::<Log>()).edits, ptr::null_mut());
        if edits.is_null() {
            Vec::new()
        } else {
            *Box::from_raw(edits)
        }
    }
}

/// # Safety
/// The edits own a count of each of their objects.
unsafe fn drop_edits(edits: Vec<Edit>) {
    for edit in edits {
        // SAFETY: the caller's promise.
        unsafe {
            py::Py_XDECREF(edit.holder);
            Py_DECREF(edit.old);
            Py_DECREF(edit.new);
        }
    }
}

unsafe extern "C" fn undo(log: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the method is called with a live log and the GIL.
    unsafe {
        ffi::call_with_base(|base| {
            let edits = take(log);
            let mut back = put_back(&edits);
            let mut repairs = Repairs::default();
            repairs.plan_tracking(&back, &Holders::default());
            repairs.plan_types(&back);
            apply::apply(&mut back, &repairs);
            pins::hold(back.iter().map(|edit| edit.old), base);
            apply::release(&back);
            let count = back.len();
            drop_edits(edits);
            py::PyLong_FromSize_t(count)
        })
    }
}

/// What tells one slot of a holder from the others when its memory may have moved.
fn identity(slot: &Slot) -> (usize, isize, usize) {
    match slot.name {
        // A frame's memory does not move, and may be another's by now.
        Some(_) if !slot.frame.is_null() => (slot.address as usize, slot.index, slot.code as usize),
        Some(name) => (name.as_ptr() as usize, slot.index, slot.key as usize),
        None => (slot.address as usize, 0, 0),
    }
}

/// The inverse of those edits whose slot still holds its new. Slots are located
/// afresh: a list may have moved its items since.
///
/// # Safety
/// I1 and I3; the edits own their objects.
unsafe fn put_back(edits: &[Edit]) -> Vec<Edit> {
    let news: HashSet<usize> = edits.iter().map(|edit| edit.new as usize).collect();
    let Ok(map) = ForwardingMap::new(news.iter().map(|&old| Pair { old, new: 0 })) else {
        return Vec::new();
    };
    let mut by_holder: HashMap<usize, HashMap<(usize, isize, usize), &Edit>> = HashMap::new();
    for edit in edits {
        by_holder.entry(edit.holder as usize).or_default().insert(identity(&edit.slot), edit);
    }
    let locator = Locator::default();
    let mut back = Vec::new();
    for (holder, applied) in by_holder {
        let holder = holder as *mut PyObject;
        // SAFETY: the caller's promise.
        let slots = unsafe {
            if holder.is_null() {
                frame_slots(&map)
            } else {
                locator.locate(holder, &map).slots
            }
        };
        for (slot, pair) in slots {
            let now = map.pairs()[pair].old;
            if let Some(edit) =
                applied.get(&identity(&slot)).filter(|edit| edit.new as usize == now)
            {
                let (old, new) = (edit.new, edit.old);
                back.push(Edit { holder, slot, old, new, owned: false });
            }
        }
    }
    back
}

/// Slots of running frames that can be rewritten and hold an old of `map`.
///
/// # Safety
/// I1 and I3.
unsafe fn frame_slots(map: &ForwardingMap) -> Vec<(Slot, usize)> {
    let mut slots = Vec::new();
    // SAFETY: the caller's promise.
    unsafe {
        ffi::frames(|slot| {
            if let Some(pair) = map.find(slot.load()) {
                if slot.flags & c::GCR_IN_FLIGHT == 0 {
                    slots.push((slot, pair));
                }
            }
            ControlFlow::Continue(())
        });
    }
    slots
}
