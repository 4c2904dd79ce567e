//! From what the caller passed to checked pairs and excluded holders.

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::ffi::{self, bindings as c};
use crate::forwarding::{Conflict, ForwardingMap, Pair};
use crate::object::{Owned, Raised, Sides};

/// The pairs of one call, alive as long as this is (invariant I2).
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) map: ForwardingMap,
    /// Those of the map.
    pub(crate) sides: Sides,
    /// By pair of the map: the tuple that the caller wrote it in, if that is what it is.
    pub(crate) items: Vec<Option<Owned>>,
    /// What else the caller wrote pairs in: alive, since `holders` has their addresses.
    others: Vec<Owned>,
    /// The mapping and what of it is not in `items`: holders that stay as they are.
    pub(crate) holders: FxHashSet<usize>,
}

impl Pairs {
    /// # Safety
    /// The GIL is held; `mapping` is alive.
    pub(crate) unsafe fn read(mapping: *mut PyObject) -> Result<Self, Raised> {
        let mut holders = FxHashSet::from_iter([mapping as usize]);
        // SAFETY: the caller's promise; every object is owned while it is used.
        unsafe {
            let mut given = Vec::new();
            let sides = if py::PyDict_CheckExact(mapping) != 0 {
                sides_of_dict(mapping)
            } else if is_mapping(mapping)? {
                holders.extend(containers_of(mapping));
                let items = Owned::steal(py::PyMapping_Items(mapping))?;
                // They were made for this call and go with it.
                sides_of_items(items.as_ptr(), drop)?
            } else {
                sides_of_items(mapping, |item| given.push(item))?
            };
            let map = ForwardingMap::new(sides.pairs().iter().copied())
                .map_err(|conflict| raise_conflict(&conflict))?;
            // Repeated pairs, and those of one object with itself, are left out.
            let is_in_order = map.pairs().len() == sides.pairs().len();
            let mut pairs = Pairs { map, sides, items: Vec::new(), others: Vec::new(), holders };
            if !is_in_order {
                pairs.sides = Sides::borrow(pairs.map.pairs());
            }
            pairs.sort(given, is_in_order);
            Ok(pairs)
        }
    }

    /// Puts what the caller wrote the pairs in where it belongs.
    ///
    /// # Safety
    /// The GIL is held.
    unsafe fn sort(&mut self, given: Vec<Owned>, is_in_order: bool) {
        let pairs = self.map.pairs();
        if !given.is_empty() {
            self.items.resize_with(pairs.len(), || None);
        }
        for (at, item) in given.into_iter().enumerate() {
            // SAFETY: the caller's promise, for every call in this block.
            let place = unsafe {
                // What was read after it may have changed it.
                let old = is_pair(item.as_ptr()).then(|| py::PyTuple_GET_ITEM(item.as_ptr(), 0));
                old.and_then(|old| match is_in_order {
                    true => (pairs[at].old == old as usize).then_some(at),
                    false => self.map.find(old as usize),
                })
            };
            match place.map(|pair| &mut self.items[pair]) {
                Some(place @ None) => *place = Some(item),
                _ => {
                    self.holders.insert(item.as_ptr() as usize);
                    self.others.push(item);
                }
            }
        }
    }

    /// What the pairs hold a count of besides one of each old, once for each.
    pub(crate) fn held(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        let news = self.sides.pairs().iter().map(|pair| pair.new as *mut PyObject);
        news.chain(self.others.iter().map(Owned::as_ptr))
    }
}

/// The items of an exact dict as they stand in it: to ask for them would make a tuple of
/// each.
///
/// # Safety
/// The GIL is held; `dict` is an exact dict and alive.
unsafe fn sides_of_dict(dict: *mut PyObject) -> Sides {
    let (mut old, mut new, mut position) = (ptr::null_mut(), ptr::null_mut(), 0);
    // SAFETY: the caller's promise; no Python runs while the dict is read.
    unsafe {
        let mut sides = Sides::with_room_for(py::PyDict_Size(dict) as usize);
        while py::PyDict_Next(dict, &raw mut position, &raw mut old, &raw mut new) != 0 {
            sides.push(Owned::borrow(old), Owned::borrow(new));
        }
        sides
    }
}

/// The pairs of an iterable; `seen` is given what each is written in.
///
/// # Safety
/// The GIL is held; `items` is alive.
unsafe fn sides_of_items(
    items: *mut PyObject,
    mut seen: impl FnMut(Owned),
) -> Result<Sides, Raised> {
    const SENTENCE: &CStr = c"remap() takes a mapping or an iterable of (old, new) pairs";
    // SAFETY: the caller's promise.
    unsafe {
        // Of anything else, it would be user code that says it.
        let length = match py::PyList_CheckExact(items) {
            0 => 0,
            _ => py::PyList_GET_SIZE(items) as usize,
        };
        let mut sides = Sides::with_room_for(length);
        each(items, SENTENCE, |item| {
            let (old, new) = read_pair(&item)?;
            sides.push(old, new);
            seen(item);
            Ok(())
        })?;
        Ok(sides)
    }
}

/// # Safety
/// The GIL is held, and the objects are alive.
unsafe fn raise_conflict(conflict: &Conflict) -> Raised {
    // SAFETY: the caller's promise.
    unsafe {
        py::PyErr_Format(
            py::PyExc_ValueError,
            c"%R is mapped to two different objects, %R and %R".as_ptr(),
            conflict.old as *mut PyObject,
            conflict.first as *mut PyObject,
            conflict.second as *mut PyObject,
        );
    }
    Raised
}

/// Whether `item` is a tuple of two, and nothing but that.
///
/// # Safety
/// `item` is alive.
pub(crate) unsafe fn is_pair(item: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { py::PyTuple_CheckExact(item) != 0 && py::PyTuple_GET_SIZE(item) == 2 }
}

/// A map of what is in the tuple of a call, to look for it.
///
/// # Safety
/// The GIL is held; `objects` is a tuple and alive.
pub(crate) unsafe fn wanted(objects: *mut PyObject) -> Result<ForwardingMap, Raised> {
    // SAFETY: the caller's promise.
    let item = |index| unsafe { py::PyTuple_GET_ITEM(objects, index) as usize };
    // SAFETY: the caller's promise.
    let length = unsafe { py::PyTuple_GET_SIZE(objects) };
    ForwardingMap::new((0..length).map(|index| Pair { old: item(index), new: 0 }))
        .map_err(|_| Raised)
}

/// Adds the holders that `exclude` names, with their parts.
///
/// # Safety
/// The GIL is held; `exclude` is alive.
pub(crate) unsafe fn excluded(
    exclude: *mut PyObject,
    holders: &mut FxHashSet<usize>,
) -> Result<Vec<Owned>, Raised> {
    let mut kept = Vec::new();
    holders.insert(exclude as usize);
    // SAFETY: the caller's promise.
    unsafe {
        each(exclude, c"exclude must be an iterable of holders", |holder| {
            holders.insert(holder.as_ptr() as usize);
            holders.extend(parts(holder.as_ptr()));
            kept.push(holder);
            Ok(())
        })?;
    }
    Ok(kept)
}

/// The plain containers that a mapping keeps its items in: a UserDict's `data`.
///
/// # Safety
/// The GIL is held; `mapping` is alive.
unsafe fn containers_of(mapping: *mut PyObject) -> Vec<usize> {
    // SAFETY: the caller's promise; I1 while the traversals run.
    unsafe {
        let mut found = parts(mapping);
        let own = std::iter::once(mapping as usize).chain(found.clone()).collect::<Vec<_>>();
        for holder in own {
            ffi::traverse(holder as *mut PyObject, |referent| {
                if py::PyDict_CheckExact(referent) != 0 || py::PyList_CheckExact(referent) != 0 {
                    found.push(referent as usize);
                }
                ControlFlow::Continue(())
            });
        }
        found
    }
}

/// What a holder is made of: its namespace, closure, cells, defaults.
///
/// # Safety
/// The GIL is held; `holder` is alive.
unsafe fn parts(holder: *mut PyObject) -> Vec<usize> {
    const PARTS: [&CStr; 9] = [
        c".__dict__",
        c".__closure__",
        c".__defaults__",
        c".__kwdefaults__",
        c".__annotations__",
        c".__bases__",
        c".__mro__",
        c".args",
        c".keywords",
    ];
    let mut parts = Vec::new();
    // SAFETY: the caller's promise; I1 while the walk runs.
    unsafe {
        ffi::walk(holder, |slot| {
            let part = slot.load();
            if slot.name().is_some_and(|name| PARTS.contains(&name)) && part != 0 {
                parts.push(part);
                if slot.name() == Some(c".__closure__") {
                    ffi::traverse(part as *mut PyObject, |cell| {
                        parts.push(cell as usize);
                        ControlFlow::Continue(())
                    });
                }
            }
            ControlFlow::Continue(())
        });
        if py::PyType_Check(holder) != 0 {
            let namespace = c::gcr_type_namespace(holder);
            parts.push(namespace as usize);
        }
    }
    parts
}

/// # Safety
/// The GIL is held; `object` is alive.
unsafe fn is_mapping(object: *mut PyObject) -> Result<bool, Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if py::PyDict_Check(object) != 0 {
            return Ok(true);
        }
        let module = Owned::steal(py::PyImport_ImportModule(c"collections.abc".as_ptr()))?;
        let mapping =
            Owned::steal(py::PyObject_GetAttrString(module.as_ptr(), c"Mapping".as_ptr()))?;
        match py::PyObject_IsInstance(object, mapping.as_ptr()) {
            -1 => Err(Raised),
            answer => Ok(answer == 1),
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn read_pair(item: &Owned) -> Result<(Owned, Owned), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        let item = item.as_ptr();
        let side = |tuple, index| Owned::borrow(py::PyTuple_GET_ITEM(tuple, index));
        if is_pair(item) {
            return Ok((side(item, 0), side(item, 1)));
        }
        if py::PyUnicode_Check(item) != 0 || py::PyBytes_Check(item) != 0 {
            return Err(not_a_pair(item));
        }
        let sides = match Owned::steal(py::PySequence_Tuple(item)) {
            Ok(sides) => sides,
            Err(Raised) if py::PyErr_ExceptionMatches(py::PyExc_TypeError) != 0 => {
                py::PyErr_Clear();
                return Err(not_a_pair(item));
            }
            Err(Raised) => return Err(Raised),
        };
        let length = py::PyTuple_GET_SIZE(sides.as_ptr());
        if length != 2 {
            py::PyErr_Format(
                py::PyExc_ValueError,
                c"a pair is (old, new), and this has %zd items: %R".as_ptr(),
                length,
                item,
            );
            return Err(Raised);
        }
        Ok((side(sides.as_ptr(), 0), side(sides.as_ptr(), 1)))
    }
}

/// # Safety
/// The GIL is held; `item` is alive.
unsafe fn not_a_pair(item: *mut PyObject) -> Raised {
    // SAFETY: the caller's promise.
    unsafe {
        py::PyErr_Format(py::PyExc_TypeError, c"a pair is (old, new), not %R".as_ptr(), item);
    }
    Raised
}

/// Calls `take` with each item of an iterable; `sentence` is the TypeError of
/// an object that is none.
///
/// # Safety
/// The GIL is held; `iterable` is alive.
unsafe fn each(
    iterable: *mut PyObject,
    sentence: &CStr,
    mut take: impl FnMut(Owned) -> Result<(), Raised>,
) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if py::PyList_CheckExact(iterable) != 0 {
            // As its iterator does: what is taken may run code that changes the list.
            let mut index = 0;
            while index < py::PyList_GET_SIZE(iterable) {
                take(Owned::borrow(py::PyList_GET_ITEM(iterable, index)))?;
                index += 1;
            }
            return Ok(());
        }
        if (*(*iterable).ob_type).tp_iter.is_none() && py::PySequence_Check(iterable) == 0 {
            py::PyErr_Format(
                py::PyExc_TypeError,
                c"%s, not %R".as_ptr(),
                sentence.as_ptr(),
                iterable,
            );
            return Err(Raised);
        }
        let iterator = Owned::steal(py::PyObject_GetIter(iterable))?;
        while let Ok(item) = Owned::steal(py::PyIter_Next(iterator.as_ptr())) {
            take(item)?;
        }
        if py::PyErr_Occurred().is_null() {
            Ok(())
        } else {
            Err(Raised)
        }
    }
}
