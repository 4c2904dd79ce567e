//! Runs a plan: stores and counts only. Cannot fail, allocate or call Python.

use pyo3_ffi::{Py_DECREF, Py_INCREF};

use crate::edit::{Changes, Edit, Instances, Means};
use crate::repair::Repairs;

/// Rewrites every slot of `changes`, then repairs what depended on them.
/// The counts that the olds lose are still theirs: see [`release`].
///
/// # Safety
/// I1, I2, I3 and I5; every edit's slot was located with the interpreter stopped
/// ever since.
pub(crate) unsafe fn apply(changes: &mut Changes, repairs: &mut Repairs) {
    for edit in changes.edits.iter_mut() {
        // SAFETY: the caller's promise; I4: an owning slot takes one count of
        // new here, and `release` gives back its one count of old. The repair of
        // the hierarchy moves its counts itself.
        unsafe {
            edit.owned = edit.means != Means::Hierarchy && edit.slot.owns();
            for slot in edit.slots() {
                if edit.owned {
                    Py_INCREF(edit.new);
                }
                if edit.means == Means::Store {
                    slot.store(edit.new);
                }
            }
        }
    }
    // SAFETY: the caller's promise; I4: each instance owns a count of its class.
    unsafe {
        for class in &changes.instances {
            class.objects.iter().for_each(|_| Py_INCREF(class.new));
        }
        repairs.commit(changes);
    }
}

/// Gives back the counts of the olds. Last, since it can run finalizers.
///
/// # Safety
/// The GIL is held; `apply` ran for these, and this has not.
pub(crate) unsafe fn release(edits: &[Edit], instances: &[Instances]) {
    // SAFETY: I4: the counts that slots and instances owned before `apply`.
    unsafe {
        for edit in edits.iter().filter(|edit| edit.owned) {
            edit.slots().for_each(|_| Py_DECREF(edit.old));
        }
        for class in instances {
            class.objects.iter().for_each(|_| Py_DECREF(class.old));
        }
    }
}
