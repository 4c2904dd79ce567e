//! What is to be known of the olds themselves. One look at each tells all of it: they may
//! be many, and anywhere in memory.

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
    /// Whether all of them hash by their address, and their news as well.
    pub(super) hash_by_address: bool,
}

impl Olds {
    /// # Safety
    /// I1 and I2.
    pub(super) unsafe fn of(map: &ForwardingMap) -> Self {
        let pairs = map.pairs();
        let counts = Vec::with_capacity(pairs.len());
        let mut olds = Olds { counts, hash_by_address: true, ..Olds::default() };
        for (at, &pair) in pairs.iter().enumerate() {
            let later = pairs.get(at + AHEAD).copied().unwrap_or(pair);
            // SAFETY: the caller's promise; the refusals of csrc are static.
            let (look, refusal) = unsafe {
                let look = ffi::look_at_old(pair, later);
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
            olds.hash_by_address &= look.hashes_by_address != 0;
        }
        olds
    }
}
