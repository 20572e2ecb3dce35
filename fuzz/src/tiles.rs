//! The reader of tiles (our JPEG, and PNG and TIFF) on arbitrary bytes: refused by name, or a picture of the size that it says.

use blindscope_pixels::Limits;
use blindscope_pixels::tile::decode;

/// A megapixel: large files are refused by their header, and small ones are what fuzzing makes.
const LIMITS: Limits = Limits { file_bytes: 1 << 20, pixels: 1 << 20, decoder_bytes: 16 << 20 };

/// Decodes the bytes twice; whether they are a picture.
pub(crate) fn run(data: &[u8]) -> bool {
    match decode(data, LIMITS) {
        Ok(image) => {
            assert_eq!(image.pixels.len(), 3 * image.width * image.height);
            assert!(image.width * image.height <= 1 << 20);
            assert!(
                decode(data, LIMITS).is_ok_and(|again| again == image),
                "the same bytes are the same picture"
            );
            true
        }
        Err(problem) => {
            assert!(!problem.to_string().is_empty());
            false
        }
    }
}
