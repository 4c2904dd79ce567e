//! How many references to each old there are, and how many of them are found: what
//! tells the search when to stop.

use pyo3_ffi::PyObject;

use crate::forwarding::ForwardingMap;

#[derive(Debug)]
pub(crate) struct Counts {
    /// By pair: counts of the old that no slot explains so far, those of the engine
    /// aside; below zero where slots explain more.
    rest: Vec<isize>,
    /// For how many pairs that is not zero.
    open: usize,
}

impl Counts {
    /// `counts`: by pair, all of the old. `held`: what the engine itself holds a count of
    /// besides one of each old, once for each.
    pub(crate) fn new(
        map: &ForwardingMap,
        counts: Vec<isize>,
        held: impl Iterator<Item = *mut PyObject>,
    ) -> Self {
        let mut rest = counts;
        rest.iter_mut().for_each(|count| *count -= 1);
        for object in held {
            if let Some(pair) = map.find(object as usize) {
                rest[pair] -= 1;
            }
        }
        Counts { open: rest.iter().filter(|&&count| count != 0).count(), rest }
    }

    /// `count` references to the old of `pair` are found.
    pub(crate) fn explain(&mut self, pair: usize, count: usize) {
        let rest = &mut self.rest[pair];
        let before = *rest != 0;
        *rest -= count as isize;
        self.open = self.open - usize::from(before) + usize::from(*rest != 0);
    }

    /// Whether the count of an old is another than that of the slots found: more are to
    /// be found, or the count proves nothing.
    pub(crate) fn are_open(&self) -> bool {
        self.open > 0
    }

    /// By pair: counts of the old that no slot explains.
    pub(crate) fn rest(self) -> Vec<isize> {
        self.rest
    }
}
