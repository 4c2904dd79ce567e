//! Safe-to-read wrappers over `csrc/gcremap.h`; nothing else says `extern "C"`
//! of gcremap's own C.

#[allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    unreachable_pub
)]
pub(crate) mod bindings;

use std::ffi::{c_char, c_int, c_void, CStr};
use std::ops::ControlFlow;

use pyo3_ffi::PyObject;

use crate::slot::Slot;
use bindings as c;

fn flow_to_c(flow: ControlFlow<()>) -> c_int {
    match flow {
        ControlFlow::Continue(()) => 0,
        ControlFlow::Break(()) => 1,
    }
}

unsafe extern "C" fn object_trampoline<F: FnMut(*mut PyObject) -> ControlFlow<()>>(
    object: *mut PyObject,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: `arg` is the closure that the wrapper below passed down, and C
    // calls the visitor only while that wrapper runs.
    let visit = unsafe { &mut *arg.cast::<F>() };
    flow_to_c(visit(object))
}

unsafe extern "C" fn slot_trampoline<F: FnMut(Slot) -> ControlFlow<()>>(
    slot: *const c::gcr_slot,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: as in `object_trampoline`; `slot` is the walker's own.
    let (visit, slot) = unsafe { (&mut *arg.cast::<F>(), Slot::from_walker(&*slot)) };
    flow_to_c(visit(slot))
}

/// Every object on the collector's lists.
///
/// # Safety
/// I1; `visit` must not allocate, track or untrack Python objects.
pub(crate) unsafe fn heap<F: FnMut(*mut PyObject) -> ControlFlow<()>>(mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_heap(Some(object_trampoline::<F>), (&raw mut visit).cast()) };
}

/// Every type that is alive.
///
/// # Safety
/// I1; as for `heap`.
pub(crate) unsafe fn types<F: FnMut(*mut PyObject) -> ControlFlow<()>>(mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_types(Some(object_trampoline::<F>), (&raw mut visit).cast()) };
}

/// The namespace of every plain module in `sys.modules`.
///
/// # Safety
/// I1; as for `heap`.
pub(crate) unsafe fn module_namespaces<F: FnMut(*mut PyObject) -> ControlFlow<()>>(mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_module_namespaces(Some(object_trampoline::<F>), (&raw mut visit).cast()) };
}

/// What `holder`'s `tp_traverse` shows.
///
/// # Safety
/// I1, and `holder` is alive.
pub(crate) unsafe fn traverse<F: FnMut(*mut PyObject) -> ControlFlow<()>>(
    holder: *mut PyObject,
    mut visit: F,
) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_traverse(holder, Some(object_trampoline::<F>), (&raw mut visit).cast()) };
}

unsafe extern "C" fn told_trampoline<F: FnMut(*mut PyObject, *mut *mut PyObject)>(
    referent: *mut PyObject,
    slot: *mut *mut PyObject,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: as in `object_trampoline`.
    let visit = unsafe { &mut *arg.cast::<F>() };
    visit(referent, slot);
    0
}

/// What `holder`'s `tp_traverse` shows, and where each stands; null when that is not told.
///
/// # Safety
/// I1, and `holder` is alive.
pub(crate) unsafe fn traverse_told<F: FnMut(*mut PyObject, *mut *mut PyObject)>(
    holder: *mut PyObject,
    mut visit: F,
) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_traverse_told(holder, Some(told_trampoline::<F>), (&raw mut visit).cast()) };
}

/// What `holder`'s `tp_traverse` shows, without calling it for exact lists, tuples and
/// dicts: for what only compares addresses.
///
/// # Safety
/// I1 and I3, and `holder` is on the collector's lists.
pub(crate) unsafe fn referents<F: FnMut(usize) -> ControlFlow<()>>(
    holder: *mut PyObject,
    mut visit: F,
) {
    // SAFETY: the caller's promise; the spans are of a live object.
    unsafe {
        let type_ = (*holder).ob_type;
        let mut spans = [c::gcr_span { first: std::ptr::null_mut(), step: 1, count: 0 }; 2];
        let count = if type_ == &raw mut pyo3_ffi::PyDict_Type {
            c::gcr_dict_spans(holder, spans.as_mut_ptr())
        } else if type_ == &raw mut pyo3_ffi::PyTuple_Type {
            spans[0].first = (&raw mut (*holder.cast::<pyo3_ffi::PyTupleObject>()).ob_item).cast();
            spans[0].count = pyo3_ffi::Py_SIZE(holder) as usize;
            1
        } else if type_ == &raw mut pyo3_ffi::PyList_Type {
            spans[0].first = (*holder.cast::<pyo3_ffi::PyListObject>()).ob_item;
            spans[0].count = pyo3_ffi::Py_SIZE(holder) as usize;
            1
        } else {
            return traverse(holder, |referent| visit(referent as usize));
        };
        for span in &spans[..count as usize] {
            for index in 0..span.count {
                let referent = *span.first.add(index * span.step) as usize;
                if referent != 0 && visit(referent).is_break() {
                    return;
                }
            }
        }
    }
}

/// Every slot of `holder` that a walker knows.
///
/// # Safety
/// I1, I3, and `holder` is alive.
pub(crate) unsafe fn walk<F: FnMut(Slot) -> ControlFlow<()>>(holder: *mut PyObject, mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_walk(holder, Some(slot_trampoline::<F>), (&raw mut visit).cast()) };
}

/// Every slot of every running frame of every thread.
///
/// # Safety
/// I1 and I3; `visit` must not run Python.
pub(crate) unsafe fn frames<F: FnMut(Slot) -> ControlFlow<()>>(mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_frames(Some(slot_trampoline::<F>), (&raw mut visit).cast()) };
}

/// Every slot of the interpreter's and its threads' states that no holder shows.
///
/// # Safety
/// I1 and I3; `visit` must not run Python.
pub(crate) unsafe fn roots<F: FnMut(Slot) -> ControlFlow<()>>(mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_roots(Some(slot_trampoline::<F>), (&raw mut visit).cast()) };
}

/// One of csrc's sentences.
///
/// # Safety
/// `text` is null or a static string.
pub(crate) unsafe fn sentence(text: *const c_char) -> Option<&'static str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; csrc's sentences are ASCII.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// Calls `body` with the stack address above which the callers' words stand.
///
/// # Safety
/// The GIL is held; `body` returns a new reference, or null with an exception.
pub(crate) unsafe fn call_with_base<F: FnMut(usize) -> *mut PyObject>(
    mut body: F,
) -> *mut PyObject {
    unsafe extern "C" fn trampoline<F: FnMut(usize) -> *mut PyObject>(
        arg: *mut c_void,
        base: usize,
    ) -> *mut PyObject {
        // SAFETY: `arg` is the closure below, which outlives the call.
        let body = unsafe { &mut *arg.cast::<F>() };
        body(base)
    }
    // SAFETY: the caller's promise.
    unsafe { c::gcr_call_with_base(Some(trampoline::<F>), (&raw mut body).cast()) }
}
