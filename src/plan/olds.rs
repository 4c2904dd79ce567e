//! What is to be known of the olds themselves. One look at each tells all of it: they may
//! be many, and anywhere in memory.

use std::ptr;

use pyo3_ffi::PyObject;

use crate::error::Refusal;
use crate::ffi;
use crate::forwarding::{ForwardingMap, Pair};

/// How many looks pass until memory that was asked for is there.
const AHEAD: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Olds {
    /// By pair: how many references there are to the old.
    pub(super) counts: Vec<isize>,
    /// Those that may not be remapped at all.
    pub(super) refusals: Vec<Refusal>,
    /// Those that are classes.
    pub(super) classes: Vec<Pair>,
    /// Those with weak references, and how many.
    pub(super) weakly_referenced: Vec<(Pair, usize)>,
    /// Whether one is a str or bytes.
    pub(super) have_text: bool,
}

impl Olds {
    /// # Safety
    /// I1, and the olds are alive.
    pub(super) unsafe fn of(map: &ForwardingMap) -> Self {
        let pairs = map.pairs();
        let mut olds = Olds { counts: Vec::with_capacity(pairs.len()), ..Olds::default() };
        for (at, &pair) in pairs.iter().enumerate() {
            let later = pairs.get(at + AHEAD).map_or(ptr::null_mut(), |later| later.old as _);
            // SAFETY: the caller's promise; the refusals of csrc are static.
            let (look, refusal) = unsafe {
                let look = ffi::look_at_old(pair.old as *mut PyObject, later);
                (look, ffi::sentence(look.refusal))
            };
            olds.counts.push(look.count as isize);
            if let Some(reason) = refusal {
                let reason = reason.into();
                olds.refusals.push(Refusal { old: pair.old, place: None, reason });
            }
            if look.is_class != 0 {
                olds.classes.push(pair);
            }
            if look.weakrefs > 0 {
                olds.weakly_referenced.push((pair, look.weakrefs));
            }
            olds.have_text |= look.is_text != 0;
        }
        olds
    }
}
