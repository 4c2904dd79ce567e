//! From "this holder shows old" to "this slot holds old".
//!
//! Three say where a slot is: the traversal itself, in an interpreter of `patches/`; a
//! walker, who also knows what the slot may hold; the probe, for what neither tells.

use std::cell::OnceCell;
use std::ops::ControlFlow;

use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::memory::Readable;
use crate::probe::{probe, Missing};
use crate::slot::Slot;

/// The slots of one holder that hold an old.
#[derive(Debug, Default)]
pub(crate) struct Located {
    /// Each with the index of its pair.
    pub(crate) slots: Vec<(Slot, usize)>,
    /// Pairs whose old `tp_traverse` shows more often than slots were found.
    pub(crate) unlocated: Vec<(usize, usize)>,
    /// Pairs of which the walker shows slots that `tp_traverse` does not: its
    /// layout cannot be trusted.
    pub(crate) excess: Vec<usize>,
}

/// Locates slots; keeps the process's memory map between holders.
#[derive(Debug, Default)]
pub(crate) struct Locator {
    readable: OnceCell<Readable>,
}

impl Locator {
    /// # Safety
    /// I1, I3, and `holder` and the olds are alive.
    pub(crate) unsafe fn locate(&self, holder: *mut PyObject, map: &ForwardingMap) -> Located {
        let mut shown: FxHashMap<usize, isize> = FxHashMap::default();
        let mut perhaps: FxHashMap<usize, isize> = FxHashMap::default();
        let mut located = Located::default();
        let mut told = Vec::new();
        // SAFETY: the caller's promise.
        unsafe {
            ffi::traverse_told(holder, |referent, slot, kind| {
                if let Some(pair) = map.find(referent as usize) {
                    *shown.entry(pair).or_default() += 1;
                    if !slot.is_null() {
                        told.push((slot, kind, pair));
                    }
                }
            });
            ffi::walk(holder, |slot| {
                if let Some(pair) = map.find(slot.load()) {
                    if slot.flags() & c::GCR_HIDDEN == 0 {
                        *shown.entry(pair).or_default() -= 1;
                    }
                    if slot.flags() & c::GCR_PERHAPS_SHOWN != 0 {
                        *perhaps.entry(pair).or_default() += 1;
                    }
                    located.slots.push((slot, pair));
                }
                ControlFlow::Continue(())
            });
        }
        for (pair, count) in perhaps {
            let rest = shown.entry(pair).or_default();
            *rest -= count.min((*rest).max(0));
        }
        // SAFETY: the caller's promise.
        let has_traverse = unsafe { c::gcr_is_gc(holder) } != 0;
        let mut missing = FxHashMap::default();
        // SAFETY: the caller's promise.
        let running = unsafe { c::gcr_is_running(holder) } != 0;
        let mut known: FxHashSet<usize> =
            located.slots.iter().map(|(slot, _)| slot.address as usize).collect();
        // A running generator's are its frame's.
        for (address, kind, pair) in told.into_iter().filter(|_| !running) {
            // One that is told again was left over from a visit before.
            if known.insert(address as usize) {
                located.slots.push((Slot::told(address, kind, holder), pair));
                *shown.entry(pair).or_default() -= 1;
            }
        }
        for (pair, count) in shown {
            if running {
                // What it shows besides is its frame's, and so the thread's.
            } else if count > 0 {
                missing.insert(map.pairs()[pair].old, count as usize);
            } else if count < 0 && has_traverse {
                located.excess.push(pair);
            }
        }
        if missing.is_empty() {
            return located;
        }
        let mut missing = Missing::new(missing);
        let readable = self.readable.get_or_init(|| {
            // SAFETY: the caller's promise.
            unsafe { Readable::now() }
        });
        // SAFETY: the caller's promise.
        let probed = unsafe { probe(holder, &mut missing, &known, readable) };
        for slot in probed {
            // SAFETY: the caller's promise.
            if let Some(pair) = map.find(unsafe { slot.load() }) {
                located.slots.push((slot, pair));
            }
        }
        located.unlocated = missing
            .rest()
            .filter_map(|(old, count)| map.find(old).map(|pair| (pair, count)))
            .collect();
        located
    }
}
