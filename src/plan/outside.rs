//! Slots that no object holds: those of running frames, and of the interpreter.

use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi::PyObject;

use super::Planner;
use crate::edit::Edit;
use crate::ffi::{self, bindings as c};

impl Planner<'_> {
    /// Slots of running frames: their locals, and what of their evaluation stacks
    /// is not in use by a call in progress.
    ///
    /// # Safety
    /// I1, I2 and I3.
    pub(super) unsafe fn take_frames(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            ffi::frames(|slot| {
                let Some(pair) = self.map.find(slot.load()) else {
                    return ControlFlow::Continue(());
                };
                if slot.owns() {
                    self.counts.explain(pair, 1);
                }
                let sides = self.map.pairs()[pair];
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                if old == slot.code {
                    self.refuse(pair, ptr::null_mut(), Some(slot), "a frame is running it");
                    return ControlFlow::Continue(());
                }
                if !self.options.frames || slot.flags() & c::GCR_IN_FLIGHT != 0 {
                    return ControlFlow::Continue(());
                }
                let refusal = match slot.kind() {
                    c::GCR_BORROWED => Some("a running frame reads its names from it"),
                    _ => ffi::sentence(c::gcr_accept_refusal(slot.accepts(), old, new)),
                };
                match refusal {
                    None => {
                        self.plan.changes.edits.push(Edit::new(ptr::null_mut(), slot, old, new))
                    }
                    // An operand that an instruction yet to run will take may stay.
                    Some(_) if slot.role() == c::GCR_FRAME_STACK => {}
                    Some(reason) => self.refuse(pair, ptr::null_mut(), Some(slot), reason),
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// Slots of the interpreter's and its threads' states.
    ///
    /// # Safety
    /// I1, I2 and I3.
    pub(super) unsafe fn take_roots(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            ffi::roots(|slot| {
                let Some(pair) = self.map.find(slot.load()) else {
                    return ControlFlow::Continue(());
                };
                self.seen_slots.insert(slot.address as usize);
                if slot.owns() {
                    self.counts.explain(pair, 1);
                }
                let sides = self.map.pairs()[pair];
                let (old, new) = (sides.old as *mut PyObject, sides.new as *mut PyObject);
                match ffi::sentence(c::gcr_accept_refusal(slot.accepts(), old, new)) {
                    None => {
                        self.plan.changes.edits.push(Edit::new(ptr::null_mut(), slot, old, new))
                    }
                    Some(reason) => self.refuse(pair, ptr::null_mut(), Some(slot), reason),
                }
                ControlFlow::Continue(())
            });
        }
    }
}
