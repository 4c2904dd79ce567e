//! The door: arguments in, report or exception out. Only here and in
//! `arguments` is an exception raised.

use std::ffi::{c_char, c_int, CStr};
use std::ops::ControlFlow;
use std::ptr;
use std::time::Instant;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;

use crate::arguments::{self, Pairs};
use crate::edit::Changes;
use crate::error::{raise_remap_error, Place, Refusals, NO_MEMORY_TO_INDEX};
use crate::facts::Facts;
use crate::ffi::{self, bindings as c};
use crate::locate::Locator;
use crate::object::{list, module, Owned, Raised};
use crate::plan::{self, Options, Plan};
use crate::ready::ready;
use crate::search;
use crate::slot::Slot;
use crate::transaction::{self, Failure};
use crate::{log, pins, undo, unfinished};

/// `remap(mapping, /, *, exclude=(), weakrefs=True, frames=True, unsafe=False, dry_run=False)`
///
/// # Safety
/// Called by CPython as a METH_VARARGS | METH_KEYWORDS function.
pub(crate) unsafe extern "C" fn remap(
    _module: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    let mut call = Call::default();
    let keywords: [*const c_char; 7] = [
        c"".as_ptr(),
        c"exclude".as_ptr(),
        c"weakrefs".as_ptr(),
        c"frames".as_ptr(),
        c"unsafe".as_ptr(),
        c"dry_run".as_ptr(),
        ptr::null(),
    ];
    // SAFETY: CPython passes live arguments and holds the GIL; the format has a
    // target of its type for each letter.
    unsafe {
        let parsed = py::PyArg_ParseTupleAndKeywords(
            args,
            kwargs,
            c"O|$Opppp:remap".as_ptr(),
            keywords.as_ptr().cast_mut().cast(),
            &raw mut call.mapping,
            &raw mut call.exclude,
            &raw mut call.weakrefs,
            &raw mut call.frames,
            &raw mut call.permissive,
            &raw mut call.dry_run,
        );
        if parsed == 0 {
            return ptr::null_mut();
        }
        if ready().is_err() {
            return ptr::null_mut();
        }
        ffi::call_with_base(|base| match run(&call, base) {
            Ok(report) => report.into_ptr(),
            Err(Raised) => ptr::null_mut(),
        })
    }
}

struct Call {
    mapping: *mut PyObject,
    exclude: *mut PyObject,
    weakrefs: c_int,
    frames: c_int,
    permissive: c_int,
    dry_run: c_int,
}

impl Default for Call {
    fn default() -> Self {
        Call {
            mapping: ptr::null_mut(),
            exclude: ptr::null_mut(),
            weakrefs: 1,
            frames: 1,
            permissive: 0,
            dry_run: 0,
        }
    }
}

/// # Safety
/// The GIL is held; the call's objects are alive.
unsafe fn run(call: &Call, base: usize) -> Result<Owned, Raised> {
    let started = Instant::now();
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        let mut pairs = Pairs::read(call.mapping)?;
        let items = std::mem::take(&mut pairs.items);
        let mut options = Options {
            frames: call.frames != 0,
            weak_references: call.weakrefs != 0,
            permissive: call.permissive != 0,
            excluded: std::mem::take(&mut pairs.holders),
            items: &items,
            near: vec![call.mapping],
        };
        let kept = match call.exclude.is_null() {
            true => Vec::new(),
            false => arguments::excluded(call.exclude, &mut options.excluded)?,
        };
        options.near.extend(kept.iter().map(Owned::as_ptr));
        let log = Owned::steal(log::allocate())?;
        let report = report_of(&log)?;
        let mut plan = Plan::default();
        let outcome = transaction::run(call.dry_run != 0, base, |asked| {
            let pinned = pins::owned();
            let held = pairs
                .held()
                .chain(items.iter().flatten().map(Owned::as_ptr))
                .chain(kept.iter().map(Owned::as_ptr))
                .chain(pinned.iter().map(|&old| old as *mut PyObject))
                .chain(asked.held());
            plan = plan::plan(&pairs.map, &options, held);
            std::mem::take(&mut plan.changes)
        });
        let mut outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Failure::Raised) => return Err(Raised),
            Err(Failure::Late(done)) => {
                if undo::revert(&done, base) {
                    return Err(Raised);
                }
                // Without memory there is no way back, and an error would say that
                // nothing had changed.
                py::PyErr_WriteUnraisable(log.as_ptr());
                *done
            }
            Err(Failure::Refused(refusals)) => {
                let forward = |old| pairs.map.find(old).map_or(old, |at| pairs.map.pairs()[at].new);
                return Err(raise_refusals(&refusals, forward));
            }
        };
        for (pair, &count) in pairs.map.pairs().iter().zip(&plan.leftovers) {
            if count > 0 {
                let old = Owned::borrow(pair.old as *mut PyObject);
                outcome.leftovers.push((old, count as usize));
            }
        }
        outcome.pairs = pairs.sides;
        let facts = Facts::of(&plan, &outcome, started.elapsed());
        if call.dry_run == 0 {
            outcome.give_up(&unfinished::tuples(&outcome, base));
        }
        log::fill(log.as_ptr(), outcome, facts, call.dry_run != 0);
        Ok(report)
    }
}

/// A report that asks the log for its facts: to make it may fail, and so comes before
/// anything is changed.
///
/// # Safety
/// The GIL is held.
unsafe fn report_of(log: &Owned) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        Owned::steal(py::PyObject_CallMethod(
            module(c"gcremap._report")?.as_ptr(),
            c"_report".as_ptr(),
            c"O".as_ptr(),
            log.as_ptr(),
        ))
    }
}

/// `_rehash(classes)`: reindexes the tables with keys that are or contain instances of
/// the classes in a list, by what `__hash__` and `__eq__` say now; a report.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn rehash(
    _module: *mut PyObject,
    classes: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live argument and holds the GIL.
    unsafe {
        if py::PyList_Check(classes) == 0 {
            py::PyErr_SetString(py::PyExc_TypeError, c"_rehash takes a list".as_ptr());
            return ptr::null_mut();
        }
        let classes: Vec<Owned> = (0..py::PyList_GET_SIZE(classes))
            .map(|index| Owned::borrow(py::PyList_GET_ITEM(classes, index)))
            .collect();
        ffi::call_with_base(|base| returned(reindex(&classes, base)))
    }
}

/// # Safety
/// The GIL is held; `base` is from `ffi::call_with_base`.
unsafe fn reindex(classes: &[Owned], base: usize) -> Result<*mut PyObject, Raised> {
    let started = Instant::now();
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        ready()?;
        let log = Owned::steal(log::allocate())?;
        let report = report_of(&log)?;
        let outcome = transaction::run(false, base, |_| Changes {
            rehash: classes.iter().map(Owned::as_ptr).collect(),
            ..Changes::default()
        });
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Failure::Refused(_)) => {
                raise_remap_error(NO_MEMORY_TO_INDEX);
                return Err(Raised);
            }
            Err(Failure::Raised | Failure::Late(_)) => return Err(Raised),
        };
        let facts = Facts::of(&Plan::default(), &outcome, started.elapsed());
        log::fill(log.as_ptr(), outcome, facts, false);
        Ok(report.into_ptr())
    }
}

/// Raises `gcremap.RemapError` with all refusals of a call.
///
/// # Safety
/// The GIL is held; the olds are alive.
pub(crate) unsafe fn raise_refusals(
    refusals: &Refusals,
    forward: impl Fn(usize) -> usize,
) -> Raised {
    // SAFETY: the caller's promise.
    let _: Result<(), Raised> = unsafe {
        (|| {
            let all = list(refusals.all.iter().map(|refusal| {
                let old = refusal.old;
                let new = forward(old);
                let place = match &refusal.place {
                    None => none(),
                    Some(place) => {
                        slot_tuple(place.holder, place.slot.as_ref(), old as *mut PyObject)?
                    }
                };
                let reason = Owned::steal(py::PyUnicode_FromStringAndSize(
                    refusal.reason.as_ptr().cast(),
                    refusal.reason.len() as isize,
                ))?;
                Owned::steal(py::Py_BuildValue(
                    c"((OO)OO)".as_ptr(),
                    old as *mut PyObject,
                    new as *mut PyObject,
                    place.as_ptr(),
                    reason.as_ptr(),
                ))
            }))?;
            let home = module(c"gcremap._refusals")?;
            let error = Owned::steal(py::PyObject_CallMethod(
                home.as_ptr(),
                c"_refused".as_ptr(),
                c"O".as_ptr(),
                all.as_ptr(),
            ))?;
            py::PyErr_SetObject((*error.as_ptr()).ob_type.cast(), error.as_ptr());
            Err(Raised)
        })()
    };
    Raised
}

/// `referrers(*objects)`: a tuple for each slot that holds one of them, strong
/// and weak, as `gcremap._slots` expects it.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn referrers(
    _module: *mut PyObject,
    objects: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a tuple and holds the GIL; I1 while the search and
    // the walks run, since nothing in them runs Python.
    let result = unsafe {
        (|| {
            ready()?;
            let map = arguments::wanted(objects)?;
            let locator = Locator::default();
            let mut slots = Vec::new();
            // The tuples below are allocated, and what holds an object may be garbage.
            let mut held = Vec::new();
            let mut note = |holder: *mut PyObject, slot: Slot, value: usize| {
                let place = Place { holder, slot: Some(slot) };
                held.extend(place.objects().map(|object| Owned::borrow(object)));
                slots.push((holder, slot, value as *mut PyObject));
            };
            for holder in search::deep(&map).found {
                if holder == objects || log::is_log(holder) {
                    continue;
                }
                let located = locator.locate(holder, &map);
                for (slot, pair) in located.slots {
                    note(holder, slot, map.pairs()[pair].old);
                }
            }
            ffi::frames(|slot| {
                let value = slot.load();
                if map.find(value).is_some() && slot.flags() & c::GCR_IN_FLIGHT == 0 {
                    note(ptr::null_mut(), slot, value);
                }
                ControlFlow::Continue(())
            });
            ffi::roots(|slot| {
                let value = slot.load();
                if map.find(value).is_some() {
                    note(ptr::null_mut(), slot, value);
                }
                ControlFlow::Continue(())
            });
            list(slots.iter().map(|(holder, slot, value)| slot_tuple(*holder, Some(slot), *value)))
                .map(Owned::into_ptr)
        })()
    };
    returned(result)
}

/// `(holder, name, index, key, kind, value)`. `name` is None for a slot that has none: of
/// one that was located, `index` says at which byte of the holder it is, or -1 when it is
/// in memory that the holder refers to. A running frame's slot has `(code, line)` for a
/// holder.
///
/// # Safety
/// The GIL is held; all objects are alive.
unsafe fn slot_tuple(
    holder: *mut PyObject,
    slot: Option<&Slot>,
    value: *mut PyObject,
) -> Result<Owned, Raised> {
    let name = slot.and_then(|slot| slot.name()).map_or(ptr::null(), CStr::as_ptr);
    let index = slot.map_or(0, |slot| match slot.name() {
        Some(_) => slot.index,
        // SAFETY: the caller's promise.
        None => unsafe { byte_in(holder, slot) },
    });
    let key = slot.map_or(ptr::null_mut(), |slot| slot.key);
    let kind = slot.map_or(-1, |slot| slot.kind() as c_int);
    // SAFETY: the caller's promise.
    unsafe {
        let holder = match slot {
            Some(slot) if !slot.frame.is_null() => {
                Owned::steal(py::Py_BuildValue(c"(Oi)".as_ptr(), slot.code, slot.line))?
            }
            _ if holder.is_null() => none(),
            _ => Owned::borrow(holder),
        };
        Owned::steal(py::Py_BuildValue(
            c"(OznOiO)".as_ptr(),
            holder.as_ptr(),
            name,
            index,
            if key.is_null() { py::Py_None() } else { key },
            kind,
            value,
        ))
    }
}

/// Where in `holder` a slot is; -1 if elsewhere.
///
/// # Safety
/// `holder` is alive.
unsafe fn byte_in(holder: *mut PyObject, slot: &Slot) -> isize {
    let (mut start, mut end) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe { c::gcr_extent(holder, &raw mut start, &raw mut end) };
    let address = slot.address as usize;
    match (start as usize..end as usize).contains(&address) {
        true => (address - start as usize) as isize,
        false => -1,
    }
}

/// Releases what is pinned and no longer in use; called after a full collection.
///
/// # Safety
/// Called by CPython as a METH_NOARGS function.
pub(crate) unsafe extern "C" fn release_pins(
    _module: *mut PyObject,
    _: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the GIL is held.
    unsafe {
        ffi::call_with_base(|base| {
            if pins::any() {
                pins::hold(std::iter::empty(), base);
            }
            none().into_ptr()
        })
    }
}

/// What a C function returns: null where an exception is set.
pub(crate) fn returned(result: Result<*mut PyObject, Raised>) -> *mut PyObject {
    result.unwrap_or(ptr::null_mut())
}

fn none() -> Owned {
    // SAFETY: None is always alive.
    unsafe { Owned::borrow(py::Py_None()) }
}
