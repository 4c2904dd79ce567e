//! Which addresses can be read and written: what the probe may follow.

use rustc_hash::FxHashSet;

use crate::ffi;

/// Writable private mappings of this process, ascending.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    ranges: Vec<(usize, usize)>,
}

/// A thread's malloc heap and what is reserved for it, side by side, and aligned to that
/// size: HEAP_MAX_SIZE of glibc's malloc/arena.c.
const HEAP: usize = 64 << 20;

/// No guard of a stack is larger: one page, unless a program asks for more. Allocators
/// reserve more at a time of what they have not handed out (AddressSanitizer's, jemalloc).
const LARGEST_GUARD: usize = 1 << 20;

impl Readable {
    /// Reads the process's map, less the stacks: they change under our feet and
    /// hold no holder's slots. Empty where there is none to read, which confines
    /// the probe to the holder's own block.
    ///
    /// # Safety
    /// The GIL is held.
    pub(crate) unsafe fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        // SAFETY: the caller's promise.
        Readable::parse(&maps, unsafe { ffi::stacks() }.as_ref())
    }

    /// `stacks`: where the mappings with the threads' stacks begin. If those of some are not
    /// known, what follows anything inaccessible may be one: the C library puts a guard
    /// before each, which may be one mapping with what is reserved below it.
    fn parse(maps: &str, stacks: Option<&FxHashSet<usize>>) -> Self {
        let mut ranges = Vec::new();
        let mut guard_end = None;
        let mut before = (0, 0);
        for line in maps.lines() {
            let Some((low, high, access)) = fields(line) else { continue };
            let is_reserve = high % HEAP == 0 && before == (high.wrapping_sub(HEAP), low);
            before = (low, high);
            if access.starts_with("---") {
                let may_be_guard = match stacks {
                    Some(_) => high - low <= LARGEST_GUARD,
                    None => !is_reserve,
                };
                guard_end = may_be_guard.then_some(high);
            } else if access == "rw-p"
                && !line.ends_with("[stack]")
                && guard_end != Some(low)
                && stacks.is_none_or(|stacks| !stacks.contains(&low))
            {
                ranges.push((low, high));
            }
        }
        Readable { ranges }
    }

    /// End of the mapping that `address` is in.
    pub(crate) fn limit(&self, address: usize) -> Option<usize> {
        if address % size_of::<usize>() != 0 {
            return None;
        }
        let after = self.ranges.partition_point(|(low, _)| *low <= address);
        let (_, high) = self.ranges[..after].last()?;
        (address < *high).then_some(*high)
    }
}

/// Start, end and access of a line of /proc/self/maps.
fn fields(line: &str) -> Option<(usize, usize, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let (low, high) = fields.next()?.split_once('-')?;
    let low = usize::from_str_radix(low, 16).ok()?;
    let high = usize::from_str_radix(high, 16).ok()?;
    Some((low, high, fields.next()?))
}

/// Copies `words.len()` words from `address`, or as many as can be read; says how many.
/// Never faults, unlike a load: what was mapped a moment ago may be gone.
pub(crate) fn read_words(address: usize, words: &mut [usize]) -> usize {
    let local = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(words) };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: local.iov_len };
    // SAFETY: the local buffer is ours; the kernel checks the remote one.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    usize::try_from(read).unwrap_or(0) / size_of::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_the_rest_of_a_heap_is_no_stack() {
        let readable = Readable::parse(
            "\
7f0010000000-7f0010021000 rw-p 00000000 00:00 0
7f0010021000-7f0014000000 ---p 00000000 00:00 0
7f0014000000-7f0014100000 rw-p 00000000 00:00 0
7f0018000000-7f0018021000 rw-p 00000000 00:00 0
7f0018021000-7f001c001000 ---p 00000000 00:00 0
7f001c001000-7f001c801000 rw-p 00000000 00:00 0
",
            None,
        );
        assert_eq!(readable.limit(0x7f00_1000_0010), Some(0x7f00_1002_1000));
        assert_eq!(readable.limit(0x7f00_1400_0010), Some(0x7f00_1410_0000));
        // Here the guard of a stack goes on where the rest of a heap ends.
        assert_eq!(readable.limit(0x7f00_1c00_1010), None);
    }

    #[test]
    fn what_lies_above_the_reserve_of_any_allocator_is_no_stack_if_all_stacks_are_known() {
        let maps = "\
600000000000-602000000000 ---p 00000000 00:00 0
602000000000-602000010000 rw-p 00000000 00:00 0
602000010000-603000000000 ---p 00000000 00:00 0
603000000000-603000800000 rw-p 00000000 00:00 0
7f0000200000-7f0000201000 ---p 00000000 00:00 0
7f0000201000-7f0000a01000 rw-p 00000000 00:00 0
";
        let stacks = FxHashSet::from_iter([0x6030_0000_0000]);
        let readable = Readable::parse(maps, Some(&stacks));
        assert_eq!(readable.limit(0x6020_0000_0010), Some(0x6020_0001_0000));
        assert_eq!(readable.limit(0x6030_0000_0010), None);
        // That of a thread that has ended, which the next one gets.
        assert_eq!(readable.limit(0x7f00_0020_1010), None);
        assert_eq!(Readable::parse(maps, None).limit(0x6020_0000_0010), None);
    }

    const MAPS: &str = "\
55d0c8a00000-55d0c8a01000 r--p 00000000 fe:00 1 /usr/bin/python3
55d0c8a01000-55d0c8a02000 rw-p 00000000 fe:00 1 /usr/bin/python3
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
7f0000200000-7f0000201000 ---p 00000000 00:00 0
7f0000201000-7f0000a01000 rw-p 00000000 00:00 0
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
";

    #[test]
    fn only_writable_private_mappings_off_the_stacks() {
        let readable = Readable::parse(MAPS, None);
        assert_eq!(readable.limit(0x55d0_c8a0_0010), None);
        assert_eq!(readable.limit(0x55d0_c8a0_1010), Some(0x55d0_c8a0_2000));
        assert_eq!(readable.limit(0x55d0_c8a0_2000), None);
        assert_eq!(readable.limit(0x7f00_0000_0000), Some(0x7f00_0010_0000));
        assert_eq!(readable.limit(0x7f00_0020_1010), None);
        assert_eq!(readable.limit(0x7ffd_0000_0010), None);
    }

    #[test]
    fn unaligned_and_null_are_not_followed() {
        let readable = Readable::parse(MAPS, None);
        assert_eq!(readable.limit(0x7f00_0000_0001), None);
        assert_eq!(readable.limit(0), None);
    }
}
