//! Which tables must be reindexed, and what their keys will hash to.
//!
//! The hashes to come are asked of Python (`gcremap._future`) while nothing is
//! changed yet, about stand-ins that look as the keys will look. That may run code
//! of the user's, so the search is repeated afterwards: the answer counts only if
//! the question is still the same.

mod ask;
mod spread;

use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{Bases, Changes, Instances, Means, Restore, KEYS};
use crate::ffi::bindings as c;
use crate::object::Owned;
use crate::repair::types::{self, TypePlan};
use crate::slot::Slot;
use crate::world::World;
pub(crate) use ask::{ask, entries_with, hush, is_asking};
use spread::{spread, touched, Changed};

/// An entry whose key's hash may change.
#[derive(Debug)]
struct Entry {
    position: isize,
    key: Owned,
    /// What will stand there instead.
    new_key: Option<Owned>,
}

#[derive(Debug)]
struct TableQuestion {
    table: Owned,
    entries: Vec<Entry>,
    fingerprint: u64,
}

/// What is to be found out before a remap that changes hashes. Owns all it names,
/// so that no address in it can become another object's.
#[derive(Debug, Default)]
pub(crate) struct Question {
    tables: Vec<TableQuestion>,
    /// Objects whose hash may depend on the change.
    changed: Vec<Owned>,
    /// Of those: holder, old, new, and where it stands in the holder.
    replaced: Vec<[Owned; 4]>,
    /// Instances and the classes they will be of.
    classes: Vec<[Owned; 2]>,
    /// Weak references and what they will refer to.
    references: Vec<[Owned; 2]>,
    /// Class, name and value of special methods that are replaced.
    methods: Vec<[Owned; 3]>,
    /// Of which class (None for any), which base is replaced, and by which.
    bases: Vec<[Owned; 3]>,
    /// Table, key and value (None in a set) of each entry that comes back.
    restored: Vec<[Owned; 3]>,
}

/// For each table of a question, the edits of its entries.
#[derive(Debug, Default)]
pub(crate) struct Answer(Vec<Vec<c::gcr_key_edit>>);

impl PartialEq for Question {
    /// Whether an answer to the one is an answer to the other.
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Option<Owned>, b: &Option<Owned>| {
            a.as_ref().map(Owned::as_ptr) == b.as_ref().map(Owned::as_ptr)
        };
        self.tables.len() == other.tables.len()
            && self.tables.iter().zip(&other.tables).all(|(a, b)| {
                a.table.as_ptr() == b.table.as_ptr()
                    && a.fingerprint == b.fingerprint
                    && a.entries.len() == b.entries.len()
                    && a.entries.iter().zip(&b.entries).all(|(a, b)| {
                        a.position == b.position
                            && a.key.as_ptr() == b.key.as_ptr()
                            && same(&a.new_key, &b.new_key)
                    })
            })
    }
}

impl Question {
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// What the question holds a count of, once for each.
    pub(crate) fn held(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        let tables = self.tables.iter().flat_map(|table| {
            let entries = table.entries.iter();
            let keys = entries.flat_map(|entry| [Some(&entry.key), entry.new_key.as_ref()]);
            keys.flatten().chain([&table.table])
        });
        tables
            .chain(&self.changed)
            .chain(self.replaced.iter().flatten())
            .chain(self.classes.iter().flatten())
            .chain(self.references.iter().flatten())
            .chain(self.methods.iter().flatten())
            .chain(self.bases.iter().flatten())
            .chain(self.restored.iter().flatten())
            .map(Owned::as_ptr)
    }

    /// The tables, each with the edits of an answer to this question.
    pub(crate) fn tables<'a>(
        &'a self,
        answer: &'a Answer,
    ) -> impl Iterator<Item = (*mut PyObject, &'a [c::gcr_key_edit])> + 'a {
        self.tables.iter().zip(&answer.0).map(|(table, edits)| (table.table.as_ptr(), &edits[..]))
    }

    /// Objects that may store a hash that is no longer theirs, borrowed.
    pub(crate) fn changed(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.changed.iter().map(Owned::as_ptr)
    }
}

/// What the hashes of a table's keys depended on, to tell whether it changed.
///
/// # Safety
/// I1, and `table` is a table and alive.
unsafe fn fingerprint(table: *mut PyObject) -> u64 {
    let mut print = SEED;
    // SAFETY: the caller's promise.
    unsafe {
        for_each_entry(table, |position, key, hash| {
            print = mixed(mixed(mixed(print, position as usize), key as usize), hash as usize);
        });
    }
    print
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn mixed(print: u64, word: usize) -> u64 {
    (print ^ word as u64).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
}

/// The fingerprint of what is in a set, wherever it stands there: a set that lost a member
/// and got it back has others where they were not before.
///
/// # Safety
/// I1, and `set` is a set and alive.
unsafe fn members(set: *mut PyObject) -> u64 {
    let mut print = 0_u64;
    // SAFETY: the caller's promise.
    unsafe {
        for_each_entry(set, |_, key, hash| {
            print = print.wrapping_add(mixed(mixed(SEED, key as usize), hash as usize));
        });
    }
    print
}

/// Fingerprints of what tables have, of a dict with where it has it, which stay as they
/// are meanwhile. Each is taken once.
#[derive(Debug, Default)]
pub(crate) struct Fingerprints(FxHashMap<usize, u64>);

impl Fingerprints {
    /// # Safety
    /// I1, and `table` is a table and alive.
    pub(crate) unsafe fn of(&mut self, table: *mut PyObject) -> u64 {
        // SAFETY: the caller's promise.
        *self.0.entry(table as usize).or_insert_with(|| unsafe {
            if py::PyAnySet_Check(table) != 0 {
                members(table)
            } else {
                fingerprint(table)
            }
        })
    }
}

/// Position, key and stored hash of each entry.
///
/// # Safety
/// I1, and `table` is a table and alive.
pub(crate) unsafe fn for_each_entry(
    table: *mut PyObject,
    mut visit: impl FnMut(isize, *mut PyObject, isize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        for position in 0..c::gcr_table_length(table) {
            let (mut key, mut hash) = (ptr::null_mut(), 0);
            let used = c::gcr_table_entry(
                table,
                position,
                &raw mut key,
                &raw mut hash,
                ptr::null_mut(),
                ptr::null_mut(),
            );
            if used != 0 {
                visit(position, key, hash);
            }
        }
    }
}

/// The key and the value (null in a set) of an entry that is used.
///
/// # Safety
/// I1, and `table` is a table with such an entry.
pub(crate) unsafe fn entry(
    table: *mut PyObject,
    position: isize,
) -> (*mut PyObject, *mut PyObject) {
    let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        c::gcr_table_entry(
            table,
            position,
            &raw mut key,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut value,
        );
        (key, if value.is_null() { ptr::null_mut() } else { *value })
    }
}

/// What `changes` makes necessary to ask.
///
/// # Safety
/// I1, I2 and I3.
pub(crate) unsafe fn question(changes: &Changes, plan: &TypePlan, world: &mut World) -> Question {
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        let mut changed = touched(changes, world);
        let classes = types::rehashed_classes(plan, changes, world);
        let mut tables: FxHashMap<usize, FxHashSet<usize>> = FxHashMap::default();
        for group in changes.edits.by_holder().filter(|group| group.has(KEYS)) {
            let keys = group.edits.iter().filter(|edit| edit.is_key());
            tables.entry(group.holder as usize).or_default().extend(keys.map(|e| e.old as usize));
        }
        for restore in &changes.restores {
            tables.entry(restore.table as usize).or_default();
        }
        spread(&mut changed, &classes, world, changes, &mut tables);
        write_down(changes, plan, &changed, tables)
    }
}

/// What tells a slot from others of its holder: the key of its entry or name of its
/// attribute, its position, or its name. None where nobody knows, or there was no memory to
/// say so.
///
/// # Safety
/// I1 and I3; the slot's holder is alive.
unsafe fn place(slot: &Slot) -> Owned {
    // SAFETY: the caller's promise; a null from CPython is not used.
    unsafe {
        if !slot.key.is_null() {
            return Owned::borrow(slot.key);
        }
        let made = match slot.name() {
            Some(name) if name == c"[]" => py::PyLong_FromSsize_t(slot.index),
            Some(name) => py::PyUnicode_FromString(name.as_ptr()),
            None => return Owned::borrow(py::Py_None()),
        };
        Owned::steal(made).unwrap_or_else(|_| {
            py::PyErr_Clear();
            Owned::borrow(py::Py_None())
        })
    }
}

/// # Safety
/// I1; the classes are alive.
unsafe fn bases_to_come(changes: &Changes) -> Vec<[Owned; 3]> {
    // SAFETY: the caller's promise; `None` lives forever, and a class has the bases that
    // are counted.
    unsafe {
        match &changes.bases {
            Bases::Follow { kept } => {
                let any = changes.classes.iter().map(|&(old, new)| [py::Py_None(), old, new]);
                let is_old = |&base: &_| changes.classes.iter().any(|&(old, _)| old == base);
                let classes = kept.iter().map(|&each| each as *mut PyObject);
                let stay = classes.filter(|&each| py::PyType_Check(each) != 0).flat_map(|class| {
                    types::bases_of(class).filter(is_old).map(move |base| [class, base, base])
                });
                any.chain(stay).map(|each| each.map(|object| Owned::borrow(object))).collect()
            }
            Bases::Are(all) => all
                .iter()
                .flat_map(|(&class, to_come)| {
                    let class = class as *mut PyObject;
                    let each = types::bases_of(class).zip(to_come);
                    each.map(move |(old, &new)| [class, old, new])
                })
                .map(|each| each.map(|object| Owned::borrow(object)))
                .collect(),
        }
    }
}

/// # Safety
/// I1 and I2; all that is named is alive.
unsafe fn write_down(
    changes: &Changes,
    plan: &TypePlan,
    changed: &Changed,
    tables: FxHashMap<usize, FxHashSet<usize>>,
) -> Question {
    let mut question = Question::default();
    let mut new_keys: FxHashMap<(usize, usize), *mut PyObject> = FxHashMap::default();
    // SAFETY: the caller's promise.
    let own = |object: *mut PyObject| unsafe { Owned::borrow(object) };
    if tables.is_empty() {
        // Nothing is to be asked. Who of the holders stores a hash is seen by the edits.
        let besides = changed.besides.iter().map(|&object| object as *mut PyObject);
        // SAFETY: the caller's promise.
        let stores = |object: &*mut PyObject| unsafe { c::gcr_caches_hash(*object) != 0 };
        question.changed = besides.filter(stores).map(own).collect();
        return question;
    }
    question.changed = changed.objects.iter().map(|&object| own(object as *mut PyObject)).collect();
    for edit in changes.edits.iter() {
        if edit.is_key() {
            new_keys.insert((edit.holder as usize, edit.old as usize), edit.new);
        }
        if edit.means == Means::Store && changed.objects.contains(&(edit.holder as usize)) {
            question.replaced.extend(edit.slots().map(|slot| {
                // SAFETY: the caller's promise.
                let place = unsafe { place(&slot) };
                [own(edit.holder), own(edit.old), own(edit.new), place]
            }));
        }
    }
    for Instances { new, objects, .. } in &changes.instances {
        question.classes.extend(objects.iter().map(|&object| [own(object), own(*new)]));
    }
    for move_ in &changes.weak {
        let references = move_.references().into_iter();
        question.references.extend(references.map(|reference| [own(reference), own(move_.to)]));
    }
    question.methods.extend(plan.methods.iter().map(|&(a, b, c)| [own(a), own(b), own(c)]));
    // SAFETY: the caller's promise.
    question.bases = unsafe { bases_to_come(changes) };
    for Restore { table, dropped } in &changes.restores {
        // SAFETY: `None` is.
        let none = unsafe { py::Py_None() };
        let value = if dropped.value.is_null() { none } else { dropped.value };
        question.restored.push([own(*table), own(dropped.key), own(value)]);
    }
    let mut in_order: Vec<_> = tables.into_iter().collect();
    in_order.sort_by_key(|(table, _)| *table);
    for (table, keys) in in_order {
        let table = table as *mut PyObject;
        let mut entries = Vec::new();
        // SAFETY: the caller's promise.
        unsafe {
            for_each_entry(table, |position, key, _| {
                if keys.contains(&(key as usize)) {
                    let new_key = new_keys.get(&(table as usize, key as usize)).copied();
                    entries.push(Entry { position, key: own(key), new_key: new_key.map(own) });
                }
            });
            let fingerprint = fingerprint(table);
            question.tables.push(TableQuestion { table: own(table), entries, fingerprint });
        }
    }
    question
}
