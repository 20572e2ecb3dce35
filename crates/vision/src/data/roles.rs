//! What columns and datasets are, told by their usual names in any case and spelling.

/// What a column says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Id,
    Label,
    Group,
    Patient,
    Site,
    X,
    Y,
    /// Rows counted through, as tables are saved with.
    Number,
    /// Known, and neither a feature nor any of these.
    Aside,
}

const IDS: [&str; 30] = [
    "id",
    "path",
    "file",
    "filename",
    "filepath",
    "image",
    "imageid",
    "imagename",
    "imagepath",
    "img",
    "imgid",
    "imgname",
    "imgpath",
    "tile",
    "tileid",
    "tilename",
    "tilepath",
    "patch",
    "patchid",
    "patchname",
    "patchpath",
    "name",
    "barcode",
    "key",
    "uid",
    "uuid",
    "sample",
    "sampleid",
    "samplename",
    "tilefile",
];
const LABELS: [&str; 8] =
    ["label", "class", "classname", "target", "diagnosis", "category", "groundtruth", "labelname"];
const GROUPS: [&str; 9] =
    ["group", "groupid", "tilegroup", "slide", "slideid", "slidename", "wsi", "wsiid", "slidepath"];
const PATIENTS: [&str; 7] =
    ["patient", "patientid", "case", "caseid", "casesubmitterid", "subject", "subjectid"];
const SITES: [&str; 8] =
    ["site", "siteid", "hospital", "hospitalid", "center", "centre", "centerid", "centreid"];
const XS: [&str; 10] =
    ["x", "xcoord", "coordx", "coordsx", "xcoordinate", "patchx", "tilex", "posx", "xpos", "left"];
const YS: [&str; 10] =
    ["y", "ycoord", "coordy", "coordsy", "ycoordinate", "patchy", "tiley", "posy", "ypos", "top"];
const NUMBERS: [&str; 5] = ["", "index", "row", "rowid", "level0"];
const ASIDE: [&str; 34] = [
    "fold",
    "foldid",
    "split",
    "splits",
    "subset",
    "partition",
    "istrain",
    "istest",
    "isval",
    "subtype",
    "subclass",
    "grade",
    "stage",
    "stain",
    "scanner",
    "magnification",
    "mag",
    "mpp",
    "level",
    "patchlevel",
    "patchsize",
    "tilesize",
    "downsample",
    "age",
    "sex",
    "gender",
    "survival",
    "event",
    "oncotreecode",
    "project",
    "projectid",
    "cohort",
    "organ",
    "tissue",
];

/// Small letters and digits alone.
fn squashed(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether two names differ in case and punctuation alone, or by a plural.
pub(crate) fn alike(a: &str, b: &str) -> bool {
    let plain = |name: &str| squashed(name).trim_end_matches('s').to_owned();
    plain(a) == plain(b)
}

impl Role {
    /// By a name alone.
    fn of(name: &str) -> Option<Self> {
        let whole = squashed(name);
        // Only what is all punctuation and blanks has no name; "μ" has one.
        if whole.is_empty() && !name.trim().is_empty() {
            return None;
        }
        if name.trim_start().to_ascii_lowercase().starts_with("unnamed") {
            return Some(Self::Number);
        }
        let known: [(Self, &[&str]); 9] = [
            (Self::Id, &IDS),
            (Self::Label, &LABELS),
            (Self::Group, &GROUPS),
            (Self::Patient, &PATIENTS),
            (Self::Site, &SITES),
            (Self::X, &XS),
            (Self::Y, &YS),
            (Self::Number, &NUMBERS),
            (Self::Aside, &ASIDE),
        ];
        let find = |name: &str| known.iter().find(|(_, names)| names.contains(&name)).map(|(role, _)| *role);
        find(&whole).or_else(|| find(whole.strip_suffix('s').filter(|single| single.len() > 1)?))
    }

    /// Of all names that stand side by side: `y` is a coordinate beside `x`, and without it the label that it is beside `X` in
    /// statistics.
    pub(crate) fn of_all<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<Option<Self>> {
        let is = |name: &str, bare: &str| name.eq_ignore_ascii_case(bare);
        let beside = names.clone().any(|name| is(name, "x"));
        names.map(|name| if is(name, "y") && !beside { Some(Self::Label) } else { Self::of(name) }).collect()
    }

    /// For messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Label => "label",
            Self::Group => "group",
            Self::Patient => "patient",
            Self::Site => "site",
            Self::X => "x coordinate",
            Self::Y => "y coordinate",
            Self::Number => "row number",
            Self::Aside => "other column",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_spelling() {
        for (name, role) in [
            ("slide_id", Some(Role::Group)),
            ("SlideID", Some(Role::Group)),
            ("Patch ID", Some(Role::Id)),
            ("image-ids", Some(Role::Id)),
            ("FileNames", Some(Role::Id)),
            ("Diagnosis", Some(Role::Label)),
            ("x_coord", Some(Role::X)),
            ("case.id", Some(Role::Patient)),
            ("Fold", Some(Role::Aside)),
            ("subtype", Some(Role::Aside)),
            ("Unnamed: 0", Some(Role::Number)),
            ("", Some(Role::Number)),
            ("area", None),
            ("f0", None),
            ("0", None),
        ] {
            assert_eq!(Role::of(name), role, "{name}");
        }
        let of = |names: &[&str]| Role::of_all(names.iter().copied());
        assert_eq!(of(&["x", "y"]), [Some(Role::X), Some(Role::Y)]);
        assert_eq!(of(&["x_coord", "y_coord", "y"])[2], Some(Role::Label));
        assert!(alike("Paths", "path") && alike("File_Name", "filename") && !alike("path", "patch"));
    }
}
