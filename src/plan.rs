//! The plan: all that a remap will do, made while nothing is changed yet.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi::{PyObject, PyTypeObject, PyType_Check};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{Changes, ContextChange, Edit, Scope};
use crate::error::{Place, Refusal, NO_MEMORY};
use crate::ffi::{self, bindings as c};
use crate::forwarding::{ForwardingMap, Pair};
use crate::locate::{Located, Locator};
use crate::repair::weak::{Stuck, WeakMove};
use crate::search::{self, Holders};
use crate::slot::Slot;
use crate::world::World;

/// What the caller decides about a plan.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Holders whose slots stay as they are.
    pub(crate) excluded: FxHashSet<usize>,
    /// Holders that are looked at first, alive: the mapping, what is excluded.
    pub(crate) near: Vec<*mut PyObject>,
    /// Rewrite the locals of running frames.
    pub(crate) frames: bool,
    /// Retarget weak references.
    pub(crate) weak_references: bool,
    /// Skip the refusals about what kind of object a slot may hold.
    pub(crate) permissive: bool,
    /// How many counts of each object the engine itself holds.
    pub(crate) owned: FxHashMap<usize, usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) changes: Changes,
    /// By pair: references counted but not found.
    pub(crate) leftovers: Vec<usize>,
    pub(crate) scanned: usize,
    /// Weak references to olds whose new cannot have any.
    pub(crate) weak_left: usize,
}

/// Plans the rewrite of every slot that holds an old of `map`.
///
/// # Safety
/// I1, I2 and I3.
pub(crate) unsafe fn plan(map: &ForwardingMap, options: &Options) -> Plan {
    let mut planner = Planner::new(map, options);
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        planner.refuse_olds();
        if map.is_empty() || !planner.plan.changes.refusals.is_empty() {
            return planner.finish();
        }
        planner.take_classes();
        planner.take_frames();
        planner.take_roots();
        planner.take_holders();
        planner.take_weak_references();
    }
    planner.finish()
}

struct Planner<'a> {
    map: &'a ForwardingMap,
    options: &'a Options,
    locator: Locator,
    seen_holders: FxHashSet<usize>,
    seen_slots: FxHashSet<usize>,
    /// What an old class says of itself: its MRO, its bases, the descriptors of
    /// its own fields.
    parts: FxHashSet<usize>,
    /// Pairs refused for the sake of all instances: one refusal is enough.
    refused_classes: FxHashSet<(usize, &'static str)>,
    /// By pair: counts of the old, those of the engine aside.
    counted: Vec<usize>,
    /// By pair: how many of them slots explain.
    explained: Vec<usize>,
    /// How many pairs differ in the two.
    open: usize,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(map: &'a ForwardingMap, options: &'a Options) -> Self {
        let counted = |pair: &Pair| {
            let owned = options.owned.get(&pair.old).copied().unwrap_or(0);
            // SAFETY: I2: the engine owns the olds.
            let count = unsafe { pyo3_ffi::Py_REFCNT(pair.old as *mut PyObject) } as usize;
            count.saturating_sub(owned)
        };
        let counted: Vec<usize> = map.pairs().iter().map(counted).collect();
        Planner {
            map,
            options,
            locator: Locator::default(),
            seen_holders: FxHashSet::default(),
            seen_slots: FxHashSet::default(),
            parts: FxHashSet::default(),
            refused_classes: FxHashSet::default(),
            open: counted.iter().filter(|&&count| count > 0).count(),
            explained: vec![0; counted.len()],
            counted,
            plan: Plan::default(),
        }
    }

    /// Slots of objects, ring by ring, as long as counts of olds are unexplained.
    ///
    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take_holders(&mut self) {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            let mut world = World::quick();
            let map = self.map;
            if map.pairs().iter().all(|pair| search::is_near(pair.old as *mut PyObject)) {
                let first = &self.options.near;
                self.plan.scanned = search::near(map, &world, first, |holder| {
                    self.take_holder(holder);
                    match self.unexplained() {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                });
            }
            if self.unexplained() {
                let full = search::full(map, &mut world);
                self.take(&full);
            }
            if self.unexplained() {
                let deep = search::deep(map);
                self.take(&deep);
                self.plan.changes.holders = deep;
            }
            self.plan.changes.world = Some(world);
        }
    }

    /// Pairs of classes, and what old classes say of themselves.
    ///
    /// # Safety
    /// I1 and I2.
    unsafe fn take_classes(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            for sides in self.map.pairs() {
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                if PyType_Check(old) == 0 {
                    continue;
                }
                self.add_parts(old);
                if PyType_Check(new) != 0 {
                    self.plan.changes.classes.push((old, new));
                }
            }
        }
        self.plan.changes.bases = Scope::Except(self.options.excluded.clone());
    }

    /// # Safety
    /// I1, and `class` is a class and alive.
    unsafe fn add_parts(&mut self, class: *mut PyObject) {
        // SAFETY: the caller's promise; what a live class refers to is alive.
        unsafe {
            let type_ = class.cast::<PyTypeObject>();
            self.parts.extend([(*type_).tp_mro as usize, (*type_).tp_bases as usize]);
            let namespace = c::gcr_type_namespace(class);
            if !namespace.is_null() {
                ffi::traverse(namespace, |value| {
                    if c::gcr_is_part_of_class(value, class) != 0 {
                        self.parts.insert(value as usize);
                    }
                    ControlFlow::Continue(())
                });
            }
        }
    }

    /// # Safety
    /// I1 and I2.
    unsafe fn refuse_olds(&mut self) {
        for sides in self.map.pairs() {
            // SAFETY: the caller's promise.
            let refusal = unsafe { ffi::sentence(c::gcr_old_refusal(sides.old as *mut PyObject)) };
            if let Some(reason) = refusal {
                self.plan.changes.refusals.push(Refusal {
                    old: sides.old,
                    place: None,
                    reason: reason.into(),
                });
            }
        }
    }

    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take(&mut self, holders: &Holders) {
        self.plan.scanned = self.plan.scanned.max(holders.scanned);
        for &holder in &holders.found {
            // SAFETY: the caller's promise.
            unsafe { self.take_holder(holder) };
        }
    }

    /// # Safety
    /// I1, I2 and I3; `holder` is alive.
    unsafe fn take_holder(&mut self, holder: *mut PyObject) {
        if self.seen_holders.insert(holder as usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let located = self.locator.locate(holder, self.map);
                self.take_slots(holder, located);
            }
        }
    }

    /// Slots of running frames: their locals, and what of their evaluation stacks
    /// is not in use by a call in progress.
    ///
    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take_frames(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            ffi::frames(|slot| {
                let Some(pair) = self.map.find(slot.load()) else {
                    return ControlFlow::Continue(());
                };
                if slot.owns() {
                    self.explain(pair, 1);
                }
                let sides = self.map.pairs()[pair];
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                if old == slot.code {
                    self.refuse(pair, ptr::null_mut(), Some(slot), "a frame is running it");
                    return ControlFlow::Continue(());
                }
                if !self.options.frames || slot.flags & c::GCR_IN_FLIGHT != 0 {
                    return ControlFlow::Continue(());
                }
                let refusal = match slot.kind {
                    c::GCR_BORROWED => Some("a running frame reads its names from it"),
                    _ => ffi::sentence(c::gcr_accept_refusal(slot.accepts, old, new)),
                };
                match refusal {
                    None => {
                        self.plan.changes.edits.push(Edit::new(ptr::null_mut(), slot, old, new))
                    }
                    // An operand that an instruction yet to run will take may stay.
                    Some(_) if slot.role == c::GCR_FRAME_STACK => {}
                    Some(reason) => self.refuse(pair, ptr::null_mut(), Some(slot), reason),
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// Slots of the interpreter's and its threads' states.
    ///
    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take_roots(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            ffi::roots(|slot| {
                let Some(pair) = self.map.find(slot.load()) else {
                    return ControlFlow::Continue(());
                };
                self.seen_slots.insert(slot.address as usize);
                if slot.owns() {
                    self.explain(pair, 1);
                }
                let sides = self.map.pairs()[pair];
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                match ffi::sentence(c::gcr_accept_refusal(slot.accepts, old, new)) {
                    None => {
                        self.plan.changes.edits.push(Edit::new(ptr::null_mut(), slot, old, new))
                    }
                    Some(reason) => self.refuse(pair, ptr::null_mut(), Some(slot), reason),
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// The weak references to each old.
    ///
    /// # Safety
    /// I1 and I2.
    unsafe fn take_weak_references(&mut self) {
        if !self.options.weak_references {
            return;
        }
        for sides in self.map.pairs() {
            let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
            // SAFETY: the caller's promise.
            let moved = unsafe {
                let count = c::gcr_weakref_count(old);
                if count == 0 {
                    continue;
                }
                match WeakMove::prepare(old, new, None) {
                    Ok(all) => self.without_excluded(all),
                    Err(Stuck::NotReferable) => {
                        self.plan.weak_left += count;
                        continue;
                    }
                    Err(Stuck::OutOfMemory) => Err(Stuck::OutOfMemory),
                }
            };
            match moved {
                Ok(moved) => self.plan.changes.weak.push(moved),
                Err(_) => {
                    let reason = NO_MEMORY.into();
                    let refusal = Refusal { old: sides.old, place: None, reason };
                    self.plan.changes.refusals.push(refusal);
                }
            }
        }
    }

    /// # Safety
    /// I1 and I2.
    unsafe fn without_excluded(&self, all: WeakMove) -> Result<WeakMove, Stuck> {
        let references = all.references();
        let mut kept = references.clone();
        kept.retain(|reference| !self.options.excluded.contains(&(*reference as usize)));
        if kept.len() == references.len() {
            return Ok(all);
        }
        kept.sort_unstable();
        // SAFETY: the caller's promise.
        unsafe { WeakMove::prepare(all.from, all.to, Some(&kept)) }
    }

    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take_slots(&mut self, holder: *mut PyObject, located: Located) {
        // SAFETY: the caller's promise.
        let excluded = self.options.excluded.contains(&(holder as usize))
            || self.parts.contains(&(holder as usize))
            || unsafe { crate::log::is_log(holder) };
        let is_old = self.map.find(holder as usize).is_some();
        for (slot, pair) in located.slots {
            if !self.seen_slots.insert(slot.address as usize) {
                continue;
            }
            // SAFETY: the caller's promise.
            if unsafe { slot.owns() } {
                self.explain(pair, 1);
            }
            // An old class keeps its base: it is on its way out, and what still
            // runs in it needs a consistent class.
            let own = is_old && slot.role == c::GCR_TYPE_BASE;
            if slot.kind == c::GCR_WEAK || excluded || own {
                continue;
            }
            let sides = self.map.pairs()[pair];
            let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
            // SAFETY: the caller's promise.
            match unsafe { self.slot_refusal(holder, slot, old, new) } {
                Some(reason) if slot.role == c::GCR_OB_TYPE => {
                    if self.refused_classes.insert((pair, reason)) {
                        self.refuse(pair, holder, Some(slot), reason);
                    }
                }
                Some(reason) => self.refuse(pair, holder, Some(slot), reason),
                // SAFETY: the caller's promise.
                None if unsafe { is_context_key(holder, old) } => self.change_contexts(),
                None => self.plan.changes.edits.push(Edit::new(holder, slot, old, new)),
            }
        }
        for (pair, count) in located.unlocated {
            self.explain(pair, count);
            if !excluded {
                self.refuse(
                    pair,
                    holder,
                    None,
                    "the traversal shows it, but no slot could be located",
                );
            }
        }
        for pair in located.excess {
            if !excluded {
                self.refuse(
                    pair,
                    holder,
                    None,
                    "the traversal shows fewer references than the layout has",
                );
            }
        }
    }

    /// # Safety
    /// I1 and I2.
    unsafe fn slot_refusal(
        &self,
        holder: *mut PyObject,
        slot: Slot,
        old: *mut PyObject,
        new: *mut PyObject,
    ) -> Option<&'static str> {
        // SAFETY: the caller's promise.
        unsafe {
            match slot.role {
                c::GCR_OB_TYPE => return ffi::sentence(c::gcr_class_refusal(old, new)),
                c::GCR_TYPE_BASES | c::GCR_TYPE_MRO | c::GCR_TYPE_DICT => {
                    return Some("a class is made from this very object");
                }
                c::GCR_HASH_NODE
                    if c::gcr_key_follows_table(holder) == 0
                        && c::gcr_is_context_node(holder) == 0 =>
                {
                    return Some("it is placed by its hash, which cannot be repaired here");
                }
                _ => {}
            }
            if let Some(reason) = ffi::sentence(c::gcr_item_refusal(holder, old, new)) {
                return Some(reason);
            }
            if self.options.permissive && slot.name().is_none() {
                return None;
            }
            ffi::sentence(c::gcr_accept_refusal(slot.accepts, old, new))
        }
    }

    /// Contexts get mappings made anew, in which all pairs are replaced.
    fn change_contexts(&mut self) {
        let pairs = self.map.pairs().iter();
        let contexts = Scope::Except(self.options.excluded.clone());
        self.plan.changes.variables.get_or_insert_with(|| ContextChange {
            forward: pairs.map(|pair| (pair.old, pair.new)).collect(),
            contexts,
        });
    }

    fn refuse(
        &mut self,
        pair: usize,
        holder: *mut PyObject,
        slot: Option<Slot>,
        reason: &'static str,
    ) {
        let place = Some(Place { holder, slot });
        let old = self.map.pairs()[pair].old;
        self.plan.changes.refusals.push(Refusal { old, place, reason: reason.into() });
    }

    /// Counts of the old of `pair` that no slot explains.
    fn remaining(&self, pair: usize) -> usize {
        self.counted[pair].saturating_sub(self.explained[pair])
    }

    fn explain(&mut self, pair: usize, count: usize) {
        let is_open = |planner: &Self| planner.explained[pair] != planner.counted[pair];
        self.open -= usize::from(is_open(self));
        self.explained[pair] += count;
        self.open += usize::from(is_open(self));
    }

    /// Whether the count of an old is another than that of the slots found: more are to
    /// be found, or the count proves nothing.
    fn unexplained(&self) -> bool {
        self.open > 0
    }

    fn finish(mut self) -> Plan {
        self.plan.leftovers = (0..self.map.pairs().len()).map(|p| self.remaining(p)).collect();
        self.plan
    }
}

/// Whether the holder has what is replaced with a context's whole mapping.
///
/// # Safety
/// I1, and both are alive.
unsafe fn is_context_key(holder: *mut PyObject, old: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { c::gcr_is_context_node(holder) != 0 && pyo3_ffi::PyContextVar_CheckExact(old) != 0 }
}
