//! The way back: from what a remap did to the changes that undo it, as far as it
//! still stands.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api;
use crate::edit::{count_all, Bases, Changes, Edit, Instances, Restore, Variables};
use crate::ffi::{self, bindings as c};
use crate::forwarding::{ForwardingMap, Pair};
use crate::locate::Locator;
use crate::lost::{former_keys, ways_back, Anew, FormerKeys, Way};
use crate::object::{Owned, Raised};
use crate::repair::contexts::Changed;
use crate::repair::weak::WeakMove;
use crate::slot::Slot;
use crate::transaction::{self, Failure, Outcome};

/// Undoes what a remap did; returns how many references were put back. An error means
/// that nothing was.
///
/// # Safety
/// The GIL is held; `done` owns its objects and `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn undo(
    done: &Outcome,
    base: usize,
    log: *mut PyObject,
) -> Result<usize, Raised> {
    let mut restores = 0;
    let mut anew = Vec::new();
    // SAFETY: the caller's promise.
    unsafe {
        let undone = match transaction::run(false, base, |_| {
            let changes;
            (changes, anew) = put_back(done);
            restores = changes.restores.len();
            changes
        }) {
            Ok(undone) => undone,
            // All is as it was before, whatever a cache said to it.
            Err(Failure::Late(undone)) => {
                py::PyErr_WriteUnraisable(log);
                *undone
            }
            Err(Failure::Raised) => return Err(Raised),
            Err(Failure::Refused(refusals)) => {
                let back = |new: usize| {
                    let edit = done.edits.iter().find(|edit| edit.new as usize == new);
                    let class = done.instances.iter().find(|class| class.new as usize == new);
                    let old = edit.map(|edit| edit.old).or(class.map(|class| class.old));
                    old.map_or(new, |old| old as usize)
                };
                return Err(api::raise_refusals(&refusals, back));
            }
        };
        let moved: usize = undone.weak.iter().map(|moved| moved.references.len()).sum();
        let instances = count_all(&undone.instances);
        let slots = undone.edits.count_slots();
        for lost in &anew {
            match lost.insert() {
                Ok(()) => restores += 1,
                Err(Raised) => py::PyErr_WriteUnraisable(log),
            }
        }
        Ok(slots + instances + undone.variables + moved + restores)
    }
}

/// Undoes what failed when all had been done; whether it could. The exception that is
/// set stays.
///
/// # Safety
/// The GIL is held, and an exception is set; `base` is from `ffi::call_with_base`.
#[allow(deprecated, reason = "3.11 has no other way to keep an exception")]
pub(crate) unsafe fn revert(done: &Outcome, base: usize) -> bool {
    let (mut kind, mut value, mut traceback) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        py::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback);
        // What comes late again is less than what came first.
        let undone = transaction::run(false, base, |_| put_back(done).0);
        py::PyErr_Clear();
        py::PyErr_Restore(kind, value, traceback);
        matches!(undone, Ok(_) | Err(Failure::Late(_)))
    }
}

/// What tells one slot of a holder from the others when its memory may have moved.
fn identity(slot: &Slot, now: usize) -> (usize, isize, usize) {
    match slot.name() {
        // A frame's memory does not move, and may be another's by now.
        Some(_) if !slot.frame.is_null() => (slot.address as usize, slot.index, slot.code as usize),
        // A table has one entry, and one node, of a key, wherever it stands.
        Some(name)
            if matches!(slot.role(), c::GCR_DICT_KEY | c::GCR_SET_ENTRY | c::GCR_HASH_NODE) =>
        {
            (name.as_ptr() as usize, 0, now)
        }
        // Wherever it stands, and whether its table is the instance's own or a dict.
        Some(_) if slot.role() == c::GCR_DICT_VALUE => (0, 0, slot.key as usize),
        Some(name) => (name.as_ptr() as usize, slot.index, slot.key as usize),
        None => (slot.address as usize, 0, 0),
    }
}

/// The inverse of what was done, as far as it still stands, and what is to be inserted
/// after it. Slots are located afresh: a list may have moved its items since.
///
/// # Safety
/// I1 and I3; `done` owns its objects.
unsafe fn put_back(done: &Outcome) -> (Changes, Vec<Anew>) {
    let mut changes = Changes::default();
    let forwarded: FxHashMap<usize, usize> =
        done.edits.iter().map(|edit| (edit.old as usize, edit.new as usize)).collect();
    let news: FxHashSet<usize> = forwarded.values().copied().collect();
    let Ok(map) = ForwardingMap::new(news.iter().map(|&old| Pair { old, new: 0 })) else {
        return (changes, Vec::new());
    };
    let lost: FxHashSet<(usize, isize)> =
        done.dropped.iter().map(|lost| (lost.table as usize, lost.dropped.entry)).collect();
    let keys = former_keys(done);
    // SAFETY: the caller's promise.
    let ways = unsafe { ways_back(done, &keys) };
    // Where the loser cannot come back, the winner keeps its key and its value.
    let gone = done.dropped.iter().zip(&ways).filter(|(_, &way)| way == Way::None);
    let won: FxHashSet<(usize, isize)> =
        gone.map(|(lost, _)| (lost.table as usize, lost.dropped.winner)).collect();
    let moved = MovedValues::of(done, &ways);
    // By table: the olds of keys that an entry, and its node, do not get back.
    let stays = |edit: &&Edit| {
        let entry = (edit.holder as usize, edit.slot.index);
        edit.is_key() && (lost.contains(&entry) || won.contains(&entry))
    };
    let stay: FxHashSet<(usize, usize)> =
        done.edits.iter().filter(stays).map(|e| (e.holder as usize, e.old as usize)).collect();
    let mut by_holder: FxHashMap<usize, FxHashMap<(usize, isize, usize), &Edit>> =
        FxHashMap::default();
    for edit in done.edits.iter() {
        let entry = (edit.holder as usize, edit.slot.index);
        let is_of_entry = edit.is_key() || edit.slot.role() == c::GCR_HASH_NODE;
        if is_of_entry && stay.contains(&(edit.holder as usize, edit.old as usize)) {
            continue;
        }
        let mut slot = edit.slot;
        // The value's key may have been an old itself.
        if let Some(&key) = forwarded.get(&(slot.key as usize)) {
            slot.key = key as *mut PyObject;
        }
        if edit.slot.role() == c::GCR_DICT_VALUE {
            if moved.dropped.contains_key(&entry) {
                continue;
            }
            if let Some(&key) = moved.in_winner.get(&entry) {
                slot.key = key;
            }
        }
        let identities = Edit { slot, ..*edit };
        let identities = identities.slots().map(|slot| (identity(&slot, edit.new as usize), edit));
        by_holder.entry(edit.holder as usize).or_default().extend(identities);
        if slot.name() == Some(c".key") {
            // An attribute may have moved to a dict since, for instance as the
            // instance changed its class.
            // SAFETY: the caller's promise.
            let dict = unsafe { c::gcr_instance_dict(edit.holder) };
            if !dict.is_null() {
                let identity = identity(&slot, edit.new as usize);
                by_holder.entry(dict as usize).or_default().insert(identity, edit);
            }
        }
    }
    let locator = Locator::default();
    // From 3.13 on an instance and its dict may show the same slots.
    let mut seen = FxHashSet::default();
    for (holder, applied) in by_holder {
        let holder = holder as *mut PyObject;
        // SAFETY: the caller's promise.
        let slots = unsafe {
            if holder.is_null() {
                outside_slots(&map)
            } else {
                locator.locate(holder, &map).slots
            }
        };
        for (slot, pair) in slots {
            let now = map.pairs()[pair].old;
            let Some(edit) = applied.get(&identity(&slot, now)) else { continue };
            if edit.new as usize == now && seen.insert(slot.address as usize) {
                changes.edits.add(Edit::new(holder, slot, edit.new, edit.old));
            }
        }
    }
    for class in done.instances.iter() {
        // SAFETY: the caller's promise: they are alive.
        let still = |o: &*mut PyObject| unsafe { (**o).ob_type == class.new.cast() };
        let objects: Vec<_> = class.objects.iter().copied().filter(still).collect();
        if !objects.is_empty() {
            changes.instances.push(Instances { old: class.new, new: class.old, objects });
        }
    }
    for [old, new] in &done.classes {
        changes.classes.push((new.as_ptr(), old.as_ptr()));
    }
    // SAFETY: the caller's promise.
    let rebased = done.rebased.iter().filter_map(|each| unsafe { each.back() });
    changes.bases = Bases::Are(rebased.collect());
    changes.rehash.extend(done.rehash.iter().map(Owned::as_ptr));
    changes.variables = Variables::Back(done.contexts.iter().map(Changed::back).collect());
    // SAFETY: the caller's promise.
    unsafe { put_back_weak(done, &mut changes) };
    let anew = put_back_lost(done, &moved, &ways, &keys, &mut changes);
    (changes, anew)
}

/// # Safety
/// As for `put_back`.
unsafe fn put_back_weak(done: &Outcome, changes: &mut Changes) {
    for moved in &done.weak {
        let mut references: Vec<_> = moved.references.iter().map(Owned::as_ptr).collect();
        references.sort_unstable();
        // SAFETY: the caller's promise. Those that refer to something else by now
        // are not on the list that they are looked for in.
        let back =
            unsafe { WeakMove::prepare(moved.to.as_ptr(), moved.from.as_ptr(), Some(&references)) };
        if let Ok(back) = back {
            changes.weak.push(back);
        }
    }
}

/// Where values of entries that became one went: the last one's to the winner, that
/// of each other into the log with the entry that was dropped next.
#[derive(Debug, Default)]
struct MovedValues {
    /// By table and entry: the key of the winner that has its value.
    in_winner: FxHashMap<(usize, isize), *mut PyObject>,
    /// By table and entry: which of the dropped has its value.
    dropped: FxHashMap<(usize, isize), usize>,
}

impl MovedValues {
    fn of(done: &Outcome, ways: &[Way]) -> Self {
        let mut moved = MovedValues::default();
        // By table and winner: the entry whose value the winner has so far, and its key.
        let mut latest: FxHashMap<(usize, isize), (isize, *mut PyObject)> = FxHashMap::default();
        for (at, (lost, way)) in done.dropped.iter().zip(ways).enumerate() {
            if lost.dropped.value.is_null() || *way == Way::None {
                continue;
            }
            let (table, winner) = (lost.table as usize, lost.dropped.winner);
            let before =
                latest.insert((table, winner), (lost.dropped.entry, lost.dropped.winner_key));
            moved.dropped.insert((table, before.map_or(winner, |(entry, _)| entry)), at);
        }
        for ((table, _), (entry, key)) in latest {
            moved.in_winner.insert((table, entry), key);
        }
        moved
    }
}

/// The last that was dropped comes first.
fn put_back_lost(
    done: &Outcome,
    moved: &MovedValues,
    ways: &[Way],
    keys: &FormerKeys,
    changes: &mut Changes,
) -> Vec<Anew> {
    let mut anew = Vec::new();
    for (at, (lost, way)) in done.dropped.iter().zip(ways).enumerate().rev() {
        let table = lost.table;
        let key = |entry: isize| keys.get(&(table as usize, entry)).copied();
        let mut dropped = lost.dropped;
        dropped.key = key(dropped.entry).unwrap_or(dropped.key);
        let value = done.edits.iter().find(|edit| {
            let entry = (edit.holder as usize, edit.slot.index);
            edit.slot.role() == c::GCR_DICT_VALUE && moved.dropped.get(&entry) == Some(&at)
        });
        if let Some(edit) = value {
            dropped.value = edit.old;
        }
        match way {
            Way::Place => changes.restores.push(Restore { table, dropped }),
            Way::Anew => {
                let winner = key(dropped.winner).unwrap_or(lost.dropped.winner_key);
                anew.push(Anew { table, winner, key: dropped.key, value: dropped.value });
            }
            Way::None => {}
        }
    }
    anew
}

/// Slots of the interpreter and of running frames that can be rewritten and hold
/// an old of `map`.
///
/// # Safety
/// I1 and I3.
unsafe fn outside_slots(map: &ForwardingMap) -> Vec<(Slot, usize)> {
    let mut slots = Vec::new();
    let mut add = |slot: Slot| {
        // SAFETY: I1: the slot was just shown.
        if let Some(pair) = map.find(unsafe { slot.load() }) {
            if slot.flags() & c::GCR_IN_FLIGHT == 0 {
                slots.push((slot, pair));
            }
        }
        ControlFlow::Continue(())
    };
    // SAFETY: the caller's promise.
    unsafe {
        ffi::frames(&mut add);
        ffi::roots(&mut add);
    }
    slots
}
