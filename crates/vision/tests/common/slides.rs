//! Small slides made by tests: tiled TIFF, classic and Big, and native DICOM.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::path::Path;

/// One directory of a TIFF file.
#[derive(Clone)]
pub struct Picture {
    pub width: u64,
    pub height: u64,
    pub side: u64,
    /// Tiles in rows; none for one that was left out.
    pub tiles: Vec<Option<Vec<u8>>>,
    pub reduced: bool,
    pub description: Option<String>,
    /// Pixels a centimetre.
    pub resolution: Option<u32>,
    pub compression: u64,
}

impl Picture {
    /// An uncompressed picture of one value a tile, `value(column, row)`.
    pub fn of(width: u64, height: u64, side: u64, value: impl Fn(u64, u64) -> [u8; 3]) -> Self {
        let (columns, rows) = (width.div_ceil(side), height.div_ceil(side));
        let tile = |i: u64| Some(value(i % columns, i / columns).repeat((side * side) as usize));
        let tiles = (0..columns * rows).map(tile).collect();
        Self {
            width,
            height,
            side,
            tiles,
            reduced: false,
            description: None,
            resolution: Some(20_000),
            compression: 1,
        }
    }
}

/// A TIFF file of these pictures.
pub fn tiff(pictures: &[Picture], big: bool) -> Vec<u8> {
    let offset = |v: u64| if big { v.to_le_bytes().to_vec() } else { (v as u32).to_le_bytes().to_vec() };
    let mut out = b"II".to_vec();
    if big {
        out.extend([43, 0, 8, 0, 0, 0]);
    } else {
        out.extend([42, 0]);
    }
    let mut link = out.len();
    out.extend(offset(0));
    for picture in pictures {
        let mut places = Vec::new();
        for tile in &picture.tiles {
            let Some(bytes) = tile else {
                places.push((0, 0));
                continue;
            };
            places.push((out.len() as u64, bytes.len() as u64));
            out.extend(bytes);
        }
        let mut entries: Vec<(u16, u16, u64, Vec<u8>)> = Vec::new();
        let mut add =
            |tag: u16, kind: u16, count: u64, bytes: Vec<u8>| entries.push((tag, kind, count, bytes));
        let long = |v: u64| (v as u32).to_le_bytes().to_vec();
        let short = |v: u64| (v as u16).to_le_bytes().to_vec();
        add(254, 4, 1, long(u64::from(picture.reduced)));
        add(256, 4, 1, long(picture.width));
        add(257, 4, 1, long(picture.height));
        add(258, 3, 3, [short(8), short(8), short(8)].concat());
        add(259, 3, 1, short(picture.compression));
        add(262, 3, 1, short(2));
        if let Some(text) = &picture.description {
            add(270, 2, text.len() as u64 + 1, [text.as_bytes(), &[0]].concat());
        }
        add(277, 3, 1, short(3));
        if let Some(resolution) = picture.resolution {
            let value = [resolution.to_le_bytes(), 1u32.to_le_bytes()].concat();
            add(282, 5, 1, value.clone());
            add(283, 5, 1, value);
            add(296, 3, 1, short(3));
        }
        add(322, 4, 1, long(picture.side));
        add(323, 4, 1, long(picture.side));
        let kind = if big { 16 } else { 4 };
        let count = places.len() as u64;
        add(324, kind, count, places.iter().flat_map(|p| offset(p.0)).collect());
        add(325, kind, count, places.iter().flat_map(|p| offset(p.1)).collect());
        // Values that do not fit their entry come first.
        let width = if big { 8 } else { 4 };
        let mut list = Vec::new();
        for (tag, kind, count, mut bytes) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(kind.to_le_bytes());
            list.extend(offset(count));
            if bytes.len() > width {
                list.extend(offset(out.len() as u64));
                out.extend(bytes);
            } else {
                bytes.resize(width, 0);
                list.extend(bytes);
            }
        }
        let at = out.len() as u64;
        out[link..link + width].copy_from_slice(&offset(at));
        let number = (list.len() / if big { 20 } else { 12 }) as u64;
        out.extend(if big { number.to_le_bytes().to_vec() } else { (number as u16).to_le_bytes().to_vec() });
        out.extend(list);
        link = out.len();
        out.extend(offset(0));
    }
    out
}

/// A native DICOM slide of one value a frame.
pub fn dicom(
    width: u16,
    height: u16,
    side: u16,
    mpp: f64,
    series: &str,
    value: impl Fn(u64) -> [u8; 3],
) -> Vec<u8> {
    let frames = u64::from(width.div_ceil(side)) * u64::from(height.div_ceil(side));
    let pixels: Vec<u8> =
        (0..frames).flat_map(|f| value(f).repeat(usize::from(side) * usize::from(side))).collect();
    let level = DicomLevel { width, height, side, mpp, series, ..DicomLevel::default() };
    [level.header(frames), element(0x7fe0, 0x0010, b"OB", &pixels)].concat()
}

/// What a DICOM file of a level says before its pixels.
pub struct DicomLevel<'a> {
    pub width: u16,
    pub height: u16,
    pub side: u16,
    /// Microns a pixel.
    pub mpp: f64,
    pub series: &'a str,
    pub syntax: &'a str,
    pub photometric: &'a str,
    /// Elements of its own: group, number, representation, value.
    pub extra: &'a [(u16, u16, [u8; 2], &'a [u8])],
}

impl Default for DicomLevel<'_> {
    fn default() -> Self {
        let (syntax, photometric) = ("1.2.840.10008.1.2.1", "RGB");
        Self { width: 64, height: 32, side: 16, mpp: 0.5, series: "1.2", syntax, photometric, extra: &[] }
    }
}

impl DicomLevel<'_> {
    /// The file whose frames are these, coded, each in a fragment.
    pub fn coded(&self, frames: &[Vec<u8>]) -> Vec<u8> {
        let item = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            [&[0xfe, 0xff, 0x00, 0xe0][..], &(bytes.len() as u32).to_le_bytes(), &bytes].concat()
        };
        let mut out = self.header(frames.len() as u64);
        out.extend([0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff]);
        out.extend(item(&[]));
        for frame in frames {
            out.extend(item(frame));
        }
        out.extend([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
        out
    }

    fn header(&self, frames: u64) -> Vec<u8> {
        let mut out = vec![0; 128];
        out.extend(b"DICM");
        let spacing = text(&format!("{}\\{}", self.mpp / 1e3, self.mpp / 1e3));
        let measures = {
            let inner = element(0x0028, 0x0030, b"DS", &spacing);
            let item = [&[0xfe, 0xff, 0x00, 0xe0][..], &(inner.len() as u32).to_le_bytes(), &inner].concat();
            let sequence = element(0x0028, 0x9110, b"SQ", &item);
            [&[0xfe, 0xff, 0x00, 0xe0][..], &(sequence.len() as u32).to_le_bytes(), &sequence].concat()
        };
        out.extend(element(2, 0x10, b"UI", &text(self.syntax)));
        for (group, number, kind, value) in self.extra {
            out.extend(element(*group, *number, kind, value));
        }
        for (group, number, kind, value) in [
            (0x0008, 0x0008, b"CS", text("ORIGINAL\\PRIMARY\\VOLUME\\NONE")),
            (0x0008, 0x0060, b"CS", text("SM")),
            (0x0020, 0x000e, b"UI", text(self.series)),
            (0x0020, 0x9311, b"CS", text("TILED_FULL")),
            (0x0028, 0x0002, b"US", 3u16.to_le_bytes().to_vec()),
            (0x0028, 0x0004, b"CS", text(self.photometric)),
            (0x0028, 0x0006, b"US", 0u16.to_le_bytes().to_vec()),
            (0x0028, 0x0008, b"IS", text(&frames.to_string())),
            (0x0028, 0x0010, b"US", self.side.to_le_bytes().to_vec()),
            (0x0028, 0x0011, b"US", self.side.to_le_bytes().to_vec()),
            (0x0028, 0x0100, b"US", 8u16.to_le_bytes().to_vec()),
            (0x0048, 0x0006, b"UL", u32::from(self.width).to_le_bytes().to_vec()),
            (0x0048, 0x0007, b"UL", u32::from(self.height).to_le_bytes().to_vec()),
            (0x5200, 0x9229, b"SQ", measures),
        ] {
            out.extend(element(group, number, kind, &value));
        }
        out
    }
}

/// A value of characters, of an even length.
fn text(value: &str) -> Vec<u8> {
    let mut bytes = value.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

/// One element, explicit little endian.
fn element(group: u16, number: u16, kind: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = [group.to_le_bytes(), number.to_le_bytes()].concat();
    out.extend(kind);
    if matches!(kind, [b'O', b'B'] | [b'S', b'Q']) {
        out.extend([0, 0]);
        out.extend((value.len() as u32).to_le_bytes());
    } else {
        out.extend((value.len() as u16).to_le_bytes());
    }
    out.extend(value);
    out
}

/// Writes a file.
pub fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
