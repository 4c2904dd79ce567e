//! What is to change: the edits of slots, and what else moves with them.

use std::ops::Deref;

use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Refusal;
use crate::ffi::bindings as c;
use crate::repair::weak::WeakMove;
use crate::search::Holders;
use crate::slot::Slot;
use crate::world::World;

/// The roles of a dict's key and a set's member.
pub(crate) const KEYS: &[c::gcr_role] = &[c::GCR_DICT_KEY, c::GCR_SET_ENTRY];

/// Who stores the new referent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// The apply, through the slot.
    Store,
    /// The repair of the class hierarchy, with the MROs of all subclasses.
    Hierarchy,
}

/// A slot to rewrite, or a run of them: words side by side that hold the same old. The
/// holder is null for a slot of the interpreter or of a running frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edit {
    pub(crate) holder: *mut PyObject,
    /// The first of them.
    pub(crate) slot: Slot,
    pub(crate) old: *mut PyObject,
    pub(crate) new: *mut PyObject,
    pub(crate) length: u32,
    pub(crate) means: Means,
    /// Whether each slot owned a count of old; known once it is applied.
    pub(crate) owned: bool,
}

impl Edit {
    pub(crate) fn new(
        holder: *mut PyObject,
        slot: Slot,
        old: *mut PyObject,
        new: *mut PyObject,
    ) -> Self {
        let means = match slot.role() {
            c::GCR_TYPE_BASE => Means::Hierarchy,
            _ => Means::Store,
        };
        Edit { holder, slot, old, new, length: 1, means, owned: false }
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..self.length as usize).map(|distance| self.slot.further(distance))
    }

    /// Whether the slot holds a dict's key or a set's member.
    pub(crate) fn is_key(&self) -> bool {
        KEYS.contains(&self.slot.role())
    }
}

/// All edits. Those of one holder stand together, and what is asked of holders is not
/// looked for in their edits.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    edits: Vec<Edit>,
    groups: Vec<Group>,
}

/// The edits of one holder.
#[derive(Debug)]
struct Group {
    holder: *mut PyObject,
    /// How many.
    length: usize,
    /// How many slots those are of.
    slots: usize,
    /// A bit for each role of a slot.
    roles: u32,
}

impl Edits {
    pub(crate) fn push(&mut self, edit: Edit) {
        if self.groups.last().is_none_or(|group| group.holder != edit.holder) {
            self.groups.push(Group { holder: edit.holder, length: 0, slots: 0, roles: 0 });
        }
        if let Some(group) = self.groups.last_mut() {
            group.length += 1;
            group.slots += edit.length as usize;
            group.roles |= 1 << edit.slot.role();
        }
        self.edits.push(edit);
    }

    /// Adds the edit of one more slot: to the last run, where it goes on with it.
    pub(crate) fn add(&mut self, edit: Edit) {
        if !self.go_on(edit.holder, &edit.slot, (edit.old, edit.new)) {
            self.push(edit);
        }
    }

    /// Adds one more slot, with its old and new, to the last run, if it goes on with it; then
    /// all that was asked of the slots of that run has the same answer for this one.
    pub(crate) fn go_on(
        &mut self,
        holder: *mut PyObject,
        slot: &Slot,
        sides: (*mut PyObject, *mut PyObject),
    ) -> bool {
        let (Some(last), Some(group)) = (self.edits.last_mut(), self.groups.last_mut()) else {
            return false;
        };
        let goes_on = (last.holder, (last.old, last.new)) == (holder, sides)
            && last.length < u32::MAX
            && last.slot.goes_on_with(slot, last.length as usize);
        last.length += u32::from(goes_on);
        group.slots += usize::from(goes_on);
        goes_on
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Edit> {
        self.edits.iter_mut()
    }

    /// How many slots they are of.
    pub(crate) fn count_slots(&self) -> usize {
        self.groups.iter().map(|group| group.slots).sum()
    }

    /// By holder; those without one are left out.
    pub(crate) fn by_holder(&self) -> impl Iterator<Item = OfHolder<'_>> {
        self.in_groups().filter(|group| !group.holder.is_null())
    }

    /// Those that no object holds.
    pub(crate) fn without_holder(&self) -> impl Iterator<Item = &Edit> {
        self.in_groups().filter(|group| group.holder.is_null()).flat_map(|group| group.edits)
    }

    fn in_groups(&self) -> impl Iterator<Item = OfHolder<'_>> {
        let mut rest = &self.edits[..];
        self.groups.iter().map(move |&Group { holder, length, slots, roles }| {
            let (edits, further) = rest.split_at(length);
            rest = further;
            OfHolder { holder, edits, slots, roles }
        })
    }

    /// Leaves out those of some holders.
    pub(crate) fn leave_out(&mut self, holders: &FxHashSet<usize>) {
        let all = std::mem::take(self).edits;
        let is_kept = |edit: &Edit| !holders.contains(&(edit.holder as usize));
        all.into_iter().filter(is_kept).for_each(|edit| self.push(edit));
    }
}

impl Deref for Edits {
    type Target = [Edit];

    fn deref(&self) -> &[Edit] {
        &self.edits
    }
}

/// The edits of one holder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfHolder<'a> {
    pub(crate) holder: *mut PyObject,
    pub(crate) edits: &'a [Edit],
    /// How many slots they are of.
    pub(crate) slots: usize,
    roles: u32,
}

impl OfHolder<'_> {
    /// Whether a slot has one of these roles.
    pub(crate) fn has(&self, roles: &[c::gcr_role]) -> bool {
        roles.iter().any(|role| self.roles >> role & 1 != 0)
    }

    /// Whether a slot has a role besides these.
    pub(crate) fn has_others_than(&self, roles: &[c::gcr_role]) -> bool {
        roles.iter().fold(self.roles, |rest, role| rest & !(1 << role)) != 0
    }
}

/// Instances that change class. No edits, since there may be millions: what is to be
/// known of each is where it is.
#[derive(Debug, Clone)]
pub(crate) struct Instances {
    pub(crate) old: *mut PyObject,
    pub(crate) new: *mut PyObject,
    /// None of them twice, and not empty.
    pub(crate) objects: Vec<*mut PyObject>,
}

/// How many there are in all.
pub(crate) fn count_all(instances: &[Instances]) -> usize {
    instances.iter().map(|class| class.objects.len()).sum()
}

/// An entry that a rehash dropped, to be put back. The log owns its objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restore {
    pub(crate) table: *mut PyObject,
    pub(crate) dropped: c::gcr_dropped,
}

/// What the bases of classes will be.
#[derive(Debug)]
pub(crate) enum Bases {
    /// What the pairs of classes say, but for these classes.
    Follow { kept: FxHashSet<usize> },
    /// The bases of these classes, each where it stands.
    Are(FxHashMap<usize, Vec<*mut PyObject>>),
}

impl Default for Bases {
    fn default() -> Self {
        Bases::Follow { kept: FxHashSet::default() }
    }
}

/// What the mappings of contexts will be.
#[derive(Debug, Default)]
pub(crate) enum Variables {
    #[default]
    Stay,
    /// Those that have a value for an old get one for its new, but for these contexts.
    Follow { forward: FxHashMap<usize, usize>, kept: FxHashSet<usize> },
    /// These contexts get back what they had of these entries.
    Back(Vec<(*mut PyObject, Vec<EntryMove>)>),
}

/// What became of a variable and its value in one context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryMove {
    pub(crate) before: [*mut PyObject; 2],
    /// Another one's value, if two variables became one.
    pub(crate) after: [*mut PyObject; 2],
}

/// All that one remap, or one undo, is to change.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) edits: Edits,
    /// One for each pair of classes.
    pub(crate) instances: Vec<Instances>,
    /// Pairs of classes: what inherits from the first is to inherit from the second.
    pub(crate) classes: Vec<(*mut PyObject, *mut PyObject)>,
    pub(crate) bases: Bases,
    pub(crate) variables: Variables,
    pub(crate) weak: Vec<WeakMove>,
    pub(crate) restores: Vec<Restore>,
    /// Classes whose instances hash or compare differently, for a reason of which the
    /// other changes tell nothing.
    pub(crate) rehash: Vec<*mut PyObject>,
    pub(crate) refusals: Vec<Refusal>,
    /// The olds, if they and their news hash by their address, in the order in which the
    /// caller's dict has them.
    pub(crate) hashed_by_address: Vec<usize>,
    /// What a deep search found out about untracked containers.
    pub(crate) holders: Holders,
    /// What the search found out about the rest of the heap, if there was one.
    pub(crate) world: Option<World>,
}
