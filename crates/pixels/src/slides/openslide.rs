//! Everything that OpenSlide reads, through its library where one is installed: found at run time, nothing at build time.
//!
//! Versions before 4.0.1 are refused: a crafted BIF file makes them write beyond their memory. `BLINDSCOPE_OPENSLIDE` names
//! the library where the system does not find it.
#![allow(unsafe_code, reason = "calls into a C library; each block tells why it is sound")]

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use libloading::Library;

use super::problem::SlideProblem;
use super::reader::{Container, Level, Mpp, MppSource, TileProblem, checked};
use super::source::Source;
use crate::Rgb;

/// Side of the tiles that are asked for.
const SIDE: u32 = 512;
/// Oldest version that is used.
const OLDEST: [u32; 3] = [4, 0, 1];
const NAMES: [&str; 4] =
    ["libopenslide.so.1", "libopenslide.1.dylib", "libopenslide-1.dll", "libopenslide.so"];

/// `openslide_t`.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

/// The functions that are called. They stay valid while `library` lives, which is as long as they do.
struct Functions {
    open: unsafe extern "C" fn(*const c_char) -> *mut Opaque,
    close: unsafe extern "C" fn(*mut Opaque),
    error: unsafe extern "C" fn(*mut Opaque) -> *const c_char,
    level_count: unsafe extern "C" fn(*mut Opaque) -> i32,
    level_dimensions: unsafe extern "C" fn(*mut Opaque, i32, *mut i64, *mut i64),
    property: unsafe extern "C" fn(*mut Opaque, *const c_char) -> *const c_char,
    read_region: unsafe extern "C" fn(*mut Opaque, *mut u32, i64, i64, i32, i64, i64),
    version: String,
    _library: Library,
}

/// The library, or why there is none.
fn functions() -> Result<Arc<Functions>, SlideProblem> {
    static LOADED: OnceLock<Result<Arc<Functions>, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| load().map(Arc::new));
    loaded.clone().map_err(|why| SlideProblem::Unsupported(format!("OpenSlide: {why}")))
}

#[allow(clippy::disallowed_methods, reason = "where a library lies is told by the system it lies on")]
fn load() -> Result<Functions, String> {
    let named = std::env::var_os("BLINDSCOPE_OPENSLIDE").map(PathBuf::from);
    let candidates: Vec<PathBuf> = named.map_or_else(|| NAMES.map(PathBuf::from).into(), |path| vec![path]);
    let mut why = String::new();
    for name in candidates {
        // SAFETY: loading runs the library's initialisers. It is the library that the user installed or named.
        match unsafe { Library::new(&name) } {
            Ok(library) => return bind(library),
            Err(e) => why = e.to_string(),
        }
    }
    Err(format!("not installed ({why}); install version 4.0.1 or later, or name it in BLINDSCOPE_OPENSLIDE"))
}

fn bind(library: Library) -> Result<Functions, String> {
    macro_rules! symbol {
        ($name:literal) => {
            // SAFETY: the types below are those of openslide.h, unchanged since OpenSlide 3.4.
            *unsafe { library.get(concat!($name, "\0").as_bytes()) }.map_err(|e| e.to_string())?
        };
    }
    let version: unsafe extern "C" fn() -> *const c_char = symbol!("openslide_get_version");
    // SAFETY: returns a string that lives as long as the library.
    let version = text(unsafe { version() }).unwrap_or_default();
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    if parts.as_slice() < OLDEST.as_slice() {
        return Err(format!(
            "version {version} is older than 4.0.1 and unsafe with crafted files; install a newer one"
        ));
    }
    Ok(Functions {
        open: symbol!("openslide_open"),
        close: symbol!("openslide_close"),
        error: symbol!("openslide_get_error"),
        level_count: symbol!("openslide_get_level_count"),
        level_dimensions: symbol!("openslide_get_level_dimensions"),
        property: symbol!("openslide_get_property_value"),
        read_region: symbol!("openslide_read_region"),
        version,
        _library: library,
    })
}

/// A C string, if it is one.
fn text(pointer: *const c_char) -> Option<String> {
    // SAFETY: OpenSlide returns null or a string that ends in zero and lives as long as its slide.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

/// One open handle. OpenSlide's calls may be made from many threads at once, closing excepted, which needs `&mut`.
struct Handle {
    functions: Arc<Functions>,
    slide: *mut Opaque,
}

// SAFETY: openslide.h promises that all functions but `openslide_close` may be called by many threads on one slide.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open and nobody else has it.
        unsafe { (self.functions.close)(self.slide) }
    }
}

impl Handle {
    fn open(functions: &Arc<Functions>, path: &Path) -> Result<Self, SlideProblem> {
        let name = CString::new(path.to_string_lossy().as_bytes())
            .map_err(|e| SlideProblem::Damaged(e.to_string()))?;
        // SAFETY: the name ends in zero and outlives the call.
        let slide = unsafe { (functions.open)(name.as_ptr()) };
        if slide.is_null() {
            return Err(SlideProblem::UnknownFormat { hint: ", nor one that OpenSlide reads" });
        }
        let handle = Self { functions: Arc::clone(functions), slide };
        match handle.error() {
            Some(reason) => Err(SlideProblem::Damaged(format!("OpenSlide: {reason}"))),
            None => Ok(handle),
        }
    }

    fn error(&self) -> Option<String> {
        // SAFETY: the handle is open.
        text(unsafe { (self.functions.error)(self.slide) })
    }

    fn property(&self, name: &CStr) -> Option<String> {
        // SAFETY: the handle is open, and the name ends in zero.
        text(unsafe { (self.functions.property)(self.slide, name.as_ptr()) })
    }

    fn levels(&self) -> Vec<Level> {
        // SAFETY: the handle is open.
        let count = unsafe { (self.functions.level_count)(self.slide) }.clamp(0, 64);
        let level = |level| {
            let (mut width, mut height) = (0i64, 0i64);
            // SAFETY: the handle is open, and both numbers outlive the call.
            unsafe { (self.functions.level_dimensions)(self.slide, level, &raw mut width, &raw mut height) };
            let side = |v: i64| u64::try_from(v).unwrap_or(0);
            Level {
                width: side(width),
                height: side(height),
                downsample: 1.0,
                tile_width: SIDE,
                tile_height: SIDE,
            }
        };
        (0..count).map(level).collect()
    }
}

/// A slide that OpenSlide reads.
pub(super) struct OpenSlide {
    source: Source,
    functions: Arc<Functions>,
    handle: RwLock<Handle>,
    levels: Vec<Level>,
    mpp: Result<Mpp, String>,
    vendor: String,
    background: [u8; 3],
}

impl std::fmt::Debug for OpenSlide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSlide")
            .field("path", &self.source.path())
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}

impl OpenSlide {
    /// Opens a slide.
    ///
    /// # Errors
    /// [`SlideProblem`] for what the library refuses; [`SlideProblem::Unsupported`] without a library of at least 4.0.1.
    pub(super) fn open(path: &Path) -> Result<Self, SlideProblem> {
        let source = Source::open(path)?;
        let functions = functions()?;
        let handle = Handle::open(&functions, path)?;
        let levels = checked(handle.levels())?;
        let number = |name: &CStr| handle.property(name).and_then(|v| v.parse::<f64>().ok());
        let mpp = match number(c"openslide.mpp-x").zip(number(c"openslide.mpp-y")) {
            Some((x, y)) => Mpp::plausible(x, y, MppSource::OpenSlide)
                .ok_or_else(|| format!("OpenSlide says {x:.4} × {y:.4} µm, which no scanner has")),
            None => Err("OpenSlide found nothing that tells".into()),
        };
        let colour = handle.property(c"openslide.background-color");
        let background = colour
            .and_then(|hex| u32::from_str_radix(&hex, 16).ok())
            .map_or([255; 3], |v| [(v >> 16) as u8, (v >> 8) as u8, v as u8]);
        let vendor = handle.property(c"openslide.vendor").unwrap_or_default();
        Ok(Self { source, functions, handle: RwLock::new(handle), levels, mpp, vendor, background })
    }

    /// Reads pixels; a failed handle is closed and opened anew, since OpenSlide answers nothing after a failure.
    fn read(&self, level: usize, x: i64, y: i64, width: u32, height: u32) -> Result<Vec<u32>, String> {
        let mut pixels = vec![0u32; width as usize * height as usize];
        let reason = {
            let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the handle is open, and `pixels` has room for `width · height` pixels.
            unsafe {
                (self.functions.read_region)(
                    handle.slide,
                    pixels.as_mut_ptr(),
                    x,
                    y,
                    level as i32,
                    width.into(),
                    height.into(),
                );
            }
            handle.error()
        };
        let Some(reason) = reason else { return Ok(pixels) };
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        if handle.error().is_some()
            && let Ok(fresh) = Handle::open(&self.functions, self.source.path())
        {
            *handle = fresh;
        }
        Err(reason)
    }
}

impl Container for OpenSlide {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn mpp(&self) -> Result<Mpp, String> {
        self.mpp.clone()
    }

    fn format(&self) -> String {
        format!("{}, by OpenSlide {}", self.vendor, self.functions.version)
    }

    fn tile(&self, level: usize, column: u64, row: u64) -> Result<Rgb, TileProblem> {
        let damaged = |reason: String| TileProblem::Damaged { level, column, row, reason };
        let shape = self.levels.get(level).ok_or_else(|| damaged("no such level".into()))?;
        let (columns, rows) = shape.tiles();
        if column >= columns || row >= rows {
            return Err(damaged("no such tile".into()));
        }
        // Regions are asked for by their place at level 0.
        let place = |at: u64, level_0: u64, side: u64| {
            (at as f64 * f64::from(SIDE) * level_0 as f64 / side as f64).round() as i64
        };
        let base = self.levels[0];
        let (x, y) = (place(column, base.width, shape.width), place(row, base.height, shape.height));
        let argb = self.read(level, x, y, SIDE, SIDE).map_err(damaged)?;
        let mut pixels = Vec::with_capacity(3 * argb.len());
        for pixel in argb {
            let [alpha, rest @ ..] = pixel.to_be_bytes();
            pixels.extend(match alpha {
                255 => rest,
                0 => self.background,
                // Premultiplied, over the background.
                _ => std::array::from_fn(|c| {
                    let under = u16::from(self.background[c]) * (255 - u16::from(alpha)) / 255;
                    (u16::from(rest[c]) + under).min(255) as u8
                }),
            });
        }
        Ok(Rgb { width: SIDE as usize, height: SIDE as usize, pixels })
    }

    fn fingerprint(&self) -> Result<[u8; 32], SlideProblem> {
        self.source.fingerprint()
    }
}
