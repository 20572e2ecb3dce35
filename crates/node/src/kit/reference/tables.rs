//! Keys of the files that the protocol itself reads: its crate knows no pages, so they are described here, and a test holds them
//! against what it parses.

use blindscope_learn::documented::Key;

const fn key(name: &'static str, of: &'static str, lines: &'static [&'static str]) -> Key {
    Key { name, lines, of }
}

/// `deadlines` of a project file.
pub(super) const DEADLINES: &[Key] = &[
    key(
        "ceremony_seconds",
        "u64",
        &["How long each step of a ceremony waits, 1 to 604800.", "Unit: seconds"],
    ),
    key(
        "upload_seconds",
        "u64",
        &["How long a contribution is waited for, 1 to 604800; a job may set its own.", "Unit: seconds"],
    ),
    key("opening_seconds", "u64", &["How long each step of an opening waits, 1 to 604800.", "Unit: seconds"]),
];

/// `local/policy.toml` of a site.
pub(super) const POLICY: &[Key] = &[
    key(
        "minimum_cohort",
        "u32",
        &["Fewest contributions in a sum that this site helps to open.", "Unit: contributions"],
    ),
    key(
        "minimum_difference",
        "Option<u32>",
        &[
            "In how many sites two sets that sums of one kind are over differ at least, unless they are the same: what the difference of two sums tells is told of that many sites together.",
            "Unit: sites",
            "Default: any number",
        ],
    ),
    key("backbone", "Digest", &["Digest of the backbone that may see this site's images."]),
    key("jobs", "Vec<JobKind>", &["Kinds of jobs that this site takes part in."]),
    key(
        "maximum_decryptions",
        "u64",
        &["Most ciphertexts that this site helps to open, all jobs together.", "Unit: ciphertexts"],
    ),
    key("maximum_rounds", "u64", &["Most rounds of one job.", "Unit: rounds"]),
    key(
        "max_epsilon",
        "Option<f64>",
        &[
            "Largest epsilon of one job's `[privacy]`, above 0, at most 1000. With this key, or any of the next three, no job takes part whose results carry no noise.",
            "Default: none",
        ],
    ),
    key(
        "max_delta",
        "Option<f64>",
        &["Largest delta of one job's `[privacy]`, above 0, at most 0.01.", "Default: none"],
    ),
    key(
        "lifetime_epsilon",
        "Option<f64>",
        &["Largest sum of the epsilons of all jobs that this site's data went into.", "Default: none"],
    ),
    key(
        "privacy_unit",
        "Option<String>",
        &["Whose presence noise has to hide at least: tile, patient.", "Default: none"],
    ),
];

/// `[privacy]` of a job file.
pub(super) const PRIVACY: &[Key] = &[
    key(
        "epsilon",
        "f64",
        &["What the whole job may give away of a unit, above 0, at most 1000; smaller is more private."],
    ),
    key(
        "delta",
        "f64",
        &["Chance with which the promise may fail, above 0, at most 0.01; well below one in all patients."],
    ),
    key(
        "unit",
        "String",
        &[
            "Whose presence is hidden: patient (all tiles of a patient, or of a group where patients are not named), or tile.",
        ],
    ),
    key(
        "norm",
        "f64",
        &[
            "Euclidean norm to which longer rows are shortened. A constant of the study, not of anybody's data: noise grows with it.",
            "Unit: the values' own",
        ],
    ),
];

/// A job file.
pub(super) const JOB: &[Key] = &[
    key(
        "name",
        "String",
        &[
            "Its name in the study, 1 to 64 of a-z, 0-9, -, _ and ., given once: the same name with another content is refused.",
        ],
    ),
    key(
        "kind",
        "JobKind",
        &[
            "What it computes: sum, statistics, auto, fedavg, update, attention, cls-mean, metrics, inference-keys, encrypted-head.",
        ],
    ),
    key(
        "rounds",
        "u64",
        &[
            "Rounds; more than one for sum, auto, fedavg, update and attention alone.",
            "Unit: rounds",
            "Default: follows from the settings",
        ],
    ),
    key(
        "values",
        "u64",
        &[
            "Integers that each site contributes a round.",
            "Unit: integers",
            "Default: follows from the settings",
        ],
    ),
    key("max", "u64", &["Largest of these integers.", "Default: follows from the settings"]),
    key(
        "upload_seconds",
        "Option<u64>",
        &["How long contributions are waited for, 1 to 604800.", "Unit: seconds", "Default: the study's"],
    ),
    key(
        "data_version",
        "Option<String>",
        &[
            "Of sums: which data of the sites it is of, in a word, where an earlier job of the same kind and settings was of other data. Values under one word are summed over one set of sites.",
            "Default: none",
        ],
    ),
    key(
        "settings",
        "Value",
        &[
            "What the kind's learning reads: see its table below. Everybody in the study sees it.",
            "Default: that of each key",
        ],
    ),
    key(
        "start",
        "Option<String>",
        &[
            "Name of an earlier job whose result this one starts from: for inference-keys and encrypted-head.",
            "Default: none",
        ],
    ),
    key(
        "circuit",
        "Option<Circuit>",
        &[
            "Parameters of the inference key; never written by hand.",
            "Default: filled in when the job is submitted",
        ],
    ),
    key(
        "levels",
        "Vec<u32>",
        &[
            "Levels of an encrypted head's ciphertexts; never written by hand.",
            "Default: filled in when the job is submitted",
        ],
    ),
    key(
        "holders",
        "Vec<u32>",
        &[
            "Of an encrypted head: the sites, by number, that parts of it are dealt to. All of them are needed to learn it.",
            "Default: the first that are needed, filled in when the job is submitted",
        ],
    ),
    key(
        "privacy",
        "Option<Privacy>",
        &[
            "Of statistics, auto and cls-mean: noise that every site adds to its sums, and what it promises; see its table below.",
            "Default: none, and no noise",
        ],
    ),
    key("question", "Option<Question>", &["Of a question alone, which `predict` makes.", "Default: none"]),
];

/// `learning.plain` of a site.
pub(super) const PLAIN: &[Key] = &[
    key(
        "file",
        "PathBuf",
        &[
            "A text file, a number a line; `{round}` in its name stands for the round, and has to be there for jobs of several.",
            "Default: not given; one of both is",
        ],
    ),
    key(
        "seed",
        "u64",
        &[
            "Integers drawn from this seed and the round, for rehearsals.",
            "Default: not given; one of both is",
        ],
    ),
];
