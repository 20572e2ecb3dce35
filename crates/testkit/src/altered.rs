//! Inputs for decoders: valid ones, altered as a broken disk, a broken sender or an attacker would.

use std::borrow::Cow;

use rand_core::Rng;

/// One of these inputs with one to three alterations: a bit, a byte, an end cut off, bytes added, another input's end. Half of them fall
/// into the first `head` bytes, where headers, names and lengths stand.
pub fn altered(inputs: &[Vec<u8>], head: usize, rng: &mut impl Rng) -> Vec<u8> {
    let mut data = inputs[below(rng, inputs.len())].clone();
    for _ in 0..=below(rng, 3) {
        let reach = if rng.next_u32() & 1 == 1 { data.len().min(head) } else { data.len() };
        let at = below(rng, reach.max(1));
        match below(rng, 5) {
            0 => data.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << (rng.next_u32() % 8)),
            1 => data.iter_mut().skip(at).take(1).for_each(|b| *b = rng.next_u32() as u8),
            2 => data.truncate(at),
            3 => data.extend((0..below(rng, 64)).map(|_| rng.next_u32() as u8)),
            _ => {
                let other = &inputs[below(rng, inputs.len())];
                let from = below(rng, other.len());
                data.truncate(at);
                data.extend(&other[from..]);
            }
        }
    }
    data
}

/// What a fuzzer's input stands for: itself, or, above 127 in its first byte, a valid input with bytes replaced. The second byte says
/// which; then each change is its place (three bytes, little endian) and its value. So a fuzzer need not find what is valid.
pub fn patched<'d>(inputs: &[Vec<u8>], data: &'d [u8]) -> Cow<'d, [u8]> {
    let [128..=255, which, patches @ ..] = data else { return Cow::Borrowed(data) };
    let mut input = inputs[usize::from(*which) % inputs.len()].clone();
    for patch in patches.chunks_exact(4) {
        let at = u32::from_le_bytes([patch[0], patch[1], patch[2], 0]) as usize % input.len();
        input[at] = patch[3];
    }
    Cow::Owned(input)
}

fn below(rng: &mut impl Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound
}
