//! Pixels equal those of Pillow bit for bit; damage that it conceals is found. `vectors/pixels/make.py` made the vectors.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use blindscope_pixels::tile::{Filter, ImageProblem, decode, resize};
use blindscope_pixels::{Limits, Rgb};

const VECTORS: &[u8] = include_bytes!("vectors/pixels/pixels.safetensors");

fn files<'a>(vectors: &'a SafeTensors<'_>) -> impl Iterator<Item = (String, &'a [u8])> {
    let names = vectors.names().into_iter().filter_map(|n| n.strip_prefix("jpeg/"));
    names.map(|name| (name.to_owned(), vectors.tensor(&format!("jpeg/{name}")).unwrap().data()))
}

#[test]
fn jpeg_files_have_libjpeg_turbos_pixels() {
    let vectors = SafeTensors::deserialize(VECTORS).unwrap();
    let mut count = 0;
    for (name, bytes) in files(&vectors) {
        let image = decode(bytes, Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let want = vectors.tensor(&format!("rgb/{name}")).unwrap();
        assert_eq!(Sha256::digest(&image.pixels)[..], *want.data(), "{name}");
        count += 1;
    }
    assert_eq!(count, 48);
}

#[test]
fn resized_pictures_have_pillows_pixels() {
    let vectors = SafeTensors::deserialize(VECTORS).unwrap();
    let source = vectors.tensor("source").unwrap();
    let image = Rgb { width: 61, height: 43, pixels: source.data().to_vec() };
    let mut count = 0;
    for name in vectors.names().into_iter().filter(|n| n.starts_with("resized/")) {
        let parts: Vec<&str> = name.split(['/', 'x']).collect();
        // `box` and the size share a letter.
        let (filter, width, height) = match parts.as_slice() {
            [_, "bo", "", width, height] => ("box", width, height),
            [_, filter, width, height] => (*filter, width, height),
            other => panic!("{other:?}"),
        };
        let filter = Filter::from_name(filter).unwrap();
        let resized = resize(&image, width.parse().unwrap(), height.parse().unwrap(), filter);
        assert_eq!(Sha256::digest(&resized.pixels)[..], *vectors.tensor(name).unwrap().data(), "{name}");
        count += 1;
    }
    assert_eq!(count, 54);
}

/// Libraries fill what a damaged file lacks with what came before, or with grey. Every cut is found, and so is nearly every
/// hole of several blocks (Huffman codes find their step again, so that few leave no trace); no
/// damage ends the program.
#[test]
fn damaged_image_data_is_set_aside() {
    let vectors = SafeTensors::deserialize(VECTORS).unwrap();
    for (name, bytes) in files(&vectors) {
        let whole = decode(bytes, Limits::default()).unwrap();
        let data = bytes.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap() + 12;
        for end in (0..bytes.len()).step_by(7).chain([bytes.len() - 1, bytes.len() - 2]) {
            // A scanner's file may go on after its image; one that ends before it does is damaged, marker appended or not.
            assert!(decode(&bytes[..end], Limits::default()).is_err(), "{name} cut at {end}");
            if (data..bytes.len() - 2).contains(&end) {
                let cut = [&bytes[..end], &[0xff, 0xd9]].concat();
                let same = decode(&cut, Limits::default()).map(|image| image == whole);
                assert!(matches!(same, Err(_) | Ok(true)), "{name} cut at {end} and ended");
            }
        }
        let hole = (bytes.len() - data) / 6;
        let places = (data + 8..bytes.len().saturating_sub(hole + 8)).step_by(11);
        let mut found = 0;
        for at in places.clone() {
            let holed = [&bytes[..at], &bytes[at + hole..]].concat();
            found += usize::from(decode(&holed, Limits::default()).is_err());
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x55;
            let _ = decode(&changed, Limits::default());
        }
        let tried = places.count();
        if tried > 20 && !name.contains("progressive") {
            assert!(found * 5 >= tried * 4, "{name}: {found} of {tried} holes were found");
        }
    }
}

#[test]
fn what_is_not_read_is_named() {
    let vectors = SafeTensors::deserialize(VECTORS).unwrap();
    let file = vectors.tensor("jpeg/420-47x65").unwrap().data().to_vec();
    let frame = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let said = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = file.clone();
        change(&mut changed);
        decode(&changed, Limits::default()).unwrap_err()
    };
    let arithmetic = said(&|f| f[frame + 1] = 0xc9);
    assert!(arithmetic.to_string().contains("coded arithmetically"), "{arithmetic}");
    let deep = said(&|f| f[frame + 4] = 12);
    assert!(matches!(&deep, ImageProblem::Unsupported(reason) if reason.contains("eight bits")), "{deep}");
    let huge = said(&|f| f[frame + 5..frame + 9].fill(0xff));
    assert_eq!(huge, ImageProblem::TooManyPixels { width: 65_535, height: 65_535, limit: 64_000_000 });
    let large = said(&|f| f[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0x40, 0x1f, 0x40]));
    assert!(large.to_string().contains("too short for the size"), "{large}");
}
