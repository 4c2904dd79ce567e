//! From changes to a changed heap: ask for hashes, prepare what can fail, apply
//! what cannot, release what is no longer needed.

use std::ops::Deref;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{Changes, Edits, Instances};
use crate::error::{raise_remap_error, Place, Refusal, Refusals, NO_MEMORY_TO_INDEX};
use crate::ffi::bindings as c;
use crate::hashes::{self, Answer, Fingerprints, Question};
use crate::object::{module, Owned, Raised, Sides};
use crate::repair::contexts::Changed;
use crate::repair::tables::Dropped;
use crate::repair::types::{self, Obstacle, Rebased};
use crate::repair::Repairs;
use crate::turn::Turn;
use crate::world::World;
use crate::{apply, borrowed, pins};

/// How often the search is repeated while user code keeps moving what it found.
const ATTEMPTS: usize = 16;

/// Weak references that were moved.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) from: Owned,
    pub(crate) to: Owned,
    pub(crate) references: Vec<Owned>,
}

/// What a transaction did, or with a dry run would do. Owns all it names, once the caller
/// has handed the pairs over.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) edits: Edits,
    pub(crate) instances: OwnedInstances,
    /// The pairs of the call: what the edits' olds and news are.
    pub(crate) pairs: Sides,
    /// Holders of the edits, and the tables of what was dropped.
    owned: Vec<Owned>,
    pub(crate) weak: Vec<Moved>,
    pub(crate) classes: Vec<[Owned; 2]>,
    pub(crate) rebased: Vec<Rebased>,
    pub(crate) dropped: Vec<Lost>,
    /// Table, key and lost value of each entry that is dropped.
    pub(crate) collisions: Vec<[Owned; 3]>,
    /// Olds with the count of references that were not found.
    pub(crate) leftovers: Vec<(Owned, usize)>,
    /// Contexts that have a value for another variable now, and how many entries
    /// of their mappings were replaced.
    pub(crate) contexts: Vec<Changed>,
    pub(crate) variables: usize,
    /// Classes whose instances hash differently now.
    pub(crate) rehash: Vec<Owned>,
    pub(crate) rehashed: usize,
    pub(crate) pinned: usize,
}

/// Owns a count of each instance, and of both classes for all of its instances.
#[derive(Debug, Default)]
pub(crate) struct OwnedInstances(Vec<Instances>);

impl OwnedInstances {
    /// # Safety
    /// The GIL is held; all of them are alive.
    unsafe fn own(instances: Vec<Instances>) -> Self {
        let owned = OwnedInstances(instances);
        // SAFETY: the caller's promise.
        owned.objects().for_each(|object| unsafe { py::Py_INCREF(object) });
        owned
    }

    fn objects(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.0.iter().flat_map(|class| class.objects.iter().copied().chain([class.old, class.new]))
    }
}

impl Deref for OwnedInstances {
    type Target = [Instances];

    fn deref(&self) -> &[Instances] {
        &self.0
    }
}

impl Drop for OwnedInstances {
    fn drop(&mut self) {
        // SAFETY: the counts are ours, and the GIL is held.
        self.objects().for_each(|object| unsafe { py::Py_DECREF(object) });
    }
}

/// An entry that a key's becoming equal to another dropped. Owns the objects of
/// `dropped`, as the outcome does the table.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) table: *mut PyObject,
    pub(crate) dropped: c::gcr_dropped,
    /// The table as it was left, to tell whether it has changed since.
    pub(crate) fingerprint: u64,
}

impl Lost {
    /// Whether the table is as it was left when it lost the entry.
    ///
    /// # Safety
    /// I1; an outcome owns the table.
    pub(crate) unsafe fn is_in_place(&self, prints: &mut Fingerprints) -> bool {
        // SAFETY: the caller's promise.
        unsafe { prints.of(self.table) == self.fingerprint }
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        // SAFETY: the counts that the table gave up; the GIL is held.
        unsafe {
            py::Py_DECREF(self.dropped.key);
            py::Py_XDECREF(self.dropped.value);
        }
    }
}

impl Outcome {
    /// Every object that it owns, once for each count.
    pub(crate) fn objects(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        let moved = self.weak.iter().flat_map(|moved| {
            [&moved.from, &moved.to].into_iter().chain(&moved.references).map(Owned::as_ptr)
        });
        let lost = self.dropped.iter().flat_map(|lost| [lost.dropped.key, lost.dropped.value]);
        self.owned
            .iter()
            .chain(self.classes.iter().flatten())
            .chain(self.rebased.iter().flat_map(Rebased::objects))
            .chain(&self.rehash)
            .map(Owned::as_ptr)
            .chain(self.instances.objects())
            .chain(self.contexts.iter().flat_map(Changed::objects))
            .chain(moved)
            .chain(lost.filter(|object| !object.is_null()))
            .chain(self.pairs.objects())
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        for [old, _] in &self.classes {
            // SAFETY: a class that is alive; the GIL is held.
            unsafe { c::gcr_make_class_young(old.as_ptr()) };
        }
    }
}

#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusals),
    /// An exception is set.
    Raised,
    /// An exception is set, and all has been done.
    Late(Box<Outcome>),
}

impl From<Raised> for Failure {
    fn from(_: Raised) -> Self {
        Failure::Raised
    }
}

/// Keeps the collector from running, which CPython 3.11 does on allocation.
struct CollectorOff(bool);

impl CollectorOff {
    /// # Safety
    /// The GIL is held.
    unsafe fn new() -> Self {
        // SAFETY: the caller's promise.
        CollectorOff(unsafe { py::PyGC_Disable() } != 0)
    }
}

impl Drop for CollectorOff {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: the GIL is held.
            unsafe { py::PyGC_Enable() };
        }
    }
}

/// Carries out what `make` plans; calls it again when user code ran since, with
/// what the engine owns for having asked it.
///
/// # Safety
/// The GIL is held. `make` runs no Python; its changes are as `plan::plan` makes
/// them, and their objects stay alive. `base` is from `ffi::call_with_base`.
pub(crate) unsafe fn run(
    dry_run: bool,
    base: usize,
    mut make: impl FnMut(&Question) -> Changes,
) -> Result<Outcome, Failure> {
    let mut asked = Question::default();
    let mut answer = Answer::default();
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        if hashes::is_asking() {
            let message = c"a remap cannot begin in a __hash__ or __eq__ that a remap runs";
            raise_remap_error(message);
            return Err(Failure::Raised);
        }
        let turn = Turn::take();
        for _ in 0..ATTEMPTS {
            let collector_off = CollectorOff::new();
            // I1 from here to `apply`: nothing runs Python or gives up the GIL.
            let mut changes = make(&asked);
            let mut world = changes.world.take().unwrap_or_else(|| World::quick());
            let (type_plan, refused) = types::plan(&changes, &world);
            for (edit, reason) in refused {
                let place = Some(Place { holder: edit.holder, slot: Some(edit.slot) });
                let old = edit.old as usize;
                changes.refusals.push(Refusal { old, place, reason: reason.into() });
            }
            let borrowed = borrowed::refusals(&changes.edits, &changes.refusals);
            changes.refusals.extend(borrowed);
            if !changes.refusals.is_empty() {
                let refusals = std::mem::take(&mut changes.refusals);
                return Err(Failure::Refused(Refusals::hold(refusals)));
            }
            let question = hashes::question(&changes, &type_plan, &mut world);
            if !question.is_empty() && question != asked {
                // What user code frees while it runs must not be what is planned.
                drop(changes);
                drop(collector_off);
                answer = hashes::ask(&question)?;
                asked = question;
                continue;
            }
            let to_settle: Vec<Owned> = match question.is_empty() {
                true => Vec::new(),
                false => types::with_other_hashes(&type_plan, &changes)
                    .into_iter()
                    .map(|(_, class)| Owned::borrow(class))
                    .collect(),
            };
            let mut repairs = Repairs::prepare(&changes, type_plan, &question, &answer, &world)
                .map_err(|obstacle| {
                    let refusal = obstacle_refusal(&changes, &obstacle);
                    Failure::Refused(Refusals::hold(vec![refusal]))
                })?;
            let mut outcome = Outcome::of(&changes, &mut repairs);
            outcome.take_collisions(&question, &answer);
            if dry_run {
                outcome.take_edits(&mut changes);
                return Ok(outcome);
            }
            apply::apply(&mut changes, &mut repairs);
            outcome.take_dropped(repairs.tables.dropped());
            outcome.take_edits(&mut changes);
            let olds = outcome.edits.iter().map(|edit| edit.old);
            let olds = olds.chain(outcome.instances.iter().map(|class| class.old));
            outcome.pinned = pins::hold(olds, base);
            let classes_changed = repairs.types.changes_classes();
            let events = repairs.watched.events();
            drop(collector_off);
            drop(turn);
            // From here on Python code may run. Watchers come first: what a finalizer
            // changes, they are told of by itself.
            events.tell();
            apply::release(&outcome.edits, &outcome.instances);
            drop(repairs);
            drop(changes);
            if classes_changed && refresh_dispatch().is_err() {
                return Err(Failure::Late(Box::new(outcome)));
            }
            if !to_settle.is_empty() && settle(&mut outcome, &to_settle, base).is_err() {
                return Err(Failure::Late(Box::new(outcome)));
            }
            return Ok(outcome);
        }
        raise_remap_error(c"the objects to remap keep changing while their hashes are computed");
    }
    Err(Failure::Raised)
}

/// Asks again what was asked before the change: a `__eq__` that names its own class,
/// `isinstance(other, Point)`, says what it will say only once the name is the new one's.
/// `classes` are those whose instances hash or compare differently now.
///
/// # Safety
/// The GIL is held; `base` is from `ffi::call_with_base`.
unsafe fn settle(done: &mut Outcome, classes: &[Owned], base: usize) -> Result<(), Raised> {
    let mut intact: Vec<bool> = Vec::new();
    // SAFETY: the caller's promise; the outcomes own their tables.
    unsafe {
        let settled = run(false, base, |_| {
            let mut prints = Fingerprints::default();
            intact = done.dropped.iter().map(|lost| lost.is_in_place(&mut prints)).collect();
            let rehash = classes.iter().map(Owned::as_ptr).collect();
            Changes { rehash, ..Changes::default() }
        });
        let mut settled = match settled {
            Ok(settled) => settled,
            Err(Failure::Refused(_)) => {
                raise_remap_error(NO_MEMORY_TO_INDEX);
                return Err(Raised);
            }
            // Nothing is done after the last write that could fail late.
            Err(Failure::Raised | Failure::Late(_)) => return Err(Raised),
        };
        let mut prints = Fingerprints::default();
        for (lost, _) in done.dropped.iter_mut().zip(intact).filter(|(_, intact)| *intact) {
            lost.fingerprint = prints.of(lost.table);
        }
        done.owned.append(&mut settled.owned);
        done.dropped.append(&mut settled.dropped);
        done.collisions.append(&mut settled.collisions);
        done.rehashed = done.rehashed.max(settled.rehashed);
    }
    Ok(())
}

/// Clears the caches of ABCs and of generic functions, which answer by class.
///
/// # Safety
/// The GIL is held.
unsafe fn refresh_dispatch() -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        let home = module(c"gcremap._dispatch")?;
        let name = Owned::steal(py::PyUnicode_FromString(c"_refresh".as_ptr()))?;
        let done = py::PyObject_CallMethodNoArgs(home.as_ptr(), name.as_ptr());
        Owned::steal(done).map(drop)
    }
}

/// # Safety
/// I1.
unsafe fn obstacle_refusal(changes: &Changes, obstacle: &Obstacle) -> Refusal {
    let culprit = obstacle.culprit;
    // The edit of the culprit, or the class pair that it inherits from.
    let instances = changes.instances.iter().find(|class| class.objects.contains(&culprit));
    let edited = changes.edits.iter().find(|edit| edit.holder == culprit).map(|edit| edit.old);
    let edited = edited.or(instances.map(|class| class.old));
    let inherited = changes.classes.iter().map(|&(old, _)| old).find(|&old| {
        // SAFETY: I1: a class in the way is alive.
        unsafe {
            !culprit.is_null()
                && py::PyType_Check(culprit) != 0
                && py::PyType_IsSubtype(culprit.cast(), old.cast()) != 0
        }
    });
    let any = changes.classes.first().map(|&(old, _)| old);
    let any = any.or(changes.edits.first().map(|edit| edit.old));
    let old = edited.or(inherited).or(any).map_or(0, |old| old as usize);
    let place = (!culprit.is_null()).then_some(Place { holder: culprit, slot: None });
    Refusal { old, place, reason: obstacle.reason.into() }
}

impl Outcome {
    /// All but the edits themselves.
    ///
    /// # Safety
    /// I1 and I2.
    unsafe fn of(changes: &Changes, repairs: &mut Repairs) -> Self {
        // SAFETY: the caller's promise.
        let own = |object: *mut PyObject| unsafe { Owned::borrow(object) };
        let mut outcome = Outcome::default();
        outcome.owned.extend(changes.edits.by_holder().map(|group| own(group.holder)));
        for move_ in &changes.weak {
            let references: Vec<Owned> = move_.references().into_iter().map(own).collect();
            if !references.is_empty() {
                outcome.weak.push(Moved { from: own(move_.from), to: own(move_.to), references });
            }
        }
        outcome.classes.extend(changes.classes.iter().map(|&(old, new)| [own(old), own(new)]));
        outcome.rebased = repairs.types.rebased();
        outcome.rehash.extend(changes.rehash.iter().copied().map(own));
        outcome.contexts = std::mem::take(&mut repairs.contexts.changed);
        outcome.collisions = std::mem::take(&mut repairs.contexts.collisions);
        outcome.variables = repairs.contexts.replaced;
        outcome.rehashed = repairs.tables.rehashed();
        outcome
    }

    /// # Safety
    /// I1.
    unsafe fn take_edits(&mut self, changes: &mut Changes) {
        self.edits = std::mem::take(&mut changes.edits);
        // SAFETY: the caller's promise: what is found in the heap is alive.
        self.instances = unsafe { OwnedInstances::own(std::mem::take(&mut changes.instances)) };
    }

    /// An undo leaves these as they are, and nothing of theirs is kept.
    pub(crate) fn give_up(&mut self, holders: &FxHashSet<usize>) {
        if !holders.is_empty() {
            self.edits.leave_out(holders);
            self.owned.retain(|object| !holders.contains(&(object.as_ptr() as usize)));
        }
    }

    /// # Safety
    /// I1, before the commit; the answer is to the question.
    unsafe fn take_collisions(&mut self, question: &Question, answer: &Answer) {
        for (table, edits) in question.tables(answer) {
            // The value that a winner has by then.
            let mut values: FxHashMap<isize, *mut PyObject> = FxHashMap::default();
            let new_key = |position: isize| {
                let edit = edits.iter().find(|edit| edit.entry == position && !edit.key.is_null());
                edit.map(|edit| edit.key)
            };
            for edit in edits.iter().filter(|edit| edit.kind == c::GCR_EDIT_DROP) {
                // SAFETY: the caller's promise: the table is as it was asked about.
                unsafe {
                    let (loser, value) = hashes::entry(table, edit.entry);
                    let (key, first) = hashes::entry(table, edit.winner);
                    let lost = match first.is_null() {
                        true => loser,
                        false => values.insert(edit.winner, value).unwrap_or(first),
                    };
                    let key = new_key(edit.winner).unwrap_or(key);
                    self.collisions.push([table, key, lost].map(|object| Owned::borrow(object)));
                }
            }
        }
    }

    /// # Safety
    /// I1, after the commit.
    unsafe fn take_dropped(&mut self, dropped: Vec<Dropped>) {
        let mut prints = Fingerprints::default();
        for Dropped { table, dropped } in dropped {
            // SAFETY: the caller's promise.
            unsafe {
                self.owned.extend([table, dropped.winner_key].map(|each| Owned::borrow(each)));
                self.dropped.push(Lost { table, dropped, fingerprint: prints.of(table) });
            }
        }
    }
}
