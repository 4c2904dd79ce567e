//! Classes and functions that must follow: instances that change class, classes
//! whose bases or namespaces change, functions whose fields do.

use std::ffi::{c_void, CStr};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi::{PyObject, PyTypeObject};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{Bases, Changes, Edit, Instances, OfHolder};
use crate::ffi::{self, bindings as c};
use crate::object::Owned;
use crate::world::World;

/// What changes in classes and functions, without what must be prepared.
#[derive(Debug, Default)]
pub(crate) struct TypePlan {
    /// Classes whose attributes changed under their caches.
    modified: Vec<*mut PyObject>,
    /// Those of them of which C slots may change with it.
    refreshed: Vec<*mut PyObject>,
    pub(crate) functions: Vec<*mut PyObject>,
    /// Special methods that instances hash and compare by: class, name, new.
    pub(crate) methods: Vec<(*mut PyObject, *mut PyObject, *mut PyObject)>,
}

/// An edit that a class cannot follow, with the reason.
pub(crate) type Refused = (Edit, &'static str);

/// Finds the classes and functions that the edits change.
///
/// # Safety
/// I1 and I2.
pub(crate) unsafe fn plan(changes: &Changes, world: &World) -> (TypePlan, Vec<Refused>) {
    let mut plan = TypePlan::default();
    let mut refused = Vec::new();
    // SAFETY: the caller's promise: holders are alive.
    let describes = |object: *mut PyObject| unsafe { (*(*object).ob_type).tp_descr_get.is_some() };
    let mut namespaces: FxHashMap<usize, &[Edit]> = FxHashMap::default();
    let mut descriptors = FxHashSet::default();
    let mut statics = FxHashSet::default();
    for group in changes.edits.by_holder() {
        let OfHolder { holder, edits, .. } = group;
        if group.has(&[c::GCR_FUNCTION]) {
            plan.functions.push(holder);
        }
        if describes(holder) {
            descriptors.insert(holder as usize);
        } else if world.namespaces.contains(&(holder as usize)) {
            namespaces.insert(holder as usize, edits);
        }
    }
    for class in changes.instances.iter().filter(|class| describes(class.objects[0])) {
        descriptors.extend(class.objects.iter().map(|&object| object as usize));
    }
    if namespaces.is_empty() && descriptors.is_empty() {
        return (plan, refused);
    }
    for &type_ in &world.types {
        // SAFETY: a class that is alive, by I1.
        let (namespace, flags) =
            unsafe { (c::gcr_type_namespace(type_), (*type_.cast::<PyTypeObject>()).tp_flags) };
        if namespace.is_null() {
            continue;
        }
        let is_heap = flags & pyo3_ffi::Py_TPFLAGS_HEAPTYPE != 0;
        let (mut modified, mut special) = (false, false);
        for edit in namespaces.get(&(namespace as usize)).copied().unwrap_or_default() {
            modified = true;
            // SAFETY: I1: keys of a live dict are alive.
            unsafe {
                let is_special =
                    is_special(edit.slot.key) || (edit.is_key() && is_special(edit.new));
                special |= is_special;
                if is_special && !is_heap {
                    refused.push((*edit, "C code calls this special method of a static type"));
                }
                if is_named(edit.slot.key, c"__hash__") || is_named(edit.slot.key, c"__eq__") {
                    plan.methods.push((type_, edit.slot.key, edit.new));
                }
            }
        }
        // Specialised attribute loads keep what a descriptor wraps (a property's
        // getter) under the class's version: LOAD_ATTR_PROPERTY.
        if !descriptors.is_empty() {
            // SAFETY: the caller's promise; a namespace of a live class is alive.
            unsafe {
                ffi::traverse(namespace, |value| {
                    if descriptors.contains(&(value as usize)) {
                        modified = true;
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                });
            }
        }
        if modified && !is_heap {
            statics.insert(type_ as usize);
        } else if modified {
            plan.modified.push(type_);
            if special {
                plan.refreshed.push(type_);
            }
        }
    }
    if !statics.is_empty() {
        // PyType_Modified tells the subclasses of a heap type; those of a static type are
        // named one by one.
        // SAFETY: the caller's promise.
        plan.modified.extend(unsafe { heirs(&statics, world) });
    }
    (plan, refused)
}

/// Whether `name` is a str that begins as a special method's does.
///
/// # Safety
/// `name` is null or alive.
unsafe fn is_special(name: *mut PyObject) -> bool {
    // SAFETY: the caller's promise; characters below the length are read.
    unsafe {
        !name.is_null()
            && pyo3_ffi::PyUnicode_Check(name) != 0
            && pyo3_ffi::PyUnicode_GetLength(name) > 4
            && pyo3_ffi::PyUnicode_ReadChar(name, 0) == u32::from(b'_')
            && pyo3_ffi::PyUnicode_ReadChar(name, 1) == u32::from(b'_')
    }
}

/// # Safety
/// `name` is null or alive.
unsafe fn is_named(name: *mut PyObject, wanted: &CStr) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        !name.is_null()
            && pyo3_ffi::PyUnicode_Check(name) != 0
            && pyo3_ffi::PyUnicode_CompareWithASCIIString(name, wanted.as_ptr()) == 0
    }
}

/// All that the change of classes needs, ready to be committed.
#[derive(Debug)]
pub(crate) struct TypeRepair {
    plan: TypePlan,
    /// For each class of the changes' instances, how they change.
    classes: Vec<ClassMove>,
    hierarchy: *mut c::gcr_hierarchy,
}

/// How the instances of one class become those of another.
#[derive(Debug)]
enum ClassMove {
    /// With their values where they are: the new class has the keys for them.
    WithKeys(c::gcr_keys_move),
    /// Each by itself.
    OneByOne(Vec<c::gcr_class_move>),
}

/// A class, and each base that it has with the one that it will have there. In the tuples
/// themselves the items are rewritten as those of any other.
#[derive(Debug)]
pub(crate) struct Rebased {
    pub(crate) class: Owned,
    pub(crate) bases: Vec<[Owned; 2]>,
}

impl Rebased {
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Owned> {
        self.bases.iter().flatten().chain([&self.class])
    }

    /// The bases to have again: where one that came still is, the one that was there
    /// before. `None` if there is none.
    ///
    /// # Safety
    /// I1.
    pub(crate) unsafe fn back(&self) -> Option<(usize, Vec<*mut PyObject>)> {
        // SAFETY: the caller's promise; the class is owned.
        let now: Vec<_> = unsafe { bases_of(self.class.as_ptr()) }.collect();
        let mut back = now.clone();
        if now.len() == self.bases.len() {
            for (base, [before, after]) in back.iter_mut().zip(&self.bases) {
                if *base == after.as_ptr() {
                    *base = before.as_ptr();
                }
            }
        }
        (back != now).then(|| (self.class.as_ptr() as usize, back))
    }
}

/// The bases of a class, borrowed.
///
/// # Safety
/// I1, for as long as the iterator is used; `class` is a class and alive.
pub(crate) unsafe fn bases_of(class: *mut PyObject) -> impl Iterator<Item = *mut PyObject> {
    // SAFETY: the caller's promise.
    unsafe { items((*class.cast::<PyTypeObject>()).tp_bases) }
}

/// # Safety
/// I1, for as long as the iterator is used; `tuple` is a tuple and alive.
unsafe fn items(tuple: *mut PyObject) -> impl Iterator<Item = *mut PyObject> {
    // SAFETY: the caller's promise; what is below the size is there.
    unsafe {
        (0..pyo3_ffi::PyTuple_GET_SIZE(tuple))
            .map(move |index| pyo3_ffi::PyTuple_GET_ITEM(tuple, index))
    }
}

/// What stands in the way of a change of classes.
pub(crate) struct Obstacle {
    /// The instance or class in the way; null if unknown.
    pub(crate) culprit: *mut PyObject,
    pub(crate) reason: &'static str,
}

impl TypeRepair {
    /// # Safety
    /// I1 and I2. May allocate, so the collector must be off.
    pub(crate) unsafe fn prepare(plan: TypePlan, changes: &Changes) -> Result<Self, Obstacle> {
        let mut repair = TypeRepair { plan, classes: Vec::new(), hierarchy: ptr::null_mut() };
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            for (at, class) in changes.instances.iter().enumerate() {
                // What one class hands over need not fit the instances of another.
                let is_first = changes.instances[..at].iter().all(|other| other.new != class.new);
                let mut keys = MaybeUninit::<c::gcr_keys_move>::uninit();
                if is_first && c::gcr_keys_prepare(class.old, class.new, keys.as_mut_ptr()) != 0 {
                    repair.classes.push(ClassMove::WithKeys(keys.assume_init()));
                    continue;
                }
                repair.classes.push(ClassMove::OneByOne(Vec::new()));
                let Some(ClassMove::OneByOne(moves)) = repair.classes.last_mut() else { continue };
                for &instance in &class.objects {
                    let mut move_ = MaybeUninit::<c::gcr_class_move>::uninit();
                    let refusal = c::gcr_set_class_prepare(instance, move_.as_mut_ptr());
                    if let Some(reason) = ffi::sentence(refusal) {
                        return Err(Obstacle { culprit: instance, reason });
                    }
                    moves.push(move_.assume_init());
                }
            }
            let (olds, heirs) = rebased(changes);
            if olds.is_empty() && heirs.is_empty() {
                return Ok(repair);
            }
            let (mut refusal, mut culprit) = (ptr::null(), ptr::null_mut());
            let rebase = c::gcr_rebase {
                olds: olds.as_ptr(),
                heirs: heirs.as_ptr(),
                old_count: olds.len(),
                heir_count: heirs.len(),
                future_base: Some(future_base),
                arg: ptr::from_ref(changes).cast_mut().cast(),
            };
            repair.hierarchy =
                c::gcr_hierarchy_prepare(&raw const rebase, &raw mut refusal, &raw mut culprit);
            if repair.hierarchy.is_null() {
                let reason = ffi::sentence(refusal).unwrap_or("its bases cannot be replaced");
                // Borrowed from here on: a class in use stays alive, by I1.
                pyo3_ffi::Py_XDECREF(culprit);
                return Err(Obstacle { culprit, reason });
            }
        }
        Ok(repair)
    }

    /// # Safety
    /// I1, I2 and I5; after every store and the moves of weak references. `instances` are
    /// those that this was prepared for.
    pub(crate) unsafe fn commit(&mut self, instances: &[Instances]) {
        // SAFETY: the caller's promise; classes and functions are alive because
        // they hold what was just rewritten.
        unsafe {
            for (class, move_) in instances.iter().zip(&mut self.classes) {
                let objects = class.objects.iter();
                match move_ {
                    ClassMove::WithKeys(keys) => {
                        c::gcr_keys_commit(keys);
                        let stay = ptr::null_mut();
                        objects.for_each(|&o| c::gcr_set_class_commit(o, class.new, stay));
                    }
                    ClassMove::OneByOne(moves) => {
                        for (&instance, move_) in objects.zip(moves) {
                            c::gcr_set_class_commit(instance, class.new, move_);
                        }
                    }
                }
            }
            if !self.hierarchy.is_null() {
                c::gcr_hierarchy_commit(self.hierarchy);
            }
            for &type_ in &self.plan.refreshed {
                c::gcr_type_slots_refresh(type_);
            }
            for &type_ in &self.plan.modified {
                c::gcr_type_modified(type_);
            }
            for &function in &self.plan.functions {
                c::gcr_function_modified(function);
            }
        }
    }

    /// Before the commit: the classes whose bases change.
    pub(crate) fn rebased(&self) -> Vec<Rebased> {
        let mut all = Vec::new();
        if self.hierarchy.is_null() {
            return all;
        }
        // SAFETY: the hierarchy is not released before this is dropped; its classes live,
        // and have as many bases as they will have.
        unsafe {
            for index in 0..c::gcr_hierarchy_size(self.hierarchy) {
                let mut future = ptr::null_mut();
                let class = c::gcr_hierarchy_class(self.hierarchy, index, &raw mut future);
                if !future.is_null() {
                    let bases = bases_of(class).zip(items(future));
                    let own = |object: *mut PyObject| Owned::borrow(object);
                    let bases = bases.map(|(now, to_come)| [own(now), own(to_come)]).collect();
                    all.push(Rebased { class: own(class), bases });
                }
            }
        }
        all
    }

    /// Whether instances of some class may look up other attributes than before.
    pub(crate) fn changes_classes(&self) -> bool {
        !self.classes.is_empty() || !self.hierarchy.is_null() || !self.plan.modified.is_empty()
    }
}

impl Drop for TypeRepair {
    fn drop(&mut self) {
        // SAFETY: each was prepared, and is released once; the GIL is held. The
        // counts that go may be the last of an old class: this is done last.
        unsafe {
            for class in &mut self.classes {
                match class {
                    ClassMove::WithKeys(keys) => c::gcr_keys_release(keys),
                    ClassMove::OneByOne(moves) => {
                        moves.iter_mut().for_each(|move_| c::gcr_set_class_release(move_));
                    }
                }
            }
            if !self.hierarchy.is_null() {
                c::gcr_hierarchy_release(self.hierarchy);
            }
        }
    }
}

/// The classes of which heirs get other bases, and those named themselves.
fn rebased(changes: &Changes) -> (Vec<*mut PyObject>, Vec<*mut PyObject>) {
    match &changes.bases {
        Bases::Follow { .. } => (changes.classes.iter().map(|&(old, _)| old).collect(), Vec::new()),
        Bases::Are(bases) => {
            (Vec::new(), bases.keys().map(|&heir| heir as *mut PyObject).collect())
        }
    }
}

unsafe extern "C" fn future_base(
    class: *mut PyObject,
    index: isize,
    changes: *mut c_void,
) -> *mut PyObject {
    // SAFETY: `prepare` passes its changes, which outlive the call, and a class of which
    // it asks for a base that it has.
    let (changes, base) = unsafe {
        let bases = (*class.cast::<PyTypeObject>()).tp_bases;
        (&*changes.cast::<Changes>(), pyo3_ffi::PyTuple_GET_ITEM(bases, index))
    };
    match &changes.bases {
        Bases::Follow { kept } if kept.contains(&(class as usize)) => base,
        Bases::Follow { .. } => {
            changes.classes.iter().find(|&&(old, _)| old == base).map_or(base, |&(_, new)| new)
        }
        Bases::Are(all) => all.get(&(class as usize)).map_or(base, |bases| bases[index as usize]),
    }
}

/// Classes that hash or compare differently afterwards, each with the one that its
/// instances are of by then.
///
/// # Safety
/// I1 and I2.
pub(crate) unsafe fn with_other_hashes(
    plan: &TypePlan,
    changes: &Changes,
) -> Vec<(*mut PyObject, *mut PyObject)> {
    let mut found: Vec<_> = plan.methods.iter().map(|&(class, ..)| (class, class)).collect();
    // SAFETY: the caller's promise: both are classes and alive.
    let differ = |&&(old, new): &&_| unsafe { c::gcr_hashes_alike(old, new) == 0 };
    found.extend(changes.classes.iter().filter(differ));
    found
}

/// Classes whose instances may hash or compare differently afterwards, besides
/// those that change class.
///
/// # Safety
/// I1 and I2.
pub(crate) unsafe fn rehashed_classes(
    plan: &TypePlan,
    changes: &Changes,
    world: &World,
) -> FxHashSet<usize> {
    // SAFETY: the caller's promise.
    let different = unsafe { with_other_hashes(plan, changes) }.into_iter().map(|(class, _)| class);
    let sources: FxHashSet<usize> =
        different.chain(changes.rehash.iter().copied()).map(|class| class as usize).collect();
    if sources.is_empty() {
        return sources;
    }
    // SAFETY: the caller's promise.
    unsafe { heirs(&sources, world) }.map(|type_| type_ as usize).collect()
}

/// Every class that has one of `sources` in its MRO, themselves among them.
///
/// # Safety
/// I1, for as long as the iterator is used.
unsafe fn heirs<'a>(
    sources: &'a FxHashSet<usize>,
    world: &'a World,
) -> impl Iterator<Item = *mut PyObject> + 'a {
    let below = |type_: &*mut PyObject| {
        // SAFETY: a class that is alive, by the caller's promise; its MRO is a tuple.
        unsafe {
            let mro = (*type_.cast::<PyTypeObject>()).tp_mro;
            !mro.is_null() && items(mro).any(|class| sources.contains(&(class as usize)))
        }
    };
    world.types.iter().copied().filter(below)
}
