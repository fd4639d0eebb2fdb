//! Posting lists: for each word, the ascending numbers of the lines that contain it. The differences are stored as varints
//! with seven bits in each byte.
//!
//! While an index is built, all lists grow in slices of one shared buffer. Each slice is twice as long as the one before and
//! links to the next. Sealed lists are contiguous.

use std::iter;

/// The length of a link: the last bytes of a slice hold the position of the next one.
const LINK: usize = size_of::<u32>();
const FIRST_SLICE: u16 = 8;
const MAX_SLICE: u16 = 2048;

/// A list that still grows.
#[derive(Debug)]
pub(crate) struct Growing {
    head: u32,
    at: u32,
    /// The end of this slice's data, where its link begins.
    end: u32,
    slice: u16,
    last: u32,
}

/// The shared buffer of all growing lists.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    bytes: Vec<u8>,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A new list with one line.
    pub(crate) fn start(&mut self, line: u32) -> Growing {
        let head = self.slice(FIRST_SLICE);
        let mut list = Growing {
            head,
            at: head,
            end: head + u32::from(FIRST_SLICE) - link_len(),
            slice: FIRST_SLICE,
            last: 0,
        };
        self.append(&mut list, line);
        list.last = line;
        list
    }

    /// Appends `line` unless it is the last one. Lines are pushed in ascending order.
    pub(crate) fn push(&mut self, list: &mut Growing, line: u32) {
        if list.last != line {
            self.append(list, line - list.last);
            list.last = line;
        }
    }

    fn append(&mut self, list: &mut Growing, mut difference: u32) {
        loop {
            if list.at == list.end {
                list.slice = (list.slice * 2).min(MAX_SLICE);
                let next = self.slice(list.slice);
                let link = list.end as usize;
                self.bytes[link..link + LINK].copy_from_slice(&next.to_le_bytes());
                list.at = next;
                list.end = next + u32::from(list.slice) - link_len();
            }
            let (byte, rest) = low_bits(difference);
            self.bytes[list.at as usize] = byte;
            list.at += 1;
            if rest == 0 {
                return;
            }
            difference = rest;
        }
    }

    fn slice(&mut self, length: u16) -> u32 {
        let at =
            u32::try_from(self.bytes.len()).expect("a segment is full before its pool has 4 GiB");
        self.bytes.resize(self.bytes.len() + usize::from(length), 0);
        at
    }

    fn copy(&self, list: &Growing, into: &mut Vec<u8>) {
        let (mut at, mut slice) = (list.head as usize, FIRST_SLICE);
        loop {
            let end = at + usize::from(slice) - LINK;
            if end == list.end as usize {
                into.extend_from_slice(&self.bytes[at..list.at as usize]);
                return;
            }
            into.extend_from_slice(&self.bytes[at..end]);
            at = u32::from_le_bytes([
                self.bytes[end],
                self.bytes[end + 1],
                self.bytes[end + 2],
                self.bytes[end + 3],
            ]) as usize;
            slice = (slice * 2).min(MAX_SLICE);
        }
    }
}

/// `LINK` as a `u32`, the type of positions in a pool.
const fn link_len() -> u32 {
    u32::BITS / 8
}

/// The lowest seven bits of `number`, with the high bit set if more follow, and the remaining bits.
const fn low_bits(number: u32) -> (u8, u32) {
    let rest = number >> 7;
    (
        (number & 0x7f) as u8 | if rest == 0 { 0 } else { 0x80 },
        rest,
    )
}

/// All lists, sealed.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    bytes: Vec<u8>,
    /// The end of each list in `bytes`.
    ends: Vec<u32>,
}

impl Lists {
    pub(crate) fn seal<'a>(pool: &Pool, lists: impl ExactSizeIterator<Item = &'a Growing>) -> Self {
        // The slices are only partly filled; at most two thirds of the buffer is copied.
        let mut bytes = Vec::with_capacity(pool.len() / 2);
        let mut ends = Vec::with_capacity(lists.len());
        for list in lists {
            pool.copy(list, &mut bytes);
            ends.push(u32::try_from(bytes.len()).expect("no longer than the pool"));
        }
        bytes.shrink_to_fit();
        Self { bytes, ends }
    }

    /// The bytes of list `index`, as a measure of its length.
    pub(crate) fn size(&self, index: u32) -> usize {
        self.list(index).len()
    }

    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// The lines of list `index`, ascending.
    pub(crate) fn lines(&self, index: u32) -> impl Iterator<Item = u32> {
        let mut rest = self.list(index).iter();
        let mut last = 0;
        iter::from_fn(move || {
            let mut difference = 0;
            let mut shift = 0;
            loop {
                let byte = *rest.next()?;
                difference |= u32::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
                shift += 7;
            }
            last += difference;
            Some(last)
        })
    }

    fn list(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start as usize..self.ends[index] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_grow_at_the_same_time_are_complete() {
        let mut pool = Pool::default();
        let steps: [u32; 4] = [1, 127, 128, 70_000];
        let mut lists: Vec<Growing> = steps.iter().map(|&step| pool.start(step)).collect();
        for n in 1..=20_000 {
            for (list, step) in lists.iter_mut().zip(steps) {
                pool.push(list, n * step);
            }
        }
        let sealed = Lists::seal(&pool, lists.iter());
        for (index, step) in (0..).zip(steps) {
            assert!(
                sealed.lines(index).eq((1..=20_000).map(|n| n * step)),
                "step {step}"
            );
        }
    }

    #[test]
    fn a_repeated_line_is_stored_once() {
        let mut pool = Pool::default();
        let mut list = pool.start(0);
        for line in [0, 0, 3, 3, 3, u32::MAX] {
            pool.push(&mut list, line);
        }
        let sealed = Lists::seal(&pool, [&list].into_iter());
        assert_eq!(sealed.lines(0).collect::<Vec<_>>(), [0, 3, u32::MAX]);
        assert_eq!(sealed.size(0), 1 + 1 + 5);
    }
}
