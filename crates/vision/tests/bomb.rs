//! A whole picture of 20,000×20,000 pixels that is 2.5 MB on disk and 400 MB in memory. A test binary of its own, because it
//! counts what the whole process allocates.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod common;

use std::ops::ControlFlow;

use peak_alloc::PeakAlloc;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use blindscope_vision::data::{ImageProblem, Limits, Preprocess, decode, read_folder};
use blindscope_vision::features::{Extraction, extract};
use blindscope_vision::synth::SyntheticPlan;
use blindscope_vision::vit::{Config, Parameters, Vit};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SIDE: u32 = 20_000;

/// Bits from the least significant one on, as DEFLATE packs them.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    waiting: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, bits: u32) {
        self.waiting |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.waiting as u8);
            (self.waiting, self.count) = (self.waiting >> 8, self.count - 8);
        }
    }
}

/// A zlib stream of `len` zeros, `len` − 1 a multiple of 258: one block with fixed codes (RFC 1951, 3.2.6), a zero, then
/// copies of 258 bytes from one byte before.
fn zeros(len: u32) -> Vec<u8> {
    assert_eq!((len - 1) % 258, 0);
    let mut bits = Bits { bytes: vec![0x78, 0x01], ..Bits::default() };
    bits.push(0b011, 3);
    bits.push(0x30u32.reverse_bits() >> 24, 8);
    for _ in 0..(len - 1) / 258 {
        bits.push(0xc5u32.reverse_bits() >> 24, 8);
        bits.push(0, 5);
    }
    bits.push(0, 7);
    bits.push(0, 7);
    let mut stream = bits.bytes;
    // Adler-32 of zeros: 1 and the length.
    stream.extend((((len % 65_521) << 16) | 1).to_be_bytes());
    stream
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    let start = out.len();
    out.extend(name);
    out.extend(data);
    let mut crc = !0u32;
    for byte in &out[start..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    out.extend((!crc).to_be_bytes());
}

/// A black grey-scale PNG, `side` × `side`; rows have a filter byte more than pixels.
fn png(side: u32) -> Vec<u8> {
    let mut header = side.to_be_bytes().to_vec();
    header.extend(side.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, *b"IHDR", &header);
    // A few zeros more than the picture needs, up to the next whole copy; a decoder ignores them.
    chunk(&mut out, *b"IDAT", &zeros((side * (side + 1)).next_multiple_of(258) + 1));
    chunk(&mut out, *b"IEND", b"");
    out
}

#[test]
fn a_bomb_is_set_aside_without_its_memory_and_the_rest_is_extracted() {
    let small = decode(&png(64), Limits::default()).unwrap();
    assert_eq!((small.width, small.height, small.pixels[0]), (64, 64, 0), "the picture is a real one");

    let folder = common::folder("bomb");
    let plan = SyntheticPlan { side: 32, patients: 1, tiles: 1, sites: 1, seed: 1 };
    plan.write(&folder).unwrap();
    let bomb = png(SIDE);
    println!("{} bytes on disk, {} pixels", bomb.len(), u64::from(SIDE).pow(2));
    assert!(bomb.len() < 4 << 20);
    std::fs::write(folder.join("glands/bomb.png"), &bomb).unwrap();

    let config = Config::plain(32, 8, 24, 2, 2);
    let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(2));
    let model = Vit::new(config, parameters).unwrap();
    let cache = folder.join("cache");
    let extraction = Extraction {
        model: &model,
        preprocess: Preprocess::imagenet(32),
        limits: Limits::default(),
        batch: 4,
        cache: Some(&cache),
    };
    let tiles = read_folder(&folder).unwrap();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let (features, rejected) = extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(())).unwrap();
    let spent = MEMORY.peak_usage() - before;
    println!("extraction took {spent} bytes at its peak");
    assert!(spent < 32 << 20, "{spent} bytes");
    assert_eq!((features.len(), rejected.len()), (3, 1));
    assert!(rejected[0].reason.contains("20000×20000 pixels are more than the 64000000 allowed"));

    // The decoder's own limit holds even when the pixels were allowed.
    MEMORY.reset_peak_usage();
    let limits = Limits { pixels: u64::MAX, decoder_bytes: 64 << 20, ..Limits::default() };
    let problem = decode(&bomb, limits).unwrap_err();
    let spent = MEMORY.peak_usage() - before;
    println!("{problem}: {spent} bytes");
    assert!(matches!(problem, ImageProblem::Damaged(_)) && spent < 80 << 20, "{problem}: {spent} bytes");
    std::fs::remove_dir_all(folder).unwrap();
}
