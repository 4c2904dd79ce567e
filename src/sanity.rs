//! A door for the tests: whether the heap is as CPython wants it. After a remap, every
//! slot refers to what is alive, no object has fewer counts than slots that own one,
//! and every entry of a table is found by the hash that it stands under.

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::returned;
use crate::ffi::{self, bindings as c};
use crate::memory::{read_words, Readable};
use crate::object::{list, Owned};
use crate::ready::ready;
use crate::slot::Slot;

/// More say nothing new.
const SHOWN: usize = 50;

/// One sentence for each fault of the heap; an empty list if there is none.
///
/// # Safety
/// Called by CPython as a METH_NOARGS function.
pub(crate) unsafe extern "C" fn faults(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the GIL is held; I1 until the list is made.
    unsafe {
        if ready().is_err() {
            return ptr::null_mut();
        }
        let mut survey = Survey::new();
        survey.look_around();
        survey.compare_counts();
        survey.faults.truncate(SHOWN);
        let sentences = survey.faults.iter().map(|sentence| {
            let text = sentence.as_ptr().cast();
            Owned::steal(py::PyUnicode_FromStringAndSize(text, sentence.len() as isize))
        });
        returned(list(sentences).map(Owned::into_ptr))
    }
}

struct Survey {
    readable: Readable,
    types: FxHashSet<usize>,
    /// Slots that two holders may show are counted once.
    slots: FxHashSet<usize>,
    /// Owning slots by referent, and a holder of one.
    owners: FxHashMap<usize, (usize, *mut PyObject)>,
    /// Referents that were looked at: whether they are alive.
    referents: FxHashMap<usize, bool>,
    holders: FxHashSet<usize>,
    /// Holders on no list, yet to be walked.
    pending: Vec<*mut PyObject>,
    faults: Vec<String>,
}

impl Survey {
    /// # Safety
    /// I1.
    unsafe fn new() -> Self {
        let mut types = FxHashSet::default();
        let mut pending = Vec::new();
        // SAFETY: the caller's promise; the visitors allocate Rust memory only.
        unsafe {
            ffi::types(|type_| {
                types.insert(type_ as usize);
                pending.push(type_);
                ControlFlow::Continue(())
            });
            ffi::heap(|object| {
                pending.push(object);
                ControlFlow::Continue(())
            });
        }
        Survey {
            // SAFETY: the caller's promise.
            readable: unsafe { Readable::now() },
            types,
            slots: FxHashSet::default(),
            owners: FxHashMap::default(),
            referents: FxHashMap::default(),
            holders: FxHashSet::default(),
            pending,
            faults: Vec::new(),
        }
    }

    /// # Safety
    /// I1 and I3.
    unsafe fn look_around(&mut self) {
        // SAFETY: the caller's promise, for every call in this function; what is pending
        // is listed, or was found to be alive.
        unsafe {
            ffi::frames(|slot| self.take(ptr::null_mut(), &slot));
            ffi::roots(|slot| self.take(ptr::null_mut(), &slot));
            while let Some(holder) = self.pending.pop() {
                if !self.holders.insert(holder as usize) || !self.is_alive(holder as usize) {
                    continue;
                }
                let before = self.faults.len();
                ffi::walk(holder, |slot| self.take(holder, &slot));
                // It looks at the keys, which must be alive.
                if self.faults.len() == before && c::gcr_is_table(holder) != 0 {
                    if let Some(fault) = ffi::sentence(c::gcr_table_fault(holder)) {
                        self.faults.push(format!("{}: {fault}", name_of(holder)));
                    }
                }
            }
        }
    }

    /// # Safety
    /// I1 and I3, and the holder is alive; null for a frame or the interpreter.
    unsafe fn take(&mut self, holder: *mut PyObject, slot: &Slot) -> ControlFlow<()> {
        // SAFETY: the caller's promise, for every call in this function.
        unsafe {
            let referent = slot.load();
            if referent == 0 {
                return ControlFlow::Continue(());
            }
            if !self.is_alive(referent) {
                let place = place(holder, slot);
                self.faults.push(format!("{place}: what stands at {referent:#x} is not alive"));
                return ControlFlow::Continue(());
            }
            if slot.owns() && self.slots.insert(slot.address as usize) {
                self.owners.entry(referent).or_insert((0, holder)).0 += 1;
            }
            let referent = referent as *mut PyObject;
            if c::gcr_is_unlisted(referent) != 0 {
                self.pending.push(referent);
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether an object stands there, as far as its header can tell.
    ///
    /// # Safety
    /// I1.
    unsafe fn is_alive(&mut self, object: usize) -> bool {
        if let Some(&known) = self.referents.get(&object) {
            return known;
        }
        // SAFETY: the caller's promise; only what can be read is.
        let alive = unsafe {
            self.is_readable(object) && {
                let object = object as *mut PyObject;
                self.is_type((*object).ob_type as usize)
                    && (c::gcr_is_immortal(object) != 0 || py::Py_REFCNT(object) > 0)
            }
        };
        self.referents.insert(object, alive);
        alive
    }

    /// # Safety
    /// I1.
    unsafe fn is_type(&mut self, address: usize) -> bool {
        if self.types.contains(&address) {
            return true;
        }
        // One that its bases do not know (yet, or any more).
        // SAFETY: the caller's promise; only what can be read is.
        let found = unsafe {
            let type_ = address as *mut PyObject;
            self.is_readable(address)
                && self.types.contains(&((*type_).ob_type as usize))
                && py::PyType_Check(type_) != 0
        };
        if found {
            self.types.insert(address);
        }
        found
    }

    fn is_readable(&self, address: usize) -> bool {
        const WORDS: usize = size_of::<PyObject>() / size_of::<usize>();
        match self.readable.limit(address) {
            Some(end) => end - address >= size_of::<PyObject>(),
            // Code of the interpreter's own frames is constant.
            None => {
                address % align_of::<PyObject>() == 0
                    && read_words(address, &mut [0; WORDS]) == WORDS
            }
        }
    }

    /// # Safety
    /// I1.
    unsafe fn compare_counts(&mut self) {
        for (&referent, &(owners, holder)) in &self.owners {
            let referent = referent as *mut PyObject;
            // SAFETY: the caller's promise; it was found to be alive.
            let (uncounted, counts) = unsafe { (is_uncounted(referent), py::Py_REFCNT(referent)) };
            if !uncounted && usize::try_from(counts).unwrap_or(0) < owners {
                // SAFETY: as above.
                let (name, holder) = unsafe { (name_of(referent), name_of(holder)) };
                let by = format!("owned by {owners} slots, one of {holder}");
                self.faults.push(format!("{name}: has {counts} counts and is {by}"));
            }
        }
    }
}

/// Whether the counts of an object say nothing: static types and the table of interned
/// strings refer to others without one.
///
/// # Safety
/// The object is alive.
unsafe fn is_uncounted(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let is_interned =
            py::PyUnicode_CheckExact(object) != 0 && !c::gcr_refusal_of_old(object).is_null();
        is_interned
            || c::gcr_is_immortal(object) != 0
            || (py::PyType_Check(object) != 0
                && py::PyType_GetFlags(object.cast()) & py::Py_TPFLAGS_HEAPTYPE == 0)
    }
}

/// # Safety
/// The holder is alive, or null.
unsafe fn place(holder: *mut PyObject, slot: &Slot) -> String {
    let name = slot.name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    // SAFETY: the caller's promise.
    format!("{name} ({}) of {}", slot.index, unsafe { name_of(holder) })
}

/// # Safety
/// The object is alive, or null.
unsafe fn name_of(object: *mut PyObject) -> String {
    if object.is_null() {
        return "a frame or the interpreter".to_owned();
    }
    // SAFETY: the caller's promise; tp_name is a C string.
    unsafe {
        let is_type = py::PyType_Check(object) != 0;
        let type_: *mut PyTypeObject = if is_type { object.cast() } else { (*object).ob_type };
        let name = CStr::from_ptr((*type_).tp_name).to_string_lossy();
        format!("{} {name} at {object:p}", if is_type { "class" } else { "a" })
    }
}
