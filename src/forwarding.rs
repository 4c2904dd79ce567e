//! The forwarding map: checked pairs, and the question the scan asks of every
//! referent, "is this an old?", answered without touching the referent.

/// Addresses of the two sides of one pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) old: usize,
    pub(crate) new: usize,
}

/// The same old was given two different news.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) old: usize,
    pub(crate) first: usize,
    pub(crate) second: usize,
}

/// Old to new, by identity. Never chains: `find` is asked about what a slot
/// holds now, and the answer is stored as it was given.
#[derive(Debug)]
pub(crate) struct ForwardingMap {
    pairs: Vec<Pair>,
    /// Open addressing, at most half full; `EMPTY` or an index into `pairs`.
    table: Vec<u32>,
    shift: u32,
    /// A bit for each hash of an old, many times more of them than olds.
    bits: Vec<u64>,
    bits_shift: u32,
    low: usize,
    span: usize,
}

const EMPTY: u32 = u32::MAX;

/// How many bits there are for an old at least: one in so many addresses between the
/// olds passes for one.
const BITS: usize = 16;

/// What cuts most addresses off before any of them is looked up.
#[derive(Debug)]
pub(crate) struct Sieve<'a> {
    pub(crate) low: usize,
    pub(crate) span: usize,
    /// As many bits as hashes of `64 - shift` bits.
    pub(crate) bits: &'a [u64],
    pub(crate) shift: u32,
}

impl ForwardingMap {
    /// Builds the map; `old is new` pairs are dropped, repeated ones merged.
    pub(crate) fn new<I>(pairs: I) -> Result<Self, Conflict>
    where
        I: IntoIterator<Item = Pair, IntoIter: ExactSizeIterator>,
    {
        let pairs = pairs.into_iter();
        let mut map = Self::with_room_for(pairs.len());
        let mut high = 0;
        for pair in pairs {
            let (place, found) = map.place(pair.old);
            match found {
                Some(index) if map.pairs[index].new == pair.new => {}
                Some(index) => {
                    return Err(Conflict {
                        old: pair.old,
                        first: map.pairs[index].new,
                        second: pair.new,
                    })
                }
                None => {
                    map.table[place] = map.pairs.len() as u32;
                    map.pairs.push(pair);
                    let bit = hash(pair.old, map.bits_shift);
                    map.bits[bit / 64] |= 1 << (bit % 64);
                    map.low = map.low.min(pair.old);
                    high = high.max(pair.old);
                }
            }
        }
        // An identity pair takes part in the conflict check and in nothing else.
        if map.pairs.iter().any(|pair| pair.old == pair.new) {
            map.pairs.retain(|pair| pair.old != pair.new);
            return Self::new(std::mem::take(&mut map.pairs));
        }
        map.span = high.saturating_sub(map.low);
        Ok(map)
    }

    /// A map in which nothing is found.
    pub(crate) fn empty() -> Self {
        Self::with_room_for(0)
    }

    fn with_room_for(pairs: usize) -> Self {
        let capacity = (pairs * 2).next_power_of_two().max(4);
        let bits = vec![0; (capacity * BITS / 2).div_ceil(64)];
        ForwardingMap {
            pairs: Vec::with_capacity(pairs),
            table: vec![EMPTY; capacity],
            shift: usize::BITS - capacity.trailing_zeros(),
            bits_shift: usize::BITS - (bits.len() * 64).trailing_zeros(),
            bits,
            low: usize::MAX,
            span: 0,
        }
    }

    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// What passes every old, and few other addresses.
    pub(crate) fn sieve(&self) -> Sieve<'_> {
        Sieve { low: self.low, span: self.span, bits: &self.bits, shift: self.bits_shift }
    }

    /// Index of the pair whose old stands at `address`.
    #[inline]
    pub(crate) fn find(&self, address: usize) -> Option<usize> {
        // Nearly every referent of a heap is cut off by this one comparison.
        if address.wrapping_sub(self.low) > self.span {
            return None;
        }
        let bit = hash(address, self.bits_shift);
        if self.bits[bit / 64] >> (bit % 64) & 1 == 0 {
            return None;
        }
        self.place(address).1
    }

    #[inline]
    fn place(&self, address: usize) -> (usize, Option<usize>) {
        let mask = self.table.len() - 1;
        let mut place = hash(address, self.shift);
        loop {
            match self.table[place] {
                EMPTY => return (place, None),
                index if self.pairs[index as usize].old == address => {
                    return (place, Some(index as usize))
                }
                _ => place = (place + 1) & mask,
            }
        }
    }
}

/// A number of `64 - shift` bits. That of the sieve in `csrc/gcremap.h`, which says why.
#[inline]
fn hash(address: usize, shift: u32) -> usize {
    let page = (address >> 12).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift;
    (page + (address >> 4)) & (usize::MAX >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(old: usize, new: usize) -> Pair {
        Pair { old, new }
    }

    #[test]
    fn finds_olds_and_nothing_else() {
        let map = ForwardingMap::new((1..1000).map(|i| pair(i * 16, i))).unwrap();
        for i in 1..1000 {
            assert_eq!(map.find(i * 16).map(|index| map.pairs()[index].new), Some(i));
            assert_eq!(map.find(i * 16 + 8), None);
        }
        assert_eq!(map.find(0), None);
        assert_eq!(map.find(usize::MAX), None);
    }

    #[test]
    fn swap_and_chain_are_two_pairs_each() {
        let map = ForwardingMap::new([pair(16, 32), pair(32, 16)]).unwrap();
        assert_eq!(map.find(16).map(|i| map.pairs()[i].new), Some(32));
        assert_eq!(map.find(32).map(|i| map.pairs()[i].new), Some(16));
    }

    #[test]
    fn identity_is_dropped_and_repetition_merged() {
        let map = ForwardingMap::new([pair(16, 16), pair(32, 48), pair(32, 48)]).unwrap();
        assert_eq!(map.pairs(), [pair(32, 48)]);
        assert_eq!(map.find(16), None);
        assert!(ForwardingMap::new([pair(16, 16)]).unwrap().is_empty());
    }

    #[test]
    fn two_news_for_one_old_conflict() {
        let conflict = ForwardingMap::new([pair(16, 32), pair(16, 48)]).unwrap_err();
        assert_eq!((conflict.old, conflict.first, conflict.second), (16, 32, 48));
        assert!(ForwardingMap::new([pair(16, 16), pair(16, 48)]).is_err());
    }

    #[test]
    fn an_empty_map_finds_nothing() {
        let map = ForwardingMap::new([]).unwrap();
        assert_eq!(map.find(16), None);
        assert_eq!(map.find(usize::MAX), None);
    }
}
