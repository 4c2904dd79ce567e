//! From the changed objects to all whose hash depends on them, and to the tables
//! that have such a key.

use std::ops::ControlFlow;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject};

use super::for_each_entry;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{Changes, Instances};
use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::search;
use crate::world::World;

/// Objects of which a hash may depend on the change.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) objects: FxHashSet<usize>,
    /// Those of them that are no holders of edits.
    pub(super) besides: Vec<usize>,
    /// Whether one is on no list of the collector.
    have_unlisted: bool,
}

impl Changed {
    /// # Safety
    /// I1, and all of them are alive.
    unsafe fn add(&mut self, objects: impl Iterator<Item = *mut PyObject>) {
        for object in objects {
            // SAFETY: the caller's promise.
            self.have_unlisted |= unsafe { c::gcr_is_unlisted(object) != 0 };
            self.objects.insert(object as usize);
            self.besides.push(object as usize);
        }
    }
}

/// Those that are, as far as the edits say.
///
/// # Safety
/// I1 and I2.
pub(super) unsafe fn touched(changes: &Changes, world: &mut World) -> Changed {
    let mut touched = Changed::default();
    for group in changes.edits.by_holder() {
        let is_read = group.has_others_than(&[c::GCR_TYPE_BASE, c::GCR_HASH_NODE]);
        // SAFETY: the caller's promise: holders are alive.
        if is_read && unsafe { has_readable_hash(group.holder, world) } {
            touched.objects.insert(group.holder as usize);
            // SAFETY: as above.
            touched.have_unlisted |= unsafe { c::gcr_is_unlisted(group.holder) != 0 };
        }
    }
    // SAFETY: the caller's promise, for every call in this block: instances, classes and
    // weak references are alive, and the log owns the tables.
    unsafe {
        for Instances { new, objects, .. } in &changes.instances {
            if c::gcr_hash_depends(objects[0]) != 0 || hashes_by_more_than_address(*new) {
                touched.add(objects.iter().copied());
            }
        }
        for restore in &changes.restores {
            if has_readable_hash(restore.table, world) {
                touched.add([restore.table].into_iter());
            }
        }
        for move_ in &changes.weak {
            touched.add(move_.references().into_iter());
        }
    }
    touched
}

/// What comes to stand in a key, or as one. In no table yet, it may have a hash that
/// changes as well.
fn incoming<'a>(
    changes: &'a Changes,
    touched: &'a Changed,
) -> impl Iterator<Item = *mut PyObject> + 'a {
    let edits = changes.edits.by_holder().flat_map(|group| {
        let is_read = touched.objects.contains(&(group.holder as usize));
        group.edits.iter().filter(move |edit| is_read || edit.is_key()).map(|edit| edit.new)
    });
    let restored = changes.restores.iter().map(|restore| restore.dropped.key);
    edits.chain(restored).chain(changes.weak.iter().map(|move_| move_.to))
}

/// Whether the hash of `object`, or of what holds it, may depend on what it holds. A
/// namespace has no hash, but the `__hash__` of the instance that it belongs to may
/// read it.
///
/// # Safety
/// I1, and `object` is alive.
unsafe fn has_readable_hash(object: *mut PyObject, world: &mut World) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        c::gcr_hash_depends(object) != 0
            || (is_readable_part(object) && !world.is_namespace(object))
    }
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

/// Through how many lists and dicts around each other a `__hash__` is followed: what a
/// program keeps everything in holds everything, at some distance.
const PARTS: u8 = 2;

/// Goes from the changed objects to all whose hash depends on theirs, and to the
/// tables that have such a key.
///
/// # Safety
/// I1 and I3; what is changed is alive.
pub(super) unsafe fn spread(
    changed: &mut Changed,
    classes: &FxHashSet<usize>,
    world: &mut World,
    changes: &Changes,
    tables: &mut FxHashMap<usize, FxHashSet<usize>>,
) {
    if changed.objects.is_empty() && classes.is_empty() {
        return;
    }
    // SAFETY: the caller's promise.
    let (hashed, namespaces) = unsafe { world.hashed() };
    let holders = &changes.holders;
    let plain: &[usize] = match classes.is_empty() && changed.besides.is_empty() {
        true => &changes.hashed_by_address,
        false => &[],
    };
    let mut graph = Graph::new(Origin { changed, classes, namespaces, plain });
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        for &stores in hashed {
            graph.add_root(stores);
        }
        if plain.is_empty() {
            for object in incoming(changes, changed) {
                graph.node(object, 0);
            }
        }
        if graph.origin.may_be_in_unlisted() {
            let searched;
            let unlisted = match holders.scanned {
                0 => {
                    searched = search::deep(&ForwardingMap::empty());
                    &searched
                }
                _ => holders,
            };
            for &stores in &unlisted.hashed {
                graph.add_root(stores);
            }
        }
        graph.grow();
    }
    graph.spread();
    for &(table, key) in &graph.keys {
        let key = &graph.nodes[key as usize];
        if key.distance <= PARTS {
            tables.entry(table).or_default().insert(key.object);
        }
    }
    let reached = graph.nodes.iter().filter(|node| node.distance <= PARTS);
    let reached: Vec<usize> = reached.map(|node| node.object).collect();
    changed.objects.extend(&reached);
    changed.besides.extend(reached);
}

/// Where a change of hashes begins.
struct Origin<'a> {
    changed: &'a Changed,
    /// Classes of which all instances hash differently.
    classes: &'a FxHashSet<usize>,
    /// Dicts on which no hash depends.
    namespaces: &'a FxHashSet<usize>,
    /// Olds whose hashes stay, as those of their news: they are not looked at, as there may
    /// be as many in a table as there are pairs.
    plain: &'a [usize],
}

impl Origin<'_> {
    /// # Safety
    /// `object` is alive.
    unsafe fn has(&self, object: *mut PyObject) -> bool {
        // SAFETY: the caller's promise.
        self.changed.objects.contains(&(object as usize))
            || (!self.classes.is_empty()
                && self.classes.contains(&(unsafe { (*object).ob_type } as usize)))
    }

    /// Whether a table that the collector does not list may have a key that depends on
    /// this. CPython stops tracking dicts and tuples that hold nothing but other
    /// untracked tuples and what is not the collector's.
    ///
    /// # Safety
    /// I1; what is changed is alive.
    unsafe fn may_be_in_unlisted(&self) -> bool {
        // SAFETY: the caller's promise; the classes are alive by I1.
        unsafe {
            self.changed.have_unlisted
                || self.classes.iter().any(|&class| {
                    (*(class as *mut PyTypeObject)).tp_flags & py::Py_TPFLAGS_HAVE_GC == 0
                })
        }
    }
}

/// An object that a hash may depend on.
struct Node {
    object: usize,
    /// A list, a dict: no key itself, but what a `__hash__` may read.
    is_part: bool,
    /// How many parts stand between a change and this, itself included.
    distance: u8,
    /// Nodes whose hash depends on this one's.
    dependents: Vec<u32>,
}

const UNREACHED: u8 = u8::MAX;

/// What the keys of all tables, and the hashes that objects store, depend on.
struct Graph<'a> {
    origin: Origin<'a>,
    nodes: Vec<Node>,
    index: FxHashMap<usize, u32>,
    /// Tables with each of their keys that is a node.
    keys: Vec<(usize, u32)>,
    /// Nodes to look into, by the number of parts that lead to them from a key.
    pending: [Vec<u32>; PARTS as usize + 2],
}

impl<'a> Graph<'a> {
    fn new(origin: Origin<'a>) -> Self {
        Graph {
            origin,
            nodes: Vec::new(),
            index: FxHashMap::default(),
            keys: Vec::new(),
            pending: Default::default(),
        }
    }

    /// Adds the keys of a table, or what stores its own hash.
    ///
    /// # Safety
    /// I1 and I3, and `stores` is alive.
    unsafe fn add_root(&mut self, stores: *mut PyObject) {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            if c::gcr_caches_hash(stores) != 0 {
                self.node(stores, 0);
            }
            if c::gcr_is_table(stores) == 0 {
                return;
            }
            let mut plain = self.origin.plain.iter();
            for_each_entry(stores, |_, key, _| {
                if plain.next() == Some(&(key as usize)) {
                    return;
                }
                if let Some(node) = self.node(key, 0) {
                    self.keys.push((stores as usize, node));
                }
            });
        }
    }

    /// The node of an object that was met inside `parts` parts; `None` if no hash can
    /// depend on it.
    ///
    /// # Safety
    /// I1, and `object` is alive.
    unsafe fn node(&mut self, object: *mut PyObject, parts: usize) -> Option<u32> {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            if c::gcr_is_leaf(object) != 0 {
                return None;
            }
            if let Some(&node) = self.index.get(&(object as usize)) {
                return Some(node);
            }
            let is_origin = self.origin.has(object);
            let is_part =
                is_readable_part(object) && !self.origin.namespaces.contains(&(object as usize));
            if !is_origin && !is_part && c::gcr_hash_depends(object) == 0 {
                return None;
            }
            let node = self.nodes.len() as u32;
            self.index.insert(object as usize, node);
            self.nodes.push(Node {
                object: object as usize,
                is_part,
                distance: if is_origin { 0 } else { UNREACHED },
                dependents: Vec::new(),
            });
            if let Some(pending) = self.pending.get_mut(parts + usize::from(is_part)) {
                pending.push(node);
            }
            Some(node)
        }
    }

    /// Adds all that the roots depend on.
    ///
    /// # Safety
    /// I1 and I3; the roots are alive.
    unsafe fn grow(&mut self) {
        for parts in 0..self.pending.len() {
            while let Some(holder) = self.pending[parts].pop() {
                let object = self.nodes[holder as usize].object as *mut PyObject;
                let mut meet = |referent: *mut PyObject| {
                    if referent.is_null() {
                        return;
                    }
                    // SAFETY: the caller's promise: a referent of what is alive.
                    if let Some(inner) = unsafe { self.node(referent, parts) } {
                        self.nodes[inner as usize].dependents.push(holder);
                    }
                };
                // SAFETY: the caller's promise.
                unsafe {
                    // The hash of a weak reference is that of its referent, which no
                    // traversal shows.
                    ffi::walk(object, |slot| {
                        meet(slot.load() as *mut PyObject);
                        ControlFlow::Continue(())
                    });
                    if c::gcr_walker_coverage(object) != c::GCR_FULL {
                        ffi::traverse(object, |referent| {
                            meet(referent);
                            ControlFlow::Continue(())
                        });
                    }
                }
            }
        }
    }

    /// Finds the distance of every node from the changes.
    fn spread(&mut self) {
        let mut frontier: Vec<u32> = Vec::new();
        frontier.extend((0..).zip(&self.nodes).filter(|(_, n)| n.distance == 0).map(|(i, _)| i));
        for distance in 0..=PARTS {
            let mut beyond = Vec::new();
            while let Some(inner) = frontier.pop() {
                if self.nodes[inner as usize].distance != distance {
                    continue;
                }
                for dependent in std::mem::take(&mut self.nodes[inner as usize].dependents) {
                    let node = &mut self.nodes[dependent as usize];
                    let further = distance + u8::from(node.is_part);
                    if further < node.distance && further <= PARTS {
                        node.distance = further;
                        if further == distance { &mut frontier } else { &mut beyond }
                            .push(dependent);
                    }
                }
            }
            frontier = beyond;
        }
    }
}
