//! A walk over the elements of a DICOM file (PS3.5, chapter 7): explicit and implicit little endian, nested sequences of
//! defined and undefined length.
//!
//! Values are handed to the caller one at a time and never kept: a header of a hundred thousand frames' positions takes no
//! more memory than one of ten. The walk ends at Pixel Data and tells where it begins.

use crate::slides::problem::SlideProblem;
use crate::slides::source::Source;

/// Sequences within sequences.
const MOST_DEPTH: usize = 12;
/// Values longer than this are skipped: none that is looked at is.
const MOST_VALUE: u64 = 4096;
/// Bytes fetched at a time.
const BLOCK: usize = 64 << 10;
/// A length that is told by a delimiter instead.
const UNDEFINED: u32 = u32::MAX;

const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
const SEQUENCE_END: u32 = 0xfffe_e0dd;
const PIXEL_DATA: u32 = 0x7fe0_0010;
const TRANSFER_SYNTAX: u32 = 0x0002_0010;

/// Implicit little endian, the one syntax without value representations.
const IMPLICIT: &str = "1.2.840.10008.1.2";

/// Where Pixel Data begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PixelData {
    pub(super) at: u64,
    /// None for fragments in items.
    pub(super) length: Option<u64>,
}

/// One value and the sequences around it, outermost first.
pub(super) struct Found<'a> {
    pub(super) path: &'a [u32],
    /// Items of the outermost sequence that came before; 0 outside.
    pub(super) item: u64,
    pub(super) tag: u32,
    pub(super) value: &'a [u8],
}

struct Walker<'a, F> {
    source: &'a Source,
    at: u64,
    block: Vec<u8>,
    block_at: u64,
    implicit: bool,
    path: Vec<u32>,
    item: u64,
    visit: F,
}

/// One element's head.
struct Element {
    tag: u32,
    sequence: bool,
    length: u32,
}

/// Whether a file begins as DICOM files do.
pub(super) fn is_dicom(source: &Source) -> bool {
    let mut magic = [0; 4];
    source.read(128, &mut magic).is_ok() && magic == *b"DICM"
}

/// Hands every short value before Pixel Data to `visit`; returns the transfer syntax and where Pixel Data is, if there is any.
///
/// # Errors
/// [`SlideProblem::Damaged`] for one that breaks its format; [`SlideProblem::Truncated`] for a file that ends
/// before what it promises.
pub(super) fn walk(
    source: &Source,
    visit: impl FnMut(&Found<'_>),
) -> Result<(String, Option<PixelData>), SlideProblem> {
    let mut walker = Walker {
        source,
        at: 132,
        block: Vec::new(),
        block_at: 0,
        implicit: false,
        path: Vec::new(),
        item: 0,
        visit,
    };
    let syntax = walker.file_meta()?;
    match syntax.as_str() {
        "1.2.840.10008.1.2.2" => {
            return Err(SlideProblem::Unsupported(
                "DICOM in big endian, retired in 2006, is not read".into(),
            ));
        }
        "1.2.840.10008.1.2.1.99" => {
            return Err(SlideProblem::Unsupported("DICOM with a deflated data set is not read".into()));
        }
        _ => walker.implicit = syntax == IMPLICIT,
    }
    let pixels = walker.data_set(source.length(), false)?;
    Ok((syntax, pixels))
}

impl<F: FnMut(&Found<'_>)> Walker<'_, F> {
    /// The next `N` bytes.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SlideProblem> {
        let mut out = [0; N];
        let from =
            self.at.checked_sub(self.block_at).filter(|from| from + N as u64 <= self.block.len() as u64);
        let from = if let Some(from) = from {
            from as usize
        } else {
            let bytes = (self.source.length().saturating_sub(self.at)).min(BLOCK as u64).max(N as u64);
            self.block = self.source.bytes(self.at, bytes)?;
            self.block_at = self.at;
            0
        };
        out.copy_from_slice(&self.block[from..from + N]);
        self.at += N as u64;
        Ok(out)
    }

    fn short(&mut self) -> Result<u16, SlideProblem> {
        self.take().map(u16::from_le_bytes)
    }

    fn long(&mut self) -> Result<u32, SlideProblem> {
        self.take().map(u32::from_le_bytes)
    }

    fn tag(&mut self) -> Result<u32, SlideProblem> {
        Ok(u32::from(self.short()?) << 16 | u32::from(self.short()?))
    }

    fn element(&mut self) -> Result<Element, SlideProblem> {
        let tag = self.tag()?;
        if tag >> 16 == 0xfffe || self.implicit {
            let length = self.long()?;
            // Without value representations a sequence shows itself by its undefined length, or by its tag.
            let sequence = SEQUENCES.contains(&tag) || (length == UNDEFINED && tag != PIXEL_DATA);
            return Ok(Element { tag, sequence, length });
        }
        let kind: [u8; 2] = self.take()?;
        let wide = matches!(
            &kind,
            b"OB"
                | b"OD"
                | b"OF"
                | b"OL"
                | b"OV"
                | b"OW"
                | b"SQ"
                | b"SV"
                | b"UC"
                | b"UN"
                | b"UR"
                | b"UT"
                | b"UV"
        );
        if !kind.iter().all(u8::is_ascii_uppercase) {
            return Err(SlideProblem::damaged(format!("element {tag:08x} has no value representation")));
        }
        let length = if wide {
            self.short()?;
            self.long()?
        } else {
            u32::from(self.short()?)
        };
        let sequence = kind == *b"SQ" || (kind == *b"UN" && length == UNDEFINED);
        Ok(Element { tag, sequence, length })
    }

    /// The file's own group, always explicit.
    fn file_meta(&mut self) -> Result<String, SlideProblem> {
        let mut syntax = None;
        while self.at + 8 <= self.source.length() {
            let before = self.at;
            if self.tag()? >> 16 != 2 {
                self.at = before;
                break;
            }
            self.at = before;
            let element = self.element()?;
            if element.tag == TRANSFER_SYNTAX && element.length <= 64 {
                let bytes = self.source.bytes(self.at, element.length.into())?;
                syntax = Some(text(&bytes));
            }
            self.skip(element.length)?;
        }
        syntax.ok_or_else(|| SlideProblem::damaged("DICOM without a transfer syntax"))
    }

    fn skip(&mut self, length: u32) -> Result<(), SlideProblem> {
        self.within(u64::from(length)).map(|end| self.at = end)
    }

    /// The end of what is `length` bytes long from here.
    fn within(&self, length: u64) -> Result<u64, SlideProblem> {
        let (at, bytes, length_) = (self.at, length, self.source.length());
        at.checked_add(bytes).filter(|end| *end <= length_).ok_or(SlideProblem::Truncated {
            at,
            bytes,
            length: length_,
        })
    }

    /// Elements up to `end`, or up to an item's delimiter. Pixel Data at the top ends the walk.
    fn data_set(&mut self, end: u64, delimited: bool) -> Result<Option<PixelData>, SlideProblem> {
        while self.at < end {
            let element = self.element()?;
            if element.tag == ITEM_END && delimited {
                return Ok(None);
            }
            if element.tag == PIXEL_DATA && self.path.is_empty() {
                let length = (element.length != UNDEFINED).then_some(u64::from(element.length));
                return Ok(Some(PixelData { at: self.at, length }));
            }
            if element.sequence {
                self.sequence(element.tag, element.length)?;
            } else if element.length == UNDEFINED {
                return Err(SlideProblem::damaged(format!("element {:08x} has no length", element.tag)));
            } else {
                self.value(&element)?;
            }
        }
        Ok(None)
    }

    fn value(&mut self, element: &Element) -> Result<(), SlideProblem> {
        let length = u64::from(element.length);
        let end = self.within(length)?;
        if length <= MOST_VALUE {
            let from =
                self.at.checked_sub(self.block_at).filter(|from| from + length <= self.block.len() as u64);
            let fetched;
            let value = if let Some(from) = from {
                &self.block[from as usize..(from + length) as usize]
            } else {
                fetched = self.source.bytes(self.at, length)?;
                &fetched
            };
            (self.visit)(&Found { path: &self.path, item: self.item, tag: element.tag, value });
        }
        self.at = end;
        Ok(())
    }

    fn sequence(&mut self, tag: u32, length: u32) -> Result<(), SlideProblem> {
        if self.path.len() >= MOST_DEPTH {
            return Err(SlideProblem::damaged(format!("more than {MOST_DEPTH} sequences within each other")));
        }
        let end = if length == UNDEFINED { self.source.length() } else { self.within(length.into())? };
        self.path.push(tag);
        let outermost = self.path.len() == 1;
        if outermost {
            self.item = 0;
        }
        while self.at < end {
            let item = self.element()?;
            match item.tag {
                SEQUENCE_END if length == UNDEFINED => break,
                ITEM if item.length == UNDEFINED => {
                    self.data_set(end, true)?;
                }
                ITEM => {
                    let item_end = self.within(item.length.into())?;
                    self.data_set(item_end, false)?;
                    if self.at != item_end {
                        return Err(SlideProblem::damaged("an item is longer than its sequence"));
                    }
                }
                other => {
                    return Err(SlideProblem::damaged(format!("element {other:08x} where an item belongs")));
                }
            }
            if outermost {
                self.item += 1;
            }
        }
        self.path.pop();
        Ok(())
    }
}

/// Sequences that are looked into, for implicit syntax.
const SEQUENCES: [u32; 4] = [0x5200_9229, 0x5200_9230, 0x0028_9110, 0x0048_021a];

/// Text without padding.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}
