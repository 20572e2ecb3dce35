//! Settings that say of themselves what each key means: pages and commented files are written from the very types that are parsed,
//! so they cannot drift from them.

/// One key of a settings type, with its documentation.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written in a file.
    pub name: &'static str,
    /// Lines of its documentation. One that begins with `Unit:` is its unit, one with `Default:` says what happens without it.
    pub lines: &'static [&'static str],
    /// Its type's name in the code.
    pub of: &'static str,
}

impl Key {
    /// What it means, in one line.
    pub fn meaning(&self) -> String {
        let told =
            |line: &&&str| !line.is_empty() && !line.starts_with("Unit:") && !line.starts_with("Default:");
        self.texts().iter().filter(told).copied().collect::<Vec<_>>().join(" ")
    }

    /// Its unit, where it has one.
    pub fn unit(&self) -> Option<&'static str> {
        self.line("Unit:")
    }

    /// What happens without it, where that is no value of its type.
    pub fn without(&self) -> Option<&'static str> {
        self.line("Default:")
    }

    /// What is written behind it, in a word.
    pub fn kind(&self) -> &'static str {
        let of: String = self.of.chars().filter(|c| !c.is_whitespace()).collect();
        match of.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(&of) {
            "usize" | "u64" | "u32" => "whole number",
            "f64" | "f32" => "number",
            "bool" => "true or false",
            "PathBuf" => "path",
            "Vec<String>" => "list of texts",
            "Vec<usize>" => "list of whole numbers",
            "Vec<f32>" => "list of numbers",
            "Vec<JobKind>" => "list of kinds",
            "String" | "Digest" | "JobKind" | "CountedBy" => "text",
            _ => "table",
        }
    }

    fn line(&self, head: &str) -> Option<&'static str> {
        self.texts()
            .iter()
            .find_map(|line| line.strip_prefix(head))
            .map(|text| text.trim().trim_end_matches('.'))
    }

    fn texts(&self) -> Vec<&'static str> {
        self.lines.iter().map(|line| line.trim()).collect()
    }
}

/// Settings whose keys are known with their documentation.
pub trait Documented {
    /// In the order of the type.
    const KEYS: &'static [Key];
}

/// A settings type as it is written, and [`Documented`] for it.
#[macro_export]
macro_rules! documented {
    ($(#[$outer:meta])* $vis:vis struct $name:ident {
        $($(#[$($attribute:tt)*])* $inner:vis $field:ident : $type:ty,)*
    }) => {
        $(#[$outer])*
        $vis struct $name {
            $($(#[$($attribute)*])* $inner $field: $type,)*
        }

        impl $crate::documented::Documented for $name {
            const KEYS: &'static [$crate::documented::Key] = &[$($crate::documented::Key {
                name: stringify!($field),
                lines: &[$($crate::documented!(@line $($attribute)*)),*],
                of: stringify!($type),
            }),*];
        }
    };
    (@line doc = $text:literal) => { $text };
    (@line $($other:tt)*) => { "" };
}
