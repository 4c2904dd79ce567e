//! How the entries that tables lost to equal keys come back when a remap is undone.

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ffi::bindings as c;
use crate::hashes::{self, Fingerprints};
use crate::object::Raised;
use crate::transaction::{Lost, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To where it was: the table has not changed since.
    Place,
    /// As a new entry, beside what the table has got or lost since.
    Anew,
    /// Not at all: the winner is gone, or one of the two keys is there again.
    None,
}

/// An entry to insert once all else is as it was. The outcome owns the objects.
#[derive(Debug)]
pub(crate) struct Anew {
    pub(crate) table: *mut PyObject,
    pub(crate) winner: *mut PyObject,
    pub(crate) key: *mut PyObject,
    /// What the winner had before, and the entry had not; null in a set.
    pub(crate) value: *mut PyObject,
}

/// For each entry that was dropped. Those that have one winner come back together, or not.
///
/// # Safety
/// I1 and I3; `done` owns its objects.
pub(crate) unsafe fn ways_back(done: &Outcome, former: &FormerKeys) -> Vec<Way> {
    let mut prints = Fingerprints::default();
    // SAFETY: the caller's promise.
    let in_place = |lost: &Lost| unsafe { lost.is_in_place(&mut prints) };
    let in_place: Vec<bool> = done.dropped.iter().map(in_place).collect();
    if in_place.iter().all(|&is| is) {
        return vec![Way::Place; in_place.len()];
    }
    let mut present: FxHashMap<usize, FxHashSet<usize>> = FxHashMap::default();
    let mut stays: FxHashSet<(usize, isize)> = FxHashSet::default();
    for (lost, _) in done.dropped.iter().zip(&in_place).filter(|(_, &in_place)| !in_place) {
        let table = lost.table as usize;
        // SAFETY: the caller's promise.
        let keys = present.entry(table).or_insert_with(|| unsafe { keys_of(lost.table) });
        let key = |entry| former.get(&(table, entry)).map(|&key| key as usize);
        let now = lost.dropped.winner_key as usize;
        let loser = key(lost.dropped.entry).unwrap_or(lost.dropped.key as usize);
        let winner = key(lost.dropped.winner).unwrap_or(now);
        let is_back = [loser, winner].iter().any(|key| *key != now && keys.contains(key));
        // SAFETY: the caller's promise.
        let fits = unsafe { c::gcr_takes_entry(lost.table, lost.dropped.key, lost.dropped.value) };
        if is_back || fits == 0 || !keys.contains(&now) {
            stays.insert((table, lost.dropped.winner));
        }
    }
    let way = |(lost, in_place): (&Lost, bool)| match in_place {
        true => Way::Place,
        false if stays.contains(&(lost.table as usize, lost.dropped.winner)) => Way::None,
        false => Way::Anew,
    };
    done.dropped.iter().zip(in_place).map(way).collect()
}

/// By table and entry: the key that was replaced there.
pub(crate) type FormerKeys = FxHashMap<(usize, isize), *mut PyObject>;

/// Those of a remap by which tables lost entries; nobody asks for those of others.
pub(crate) fn former_keys(done: &Outcome) -> FormerKeys {
    if done.dropped.is_empty() {
        return FormerKeys::default();
    }
    let keys = done.edits.iter().filter(|edit| edit.is_key());
    keys.map(|edit| ((edit.holder as usize, edit.slot.index), edit.old)).collect()
}

/// # Safety
/// I1, and `table` is a table and alive.
unsafe fn keys_of(table: *mut PyObject) -> FxHashSet<usize> {
    let mut keys = FxHashSet::default();
    let mut note = |_, key: *mut PyObject, _| {
        keys.insert(key as usize);
    };
    // SAFETY: the caller's promise.
    unsafe { hashes::for_each_entry(table, &mut note) };
    keys
}

impl Anew {
    /// Unless the program has taken the winner out meanwhile, or has put such a key in.
    ///
    /// # Safety
    /// The GIL is held, and an outcome owns the objects.
    pub(crate) unsafe fn insert(&self) -> Result<(), Raised> {
        // SAFETY: the caller's promise.
        let failed = unsafe {
            match py::PyAnySet_Check(self.table) {
                0 => c::gcr_dict_split_entry(self.table, self.winner, self.value, self.key),
                _ => match py::PySet_Contains(self.table, self.winner) {
                    1 => py::PySet_Add(self.table, self.key),
                    other => other,
                },
            }
        };
        if failed < 0 {
            return Err(Raised);
        }
        Ok(())
    }
}
