//! The plan: all that a remap will do, made while nothing is changed yet.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::ops::ControlFlow;

use pyo3_ffi::PyObject;

use crate::error::{Place, Refusal};
use crate::ffi::{self, bindings as c};
use crate::forwarding::ForwardingMap;
use crate::locate::{Located, Locator};
use crate::repair::Repairs;
use crate::search::{self, Holders};
use crate::slot::Slot;

/// One slot to rewrite. The holder is null for a slot of a running frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edit {
    pub(crate) holder: *mut PyObject,
    pub(crate) slot: Slot,
    pub(crate) old: *mut PyObject,
    pub(crate) new: *mut PyObject,
    /// Whether the slot owned a count of old; known once it is applied.
    pub(crate) owned: bool,
}

/// What the caller decides about a plan.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Holders whose slots stay as they are.
    pub(crate) excluded: HashSet<usize>,
    /// Rewrite the locals of running frames.
    pub(crate) frames: bool,
    /// Skip the refusals about what kind of object a slot may hold.
    pub(crate) permissive: bool,
    /// How many counts of each object the engine itself holds.
    pub(crate) owned: HashMap<usize, usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) edits: Vec<Edit>,
    pub(crate) refusals: Vec<Refusal>,
    /// By pair: references counted but not found.
    pub(crate) leftovers: Vec<usize>,
    pub(crate) scanned: usize,
    pub(crate) repairs: Repairs,
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
        if map.is_empty() || !planner.plan.refusals.is_empty() {
            return planner.finish();
        }
        planner.take_frames();
        let full = search::full(map);
        planner.take(&full);
        if planner.unexplained() {
            let deep = search::deep(map);
            planner.take(&deep);
            planner.plan.repairs.plan_tracking(&planner.plan.edits, &deep);
        }
        planner.refuse_hashed();
        planner.plan_types();
    }
    planner.finish()
}

struct Planner<'a> {
    map: &'a ForwardingMap,
    options: &'a Options,
    locator: Locator,
    seen_holders: HashSet<usize>,
    seen_slots: HashSet<usize>,
    /// By pair: counts of the old that slots explain.
    explained: Vec<usize>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(map: &'a ForwardingMap, options: &'a Options) -> Self {
        Planner {
            map,
            options,
            locator: Locator::default(),
            seen_holders: HashSet::new(),
            seen_slots: HashSet::new(),
            explained: vec![0; map.pairs().len()],
            plan: Plan::default(),
        }
    }

    /// # Safety
    /// I1 and I2.
    unsafe fn refuse_olds(&mut self) {
        for (pair, sides) in self.map.pairs().iter().enumerate() {
            // SAFETY: the caller's promise.
            let refusal = unsafe { sentence(c::gcr_old_refusal(sides.old as *mut PyObject)) };
            if let Some(reason) = refusal {
                self.plan.refusals.push(Refusal { pair, place: None, reason: reason.into() });
            }
        }
    }

    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take(&mut self, holders: &Holders) {
        self.plan.scanned = self.plan.scanned.max(holders.scanned);
        for &holder in &holders.found {
            if self.seen_holders.insert(holder as usize) {
                // SAFETY: the caller's promise.
                unsafe {
                    let located = self.locator.locate(holder, self.map);
                    self.take_holder(holder, located);
                }
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
                    self.explained[pair] += 1;
                }
                if !self.options.frames || slot.flags & c::GCR_IN_FLIGHT != 0 {
                    return ControlFlow::Continue(());
                }
                let sides = self.map.pairs()[pair];
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                let refusal = match slot.kind {
                    c::GCR_BORROWED => Some("a running frame reads its names from it"),
                    _ => sentence(c::gcr_accept_refusal(slot.accepts, old, new)),
                };
                match refusal {
                    None => {
                        let holder = std::ptr::null_mut();
                        self.plan.edits.push(Edit { holder, slot, old, new, owned: false });
                    }
                    // An operand that an instruction yet to run will take may stay.
                    Some(_) if slot.role == c::GCR_FRAME_STACK => {}
                    Some(reason) => self.refuse(pair, std::ptr::null_mut(), Some(slot), reason),
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// # Safety
    /// I1, I2 and I3.
    unsafe fn take_holder(&mut self, holder: *mut PyObject, located: Located) {
        // SAFETY: the caller's promise.
        let excluded = self.options.excluded.contains(&(holder as usize))
            || unsafe { crate::undo::is_log(holder) };
        for (slot, pair) in located.slots {
            if !self.seen_slots.insert(slot.address as usize) {
                continue;
            }
            // SAFETY: the caller's promise.
            if unsafe { slot.owns() } {
                self.explained[pair] += 1;
            }
            if slot.kind == c::GCR_WEAK || excluded {
                continue;
            }
            // SAFETY: the caller's promise.
            match unsafe { self.slot_refusal(holder, slot, pair) } {
                Some(reason) => self.refuse(pair, holder, Some(slot), reason),
                None => {
                    let sides = self.map.pairs()[pair];
                    let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                    self.plan.edits.push(Edit { holder, slot, old, new, owned: false });
                }
            }
        }
        for (pair, count) in located.unlocated {
            self.explained[pair] += count;
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
        pair: usize,
    ) -> Option<&'static str> {
        if let Some(reason) = unrepaired(slot.role) {
            return Some(reason);
        }
        let sides = self.map.pairs()[pair];
        let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(reason) = sentence(c::gcr_item_refusal(holder, old, new)) {
                return Some(reason);
            }
            if self.options.permissive && slot.name.is_none() {
                return None;
            }
            sentence(c::gcr_accept_refusal(slot.accepts, old, new))
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
        self.plan.refusals.push(Refusal { pair, place, reason: reason.into() });
    }

    /// Counts of the old of `pair` that no slot explains; `None` when its count
    /// proves nothing.
    fn remaining(&self, pair: usize) -> usize {
        let old = self.map.pairs()[pair].old;
        let owned = self.options.owned.get(&old).copied().unwrap_or(0);
        // SAFETY: I2: the engine owns the olds.
        let counted = unsafe { pyo3_ffi::Py_REFCNT(old as *mut PyObject) } as usize;
        counted.saturating_sub(owned + self.explained[pair])
    }

    fn unexplained(&self) -> bool {
        (0..self.map.pairs().len()).any(|pair| self.remaining(pair) > 0)
    }

    fn finish(mut self) -> Plan {
        self.plan.leftovers = (0..self.map.pairs().len()).map(|p| self.remaining(p)).collect();
        self.plan
    }

    /// Plans the repair of types whose namespaces change, and refuses what a
    /// type cannot follow.
    ///
    /// # Safety
    /// I1 and I2.
    unsafe fn plan_types(&mut self) {
        // SAFETY: the caller's promise.
        let refused = unsafe { self.plan.repairs.plan_types(&self.plan.edits) };
        for (edit, reason) in refused {
            if let Some(pair) = self.map.find(edit.old as usize) {
                self.refuse(pair, edit.holder, Some(edit.slot), reason);
            }
        }
    }

    /// Refuses pairs whose rewrite would change the hash of a dict's key or a
    /// set's member: the edited holder is part of the key.
    ///
    /// # Safety
    /// I1, I2 and I3.
    unsafe fn refuse_hashed(&mut self) {
        // What changed, with the pair that changed it.
        let mut changed: HashMap<usize, usize> = HashMap::new();
        for edit in self.plan.edits.iter().filter(|edit| !edit.holder.is_null()) {
            if let Some(pair) = self.map.find(edit.old as usize) {
                changed.insert(edit.holder as usize, pair);
            }
        }
        let mut frontier: Vec<usize> = changed.keys().copied().collect();
        while !frontier.is_empty() {
            let pairs = frontier.iter().map(|&old| crate::forwarding::Pair { old, new: 0 });
            let Ok(map) = ForwardingMap::new(pairs) else { return };
            // SAFETY: the caller's promise.
            let holders = unsafe { search::deep(&map) };
            let mut next = Vec::new();
            for &holder in &holders.found {
                // SAFETY: the caller's promise.
                let inside = unsafe { self.changed_inside(holder, &map) };
                for (inner, slot) in inside {
                    let pair = changed[&inner];
                    match slot {
                        Some(slot) => {
                            let reason = "its hash would change, which is not repaired yet";
                            self.refuse(pair, holder, Some(slot), reason);
                        }
                        None if changed.contains_key(&(holder as usize)) => {}
                        None => {
                            changed.insert(holder as usize, pair);
                            next.push(holder as usize);
                        }
                    }
                }
            }
            frontier = next;
        }
    }

    /// What of the changed objects makes `holder`'s hash, or the place of an
    /// entry of it (with its slot), depend on the change.
    ///
    /// # Safety
    /// I1 and I3, and `holder` is alive.
    unsafe fn changed_inside(
        &self,
        holder: *mut PyObject,
        map: &ForwardingMap,
    ) -> Vec<(usize, Option<Slot>)> {
        let mut inside = Vec::new();
        // SAFETY: the caller's promise; referents of a live holder are alive.
        unsafe {
            ffi::walk(holder, |slot| {
                let keyed =
                    matches!(slot.role, c::GCR_DICT_KEY | c::GCR_SET_ENTRY | c::GCR_HASH_NODE);
                let inner = slot.load();
                if keyed && map.find(inner).is_some() && c::gcr_hash_depends(inner as *mut _) != 0 {
                    inside.push((inner, Some(slot)));
                }
                ControlFlow::Continue(())
            });
            if c::gcr_hash_depends(holder) == 0 {
                return inside;
            }
            ffi::traverse(holder, |inner| {
                // A namespace has no hash, but the __hash__ of the instance
                // that it belongs to may read it.
                let part = c::gcr_hash_depends(inner) != 0 || c::gcr_is_unhashable(inner) != 0;
                if part && map.find(inner as usize).is_some() {
                    inside.push((inner as usize, None));
                }
                ControlFlow::Continue(())
            });
        }
        inside
    }
}

/// Why a slot of this role cannot be rewritten, as long as what depends on it
/// is not repaired.
fn unrepaired(role: c::gcr_role) -> Option<&'static str> {
    match role {
        c::GCR_PLAIN | c::GCR_DICT_VALUE => None,
        c::GCR_DICT_KEY | c::GCR_SET_ENTRY | c::GCR_HASH_NODE => {
            Some("it is placed by its hash, which is not repaired yet")
        }
        c::GCR_OB_TYPE => Some("it is the class of an instance, which is not repaired yet"),
        c::GCR_FUNCTION => Some("specialised code depends on it, which is not repaired yet"),
        _ => Some("a type depends on it, which is not repaired yet"),
    }
}

/// # Safety
/// `text` is null or a static string.
unsafe fn sentence(text: *const std::ffi::c_char) -> Option<&'static str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; csrc's sentences are ASCII.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
