//! Which tables must be reindexed, and what their keys will hash to.
//!
//! The hashes to come are asked of Python (`gcremap._future`) while nothing is
//! changed yet, about stand-ins that look as the keys will look. That may run code
//! of the user's, so the search is repeated afterwards: the answer counts only if
//! the question is still the same.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject};

use crate::edit::{Changes, Edit, Means};
use crate::ffi::{self, bindings as c};
use crate::object::{append, Owned, Raised};
use crate::repair::types::{self, TypePlan};
use crate::search;
use crate::world::World;

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
    /// Of those: holder, old, new.
    replaced: Vec<[Owned; 3]>,
    /// Instances and the classes they will be of.
    classes: Vec<[Owned; 2]>,
    /// Weak references and what they will refer to.
    references: Vec<[Owned; 2]>,
    /// Class, name and value of special methods that are replaced.
    methods: Vec<[Owned; 3]>,
    /// Classes that are replaced as bases.
    bases: Vec<[Owned; 2]>,
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

    /// How many counts of each object the question holds.
    pub(crate) fn owned(&self) -> HashMap<usize, usize> {
        let mut owned = HashMap::new();
        let mut count = |object: &Owned| *owned.entry(object.as_ptr() as usize).or_default() += 1;
        for table in &self.tables {
            count(&table.table);
            for entry in &table.entries {
                count(&entry.key);
                entry.new_key.as_ref().into_iter().for_each(&mut count);
            }
        }
        self.changed.iter().for_each(&mut count);
        self.replaced.iter().flatten().for_each(&mut count);
        self.classes.iter().flatten().for_each(&mut count);
        self.references.iter().flatten().for_each(&mut count);
        self.methods.iter().flatten().for_each(&mut count);
        self.bases.iter().flatten().for_each(&mut count);
        owned
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
pub(crate) unsafe fn fingerprint(table: *mut PyObject) -> u64 {
    let mut print = 0xcbf2_9ce4_8422_2325_u64;
    // SAFETY: the caller's promise.
    unsafe {
        for_each_entry(table, |position, key, hash| {
            for word in [position as u64, key as u64, hash as u64] {
                print = (print ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
            }
        });
    }
    print
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
pub(crate) unsafe fn question(changes: &Changes, plan: &TypePlan, world: &World) -> Question {
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        let mut changed = touched(changes, world);
        let classes = types::rehashed_classes(plan, changes, world);
        let mut tables: HashMap<usize, HashSet<usize>> = HashMap::new();
        for edit in changes.edits.iter().filter(|edit| edit.is_key()) {
            tables.entry(edit.holder as usize).or_default().insert(edit.old as usize);
        }
        for restore in &changes.restores {
            tables.entry(restore.table as usize).or_default();
        }
        spread(&mut changed, &classes, world, &mut tables);
        if tables.is_empty() {
            return Question::default();
        }
        write_down(changes, plan, &changed, tables)
    }
}

/// Objects of which a hash may depend on the change, as far as the edits say.
///
/// # Safety
/// I1 and I2.
unsafe fn touched(changes: &Changes, world: &World) -> HashSet<usize> {
    let mut touched = HashSet::new();
    for Edit { holder, new, means, slot, .. } in &changes.edits {
        let holder = *holder;
        if holder.is_null() || slot.role == c::GCR_HASH_NODE {
            continue;
        }
        // SAFETY: the caller's promise: holders and news are alive.
        let depends = unsafe {
            match means {
                Means::SetClass => {
                    c::gcr_hash_depends(holder) != 0 || hashes_by_more_than_address(*new)
                }
                Means::Hierarchy => false,
                // A namespace has no hash, but the __hash__ of the instance that
                // it belongs to may read it.
                Means::Store => {
                    c::gcr_hash_depends(holder) != 0
                        || (is_readable_part(holder)
                            && !world.namespaces.contains(&(holder as usize)))
                }
            }
        };
        if depends {
            touched.insert(holder as usize);
        }
    }
    for move_ in &changes.weak {
        touched.extend(move_.references().into_iter().map(|reference| reference as usize));
    }
    touched
}

/// # Safety
/// `class` is alive.
unsafe fn hashes_by_more_than_address(class: *mut PyObject) -> bool {
    // SAFETY: the caller's promise; `object` lives forever.
    unsafe {
        let object = &raw const py::PyBaseObject_Type;
        py::PyType_Check(class) != 0
            && (*class.cast::<PyTypeObject>()).tp_hash.map(|hash| hash as usize)
                != (*object).tp_hash.map(|hash| hash as usize)
    }
}

/// A list, a dict, a namespace: no key itself, but what a `__hash__` may read.
///
/// # Safety
/// `object` is alive.
unsafe fn is_readable_part(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_is_unhashable(object) != 0 && (*object).ob_type != &raw mut py::PyCell_Type }
}

/// How many times the heap is searched for who depends on what was just found,
/// before all dependencies of the heap are written down at once.
const ROUNDS: usize = 6;

/// Goes from the changed objects to all whose hash depends on theirs, and to the
/// tables that have such a key.
///
/// # Safety
/// I1 and I3; what is changed is alive.
unsafe fn spread(
    changed: &mut HashSet<usize>,
    classes: &HashSet<usize>,
    world: &World,
    tables: &mut HashMap<usize, HashSet<usize>>,
) {
    let mut frontier = changed.clone();
    let mut classes = classes.clone();
    let mut round = 0;
    while !frontier.is_empty() || !classes.is_empty() {
        round += 1;
        let all = round > ROUNDS;
        let hit = |object: *mut PyObject| {
            all || frontier.contains(&(object as usize))
                // SAFETY: the search asks about live objects.
                || (!classes.is_empty() && classes.contains(&(unsafe { (*object).ob_type } as usize)))
        };
        let mut dependencies = Vec::new();
        // SAFETY: the caller's promise.
        unsafe {
            for holder in search::deep_where(&hit).found {
                if !crate::undo::is_log(holder) {
                    depend_on_hits(holder, &hit, world, |dependency| dependencies.push(dependency));
                }
            }
        }
        let mut next = HashSet::new();
        if all {
            follow(&dependencies, frontier, changed, tables);
        } else {
            // What changes class is found by it, and depends whatever it does now.
            for dependency in &dependencies {
                if dependency.inner_hashes || dependency.inner_part || round == 1 {
                    changed.insert(dependency.inner);
                }
            }
            for dependency in &dependencies {
                next.extend(dependency.follow(changed, tables));
            }
        }
        classes.clear();
        changed.extend(&next);
        frontier = next;
    }
}

/// That the hash of `holder`, or the place of an entry in it, depends on `inner`.
struct Dependency {
    inner: usize,
    holder: usize,
    /// `inner` is a key of the table `holder`.
    is_key: bool,
    inner_hashes: bool,
    inner_part: bool,
    holder_hashes: bool,
}

impl Dependency {
    /// The holder, when it was not known to depend and does.
    fn follow(
        &self,
        changed: &HashSet<usize>,
        tables: &mut HashMap<usize, HashSet<usize>>,
    ) -> Option<usize> {
        if self.is_key {
            // An unhashable part is no key; what changes class may become one.
            if self.inner_hashes || !self.inner_part {
                tables.entry(self.holder).or_default().insert(self.inner);
            }
            return None;
        }
        (self.holder_hashes && !changed.contains(&self.holder)).then_some(self.holder)
    }
}

/// Calls `found` with each dependency of `holder` on what is hit.
///
/// # Safety
/// I1 and I3, and `holder` is alive.
unsafe fn depend_on_hits(
    holder: *mut PyObject,
    hit: &impl Fn(*mut PyObject) -> bool,
    world: &World,
    mut found: impl FnMut(Dependency),
) {
    // SAFETY: the caller's promise, for every call in this function; referents of a
    // live holder are alive.
    unsafe {
        // Through a list or dict the hash of what holds it may depend on its items.
        let holder_hashes = c::gcr_hash_depends(holder) != 0
            || (is_readable_part(holder) && !world.namespaces.contains(&(holder as usize)));
        let mut meet = |inner: *mut PyObject, is_key: bool| {
            if inner.is_null() || !hit(inner) {
                return;
            }
            found(Dependency {
                inner: inner as usize,
                holder: holder as usize,
                is_key,
                inner_hashes: c::gcr_hash_depends(inner) != 0,
                inner_part: is_readable_part(inner),
                holder_hashes,
            });
        };
        ffi::walk(holder, |slot| {
            let is_key = matches!(slot.role, c::GCR_DICT_KEY | c::GCR_SET_ENTRY);
            // A key is also a part of the table, as a frozenset's members are.
            if is_key {
                meet(slot.load() as *mut PyObject, true);
            }
            if slot.kind != c::GCR_WEAK && holder_hashes {
                meet(slot.load() as *mut PyObject, false);
            }
            ControlFlow::Continue(())
        });
        if holder_hashes {
            ffi::traverse(holder, |inner| {
                meet(inner, false);
                ControlFlow::Continue(())
            });
        }
    }
}

/// All that depends on the frontier, through any number of others.
fn follow(
    dependencies: &[Dependency],
    frontier: HashSet<usize>,
    changed: &mut HashSet<usize>,
    tables: &mut HashMap<usize, HashSet<usize>>,
) {
    let mut by_inner: HashMap<usize, Vec<&Dependency>> = HashMap::new();
    for dependency in dependencies {
        if dependency.inner_hashes || dependency.inner_part {
            by_inner.entry(dependency.inner).or_default().push(dependency);
        }
    }
    let mut pending: Vec<usize> = frontier.into_iter().collect();
    while let Some(inner) = pending.pop() {
        for dependency in by_inner.get(&inner).into_iter().flatten() {
            if let Some(holder) = dependency.follow(changed, tables) {
                changed.insert(holder);
                pending.push(holder);
            }
        }
    }
}

/// # Safety
/// I1 and I2; all that is named is alive.
unsafe fn write_down(
    changes: &Changes,
    plan: &TypePlan,
    changed: &HashSet<usize>,
    tables: HashMap<usize, HashSet<usize>>,
) -> Question {
    let mut question = Question::default();
    let mut new_keys: HashMap<(usize, usize), *mut PyObject> = HashMap::new();
    // SAFETY: the caller's promise.
    let own = |object: *mut PyObject| unsafe { Owned::borrow(object) };
    for edit in &changes.edits {
        if edit.is_key() {
            new_keys.insert((edit.holder as usize, edit.old as usize), edit.new);
        }
        if edit.means == Means::Store && changed.contains(&(edit.holder as usize)) {
            question.replaced.push([own(edit.holder), own(edit.old), own(edit.new)]);
        }
        if edit.means == Means::SetClass {
            question.classes.push([own(edit.holder), own(edit.new)]);
        }
    }
    for move_ in &changes.weak {
        let references = move_.references().into_iter();
        question.references.extend(references.map(|reference| [own(reference), own(move_.to)]));
    }
    question.methods.extend(plan.methods.iter().map(|&(a, b, c)| [own(a), own(b), own(c)]));
    question.bases.extend(changes.classes.iter().map(|&(old, new)| [own(old), own(new)]));
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
    question.changed = changed.iter().map(|&object| own(object as *mut PyObject)).collect();
    question
}

thread_local! {
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a `__hash__` or `__eq__` that a remap runs.
pub(crate) fn is_asking() -> bool {
    ASKING.get()
}

/// Puts the question to `gcremap._future`; runs user code.
///
/// # Safety
/// The GIL is held.
pub(crate) unsafe fn ask(question: &Question) -> Result<Answer, Raised> {
    struct Asking;
    impl Drop for Asking {
        fn drop(&mut self) {
            ASKING.set(false);
        }
    }
    ASKING.set(true);
    let _asking = Asking;
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        let tables = Owned::steal(py::PyList_New(0))?;
        for table in &question.tables {
            let entries = Owned::steal(py::PyList_New(0))?;
            for entry in &table.entries {
                let new_key = entry.new_key.as_ref().unwrap_or(&entry.key);
                let triple = Owned::steal(py::Py_BuildValue(
                    c"(nOO)".as_ptr(),
                    entry.position,
                    entry.key.as_ptr(),
                    new_key.as_ptr(),
                ))?;
                append(&entries, &triple)?;
            }
            let pair = Owned::steal(py::PyTuple_Pack(2, table.table.as_ptr(), entries.as_ptr()))?;
            append(&tables, &pair)?;
        }
        let changed = Owned::steal(py::PyList_New(0))?;
        for object in &question.changed {
            append(&changed, object)?;
        }
        let module = Owned::steal(py::PyImport_ImportModule(c"gcremap._future".as_ptr()))?;
        let answers = Owned::steal(py::PyObject_CallMethod(
            module.as_ptr(),
            c"_answer".as_ptr(),
            c"OOOOOOO".as_ptr(),
            tables.as_ptr(),
            changed.as_ptr(),
            tuples(&question.replaced)?.as_ptr(),
            tuples(&question.classes)?.as_ptr(),
            tuples(&question.references)?.as_ptr(),
            tuples(&question.methods)?.as_ptr(),
            tuples(&question.bases)?.as_ptr(),
        ))?;
        read_answer(question, &answers)
    }
}

/// # Safety
/// The GIL is held.
unsafe fn tuples<const N: usize>(rows: &[[Owned; N]]) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise; a new tuple takes the counts it is given.
    unsafe {
        let list = Owned::steal(py::PyList_New(0))?;
        for row in rows {
            let tuple = Owned::steal(py::PyTuple_New(N as isize))?;
            for (index, object) in row.iter().enumerate() {
                py::Py_INCREF(object.as_ptr());
                py::PyTuple_SET_ITEM(tuple.as_ptr(), index as isize, object.as_ptr());
            }
            append(&list, &tuple)?;
        }
        Ok(list)
    }
}

/// From a list, for each table, of `(kind, entry, winner, hash)`.
///
/// # Safety
/// The GIL is held.
unsafe fn read_answer(question: &Question, answers: &Owned) -> Result<Answer, Raised> {
    let mut answer = Answer::default();
    for (index, table) in question.tables.iter().enumerate() {
        let new_keys: HashMap<isize, *mut PyObject> = table
            .entries
            .iter()
            .filter_map(|entry| Some((entry.position, entry.new_key.as_ref()?.as_ptr())))
            .collect();
        let mut edits = Vec::new();
        // SAFETY: `_answer` returns what its docstring says.
        unsafe {
            let list = py::PyList_GET_ITEM(answers.as_ptr(), index as isize);
            for index in 0..py::PyList_GET_SIZE(list) {
                let (mut kind, mut entry, mut winner, mut hash) = (0, 0, 0, 0);
                let parsed = py::PyArg_ParseTuple(
                    py::PyList_GET_ITEM(list, index),
                    c"innn".as_ptr(),
                    &raw mut kind,
                    &raw mut entry,
                    &raw mut winner,
                    &raw mut hash,
                );
                if parsed == 0 {
                    return Err(Raised);
                }
                let key = new_keys.get(&entry).copied().unwrap_or(ptr::null_mut());
                let kind: std::ffi::c_int = kind;
                let kind = kind as c::gcr_edit_kind;
                let value = ptr::null_mut();
                edits.push(c::gcr_key_edit { kind, entry, winner, hash, key, value });
            }
        }
        answer.0.push(edits);
    }
    Ok(answer)
}

/// `_entries_with(table, hashes)`: `(position, key, hash)` of each entry whose
/// stored hash is in a set.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn entries_with(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let (mut table, mut wanted) = (ptr::null_mut::<PyObject>(), ptr::null_mut::<PyObject>());
    // SAFETY: CPython passes live arguments and holds the GIL.
    let result = unsafe {
        let parsed = py::PyArg_ParseTuple(
            args,
            c"OO!:_entries_with".as_ptr(),
            &raw mut table,
            &raw mut py::PySet_Type,
            &raw mut wanted,
        );
        if parsed == 0 {
            return ptr::null_mut();
        }
        (|| {
            let mut hashes = HashSet::new();
            let iterator = Owned::steal(py::PyObject_GetIter(wanted))?;
            while let Ok(hash) = Owned::steal(py::PyIter_Next(iterator.as_ptr())) {
                hashes.insert(py::PyLong_AsSsize_t(hash.as_ptr()));
            }
            if !py::PyErr_Occurred().is_null() {
                return Err(Raised);
            }
            let mut found = Vec::new();
            for_each_entry(table, |position, key, hash| {
                if hashes.contains(&hash) {
                    found.push((position, Owned::borrow(key), hash));
                }
            });
            let list = Owned::steal(py::PyList_New(0))?;
            for (position, key, hash) in &found {
                let entry = py::Py_BuildValue(c"(nOn)".as_ptr(), *position, key.as_ptr(), *hash);
                append(&list, &Owned::steal(entry)?)?;
            }
            Ok(list.into_ptr())
        })()
    };
    crate::api::returned(result)
}

/// `_hush(object)`: it will be freed without its `__del__` being called.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn hush(
    _module: *mut PyObject,
    object: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live object and holds the GIL.
    unsafe {
        c::gcr_hush(object);
        Owned::borrow(py::Py_None()).into_ptr()
    }
}
