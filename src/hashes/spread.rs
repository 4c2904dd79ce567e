//! From the changed objects to all whose hash depends on them, and to the tables
//! that have such a key.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject};

use crate::edit::{Changes, Edit, Means};
use crate::ffi::{self, bindings as c};
use crate::search;
use crate::undo;
use crate::world::World;

/// Objects of which a hash may depend on the change, as far as the edits say.
///
/// # Safety
/// I1 and I2.
pub(super) unsafe fn touched(changes: &Changes, world: &World) -> HashSet<usize> {
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

/// Through how many lists and dicts around each other a `__hash__` is followed: what a
/// program keeps everything in holds everything, at some distance.
const PARTS: usize = 2;

/// Goes from the changed objects to all whose hash depends on theirs, and to the
/// tables that have such a key.
///
/// # Safety
/// I1 and I3; what is changed is alive.
pub(super) unsafe fn spread(
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
        let parts = (round <= PARTS).then_some(&world.namespaces);
        let mut dependencies = Vec::new();
        // SAFETY: the caller's promise.
        unsafe {
            for holder in search::deep_where(&hit).found {
                if !undo::is_log(holder) {
                    depend_on_hits(holder, &hit, parts, |dependency| dependencies.push(dependency));
                }
            }
        }
        let mut next = HashSet::new();
        for &inner in &frontier {
            // SAFETY: the caller's promise.
            next.extend(unsafe { references_to(inner) }.filter(|each| !changed.contains(each)));
        }
        if all {
            // SAFETY: the caller's promise.
            unsafe { follow(&dependencies, frontier, changed, tables) };
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

/// Calls `found` with each dependency of `holder` on what is hit. With `namespaces`,
/// those of modules and classes, other lists and dicts depend too.
///
/// # Safety
/// I1 and I3, and `holder` is alive.
unsafe fn depend_on_hits(
    holder: *mut PyObject,
    hit: &impl Fn(*mut PyObject) -> bool,
    namespaces: Option<&HashSet<usize>>,
    mut found: impl FnMut(Dependency),
) {
    // SAFETY: the caller's promise, for every call in this function; referents of a
    // live holder are alive.
    unsafe {
        // Through a list or dict the hash of what holds it may depend on its items.
        let holder_hashes = c::gcr_hash_depends(holder) != 0
            || namespaces.is_some_and(|namespaces| {
                is_readable_part(holder) && !namespaces.contains(&(holder as usize))
            });
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

/// Weak references that have cached the hash of `object`; no traversal shows that they
/// refer to it.
///
/// # Safety
/// I1 and I3; `object` is alive.
unsafe fn references_to(object: usize) -> impl Iterator<Item = usize> {
    let mut references = Vec::new();
    // SAFETY: the caller's promise.
    unsafe {
        ffi::references_with_hash(object as *mut PyObject, |reference| {
            references.push(reference as usize);
            ControlFlow::Continue(())
        });
    }
    references.into_iter()
}

/// All that depends on the frontier, through any number of others.
///
/// # Safety
/// I1 and I3; the frontier and what depends on it are alive.
unsafe fn follow(
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
        // SAFETY: the caller's promise.
        for reference in unsafe { references_to(inner) } {
            if changed.insert(reference) {
                pending.push(reference);
            }
        }
        for dependency in by_inner.get(&inner).into_iter().flatten() {
            if let Some(holder) = dependency.follow(changed, tables) {
                changed.insert(holder);
                pending.push(holder);
            }
        }
    }
}
