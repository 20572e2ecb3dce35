//! Marker segments: T.81, annex B.

use super::frame::Frame;
use super::huffman::Huffman;
use super::scan::{self, Scan, ScanComponent};
use super::{Colours, Outcome, Problem};
use crate::{Limits, Rgb};

/// Zigzag to natural order.
pub(super) const NATURAL: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Scans that one picture may have; real ones have a dozen.
const MOST_SCANS: usize = 200;

const CUT: Problem = Problem::Damaged("the JPEG file ends before its image does");

/// Tables and what is known of the picture so far.
#[derive(Debug)]
pub(super) struct Decoder {
    limits: Limits,
    colours: Colours,
    pub(super) quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    /// Units between two restarts; zero for none.
    pub(super) interval: usize,
    jfif: bool,
    adobe: Option<u8>,
}

impl Decoder {
    pub(super) fn new(limits: Limits, colours: Colours) -> Self {
        Self {
            limits,
            colours,
            quantisation: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            interval: 0,
            jfif: false,
            adobe: None,
        }
    }

    /// Reads a stream of tables alone.
    pub(super) fn tables(&mut self, bytes: &[u8]) -> Outcome<()> {
        let mut at = 0;
        while let Ok((marker, segment)) = next_segment(bytes, &mut at) {
            match marker {
                0xd9 => break,
                _ => self.table(marker, segment)?,
            }
        }
        Ok(())
    }

    /// Reads a whole stream.
    pub(super) fn picture(mut self, bytes: &[u8]) -> Outcome<Rgb> {
        let mut frame: Option<Frame> = None;
        let (mut at, mut scans) = (2, 0);
        loop {
            let (marker, segment) = next_segment(bytes, &mut at)?;
            match marker {
                0xd9 => break,
                0xc0..=0xc2 if frame.is_some() => {
                    return Err(Problem::Damaged("it has two frame headers"));
                }
                0xc0..=0xc2 => frame = Some(Frame::new(segment, marker == 0xc2, bytes.len(), self.limits)?),
                0xc3 | 0xc5..=0xc7 | 0xcb | 0xcd..=0xcf => {
                    return Err(Problem::Unsupported(
                        "it is a lossless or hierarchical JPEG; save it as a baseline one",
                    ));
                }
                0xc9 | 0xca => {
                    return Err(Problem::Unsupported(
                        "it is coded arithmetically; save it as a baseline JPEG",
                    ));
                }
                0xda => {
                    scans += 1;
                    let frame = frame.as_mut().ok_or(Problem::Damaged("a scan comes before its frame"))?;
                    if scans > MOST_SCANS {
                        return Err(Problem::Damaged("it has more scans than any picture needs"));
                    }
                    let header = scan_header(segment, frame)?;
                    at = scan::run(&self, frame, &header, bytes, at)?;
                }
                _ => self.table(marker, segment)?,
            }
        }
        let frame = frame.ok_or(Problem::Damaged("it holds no image"))?;
        let ycbcr = frame.is_ycbcr(self.colours, self.jfif, self.adobe);
        frame.picture(ycbcr)
    }

    fn table(&mut self, marker: u8, segment: &[u8]) -> Outcome<()> {
        match marker {
            0xdb => self.quantisation(segment)?,
            0xc4 => self.huffman(segment)?,
            0xdd => {
                let interval = segment.first_chunk::<2>().ok_or(CUT)?;
                self.interval = u16::from_be_bytes(*interval).into();
            }
            0xe0 => self.jfif |= segment.starts_with(b"JFIF\0"),
            0xee if segment.starts_with(b"Adobe") && segment.len() >= 12 => self.adobe = Some(segment[11]),
            _ => {}
        }
        Ok(())
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Outcome<()> {
        let bad = Problem::Damaged("a quantisation table is cut off or impossible");
        while let Some((&head, rest)) = segment.split_first() {
            let (wide, slot) = (head >> 4, usize::from(head & 15));
            let bytes = if wide == 0 { 64 } else { 128 };
            let values = rest.get(..bytes).filter(|_| wide < 2 && slot < 4).ok_or(bad.clone())?;
            let mut table = [0u16; 64];
            for (i, natural) in NATURAL.iter().enumerate() {
                table[*natural] = if wide == 0 {
                    values[i].into()
                } else {
                    u16::from_be_bytes([values[2 * i], values[2 * i + 1]])
                };
            }
            self.quantisation[slot] = Some(table);
            segment = &rest[bytes..];
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Outcome<()> {
        let bad = Problem::Damaged("a Huffman table is cut off or impossible");
        while let Some((&head, rest)) = segment.split_first() {
            let (class, slot) = (head >> 4, usize::from(head & 15));
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(bad.clone())?;
            let total: usize = counts.iter().map(|n| usize::from(*n)).sum();
            let fits = class < 2 && slot < 4 && total <= 256;
            let symbols = rest.get(..total).filter(|_| fits).ok_or(bad.clone())?;
            let tables = if class == 0 { &mut self.dc } else { &mut self.ac };
            tables[slot] = Some(Huffman::new(counts, symbols)?);
            segment = &rest[total..];
        }
        Ok(())
    }
}

/// The next marker and its segment (empty where it has none); `at` moves behind it.
fn next_segment<'a>(bytes: &'a [u8], at: &mut usize) -> Outcome<(u8, &'a [u8])> {
    loop {
        let rest = bytes.get(*at..).ok_or(CUT)?;
        let start = *at + rest.iter().position(|b| *b == 0xff).ok_or(CUT)?;
        let code = start + bytes[start..].iter().position(|b| *b != 0xff).ok_or(CUT)?;
        *at = code + 1;
        match bytes[code] {
            // Stuffing, TEM, restarts and another start of image have no segment and no meaning here.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            0xd9 => return Ok((0xd9, &[])),
            marker => {
                let length = bytes.get(*at..).and_then(|b| b.first_chunk::<2>()).ok_or(CUT)?;
                let length = usize::from(u16::from_be_bytes(*length));
                if length < 2 {
                    return Err(Problem::Damaged("a segment is shorter than its own length"));
                }
                let segment = bytes.get(*at + 2..*at + length).ok_or(CUT)?;
                *at += length;
                return Ok((marker, segment));
            }
        }
    }
}

fn scan_header(segment: &[u8], frame: &Frame) -> Outcome<Scan> {
    let bad = Problem::Damaged("a scan header is cut off or impossible");
    let (&count, rest) = segment.split_first().ok_or(bad.clone())?;
    let count = usize::from(count);
    let (listed, spectral) = rest.split_at_checked(2 * count).ok_or(bad.clone())?;
    let &[start, end, approximation] = spectral.first_chunk::<3>().ok_or(bad.clone())?;
    let mut components: Vec<ScanComponent> = Vec::new();
    for [id, tables] in listed.as_chunks::<2>().0 {
        let index = frame.components.iter().position(|c| c.id == *id).ok_or(bad.clone())?;
        let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
        if dc > 3 || ac > 3 || components.iter().any(|c| c.index == index) {
            return Err(bad);
        }
        components.push(ScanComponent { index, dc, ac });
    }
    let units: usize =
        components.iter().map(|c| frame.components[c.index].h * frame.components[c.index].v).sum();
    if components.is_empty() || (components.len() > 1 && units > 10) {
        return Err(bad);
    }
    Ok(Scan { components, start, end, high: approximation >> 4, low: approximation & 15 })
}
