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
use rustc_hash::FxHashSet;

use crate::forwarding::{Pair, Sieve};
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

/// The full pass: calls `visit` with each object on the collector's lists of which a
/// referent passes the sieve, or that has a nature. Returns how many objects there are.
///
/// # Safety
/// I1 and I3; as for `heap`.
pub(crate) unsafe fn scan<F: FnMut(*mut PyObject, c::gcr_nature, c::gcr_hit)>(
    sieve: &Sieve<'_>,
    mut visit: F,
) -> usize {
    unsafe extern "C" fn trampoline<F: FnMut(*mut PyObject, c::gcr_nature, c::gcr_hit)>(
        object: *mut PyObject,
        nature: c::gcr_nature,
        hit: c::gcr_hit,
        arg: *mut c_void,
    ) {
        // SAFETY: as in `object_trampoline`.
        let visit = unsafe { &mut *arg.cast::<F>() };
        visit(object, nature, hit);
    }
    // SAFETY: the caller's promise; the sieve outlives the call.
    unsafe { c::gcr_scan(&sieve_to_c(sieve), Some(trampoline::<F>), (&raw mut visit).cast()) }
}

fn sieve_to_c(sieve: &Sieve<'_>) -> c::gcr_sieve {
    let Sieve { low, span, bits, shift } = *sieve;
    c::gcr_sieve { low, span, bits: bits.as_ptr(), shift }
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

unsafe extern "C" fn told_trampoline<F: FnMut(*mut PyObject, *mut *mut PyObject, c::gcr_kind)>(
    referent: *mut PyObject,
    slot: *mut *mut PyObject,
    kind: c::gcr_kind,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: as in `object_trampoline`.
    let visit = unsafe { &mut *arg.cast::<F>() };
    visit(referent, slot, kind);
    0
}

/// What `holder`'s `tp_traverse` shows, and where and how each stands; null when that is not told.
///
/// # Safety
/// I1, and `holder` is alive.
pub(crate) unsafe fn traverse_told<F: FnMut(*mut PyObject, *mut *mut PyObject, c::gcr_kind)>(
    holder: *mut PyObject,
    mut visit: F,
) {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_traverse_told(holder, Some(told_trampoline::<F>), (&raw mut visit).cast()) };
}

/// Every slot of `holder` that a walker knows.
///
/// # Safety
/// I1, I3, and `holder` is alive.
pub(crate) unsafe fn walk<F: FnMut(Slot) -> ControlFlow<()>>(holder: *mut PyObject, mut visit: F) {
    // SAFETY: the caller's promise.
    unsafe {
        let sieve = std::ptr::null();
        c::gcr_walk(holder, sieve, Some(slot_trampoline::<F>), (&raw mut visit).cast());
    }
}

/// Every slot of `holder` that a walker knows and whose referent passes the sieve.
///
/// # Safety
/// As for `walk`.
pub(crate) unsafe fn walk_sieved<F: FnMut(Slot) -> ControlFlow<()>>(
    holder: *mut PyObject,
    sieve: &Sieve<'_>,
    mut visit: F,
) {
    let sieve = sieve_to_c(sieve);
    // SAFETY: the caller's promise; the sieve outlives the call.
    unsafe { c::gcr_walk(holder, &sieve, Some(slot_trampoline::<F>), (&raw mut visit).cast()) };
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

/// What one look tells of an object that is to be replaced.
///
/// # Safety
/// I1, and the sides of `pair` are alive; `later` will be looked at some calls from now.
pub(crate) unsafe fn look_at_old(pair: Pair, later: Pair) -> c::gcr_old {
    let sides = |pair: Pair| c::gcr_pair {
        old: pair.old as *mut PyObject,
        new_: pair.new as *mut PyObject,
    };
    let mut look = std::mem::MaybeUninit::uninit();
    // SAFETY: the caller's promise; the call fills all of it.
    unsafe {
        c::gcr_look_at_old(sides(pair), sides(later), look.as_mut_ptr());
        look.assume_init()
    }
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

unsafe extern "C" fn note(word: usize, words: *mut c_void) {
    // SAFETY: `words` is a set of the caller's, which outlives the call.
    let words = unsafe { &mut *words.cast::<FxHashSet<usize>>() };
    words.insert(word);
}

/// The words from `low` to `high` that stand on the C stack of any thread, or uncounted in
/// a running frame; of the calling thread's, those up to `ceiling`, if it is not 0. `None`
/// where that cannot be found out.
///
/// # Safety
/// The GIL is held; `base` and `ceiling` are from [`call_with_base`].
pub(crate) unsafe fn stack_words(
    low: usize,
    high: usize,
    base: usize,
    ceiling: usize,
) -> Option<FxHashSet<usize>> {
    let mut words = FxHashSet::default();
    // SAFETY: the caller's promise.
    let complete = unsafe {
        c::gcr_stack_words(low, high, base, ceiling, Some(note), (&raw mut words).cast())
    };
    (complete != 0).then_some(words)
}

/// Where the mappings with the stacks of all threads begin; `None` if that of some thread
/// is not known.
///
/// # Safety
/// The GIL is held.
pub(crate) unsafe fn stacks() -> Option<FxHashSet<usize>> {
    let mut starts = FxHashSet::default();
    // SAFETY: the caller's promise.
    let complete = unsafe { c::gcr_stacks(Some(note), (&raw mut starts).cast()) };
    (complete != 0).then_some(starts)
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
