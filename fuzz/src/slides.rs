//! The readers of slides (TIFF and DICOM, with the JPEG, JPEG 2000, LZW and DEFLATE of their tiles) on arbitrary bytes: refused
//! by name, or opened to levels whose corners can be read or say why not.

use std::path::Path;

use blindscope_vision::slides::{Opener, Slide};

/// Puts the bytes into the file `path` and reads what a run would; whether it opened.
pub(crate) fn run(path: &Path, data: &[u8]) -> bool {
    std::fs::write(path, data).expect("the folder for temporary files can be written");
    let Ok(slide) = Slide::open(path, Opener::Native) else { return false };
    for (at, level) in slide.levels().iter().enumerate() {
        let (w, h) = (level.width.min(256) as usize, level.height.min(256) as usize);
        let corners = [(0, 0, w, h), (level.width as i64 - 8, level.height as i64 - 8, 16, 16)];
        for (x, y, width, height) in corners {
            if let Ok(region) = slide.region(at, x, y, width, height) {
                assert_eq!(region.pixels.len(), 3 * width * height);
            }
        }
    }
    let _ = (slide.mpp(), slide.fingerprint());
    true
}
