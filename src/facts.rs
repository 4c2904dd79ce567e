//! What a report says of a remap besides the objects that it names.

use std::ffi::{c_char, CStr};
use std::time::Duration;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::{count_all, Edit, Instances, OfHolder};
use crate::object::{Owned, Raised};
use crate::plan::Plan;
use crate::transaction::Outcome;

/// Plain values: to keep them takes nothing of Python, so that a report has them as soon
/// as all is done.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    replaced: usize,
    holders: usize,
    by_type: FxHashMap<String, usize>,
    rehashed: usize,
    weak: usize,
    weak_left: usize,
    frames: usize,
    pinned: usize,
    scanned: usize,
    time: Duration,
}

impl Facts {
    /// # Safety
    /// The GIL is held; the edits' holders are alive.
    pub(crate) unsafe fn of(plan: &Plan, outcome: &Outcome, time: Duration) -> Self {
        // The name of a type is copied once, not for each of a million holders.
        let mut types: FxHashMap<*const c_char, usize> = FxHashMap::default();
        let mut by_type = FxHashMap::default();
        let mut frames = FxHashSet::default();
        let mut holders = 0;
        // SAFETY: the caller's promise.
        let name_of = |object: *mut PyObject| unsafe { (*(*object).ob_type).tp_name };
        for OfHolder { holder, slots, .. } in outcome.edits.by_holder() {
            *types.entry(name_of(holder)).or_default() += slots;
            holders += 1;
        }
        for Instances { objects, .. } in outcome.instances.iter() {
            *types.entry(name_of(objects[0])).or_default() += objects.len();
        }
        holders += holders_besides(outcome);
        for (name, count) in types {
            // SAFETY: tp_name is a C string.
            let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
            let name = name.rsplit('.').next().unwrap_or_default().to_owned();
            *by_type.entry(name).or_default() += count;
        }
        for Edit { slot, .. } in outcome.edits.without_holder() {
            let name = if slot.frame.is_null() { "interpreter" } else { "frame" };
            *by_type.entry(name.to_owned()).or_default() += 1;
            if !slot.frame.is_null() {
                frames.insert(slot.frame);
            }
        }
        if outcome.variables > 0 {
            *by_type.entry("Context".to_owned()).or_default() += outcome.variables;
        }
        Facts {
            replaced: outcome.edits.count_slots()
                + count_all(&outcome.instances)
                + outcome.variables,
            holders: holders + frames.len() + outcome.contexts.len(),
            by_type,
            rehashed: outcome.rehashed,
            weak: outcome.weak.iter().map(|moved| moved.references.len()).sum(),
            weak_left: plan.weak_left,
            frames: frames.len(),
            pinned: outcome.pinned,
            scanned: plan.scanned,
            time,
        }
    }

    /// A dict of them, by the names that the report has for them.
    ///
    /// # Safety
    /// The GIL is held.
    pub(crate) unsafe fn to_python(&self) -> Result<Owned, Raised> {
        // SAFETY: the caller's promise.
        unsafe {
            let by_type = Owned::steal(py::PyDict_New())?;
            for (name, &count) in &self.by_type {
                let name = Owned::steal(py::PyUnicode_FromStringAndSize(
                    name.as_ptr().cast(),
                    name.len() as isize,
                ))?;
                let count = Owned::steal(py::PyLong_FromSize_t(count))?;
                if py::PyDict_SetItem(by_type.as_ptr(), name.as_ptr(), count.as_ptr()) < 0 {
                    return Err(Raised);
                }
            }
            Owned::steal(py::Py_BuildValue(
                c"{s:n,s:n,s:O,s:n,s:n,s:n,s:n,s:n,s:n,s:d}".as_ptr(),
                c"replaced".as_ptr(),
                self.replaced,
                c"holders".as_ptr(),
                self.holders,
                c"by_type".as_ptr(),
                by_type.as_ptr(),
                c"rehashed".as_ptr(),
                self.rehashed,
                c"weakrefs".as_ptr(),
                self.weak,
                c"weakrefs_left".as_ptr(),
                self.weak_left,
                c"frames".as_ptr(),
                self.frames,
                c"pinned".as_ptr(),
                self.pinned,
                c"scanned".as_ptr(),
                self.scanned,
                c"seconds".as_ptr(),
                self.time.as_secs_f64(),
            ))
        }
    }
}

/// How many instances change class that are holders of no edit.
fn holders_besides(outcome: &Outcome) -> usize {
    if outcome.instances.is_empty() {
        return 0;
    }
    let edited: FxHashSet<usize> =
        outcome.edits.by_holder().map(|group| group.holder as usize).collect();
    let instances = outcome.instances.iter().flat_map(|class| &class.objects);
    instances.filter(|&&object| !edited.contains(&(object as usize))).count()
}
