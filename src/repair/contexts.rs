//! Contexts that have a value for a replaced variable.

use std::collections::hash_map::Entry;
use std::ops::ControlFlow;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{EntryMove, Variables};
use crate::ffi::{self, bindings as c};
use crate::object::{Owned, Raised};

/// What of a context's mapping was changed.
#[derive(Debug)]
pub(crate) struct Changed {
    context: Owned,
    entries: Vec<EntryMove>,
}

impl Changed {
    /// # Safety
    /// I1 and I2.
    unsafe fn new(context: *mut PyObject, entries: Vec<EntryMove>) -> Self {
        // SAFETY: the caller's promise: what a living context has is alive.
        unsafe {
            let changed = Changed { context: Owned::borrow(context), entries };
            changed.parts().for_each(|object| py::Py_INCREF(object));
            changed
        }
    }

    fn parts(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.entries.iter().flat_map(|entry| entry.before.into_iter().chain(entry.after))
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.parts().chain([self.context.as_ptr()])
    }

    pub(crate) fn back(&self) -> (*mut PyObject, Vec<EntryMove>) {
        (self.context.as_ptr(), self.entries.clone())
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        // SAFETY: the counts are its own; the GIL is held.
        self.parts().for_each(|object| unsafe { py::Py_DECREF(object) });
    }
}

/// The mappings to come, ready to be swapped in.
#[derive(Debug, Default)]
pub(crate) struct ContextRepair {
    /// Each context with one that has the mapping to come, and later the former one.
    swaps: Vec<[Owned; 2]>,
    pub(crate) changed: Vec<Changed>,
    /// Context, variable and lost value where two variables become one.
    pub(crate) collisions: Vec<[Owned; 3]>,
    /// How many entries get another variable.
    pub(crate) replaced: usize,
}

impl ContextRepair {
    /// An error means that there is no memory.
    ///
    /// # Safety
    /// I1 and I2. Allocates, so the collector must be off.
    pub(crate) unsafe fn prepare(variables: &Variables) -> Result<Self, Raised> {
        let mut repair = ContextRepair::default();
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            match variables {
                Variables::Stay => {}
                Variables::Follow { forward, kept } => {
                    for context in contexts() {
                        if !kept.contains(&(context as usize)) {
                            repair.follow(context, forward)?;
                        }
                    }
                }
                Variables::Back(contexts) => {
                    for (context, moves) in contexts {
                        repair.take_back(*context, moves)?;
                    }
                }
            }
        }
        Ok(repair)
    }

    /// # Safety
    /// As for `prepare`.
    unsafe fn follow(
        &mut self,
        context: *mut PyObject,
        forward: &FxHashMap<usize, usize>,
    ) -> Result<(), Raised> {
        let follow = |object: *mut PyObject| match forward.get(&(object as usize)) {
            Some(&new) => new as *mut PyObject,
            None => object,
        };
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            let before = Mapping::of(context)?;
            let olds = before.entries().filter(|&[variable, _]| follow(variable) != variable);
            let news: FxHashSet<_> = olds.map(|[variable, _]| follow(variable)).collect();
            if news.is_empty() {
                return Ok(());
            }
            let mut after = FxHashMap::default();
            for entry in before.entries() {
                let [variable, value] = entry.map(follow);
                if let Some(lost) = after.insert(variable, value) {
                    self.collisions.push([context, variable, lost].map(|o| Owned::borrow(o)));
                }
                self.replaced += usize::from(variable != entry[0]);
            }
            let move_ = |before: [*mut PyObject; 2]| {
                let variable = follow(before[0]);
                EntryMove { before, after: [variable, after[&variable]] }
            };
            let changes =
                |entry: &EntryMove| news.contains(&entry.after[0]) || entry.before != entry.after;
            let entries = before.entries().map(move_).filter(changes).collect();
            self.changed.push(Changed::new(context, entries));
            self.swap(context, &after)
        }
    }

    /// A variable gets back its value, unless the program has since taken that away. What
    /// it has set since stays with the variable that it was set to.
    ///
    /// # Safety
    /// As for `prepare`.
    unsafe fn take_back(
        &mut self,
        context: *mut PyObject,
        moves: &[EntryMove],
    ) -> Result<(), Raised> {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            let before = Mapping::of(context)?;
            let now: FxHashMap<_, _> = before.entries().map(|[var, value]| (var, value)).collect();
            let is_there = |entry: &&EntryMove| now.contains_key(&entry.after[0]);
            let mut after = now.clone();
            for EntryMove { after: [variable, value], .. } in moves {
                if now.get(variable) == Some(value) {
                    after.remove(variable);
                }
            }
            for &EntryMove { before: [variable, value], after: [new, _] } in
                moves.iter().filter(is_there)
            {
                if let Entry::Vacant(place) = after.entry(variable) {
                    place.insert(value);
                    self.replaced += usize::from(variable != new);
                }
            }
            match after == now {
                true => Ok(()),
                false => self.swap(context, &after),
            }
        }
    }

    /// # Safety
    /// As for `prepare`.
    unsafe fn swap(
        &mut self,
        context: *mut PyObject,
        mapping: &FxHashMap<*mut PyObject, *mut PyObject>,
    ) -> Result<(), Raised> {
        let entry = |(&variable, &value)| c::gcr_context_entry { variable, value };
        let entries: Vec<_> = mapping.iter().map(entry).collect();
        // SAFETY: the caller's promise.
        unsafe {
            let fresh = Owned::steal(c::gcr_context_of(entries.as_ptr(), entries.len()))?;
            self.swaps.push([Owned::borrow(context), fresh]);
        }
        Ok(())
    }

    /// # Safety
    /// I1, I2 and I5.
    pub(crate) unsafe fn commit(&self) {
        for [context, fresh] in &self.swaps {
            // SAFETY: the caller's promise.
            unsafe { c::gcr_context_swap(context.as_ptr(), fresh.as_ptr()) };
        }
    }
}

/// The entries of a context.
struct Mapping(Owned);

impl Mapping {
    /// # Safety
    /// I1; allocates, so the collector must be off.
    unsafe fn of(context: *mut PyObject) -> Result<Self, Raised> {
        // SAFETY: the caller's promise; the method of a context is C code that runs no
        // Python, and the error is that of memory.
        unsafe {
            Owned::steal(py::PyMapping_Items(context))
                .map(Mapping)
                .inspect_err(|_| py::PyErr_Clear())
        }
    }

    /// Variables and values, borrowed.
    fn entries(&self) -> impl Iterator<Item = [*mut PyObject; 2]> + '_ {
        let items = self.0.as_ptr();
        // SAFETY: a list of pairs that nobody else has.
        unsafe {
            (0..py::PyList_GET_SIZE(items))
                .map(move |index| py::PyList_GET_ITEM(items, index))
                .map(|item| [0, 1].map(|part| py::PyTuple_GET_ITEM(item, part)))
        }
    }
}

/// All there are.
///
/// # Safety
/// I1.
unsafe fn contexts() -> Vec<*mut PyObject> {
    let mut found = Vec::new();
    // SAFETY: the caller's promise; the visitor allocates Rust memory only.
    unsafe {
        ffi::heap(|object| {
            if py::PyContext_CheckExact(object) != 0 {
                found.push(object);
            }
            ControlFlow::Continue(())
        });
    }
    found
}
