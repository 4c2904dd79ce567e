//! Dicts and sets to reindex, and objects that store a hash.

use std::ptr;

use pyo3_ffi::PyObject;

use crate::edit::{Changes, Restore};
use crate::error::NO_MEMORY;
use crate::ffi::{self, bindings as c};
use crate::hashes::{Answer, Question};

#[derive(Debug, Default)]
pub(crate) struct TableRepair {
    prepared: Vec<(*mut PyObject, *mut c::gcr_rehash)>,
    /// Objects whose stored hash is no longer theirs.
    stale: Vec<*mut PyObject>,
    /// Dicts of which a value changes behind their back.
    dicts: Vec<*mut PyObject>,
    /// What restored entries take a count of.
    restored: Vec<*mut PyObject>,
}

/// An entry that was dropped because its key became equal to another. Each
/// object in it is a count that is now the caller's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropped {
    pub(crate) table: *mut PyObject,
    pub(crate) dropped: c::gcr_dropped,
}

impl TableRepair {
    /// # Safety
    /// I1 and I2; the question is about these changes. May allocate, so the
    /// collector must be off.
    pub(crate) unsafe fn prepare(
        changes: &Changes,
        question: &Question,
        answer: &Answer,
    ) -> Result<Self, (*mut PyObject, &'static str)> {
        let mut repair = TableRepair::default();
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            if c::gcr_dict_versions_init() < 0 {
                return Err((ptr::null_mut(), NO_MEMORY));
            }
            for (table, edits) in question.tables(answer) {
                let mut edits = edits.to_vec();
                let restores = changes.restores.iter().filter(|restore| restore.table == table);
                for Restore { dropped, .. } in restores {
                    repair.restored.extend([dropped.key, dropped.value]);
                    edits.push(c::gcr_key_edit {
                        kind: c::GCR_EDIT_RESTORE,
                        entry: dropped.entry,
                        winner: dropped.winner,
                        hash: dropped.hash,
                        key: dropped.key,
                        value: dropped.value,
                    });
                }
                if edits.is_empty() {
                    continue;
                }
                let mut why = ptr::null();
                let prepared =
                    c::gcr_rehash_prepare(table, edits.as_ptr(), edits.len(), &raw mut why);
                if prepared.is_null() {
                    return Err((table, ffi::sentence(why).unwrap_or(NO_MEMORY)));
                }
                repair.prepared.push((table, prepared));
            }
            let holders = changes.edits.by_holder().map(|group| group.holder);
            let is_stale = |object: &*mut PyObject| c::gcr_caches_hash(*object) != 0;
            repair.stale.extend(holders.chain(question.changed()).filter(is_stale));
            for group in changes.edits.by_holder() {
                // An instance's own values have the role too, and no version.
                if group.has(&[c::GCR_DICT_VALUE]) && pyo3_ffi::PyDict_Check(group.holder) != 0 {
                    repair.dicts.push(group.holder);
                }
            }
        }
        Ok(repair)
    }

    /// # Safety
    /// I1, I2 and I5; after every store.
    pub(crate) unsafe fn commit(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            for &object in &self.restored {
                pyo3_ffi::Py_XINCREF(object);
            }
            for &object in &self.stale {
                c::gcr_forget_hash(object);
            }
            for &(_, prepared) in &self.prepared {
                c::gcr_rehash_commit(prepared);
            }
            for &dict in &self.dicts {
                c::gcr_dict_modified(dict);
            }
        }
    }

    pub(crate) fn reindexed(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.prepared.iter().map(|&(table, _)| table)
    }

    pub(crate) fn rehashed(&self) -> usize {
        self.prepared.len()
    }

    /// After the commit: what was dropped, in order. To be called once.
    pub(crate) fn dropped(&self) -> Vec<Dropped> {
        let mut all = Vec::new();
        for &(table, prepared) in &self.prepared {
            // SAFETY: all zeros is a value of the plain struct, and the call fills it;
            // `prepared` is not freed before this is dropped.
            unsafe {
                let mut dropped: c::gcr_dropped = std::mem::zeroed();
                while c::gcr_rehash_dropped(prepared, all_of(&all, table), &raw mut dropped) != 0 {
                    all.push(Dropped { table, dropped });
                }
            }
        }
        all
    }
}

/// How many of `all` are of `table`.
fn all_of(all: &[Dropped], table: *mut PyObject) -> usize {
    all.iter().rev().take_while(|dropped| dropped.table == table).count()
}

impl Drop for TableRepair {
    fn drop(&mut self) {
        for &(_, prepared) in &self.prepared {
            // SAFETY: prepared, and freed once; the GIL is held.
            unsafe { c::gcr_rehash_free(prepared) };
        }
    }
}
