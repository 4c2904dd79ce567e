//! A slot as the engine sees it, and the only place that stores a referent.

use std::ffi::{c_char, c_void, CStr};

use pyo3_ffi::PyObject;

use crate::ffi::bindings as c;

/// Low bits of a `_PyStackRef` (3.14+): 1 says that the word owns no count, 2
/// that it is no pointer at all (pycore_stackref.h).
const STACKREF_TAGS: usize = 3;
const STACKREF_UNCOUNTED: usize = 1;
const STACKREF_NO_POINTER: usize = 2;

/// A located slot: an address, and what CPython's code assumes about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) address: *mut *mut PyObject,
    /// In static storage, or null.
    name: *const c_char,
    pub(crate) index: isize,
    pub(crate) key: *mut PyObject,
    /// The running frame that the slot is of, or null.
    pub(crate) frame: *mut c_void,
    /// Its code, and the line it is at.
    pub(crate) code: *mut PyObject,
    pub(crate) line: i32,
    kind: u8,
    role: u8,
    accepts: u8,
    flags: u8,
}

impl Slot {
    /// # Safety
    /// `slot` must be what a walker passed to its visitor.
    pub(crate) unsafe fn from_walker(slot: &c::gcr_slot) -> Self {
        Slot {
            address: slot.address,
            kind: slot.kind as u8,
            role: slot.role as u8,
            accepts: slot.accepts as u8,
            flags: slot.flags as u8,
            name: slot.name,
            index: slot.index,
            key: slot.key,
            frame: slot.frame,
            code: slot.code,
            line: slot.line,
        }
    }

    /// A slot that the traversal tells of: nothing else is known of it but whether it is
    /// the class of the holder.
    pub(crate) fn told(
        address: *mut *mut PyObject,
        kind: c::gcr_kind,
        holder: *mut PyObject,
    ) -> Self {
        let class = holder as usize + std::mem::offset_of!(PyObject, ob_type);
        let role = if address as usize == class { c::GCR_OB_TYPE } else { c::GCR_PLAIN };
        Slot::probed(address, kind, role)
    }

    /// A slot that the probe found: nothing is known of it but where it is.
    pub(crate) fn probed(
        address: *mut *mut PyObject,
        kind: c::gcr_kind,
        role: c::gcr_role,
    ) -> Self {
        Slot {
            address,
            kind: kind as u8,
            role: role as u8,
            accepts: c::GCR_SAME_LAYOUT as u8,
            flags: 0,
            name: std::ptr::null(),
            index: 0,
            key: std::ptr::null_mut(),
            frame: std::ptr::null_mut(),
            code: std::ptr::null_mut(),
            line: 0,
        }
    }

    /// The slot of the class.
    ///
    /// # Safety
    /// `object` is alive.
    pub(crate) unsafe fn of_class(object: *mut PyObject) -> Self {
        // SAFETY: the caller's promise.
        let address = unsafe { &raw mut (*object).ob_type };
        let slot = Slot::probed(address.cast(), c::GCR_STRONG, c::GCR_OB_TYPE);
        Slot { name: c".__class__".as_ptr(), accepts: c::GCR_TYPE as u8, ..slot }
    }

    /// What names it, besides its holder: its key, and the code of its frame.
    pub(crate) fn objects(&self) -> impl Iterator<Item = *mut PyObject> {
        [self.key, self.code].into_iter().filter(|object| !object.is_null())
    }

    pub(crate) fn kind(&self) -> c::gcr_kind {
        self.kind.into()
    }

    pub(crate) fn role(&self) -> c::gcr_role {
        self.role.into()
    }

    pub(crate) fn accepts(&self) -> c::gcr_accepts {
        self.accepts.into()
    }

    pub(crate) fn flags(&self) -> u32 {
        self.flags.into()
    }

    /// The slot that lies so many words further on in a run of slots that are alike.
    pub(crate) fn further(&self, distance: usize) -> Self {
        Slot {
            address: self.address.wrapping_add(distance),
            index: self.index.wrapping_add_unsigned(distance),
            ..*self
        }
    }

    /// Whether `next` is that slot, in an array of plain slots that are told apart by
    /// their index alone.
    pub(crate) fn goes_on_with(&self, next: &Slot, distance: usize) -> bool {
        let further = self.further(distance);
        let alike = |slot: &Slot| (slot.name, slot.kind, slot.role, slot.accepts, slot.flags);
        next.address == further.address
            && next.index == further.index
            && next.kind() == c::GCR_STRONG
            && next.role() == c::GCR_PLAIN
            && alike(self) == alike(next)
            && next.key.is_null()
            && next.frame.is_null()
    }

    /// What the slot is called after its holder; `None` if nothing is known of it.
    pub(crate) fn name(&self) -> Option<&'static CStr> {
        // SAFETY: I3: gcremap.h promises names in static storage.
        (!self.name.is_null()).then(|| unsafe { CStr::from_ptr(self.name) })
    }

    /// Address of the referent, tags removed; 0 for a word that is no pointer.
    ///
    /// # Safety
    /// I1 and I3, and the holder is alive.
    pub(crate) unsafe fn load(&self) -> usize {
        // SAFETY: the caller's promise.
        let word = unsafe { *self.address } as usize;
        match self.kind() {
            c::GCR_STACKREF if word & STACKREF_NO_POINTER != 0 => 0,
            c::GCR_STACKREF => word & !STACKREF_TAGS,
            c::GCR_TAGGED => word & !1,
            _ => word,
        }
    }

    /// Whether this word owns a count of its referent.
    ///
    /// # Safety
    /// I1 and I3, and the holder is alive.
    pub(crate) unsafe fn owns(&self) -> bool {
        match self.kind() {
            c::GCR_STRONG | c::GCR_TAGGED => true,
            c::GCR_STACKREF => {
                // SAFETY: the caller's promise.
                let word = unsafe { *self.address } as usize;
                word & STACKREF_UNCOUNTED == 0
            }
            _ => false,
        }
    }

    /// Puts `new` into the slot, keeping the word's tag. Moves no counts.
    ///
    /// # Safety
    /// I1, I2, I3 and I5; the caller moves the counts (I4).
    pub(crate) unsafe fn store(&self, new: *mut PyObject) {
        // SAFETY: the caller's promise.
        let word = unsafe { *self.address } as usize;
        // SAFETY: the caller's promise.
        let is_immortal = || unsafe { c::gcr_is_immortal(new) != 0 };
        let tagged = match self.kind() {
            // An immortal under tag 0 would have its count eaten by
            // PyStackRef_CLOSE's Py_DECREF_MORTAL.
            c::GCR_STACKREF if is_immortal() => new as usize | STACKREF_UNCOUNTED,
            c::GCR_STACKREF => new as usize | (word & STACKREF_TAGS),
            c::GCR_TAGGED => new as usize | (word & 1),
            _ => new as usize,
        };
        // SAFETY: the caller's promise.
        unsafe { *self.address = tagged as *mut PyObject };
    }
}
