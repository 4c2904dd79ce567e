//! The probe: finds slots of a holder of which nothing is known.
//!
//! A word of the holder's memory that equals an old is a slot if, and only if,
//! changing it changes what `tp_traverse` shows. So put the address of a *twin*
//! there, a byte-for-byte copy of the old (so that a traversal that looks inside
//! its referents finds what it expects), traverse, and see whether the twin is
//! shown. Every candidate gets a twin of its own, so one traversal answers for
//! all of them at once. No Python code runs while a word is changed.

use std::collections::{BinaryHeap, VecDeque};
use std::ops::ControlFlow;

use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ffi::{self, bindings as c};
use crate::memory::{read_words, Readable};
use crate::slot::Slot;

/// What is looked for: olds, and how many slots of each are still missing.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    counts: FxHashMap<usize, usize>,
    low: usize,
    high: usize,
}

impl Missing {
    pub(crate) fn new(counts: FxHashMap<usize, usize>) -> Self {
        let low = counts.keys().copied().min().unwrap_or(usize::MAX);
        let high = counts.keys().copied().max().unwrap_or(0);
        Missing { counts, low, high }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Olds of which slots are still missing, with how many.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.counts.iter().map(|(&old, &count)| (old, count))
    }

    fn is_old(&self, address: usize) -> bool {
        (self.low..=self.high).contains(&address) && self.counts.contains_key(&address)
    }

    /// One slot of `old` was found; false when none is missing.
    fn take(&mut self, old: usize) -> bool {
        let Some(count) = self.counts.get_mut(&old) else { return false };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&old);
        }
        true
    }
}

/// How far a block behind a pointer is read: its true size is unknown, so begin
/// small (linked blocks, structs) and widen (long arrays) while slots are missing.
const WINDOWS: [usize; 4] = [1 << 10, 1 << 15, 1 << 20, 1 << 28];
/// Bytes read in one round of one window before giving up on it.
const ROUND_BYTES: usize = 1 << 26;
/// Blocks read between two tests of the candidates found.
const BATCH_BLOCKS: usize = 256;
/// How much of a block's beginning says whether it is the holder's own.
const DENSE_BYTES: usize = 256;
/// Room kept before a twin for the words CPython may read there: the collector's
/// header and the managed dict and weak reference words.
const PREHEADER: usize = size_of::<[usize; 8]>();

#[derive(Debug, Clone, Copy)]
struct Candidate {
    word: *mut usize,
    /// The complement of the old's address: the search may come upon this very
    /// memory, and what it takes for a candidate it changes.
    not_old: usize,
    tag: usize,
}

impl Candidate {
    fn old(&self) -> usize {
        !self.not_old
    }
}

/// Locates the missing slots of `holder`; `known` are slots already located.
/// Returns what it found; less than asked for when a slot hides too deep.
///
/// # Safety
/// I1, and `holder` and the olds are alive.
pub(crate) unsafe fn probe(
    holder: *mut PyObject,
    missing: &mut Missing,
    known: &FxHashSet<usize>,
    readable: &Readable,
) -> Vec<Slot> {
    let mut found = Vec::new();
    let mut located = known.clone();
    // The class of a heap type's instance is shown, and where it stands is known.
    // To change it even for a moment would mislead the traversal itself, which
    // may ask the class for its module's state.
    // SAFETY: the caller's promise.
    let (class, class_slot) = unsafe { ((*holder).ob_type as usize, &raw mut (*holder).ob_type) };
    if located.insert(class_slot as usize) && missing.take(class) {
        found.push(Slot::probed(class_slot.cast(), c::GCR_STRONG, c::GCR_OB_TYPE));
    }
    for window in WINDOWS {
        // SAFETY: the caller's promise.
        unsafe { probe_round(holder, missing, &mut located, readable, window, &mut found) };
        if missing.is_empty() {
            break;
        }
    }
    found
}

/// # Safety
/// As for `probe`.
unsafe fn probe_round(
    holder: *mut PyObject,
    missing: &mut Missing,
    located: &mut FxHashSet<usize>,
    readable: &Readable,
    window: usize,
    found: &mut Vec<Slot>,
) {
    // Other holders' memory is not ours to search: what the holder shows, and
    // its type, are objects with slots of their own.
    let mut shown: FxHashSet<usize> = FxHashSet::default();
    // SAFETY: the caller's promise.
    unsafe {
        ffi::traverse(holder, |referent| {
            shown.insert(referent as usize);
            ControlFlow::Continue(())
        });
    }
    let mut visited = shown.clone();
    // SAFETY: the caller's promise.
    visited.insert(unsafe { (*holder).ob_type } as usize);
    let (mut start, mut end) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe { c::gcr_extent(holder, &raw mut start, &raw mut end) };
    // It may show itself, and is searched all the same.
    visited.remove(&(start as usize));
    // Breadth first, and by turns what looks most like the holder's own: what a
    // block dense with what the holder shows points to, or a long chain is never
    // followed to its end. A block met again from a denser one moves ahead.
    let mut best: FxHashMap<usize, usize> = FxHashMap::default();
    let mut queue = VecDeque::from([(start as usize, end as usize)]);
    let mut likely = BinaryHeap::new();
    let mut turn = false;
    let mut budget = ROUND_BYTES.max(window);
    let mut candidates = Vec::new();
    let mut blocks = 0;
    loop {
        turn = !turn;
        let next = if turn { likely.pop().map(|(_, block)| block) } else { queue.pop_front() };
        let next = next.or_else(|| queue.pop_front());
        let Some((start, end)) = next.or_else(|| likely.pop().map(|(_, block)| block)) else {
            break;
        };
        if !visited.insert(start) {
            continue;
        }
        budget = match budget.checked_sub(end.saturating_sub(start)) {
            Some(rest) => rest,
            None => break,
        };
        let mut pointers = Vec::new();
        let mut density = 0;
        for_each_word(start, end, |address, value| {
            let (target, tag) = (value & !7, value & 7);
            if tag > 1 {
                return;
            }
            if address < start + DENSE_BYTES && shown.contains(&target) {
                density += 1;
            }
            if missing.is_old(target) {
                if !located.contains(&address) {
                    let word = address as *mut usize;
                    candidates.push(Candidate { word, not_old: !target, tag });
                }
            } else if !visited.contains(&target) {
                if let Some(limit) = readable.limit(target) {
                    pointers.push((target, limit.min(target + window)));
                }
            }
        });
        for block in pointers {
            match best.insert(block.0, density) {
                Some(before) if before >= density => {
                    best.insert(block.0, before);
                }
                _ if density > 0 => likely.push((density, block)),
                _ => queue.push_back(block),
            }
        }
        blocks += 1;
        if (queue.is_empty() && likely.is_empty()) || blocks % BATCH_BLOCKS == 0 {
            // SAFETY: the caller's promise.
            unsafe { test(holder, &mut candidates, missing, located, found) };
            if missing.is_empty() {
                return;
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { test(holder, &mut candidates, missing, located, found) };
}

/// Calls `visit` with the address and value of each word that can be read.
fn for_each_word(start: usize, end: usize, mut visit: impl FnMut(usize, usize)) {
    let mut buffer = [0; 512];
    let mut address = start;
    while address < end {
        let wanted = ((end - address) / size_of::<usize>()).min(buffer.len());
        let read = read_words(address, &mut buffer[..wanted]);
        for (index, value) in buffer[..read].iter().enumerate() {
            visit(address + index * size_of::<usize>(), *value);
        }
        if read == 0 {
            return;
        }
        address += read * size_of::<usize>();
    }
}

/// Gives every candidate a twin, traverses once, and keeps those whose twin is shown.
///
/// # Safety
/// As for `probe`; every candidate's word is readable.
unsafe fn test(
    holder: *mut PyObject,
    candidates: &mut Vec<Candidate>,
    missing: &mut Missing,
    located: &mut FxHashSet<usize>,
    found: &mut Vec<Slot>,
) {
    // The same word can be met twice, through two pointers to one block.
    candidates.sort_by_key(|candidate| candidate.word);
    candidates.dedup_by_key(|candidate| candidate.word);
    if candidates.is_empty() {
        return;
    }
    let mut offsets = Vec::with_capacity(candidates.len());
    let mut total = 0;
    for candidate in candidates.iter() {
        let (mut start, mut end) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the caller's promise: olds are alive.
        unsafe { c::gcr_extent(candidate.old() as *mut PyObject, &raw mut start, &raw mut end) };
        offsets.push(total);
        total += (PREHEADER + (end as usize - candidate.old())).next_multiple_of(16);
    }
    offsets.push(total);
    // Words, so that it is aligned as objects are, and zero where a read stops short.
    let mut arena = vec![0u128; total.div_ceil(16)];
    let base = arena.as_mut_ptr() as usize;
    let mut shown = vec![false; candidates.len()];
    for (candidate, range) in candidates.iter().zip(offsets.windows(2)) {
        copy_twin(candidate.old(), base + range[0], range[1] - range[0]);
    }
    let twin = |index: usize| base + offsets[index] + PREHEADER;
    // What was read a while ago may have been freed and be the engine's own by
    // now: change only what is a candidate still, and allocate nothing from here on.
    let stands = |candidate: &Candidate| {
        let mut now = [0];
        read_words(candidate.word as usize, &mut now) == 1
            && now[0] == candidate.old() | candidate.tag
            && !arena.as_ptr_range().contains(&candidate.word.cast_const().cast())
    };
    for candidate in candidates.iter_mut().filter(|candidate| !stands(candidate)) {
        candidate.word = std::ptr::null_mut();
    }
    let standing = || candidates.iter().enumerate().filter(|(_, c)| !c.word.is_null());
    // SAFETY: I1: nothing but the traversal below can look at these words until
    // they are put back, and it only reads.
    unsafe {
        for (index, candidate) in standing() {
            candidate.word.write(twin(index) | candidate.tag);
        }
        ffi::traverse(holder, |referent| {
            let at = (referent as usize).wrapping_sub(base);
            if at < total {
                let index = offsets.partition_point(|&offset| offset <= at) - 1;
                shown[index] |= at == offsets[index] + PREHEADER;
            }
            ControlFlow::Continue(())
        });
        for (_, candidate) in standing() {
            candidate.word.write(candidate.old() | candidate.tag);
        }
    }
    for (candidate, _) in candidates.iter().zip(&shown).filter(|(_, shown)| **shown) {
        if missing.take(candidate.old()) {
            located.insert(candidate.word as usize);
            let kind = if candidate.tag == 0 { c::GCR_STRONG } else { c::GCR_TAGGED };
            found.push(Slot::probed(candidate.word.cast(), kind, c::GCR_PLAIN));
        }
    }
    candidates.clear();
}

/// Copies an object with the words before it; what cannot be read stays zero.
fn copy_twin(old: usize, to: usize, length: usize) {
    let from = old - PREHEADER;
    // SAFETY: the arena has `length` bytes at `to`, aligned to words.
    let words =
        unsafe { std::slice::from_raw_parts_mut(to as *mut usize, length / size_of::<usize>()) };
    if read_words(from, words) * size_of::<usize>() <= PREHEADER {
        // The object begins its mapping: there is nothing before it to read.
        read_words(old, &mut words[PREHEADER / size_of::<usize>()..]);
    }
}
