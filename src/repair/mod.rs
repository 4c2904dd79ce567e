//! What must follow the edits: prepared before the first store, done after the last.

pub(crate) mod contexts;
pub(crate) mod tables;
pub(crate) mod tracking;
pub(crate) mod types;
pub(crate) mod watchers;
pub(crate) mod weak;

use std::ptr;

use pyo3_ffi::PyObject;

use crate::edit::Changes;
use crate::error::NO_MEMORY;
use crate::ffi::bindings as c;
use crate::hashes::{Answer, Question};
use crate::world::World;
use contexts::ContextRepair;
use tables::TableRepair;
use types::{Obstacle, TypePlan, TypeRepair};
use watchers::Watched;

/// All repairs of one remap, ready to be committed.
#[derive(Debug)]
pub(crate) struct Repairs {
    pub(crate) tables: TableRepair,
    pub(crate) types: TypeRepair,
    pub(crate) contexts: ContextRepair,
    pub(crate) watched: Watched,
    to_track: Vec<*mut PyObject>,
}

impl Repairs {
    /// # Safety
    /// I1 and I2; the plan and the question are about these changes. May allocate,
    /// so the collector must be off.
    pub(crate) unsafe fn prepare(
        changes: &Changes,
        plan: TypePlan,
        question: &Question,
        answer: &Answer,
        world: &World,
    ) -> Result<Self, Obstacle> {
        // SAFETY: the caller's promise.
        unsafe {
            let tables = TableRepair::prepare(changes, question, answer)
                .map_err(|(culprit, reason)| Obstacle { culprit, reason })?;
            Ok(Repairs {
                watched: Watched::prepare(changes, tables.reindexed(), &plan.functions, world),
                tables,
                contexts: ContextRepair::prepare(&changes.variables)
                    .map_err(|_| Obstacle { culprit: ptr::null_mut(), reason: NO_MEMORY })?,
                types: TypeRepair::prepare(plan, changes)?,
                to_track: tracking::plan(&changes.edits, &changes.holders),
            })
        }
    }

    /// # Safety
    /// I1, I2 and I5; after the last store.
    pub(crate) unsafe fn commit(&mut self, changes: &Changes) {
        // SAFETY: the caller's promise; holders are alive because their referents
        // were just rewritten in them.
        unsafe {
            self.watched.hold_back();
            // A moved weak reference forgets its hash; a table that has it as a key
            // tells it the new one.
            weak::commit(&changes.weak);
            // Before instances let go of their values, of which a table may be made.
            self.tables.commit();
            self.types.commit(&changes.instances);
            self.contexts.commit();
            for &holder in &self.to_track {
                c::gcr_track(holder);
            }
            c::gcr_forget_context_values();
            c::gcr_invalidate_specialised();
            self.watched.give_back();
        }
    }
}
