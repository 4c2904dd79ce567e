//! The plan: all that a remap will do, made while nothing is changed yet.

mod classes;
mod items;
mod kept;
mod olds;
mod outside;
mod weak;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::counts::Counts;
use crate::edit::{Changes, Edit, Instances, Variables, KEYS};
use crate::error::{Place, Refusal};
use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::locate::Locator;
use crate::object::Owned;
use crate::search;
use crate::slot::Slot;
use crate::world::World;
use olds::Olds;

/// What the caller decides about a plan.
#[derive(Debug, Default)]
pub(crate) struct Options<'a> {
    /// Holders whose slots stay as they are.
    pub(crate) excluded: FxHashSet<usize>,
    /// By pair: the tuple that the caller wrote it in, if any; excluded.
    pub(crate) items: &'a [Option<Owned>],
    /// Holders that are looked at first, alive: the mapping, what is excluded.
    pub(crate) near: Vec<*mut PyObject>,
    /// Rewrite the locals of running frames.
    pub(crate) frames: bool,
    /// Retarget weak references.
    pub(crate) weak_references: bool,
    /// Skip the refusals about what kind of object a slot may hold.
    pub(crate) permissive: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) changes: Changes,
    /// By pair: references counted but not found, or less than none.
    pub(crate) leftovers: Vec<isize>,
    pub(crate) scanned: usize,
    /// Weak references to olds whose new cannot have any.
    pub(crate) weak_left: usize,
}

/// Plans the rewrite of every slot that holds an old of `map`. `held`: what the engine
/// itself holds a count of besides one of each old, once for each.
///
/// # Safety
/// I1, I2 and I3.
pub(crate) unsafe fn plan(
    map: &ForwardingMap,
    options: &Options<'_>,
    held: impl Iterator<Item = *mut PyObject>,
) -> Plan {
    // SAFETY: the caller's promise.
    let mut olds = unsafe { Olds::of(map) };
    let counts = Counts::new(map, std::mem::take(&mut olds.counts), held);
    let mut planner = Planner::new(map, options, olds, counts);
    if map.is_empty() || !planner.olds.refusals.is_empty() {
        return planner.finish();
    }
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        planner.take_classes();
        planner.take_frames();
        planner.take_roots();
        planner.take_holders();
        planner.refuse_kept();
        planner.take_weak_references();
    }
    planner.finish()
}

struct Planner<'a> {
    map: &'a ForwardingMap,
    options: &'a Options<'a>,
    olds: Olds,
    locator: Locator,
    seen_holders: FxHashSet<usize>,
    seen_slots: FxHashSet<usize>,
    /// What an old class says of itself: its MRO, its bases, the descriptors of
    /// its own fields.
    parts: FxHashSet<usize>,
    /// Where old classes keep those of their parts that are attributes.
    namespaces: FxHashSet<usize>,
    /// Holders of the full ring, for the next to leave out with those of `classes`.
    taken: Vec<usize>,
    /// An old class, and its pair: an instance is rarely the only one in a row.
    last_class: Option<(usize, usize)>,
    /// The pair after the one found last: what a holder has many olds in is often in the
    /// order of the pairs, as the caller's own dict is.
    next_pair: usize,
    /// By pair of classes: what becomes of the instances.
    classes: BTreeMap<usize, Class>,
    counts: Counts,
    plan: Plan,
}

/// A pair of classes of which there are instances.
struct Class {
    /// Why they cannot follow it; said once.
    refusal: Option<&'static str>,
    instances: Instances,
}

/// What is asked of a holder once for all of its slots.
#[derive(Clone, Copy)]
struct Holder {
    object: *mut PyObject,
    /// Its slots stay as they are.
    is_excluded: bool,
    is_old: bool,
    /// What kind of object it is decides what it may hold.
    is_particular: bool,
    /// Its walker is sure.
    is_sure: bool,
}

impl<'a> Planner<'a> {
    fn new(map: &'a ForwardingMap, options: &'a Options<'a>, olds: Olds, counts: Counts) -> Self {
        Planner {
            map,
            options,
            olds,
            locator: Locator::default(),
            seen_holders: FxHashSet::default(),
            seen_slots: FxHashSet::default(),
            parts: FxHashSet::default(),
            namespaces: FxHashSet::default(),
            taken: Vec::new(),
            last_class: None,
            next_pair: 0,
            classes: BTreeMap::new(),
            counts,
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
                let items = self.options.items.iter().flatten().map(Owned::as_ptr);
                let first: Vec<_> = self.options.near.iter().copied().chain(items).collect();
                self.plan.scanned = search::near(map, &world, &first, |holder| {
                    if self.seen_holders.insert(holder as usize) {
                        self.take_holder(holder);
                    }
                    match self.counts.are_open() {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                });
            }
            if self.counts.are_open() {
                self.plan.scanned = search::full(map, &mut world, |holder, hit| {
                    if self.seen_holders.contains(&(holder as usize)) {
                        return;
                    }
                    match hit {
                        c::GCR_ITS_CLASS => self.take_class_of(holder),
                        _ => {
                            self.taken.push(holder as usize);
                            self.take_holder(holder);
                        }
                    }
                });
            }
            if self.counts.are_open() {
                self.seen_holders.extend(self.taken.drain(..));
                let instances = self.classes.values().flat_map(|class| &class.instances.objects);
                self.seen_holders.extend(instances.map(|&object| object as usize));
                let deep = search::deep(map);
                self.plan.scanned = self.plan.scanned.max(deep.scanned);
                for &holder in &deep.found {
                    if !self.seen_holders.contains(&(holder as usize)) {
                        self.take_holder(holder);
                    }
                }
                self.plan.changes.holders = deep;
            }
            self.plan.changes.world = Some(world);
        }
    }

    /// # Safety
    /// I1, and `holder` is alive.
    unsafe fn is_excluded(&self, holder: *mut PyObject) -> bool {
        self.options.excluded.contains(&(holder as usize))
            || self.parts.contains(&(holder as usize))
            // SAFETY: the caller's promise.
            || unsafe { crate::log::is_log(holder) }
    }

    /// Takes an instance that refers to no old but its class.
    ///
    /// # Safety
    /// I1 and I2; `instance` is alive.
    unsafe fn take_class_of(&mut self, instance: *mut PyObject) {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            let class = (*instance).ob_type as usize;
            let pair = match self.last_class {
                Some((last, pair)) if last == class => pair,
                _ => {
                    let Some(pair) = self.map.find(class) else { return };
                    self.last_class = Some((class, pair));
                    pair
                }
            };
            self.counts.explain(pair, 1);
            match self.is_excluded(instance) {
                true => self.taken.push(instance as usize),
                false => self.take_instance(instance, pair),
            }
        }
    }

    /// # Safety
    /// I1, I2 and I3; `holder` is alive.
    unsafe fn take_holder(&mut self, holder: *mut PyObject) {
        let map = self.map;
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            if self.take_item(holder) {
                return;
            }
            if crate::log::is_log(holder) {
                return self.take_log(holder);
            }
            let holder = Holder {
                object: holder,
                is_excluded: self.is_excluded(holder),
                is_old: map.find(holder as usize).is_some(),
                is_particular: c::gcr_is_particular(holder) != 0,
                is_sure: c::gcr_walk_is_sure(holder) != 0,
            };
            if !holder.is_sure {
                return self.take_located(holder);
            }
            ffi::walk_sieved(holder.object, &map.sieve(), |slot| {
                if let Some(pair) = self.find(slot.load()) {
                    self.take_slot(holder, slot, pair);
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// As `ForwardingMap::find`.
    fn find(&mut self, address: usize) -> Option<usize> {
        let pair = match self.map.pairs().get(self.next_pair) {
            Some(next) if next.old == address => self.next_pair,
            _ => self.map.find(address)?,
        };
        self.next_pair = pair + 1;
        Some(pair)
    }

    /// A log stays as it is, and shows each reference that it owns once: no slot of the very
    /// many that a large one has needs to be found.
    ///
    /// # Safety
    /// I1 and I2; `log` is a log, and alive.
    unsafe fn take_log(&mut self, log: *mut PyObject) {
        let map = self.map;
        // SAFETY: the caller's promise.
        unsafe {
            ffi::traverse(log, |referent| {
                if let Some(pair) = map.find(referent as usize) {
                    self.counts.explain(pair, 1);
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take_located(&mut self, holder: Holder) {
        // SAFETY: the caller's promise, for every call in this function.
        let located = unsafe { self.locator.locate(holder.object, self.map) };
        for (slot, pair) in located.slots {
            // SAFETY: as above.
            unsafe { self.take_slot(holder, slot, pair) };
        }
        for (pair, count) in located.unlocated {
            self.counts.explain(pair, count);
            if !holder.is_excluded {
                let reason = "the traversal shows it, but no slot could be located";
                self.refuse(pair, holder.object, None, reason);
            }
        }
        for pair in located.excess.into_iter().filter(|_| !holder.is_excluded) {
            let reason = "the traversal shows fewer references than the layout has";
            self.refuse(pair, holder.object, None, reason);
        }
    }

    /// # Safety
    /// I1, I2 and I3; the slot is the holder's and holds the old of `pair`.
    unsafe fn take_slot(&mut self, holder: Holder, slot: Slot, pair: usize) {
        let is_its_own = holder.is_sure && slot.flags() & c::GCR_HIDDEN == 0;
        if !is_its_own && !self.seen_slots.insert(slot.address as usize) {
            return;
        }
        // SAFETY: the caller's promise.
        if unsafe { slot.owns() } {
            self.counts.explain(pair, 1);
        }
        let sides = self.map.pairs()[pair];
        // An old class keeps its base, and the descriptors of its own fields: it is on its
        // way out, and what still runs in it needs a consistent class.
        let own = holder.is_old && slot.role() == c::GCR_TYPE_BASE
            || self.namespaces.contains(&(holder.object as usize))
                && self.parts.contains(&sides.old);
        if slot.kind() == c::GCR_WEAK || holder.is_excluded || own {
            return;
        }
        let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
        if self.plan.changes.edits.go_on(holder.object, &slot, (old, new)) {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            if slot.role() == c::GCR_OB_TYPE {
                return self.take_instance(holder.object, pair);
            }
            match self.slot_refusal(holder, slot, old, new) {
                Some(reason) => self.refuse(pair, holder.object, Some(slot), reason),
                None if holder.is_particular && is_context_key(holder.object, slot) => {
                    self.change_contexts();
                }
                None => {
                    self.plan.changes.edits.push(Edit::new(holder.object, slot, old, new));
                }
            }
        }
    }

    /// # Safety
    /// I1 and I2; the old of `pair` is the class of `object`.
    unsafe fn take_instance(&mut self, object: *mut PyObject, pair: usize) {
        if let Some(class) = self.classes.get_mut(&pair) {
            if class.refusal.is_none() {
                class.instances.objects.push(object);
            }
            return;
        }
        let sides = self.map.pairs()[pair];
        let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
        // SAFETY: the caller's promise.
        let refusal = unsafe { ffi::sentence(c::gcr_class_refusal(old, new)) };
        let instances = Instances { old, new, objects: vec![object] };
        self.classes.insert(pair, Class { refusal, instances });
        if let Some(reason) = refusal {
            // SAFETY: the caller's promise.
            let slot = unsafe { Slot::of_class(object) };
            self.refuse(pair, object, Some(slot), reason);
        }
    }

    /// # Safety
    /// I1 and I2.
    unsafe fn slot_refusal(
        &self,
        holder: Holder,
        slot: Slot,
        old: *mut PyObject,
        new: *mut PyObject,
    ) -> Option<&'static str> {
        // SAFETY: the caller's promise.
        unsafe {
            match slot.role() {
                c::GCR_TYPE_BASES | c::GCR_TYPE_MRO | c::GCR_TYPE_DICT => {
                    return Some("a class is made from this very object");
                }
                c::GCR_HASH_NODE
                    if c::gcr_key_follows_table(holder.object) == 0
                        && c::gcr_is_context_node(holder.object) == 0 =>
                {
                    return Some("it is placed by its hash, which cannot be repaired here");
                }
                role if KEYS.contains(&role) && self.has_no_hash(new) => {
                    return Some("it is a key there, and what is to replace it is unhashable");
                }
                _ => {}
            }
            if holder.is_particular {
                let refusal = ffi::sentence(c::gcr_item_refusal(holder.object, old, new));
                if refusal.is_some() {
                    return refusal;
                }
            }
            if slot.accepts() == c::GCR_ANY || (self.options.permissive && slot.name().is_none()) {
                return None;
            }
            ffi::sentence(c::gcr_accept_refusal(slot.accepts(), old, new))
        }
    }

    /// Whether it has none, now and after the remap.
    ///
    /// # Safety
    /// I2; `new` is one of the news.
    unsafe fn has_no_hash(&self, new: *mut PyObject) -> bool {
        // SAFETY: the caller's promise.
        self.olds.classes.is_empty() && unsafe { c::gcr_is_unhashable(new) != 0 }
    }

    /// Contexts get mappings made anew, in which all pairs are replaced.
    fn change_contexts(&mut self) {
        if let Variables::Stay = self.plan.changes.variables {
            let forward = self.map.pairs().iter().map(|pair| (pair.old, pair.new)).collect();
            let kept = self.options.excluded.clone();
            self.plan.changes.variables = Variables::Follow { forward, kept };
        }
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

    fn finish(mut self) -> Plan {
        self.plan.changes.refusals.append(&mut self.olds.refusals);
        self.plan.leftovers = self.counts.rest();
        if self.olds.hash_by_address {
            let olds = self.map.pairs().iter().map(|pair| pair.old);
            self.plan.changes.hashed_by_address = olds.collect();
        }
        let classes = self.classes.into_values().filter(|class| class.refusal.is_none());
        self.plan.changes.instances = classes.map(|class| class.instances).collect();
        self.plan
    }
}

/// Whether the slot has what is replaced with a context's whole mapping.
///
/// # Safety
/// I1, and the holder is alive.
unsafe fn is_context_key(holder: *mut PyObject, slot: Slot) -> bool {
    // SAFETY: the caller's promise.
    slot.role() == c::GCR_HASH_NODE && unsafe { c::gcr_is_context_node(holder) != 0 }
}
