//! The search: which holders refer to an old, in three rings.
//!
//! *near* asks namespaces and definitions, and does not depend on the size of the
//! heap; *full* asks `tp_traverse` of every object on the collector's lists; *deep*
//! also looks where traversal does not lead: untracked containers, non-GC holders
//! reachable from tracked ones, and slots that only a walker knows.

use std::ops::ControlFlow;

use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::ffi::{self, bindings as c};
use crate::forwarding::{ForwardingMap, Pair};
use crate::slot::Slot;
use crate::world::World;

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
    /// Unlisted tables and objects that store a hash, as `World::hashed`.
    pub(crate) hashed: Vec<*mut PyObject>,
}

/// The full pass: calls `found` with each object on the collector's lists that may refer
/// to an old, while it is still in the processor's caches, and with how. Returns how many
/// there are.
///
/// # Safety
/// I1 and I3; `found` does not allocate, track or untrack Python objects.
pub(crate) unsafe fn full(
    map: &ForwardingMap,
    world: &mut World,
    found: impl FnMut(*mut PyObject, c::gcr_hit),
) -> usize {
    // SAFETY: the caller's promise.
    unsafe { world.pass(&map.sieve(), found) }
}

/// The near ring: namespaces, and what hangs on them by functions and classes. Calls
/// `found` with each holder that refers to an old, those of `first` and the likeliest
/// first, until it breaks. Returns how many holders were looked at.
///
/// # Safety
/// I1; the olds and `first` are alive; `found` runs no Python.
pub(crate) unsafe fn near(
    map: &ForwardingMap,
    world: &World,
    first: &[*mut PyObject],
    found: impl FnMut(*mut PyObject) -> ControlFlow<()>,
) -> usize {
    let mut near =
        Near { map, world, found, seen: FxHashSet::default(), pending: Vec::new(), scanned: 0 };
    // SAFETY: the caller's promise.
    let _ = unsafe { near.look_around(first) };
    near.scanned
}

/// Whether references to `old` are likely to be in the near ring: it is a definition.
///
/// # Safety
/// `old` is alive.
pub(crate) unsafe fn is_near(old: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { pyo3_ffi::PyType_Check(old) != 0 || c::gcr_is_definition(old) != 0 }
}

struct Near<'a, F> {
    map: &'a ForwardingMap,
    world: &'a World,
    found: F,
    seen: FxHashSet<usize>,
    pending: Vec<*mut PyObject>,
    scanned: usize,
}

impl<F: FnMut(*mut PyObject) -> ControlFlow<()>> Near<'_, F> {
    /// # Safety
    /// As for `near`.
    unsafe fn look_around(&mut self, first: &[*mut PyObject]) -> ControlFlow<()> {
        // SAFETY: the caller's promise, for every call in this function; types, and
        // namespaces of what is alive, are alive.
        unsafe {
            for &holder in first {
                self.look(holder, false)?;
            }
            self.look_at_home()?;
            for &namespace in &self.world.modules {
                self.look(namespace, false)?;
            }
            for &type_ in &self.world.types {
                self.look(type_, true)?;
                self.look_into_pending()?;
                self.look(c::gcr_type_namespace(type_), false)?;
            }
            for &namespace in &self.world.modules {
                self.look(namespace, true)?;
                self.look_into_pending()?;
            }
            for &type_ in &self.world.types {
                self.look(c::gcr_type_namespace(type_), true)?;
                self.look_into_pending()?;
            }
        }
        ControlFlow::Continue(())
    }

    /// What the olds are made of, and the globals of their functions.
    ///
    /// # Safety
    /// As for `near`.
    unsafe fn look_at_home(&mut self) -> ControlFlow<()> {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            for pair in self.map.pairs() {
                let old = pair.old as *mut PyObject;
                self.look(old, true)?;
                if pyo3_ffi::PyType_Check(old) != 0 {
                    self.look(c::gcr_type_namespace(old), true)?;
                }
            }
            let mut homes = FxHashSet::default();
            let mut add_globals = |holder| {
                ffi::traverse(holder, |referent| {
                    if self.world.namespaces.contains(&(referent as usize)) {
                        homes.insert(referent as usize);
                    }
                    ControlFlow::Continue(())
                });
            };
            self.map.pairs().iter().for_each(|pair| add_globals(pair.old as *mut PyObject));
            while let Some(part) = self.pending.pop() {
                add_globals(part);
                self.look(part, true)?;
            }
            for namespace in homes {
                self.look(namespace as *mut PyObject, false)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// # Safety
    /// As for `near`.
    unsafe fn look_into_pending(&mut self) -> ControlFlow<()> {
        while let Some(holder) = self.pending.pop() {
            // SAFETY: the caller's promise: what a live holder refers to is alive.
            unsafe { self.look(holder, true)? };
        }
        ControlFlow::Continue(())
    }

    /// # Safety
    /// As for `near`; `holder` is null or alive.
    unsafe fn look(&mut self, holder: *mut PyObject, follow: bool) -> ControlFlow<()> {
        if holder.is_null() {
            return ControlFlow::Continue(());
        }
        self.scanned += 1;
        let mut hit = false;
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            ffi::traverse(holder, |referent| {
                hit |= self.map.find(referent as usize).is_some();
                // The tuples that definitions refer to are closures, defaults, bases.
                if follow
                    && (c::gcr_is_definition(referent) != 0
                        || (pyo3_ffi::PyTuple_CheckExact(referent) != 0 && is_near(holder)))
                    && self.seen.insert(referent as usize)
                {
                    self.pending.push(referent);
                }
                ControlFlow::Continue(())
            });
        }
        if hit {
            (self.found)(holder)?;
        }
        ControlFlow::Continue(())
    }
}

/// The deep pass: the full one, into every referent that the collector does not list.
///
/// # Safety
/// I1, and the olds are alive.
pub(crate) unsafe fn deep(map: &ForwardingMap) -> Holders {
    // Only a walker shows the keys of a dict that are all str.
    let str_type = &raw mut pyo3_ffi::PyUnicode_Type;
    let is_str = |pair: &Pair| {
        // SAFETY: the caller's promise.
        unsafe { (*(pair.old as *mut PyObject)).ob_type == str_type }
    };
    let mut deep = Deep {
        map,
        keys: map.pairs().iter().any(is_str),
        seen: FxHashSet::default(),
        pending: Vec::new(),
        holders: Holders::default(),
    };
    // SAFETY: I1; the visitor allocates Rust memory only.
    unsafe {
        ffi::heap(|holder| {
            deep.look(holder);
            deep.look_into_pending();
            ControlFlow::Continue(())
        });
        // What only a running frame or the interpreter holds is on no list either.
        let mut outside = |slot: Slot| {
            let referent = slot.load() as *mut PyObject;
            if !referent.is_null() && c::gcr_is_unlisted(referent) != 0 {
                deep.look_later(referent);
            }
            ControlFlow::Continue(())
        };
        ffi::frames(&mut outside);
        ffi::roots(&mut outside);
        deep.look_into_pending();
    }
    deep.holders
}

struct Deep<'a> {
    map: &'a ForwardingMap,
    /// Whether an old may be a key of a table with str keys only.
    keys: bool,
    /// Unlisted objects that were met.
    seen: FxHashSet<usize>,
    pending: Vec<*mut PyObject>,
    holders: Holders,
}

impl Deep<'_> {
    /// # Safety
    /// I1, and `unlisted` is alive.
    unsafe fn look_later(&mut self, unlisted: *mut PyObject) {
        if self.seen.insert(unlisted as usize) {
            self.pending.push(unlisted);
            // SAFETY: the caller's promise.
            if unsafe { c::gcr_nature_of(unlisted) } == c::GCR_STORES_HASHES {
                self.holders.hashed.push(unlisted);
            }
        }
    }

    /// # Safety
    /// I1.
    unsafe fn look_into_pending(&mut self) {
        while let Some(inner) = self.pending.pop() {
            // SAFETY: the caller's promise: what a live holder refers to is alive.
            unsafe { self.look(inner) };
        }
    }

    /// # Safety
    /// I1, and `holder` is alive.
    unsafe fn look(&mut self, holder: *mut PyObject) {
        self.holders.scanned += 1;
        let mut found = false;
        // SAFETY: I1 and the caller's promise, for every call in this function: a
        // referent of a live holder is alive.
        let holder_untracked = unsafe { is_untracked_container(holder) };
        let keys = self.keys;
        let mut meet = |referent: usize| {
            if referent == 0 {
                return;
            }
            found |= self.map.find(referent).is_some();
            let object = referent as *mut PyObject;
            // SAFETY: as above.
            unsafe {
                if c::gcr_is_unlisted(object) == 0 {
                    return;
                }
                if holder_untracked && is_untracked_container(object) {
                    self.holders.untracked.push((object, holder));
                }
                self.look_later(object);
            }
        };
        // SAFETY: as above.
        unsafe {
            let coverage = match c::gcr_shows_all(holder) != 0 && !keys {
                true => c::GCR_NONE,
                false => c::gcr_walker_coverage(holder),
            };
            if coverage != c::GCR_NONE {
                ffi::walk(holder, |slot| {
                    if slot.kind() != c::GCR_WEAK {
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
            self.holders.found.push(holder);
        }
    }
}

/// # Safety
/// I1, and `object` is alive.
unsafe fn is_untracked_container(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_is_gc(object) != 0 && c::gcr_is_tracked(object) == 0 }
}
