//! Who watches dicts, functions and classes in C code (3.12+), and what they are told.
//!
//! The interpreter tells of each change just before it makes it, and what it calls may run
//! Python. A remap is one change: it is told of when all of it is done, by comparing what
//! was with what is.

use std::ops::ControlFlow;
use std::os::raw::c_uint;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::edit::{Changes, Edit, OfHolder, KEYS};
use crate::ffi::{self, bindings as c};
use crate::hashes;
use crate::object::Owned;
use crate::world::World;

const FIELDS: [c::gcr_function_field; 3] =
    [c::GCR_FUNCTION_CODE, c::GCR_FUNCTION_DEFAULTS, c::GCR_FUNCTION_KWDEFAULTS];

/// Key and value of each entry of a dict, by position.
type Entries = Vec<Option<[Owned; 2]>>;

/// What is watched and about to change, as it was.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    dicts: Vec<(Owned, Entries)>,
    functions: Vec<Function>,
    types: Vec<Type>,
}

#[derive(Debug)]
struct Function {
    function: Owned,
    before: [Option<Owned>; 3],
    /// An item of its defaults changes, as it cannot do otherwise.
    in_defaults: bool,
}

#[derive(Debug)]
struct Type {
    type_: Owned,
    watchers: c_uint,
    changed: bool,
}

/// What watchers are to be told.
#[derive(Debug)]
enum Event {
    Dict(Owned, c::gcr_dict_event, Owned, Option<Owned>),
    Function(Owned, c::gcr_function_field, Option<Owned>),
    Type(Owned),
}

impl Watched {
    /// `tables` are to be reindexed, of `functions` fields change.
    ///
    /// # Safety
    /// I1 and I2.
    pub(crate) unsafe fn prepare(
        changes: &Changes,
        tables: impl Iterator<Item = *mut PyObject>,
        functions: &[*mut PyObject],
        world: &World,
    ) -> Self {
        let mut watched = Watched::default();
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            let mut seen = FxHashSet::default();
            for dict in changes
                .edits
                .by_holder()
                .filter(|group| group.has(KEYS) || group.has(&[c::GCR_DICT_VALUE]))
                .flat_map(|group| changed_dicts(group))
                .chain(tables)
            {
                if c::gcr_dict_is_watched(dict) != 0 && seen.insert(dict as usize) {
                    watched.dicts.push((Owned::borrow(dict), entries(dict)));
                }
            }
            if c::gcr_functions_are_watched() != 0 {
                watched.add_functions(changes, functions);
            }
            if c::gcr_types_are_watched() != 0 {
                for &type_ in &world.types {
                    let watchers = c::gcr_type_watchers(type_);
                    if watchers != 0 {
                        let type_ = Owned::borrow(type_);
                        watched.types.push(Type { type_, watchers, changed: false });
                    }
                }
            }
        }
        watched
    }

    /// # Safety
    /// I1 and I2.
    unsafe fn add_functions(&mut self, changes: &Changes, functions: &[*mut PyObject]) {
        let changed: FxHashSet<usize> = functions.iter().map(|&f| f as usize).collect();
        let holders: FxHashSet<usize> =
            changes.edits.by_holder().map(|group| group.holder as usize).collect();
        // SAFETY: I1; the visitor allocates Rust memory only.
        unsafe {
            ffi::heap(|object| {
                if py::PyFunction_Check(object) != 0 {
                    let parts = FIELDS.map(|field| c::gcr_function_part(object, field));
                    let in_defaults = holders.contains(&(parts[1] as usize));
                    if in_defaults || changed.contains(&(object as usize)) {
                        let own =
                            |part: *mut PyObject| (!part.is_null()).then(|| Owned::borrow(part));
                        self.functions.push(Function {
                            function: Owned::borrow(object),
                            before: parts.map(own),
                            in_defaults,
                        });
                    }
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// # Safety
    /// I1. [`Self::give_back`] must follow, before any Python code runs.
    pub(crate) unsafe fn hold_back(&self) {
        for type_ in &self.types {
            // SAFETY: the caller's promise.
            unsafe { c::gcr_hold_back_type(type_.type_.as_ptr()) };
        }
    }

    /// # Safety
    /// I1; after [`Self::hold_back`].
    pub(crate) unsafe fn give_back(&mut self) {
        for type_ in &mut self.types {
            // SAFETY: the caller's promise.
            let owed = unsafe { c::gcr_give_back_type(type_.type_.as_ptr(), type_.watchers) };
            type_.changed = owed != 0;
        }
    }

    /// What has changed.
    ///
    /// # Safety
    /// I1: after the commit, and before any Python code runs.
    pub(crate) unsafe fn events(&self) -> Events {
        let mut events = Vec::new();
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            for (dict, before) in &self.dicts {
                compare_entries(dict, before, &mut events);
            }
            for function in &self.functions {
                function.compare(&mut events);
            }
            for type_ in self.types.iter().filter(|type_| type_.changed) {
                events.push(Event::Type(Owned::borrow(type_.type_.as_ptr())));
            }
        }
        Events(events)
    }
}

impl Function {
    /// # Safety
    /// I1.
    unsafe fn compare(&self, events: &mut Vec<Event>) {
        let function = self.function.as_ptr();
        for (field, before) in FIELDS.into_iter().zip(&self.before) {
            // SAFETY: the caller's promise; what a function holds is alive.
            unsafe {
                let now = c::gcr_function_part(function, field);
                let was = before.as_ref().map_or(std::ptr::null_mut(), Owned::as_ptr);
                if now != was || (field == c::GCR_FUNCTION_DEFAULTS && self.in_defaults) {
                    let now = (!now.is_null()).then(|| Owned::borrow(now));
                    events.push(Event::Function(Owned::borrow(function), field, now));
                }
            }
        }
    }
}

/// The dicts of which the edits change entries: the holder, and the dict that shows the
/// values that stand in it.
///
/// # Safety
/// I1.
unsafe fn changed_dicts(group: OfHolder<'_>) -> impl Iterator<Item = *mut PyObject> {
    let OfHolder { holder, edits, .. } = group;
    let entries =
        edits.iter().filter(|edit| edit.is_key() || edit.slot.role() == c::GCR_DICT_VALUE);
    let (values, entries): (Vec<&Edit>, Vec<&Edit>) =
        entries.partition(|edit| edit.slot.name() == Some(c".key"));
    let own = (!entries.is_empty()).then_some(holder);
    // SAFETY: the caller's promise; it has values in itself.
    let shown = (!values.is_empty()).then(|| unsafe { c::gcr_dict_of_values(holder) });
    own.into_iter().chain(shown.filter(|dict| !dict.is_null()))
}

/// # Safety
/// I1; `dict` is one.
unsafe fn entries(dict: *mut PyObject) -> Entries {
    // SAFETY: the caller's promise; what a dict holds is alive.
    unsafe {
        let own = |position| {
            let (key, value) = hashes::entry(dict, position);
            (!key.is_null()).then(|| [key, value].map(|object| Owned::borrow(object)))
        };
        (0..c::gcr_table_length(dict)).map(own).collect()
    }
}

/// # Safety
/// I1; `dict` is one.
unsafe fn compare_entries(dict: &Owned, before: &Entries, events: &mut Vec<Event>) {
    // SAFETY: the caller's promise.
    let (after, own) =
        unsafe { (entries(dict.as_ptr()), |object: &Owned| Owned::borrow(object.as_ptr())) };
    let mut later = Vec::new();
    for (was, is) in before.iter().zip(&after) {
        let is_kept = match (was, is) {
            (Some(was), Some(is)) => was[0].as_ptr() == is[0].as_ptr(),
            _ => false,
        };
        match (was, is) {
            (Some(was), Some(is)) if is_kept => {
                if was[1].as_ptr() != is[1].as_ptr() {
                    let event = c::GCR_DICT_MODIFIED;
                    later.push(Event::Dict(own(dict), event, own(&is[0]), Some(own(&is[1]))));
                }
            }
            (was, is) => {
                if let Some([key, _]) = was {
                    events.push(Event::Dict(own(dict), c::GCR_DICT_DELETED, own(key), None));
                }
                if let Some([key, value]) = is {
                    let event = c::GCR_DICT_ADDED;
                    later.push(Event::Dict(own(dict), event, own(key), Some(own(value))));
                }
            }
        }
    }
    // A key may have moved from one entry to another: gone first, then there.
    events.append(&mut later);
}

/// What watchers are to be told, when Python code may run again.
#[derive(Debug)]
pub(crate) struct Events(Vec<Event>);

impl Events {
    /// # Safety
    /// The GIL is held, and nothing is half done.
    pub(crate) unsafe fn tell(self) {
        for event in &self.0 {
            let pointer =
                |value: &Option<Owned>| value.as_ref().map_or(std::ptr::null_mut(), Owned::as_ptr);
            // SAFETY: the caller's promise; the events own their objects.
            unsafe {
                match event {
                    Event::Dict(dict, event, key, value) => {
                        c::gcr_tell_dict(dict.as_ptr(), *event, key.as_ptr(), pointer(value));
                    }
                    Event::Function(function, field, value) => {
                        c::gcr_tell_function(function.as_ptr(), *field, pointer(value));
                    }
                    Event::Type(type_) => c::gcr_tell_type(type_.as_ptr()),
                }
            }
        }
    }
}
