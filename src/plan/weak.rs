//! The weak references to the olds.

use pyo3_ffi::PyObject;

use super::Planner;
use crate::error::{Refusal, NO_MEMORY};
use crate::repair::weak::{Stuck, WeakMove};

impl Planner<'_> {
    /// The weak references to each old.
    ///
    /// # Safety
    /// I1 and I2.
    pub(super) unsafe fn take_weak_references(&mut self) {
        if !self.options.weak_references {
            return;
        }
        for &(sides, count) in &self.olds.weakly_referenced {
            let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
            // SAFETY: the caller's promise.
            let moved = unsafe {
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
}
