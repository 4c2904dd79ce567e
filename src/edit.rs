//! What is to change: the edits of slots, and what else moves with them.

use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Refusal;
use crate::ffi::bindings as c;
use crate::repair::weak::WeakMove;
use crate::search::Holders;
use crate::slot::Slot;
use crate::world::World;

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
        matches!(self.slot.role(), c::GCR_DICT_KEY | c::GCR_SET_ENTRY)
    }
}

/// Adds the edit of one more slot: to the last run, where it goes on with it.
pub(crate) fn add(edits: &mut Vec<Edit>, edit: Edit) {
    if let Some(last) = edits.last_mut() {
        let same = |edit: &Edit| (edit.holder, edit.old, edit.new);
        if same(last) == same(&edit)
            && last.length < u32::MAX
            && last.slot.goes_on_with(&edit.slot, last.length as usize)
        {
            last.length += 1;
            return;
        }
    }
    edits.push(edit);
}

/// How many slots they are of.
pub(crate) fn count_slots(edits: &[Edit]) -> usize {
    edits.iter().map(|edit| edit.length as usize).sum()
}

/// The edits of each holder, which stand together; those without one are left out.
pub(crate) fn by_holder(edits: &[Edit]) -> impl Iterator<Item = (*mut PyObject, &[Edit])> {
    edits
        .chunk_by(|a, b| a.holder == b.holder)
        .map(|edits| (edits[0].holder, edits))
        .filter(|(holder, _)| !holder.is_null())
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

/// Which classes' bases, or which contexts' variables, follow a remap.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// All but these, which stay as they are.
    Except(FxHashSet<usize>),
    /// Only these.
    Only(FxHashSet<usize>),
}

impl Default for Scope {
    fn default() -> Self {
        Scope::Except(FxHashSet::default())
    }
}

impl Scope {
    pub(crate) fn follow(&self, object: usize) -> bool {
        match self {
            Scope::Except(kept) => !kept.contains(&object),
            Scope::Only(moved) => moved.contains(&object),
        }
    }
}

/// How the mappings of contexts change.
#[derive(Debug)]
pub(crate) struct ContextChange {
    pub(crate) forward: FxHashMap<usize, usize>,
    pub(crate) contexts: Scope,
}

/// All that one remap, or one undo, is to change.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) edits: Vec<Edit>,
    /// One for each pair of classes.
    pub(crate) instances: Vec<Instances>,
    /// Pairs of classes: what inherits from the first is to inherit from the second.
    pub(crate) classes: Vec<(*mut PyObject, *mut PyObject)>,
    pub(crate) bases: Scope,
    /// What contexts hold is to be replaced by: needed if a variable is.
    pub(crate) variables: Option<ContextChange>,
    pub(crate) weak: Vec<WeakMove>,
    pub(crate) restores: Vec<Restore>,
    /// Classes whose instances hash or compare differently, for a reason of which the
    /// other changes tell nothing.
    pub(crate) rehash: Vec<*mut PyObject>,
    pub(crate) refusals: Vec<Refusal>,
    /// What a deep search found out about untracked containers.
    pub(crate) holders: Holders,
    /// What the search found out about the rest of the heap, if there was one.
    pub(crate) world: Option<World>,
}
