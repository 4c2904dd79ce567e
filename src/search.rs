//! The search: which holders refer to an old.
//!
//! *full* asks `tp_traverse` of every object on the collector's lists; *deep*
//! also looks where traversal does not lead: untracked containers, non-GC
//! holders reachable from tracked ones, and slots that only a walker knows.

use std::collections::HashSet;
use std::ops::ControlFlow;

use pyo3_ffi::PyObject;

use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::slot::Slot;

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// Holders that refer to an old, each once.
    pub(crate) found: Vec<*mut PyObject>,
    /// Objects visited.
    pub(crate) scanned: usize,
    /// Untracked containers and the untracked containers that hold them: who
    /// must be tracked too when the first receives a tracked object.
    pub(crate) untracked: Vec<(*mut PyObject, *mut PyObject)>,
}

/// One pass over every GC object.
///
/// # Safety
/// I1.
pub(crate) unsafe fn full(map: &ForwardingMap) -> Holders {
    let mut holders = Holders::default();
    // SAFETY: I1; the visitor allocates Rust memory only.
    unsafe {
        ffi::heap(|holder| {
            holders.scanned += 1;
            let mut hit = false;
            ffi::traverse(holder, |referent| match map.find(referent as usize) {
                Some(_) => {
                    hit = true;
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            });
            if hit {
                holders.found.push(holder);
            }
            ControlFlow::Continue(())
        });
    }
    holders
}

/// The full pass, into every referent that the collector does not list.
///
/// # Safety
/// I1.
pub(crate) unsafe fn deep(map: &ForwardingMap) -> Holders {
    // SAFETY: the caller's promise.
    unsafe { deep_where(&|referent| map.find(referent as usize).is_some()) }
}

/// The deep search for holders of what `hit` says, asked about live objects.
///
/// # Safety
/// I1.
pub(crate) unsafe fn deep_where(hit: &impl Fn(*mut PyObject) -> bool) -> Holders {
    let mut holders = Holders::default();
    let mut seen = HashSet::new();
    let mut pending = Vec::new();
    // SAFETY: I1; the visitor allocates Rust memory only.
    unsafe {
        ffi::heap(|holder| {
            look(holder, hit, &mut holders, &mut seen, &mut pending);
            while let Some(inner) = pending.pop() {
                look(inner, hit, &mut holders, &mut seen, &mut pending);
            }
            ControlFlow::Continue(())
        });
        // What only a running frame or the interpreter holds is on no list either.
        let mut outside = |slot: Slot| {
            let referent = slot.load() as *mut PyObject;
            if !referent.is_null() && is_unlisted(referent) && seen.insert(referent as usize) {
                pending.push(referent);
            }
            ControlFlow::Continue(())
        };
        ffi::frames(&mut outside);
        ffi::roots(&mut outside);
        while let Some(inner) = pending.pop() {
            look(inner, hit, &mut holders, &mut seen, &mut pending);
        }
    }
    holders
}

/// Whether the collector does not list `object`, though it may hold others.
///
/// # Safety
/// I1, and `object` is alive.
unsafe fn is_unlisted(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_is_leaf(object) == 0 && c::gcr_is_tracked(object) == 0 }
}

/// # Safety
/// I1, and `holder` is alive.
unsafe fn look(
    holder: *mut PyObject,
    hit: &impl Fn(*mut PyObject) -> bool,
    holders: &mut Holders,
    seen: &mut HashSet<usize>,
    pending: &mut Vec<*mut PyObject>,
) {
    holders.scanned += 1;
    let mut found = false;
    // SAFETY: I1 and the caller's promise, for every call in this function: a
    // referent of a live holder is alive.
    let holder_untracked = unsafe { is_untracked_container(holder) };
    let mut meet = |referent: usize| {
        if referent == 0 {
            return;
        }
        let object = referent as *mut PyObject;
        found |= hit(object);
        // SAFETY: as above.
        if !unsafe { is_unlisted(object) } {
            return;
        }
        // SAFETY: as above.
        if holder_untracked && unsafe { is_untracked_container(object) } {
            holders.untracked.push((object, holder));
        }
        if seen.insert(referent) {
            pending.push(object);
        }
    };
    // SAFETY: as above.
    unsafe {
        let coverage = c::gcr_walker_coverage(holder);
        if coverage != c::GCR_NONE {
            ffi::walk(holder, |slot| {
                if slot.kind != c::GCR_WEAK {
                    meet(slot.load());
                }
                ControlFlow::Continue(())
            });
        }
        if coverage != c::GCR_FULL {
            ffi::traverse(holder, |referent| {
                meet(referent as usize);
                ControlFlow::Continue(())
            });
        }
    }
    if found {
        holders.found.push(holder);
    }
}

/// # Safety
/// I1, and `object` is alive.
unsafe fn is_untracked_container(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_is_gc(object) != 0 && c::gcr_is_tracked(object) == 0 }
}
