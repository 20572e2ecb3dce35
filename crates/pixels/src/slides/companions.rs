//! Files that a slide is not whole without. A MIRAX or VMS slide whose companions stayed behind is named as that, whoever would read it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::problem::SlideProblem;

/// Bytes of a list of companions that are looked at.
const MOST_BYTES: u64 = 1 << 20;

/// Refuses a slide without the files that it names; says nothing of formats of one file.
///
/// # Errors
/// [`SlideProblem::MissingCompanions`] with the first that is not there.
pub(super) fn check(path: &Path) -> Result<(), SlideProblem> {
    let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    match end.as_deref() {
        Some("mrxs") if path.is_file() => {
            let folder = path.with_extension("");
            let list = folder.join("Slidedat.ini");
            let text = text(&list).ok_or_else(|| missing(&list))?;
            named(&text, &folder, |key| {
                key == "INDEXFILE"
                    || key.strip_prefix("FILE_").is_some_and(|number| number.parse::<u32>().is_ok())
            })
        }
        Some("vms" | "vmu") if path.is_file() => {
            let folder = path.parent().unwrap_or(Path::new(""));
            named(&text(path).unwrap_or_default(), folder, |key| key.starts_with("ImageFile"))
        }
        _ => Ok(()),
    }
}

fn missing(path: &Path) -> SlideProblem {
    SlideProblem::MissingCompanions { first: path.display().to_string() }
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first of the files that keys of an INI file name and that is not in `folder`.
fn named(text: &str, folder: &Path, companion: impl Fn(&str) -> bool) -> Result<(), SlideProblem> {
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let name = value.trim();
        // A name alone: what lies elsewhere is nobody's companion.
        if companion(key.trim().trim_start_matches('\u{feff}'))
            && !name.is_empty()
            && !name.contains(['/', '\\'])
            && !folder.join(name).is_file()
        {
            return Err(missing(&folder.join(name)));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn said(path: &Path) -> Option<String> {
        check(path).err().map(|problem| {
            assert_eq!(problem.status(), "missing-companions");
            problem.to_string()
        })
    }

    #[test]
    fn the_first_file_that_stayed_behind_is_named() {
        let folder = std::env::temp_dir().join(format!("blindscope-companions-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        let slide = folder.join("a.mrxs");
        assert_eq!(said(&slide), None, "a slide that is not there is another problem");
        put("a.mrxs", "JPEG");
        assert!(said(&slide).unwrap().contains("Slidedat.ini"));
        std::fs::create_dir_all(folder.join("a")).unwrap();
        put("a/Slidedat.ini", "\u{feff}[DATAFILE]\r\nFILE_COUNT = 1\r\nFILE_0 = Data0000.dat\r\n");
        assert!(said(&slide).unwrap().contains("Data0000.dat"));
        put("a/Data0000.dat", "");
        assert_eq!(said(&slide), None);
        put("b.vms", "[Virtual Microscope Specimen]\nImageFile=b.jpg\nImageFile(1,0)=../c.jpg\n");
        assert!(said(&folder.join("b.vms")).unwrap().contains("b.jpg"));
        put("b.jpg", "");
        assert_eq!(said(&folder.join("b.vms")), None);
        assert_eq!(said(&folder.join("b.jpg")), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
