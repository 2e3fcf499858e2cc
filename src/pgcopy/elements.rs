//! Arrays without NULL whose elements all have one width, such as `bigint[]` or `tid[]`, read in place.
//!
//! The payload is described where it is written, in `transform::cast::array`.

/// The elements of an array, `N` bytes each.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a, const N: usize> {
    rest: &'a [u8],
    length: usize,
}

impl<'a, const N: usize> Elements<'a, N> {
    /// Reads a payload; `None` where it is no such array.
    pub fn of(payload: &'a [u8]) -> Option<Self> {
        let (head, rest) = payload.split_first_chunk::<12>()?;
        if rest.is_empty() && head[..4] == [0; 4] {
            return Some(Self { rest, length: 0 });
        }
        let (bounds, rest) = rest.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes([bounds[0], bounds[1], bounds[2], bounds[3]]) as usize;
        let whole = head[..4] == 1_i32.to_be_bytes() && Some(rest.len()) == length.checked_mul(N + 4);
        let width = u32::try_from(N).ok()?.to_be_bytes();
        // The length of each element is checked once, here: NULL has another.
        let same_width = whole && rest.chunks_exact(N + 4).all(|element| element[..4] == width);
        same_width.then_some(Self { rest, length })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> Iterator for Elements<'_, N> {
    type Item = [u8; N];

    fn next(&mut self) -> Option<Self::Item> {
        let (_, rest) = self.rest.split_first_chunk::<4>()?;
        let (element, rest) = rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [1_i32, 0, 20, elements.len() as i32, 1].map(i32::to_be_bytes).concat();
        for element in elements {
            bytes.extend_from_slice(&(element.len() as u32).to_be_bytes());
            bytes.extend_from_slice(element);
        }
        bytes
    }

    #[test]
    fn elements_come_out_one_by_one() {
        let bytes = array(&[&[1, 2], &[3, 4], &[5, 6]]);
        let elements = Elements::<2>::of(&bytes).expect("an array");
        assert_eq!(elements.len(), 3);
        assert_eq!(elements.collect::<Vec<_>>(), [[1, 2], [3, 4], [5, 6]]);
        assert!(Elements::<2>::of(&[0; 12]).expect("an empty array").is_empty());
    }

    #[test]
    fn another_width_a_null_and_a_cut_array_are_none() {
        assert!(Elements::<2>::of(&array(&[&[1, 2], &[3]])).is_none());
        let mut with_null = array(&[&[1, 2], &[3, 4]]);
        with_null[20..24].copy_from_slice(&(-1_i32).to_be_bytes());
        assert!(Elements::<2>::of(&with_null).is_none());
        let bytes = array(&[&[1, 2], &[3, 4]]);
        for end in 0..bytes.len() {
            assert!(Elements::<2>::of(&bytes[..end]).is_none(), "cut at {end}");
        }
    }
}
