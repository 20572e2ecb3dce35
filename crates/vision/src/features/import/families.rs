//! Columns that are called alike and numbered, in the order of their numbers: files are written with `f10` before `f2`.

use std::collections::BTreeMap;

/// Beginning, number and end of a name; none for one without a number.
fn parts(name: &str) -> Option<(&str, u64, &str)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    Some((&name[..start], name[start..end].parse().ok()?, &name[end..]))
}

/// The families among `columns`, each in the order of its numbers; columns without a number are in none.
///
/// # Errors
/// Says which two columns have one number.
pub(super) fn families(header: &[String], columns: &[usize]) -> Result<Vec<Vec<usize>>, String> {
    let mut all: BTreeMap<(&str, &str), BTreeMap<u64, usize>> = BTreeMap::new();
    for &at in columns {
        let Some((before, number, after)) = parts(&header[at]) else { continue };
        if let Some(other) = all.entry((before, after)).or_default().insert(number, at) {
            return Err(format!("`{}` and `{}` have one number; rename one", header[other], header[at]));
        }
    }
    Ok(all.into_values().map(|family| family.into_values().collect()).collect())
}

/// The columns that somebody named, in that order; a name with `*` stands for a family.
///
/// # Errors
/// Says which name is no column's, or names one twice.
pub(super) fn named(names: &[String], header: &[String]) -> Result<Vec<usize>, String> {
    let all: Vec<usize> = (0..header.len()).collect();
    let families = if names.is_empty() { Vec::new() } else { families(header, &all)? };
    let mut chosen = Vec::new();
    for name in names {
        let found = match (header.iter().position(|h| h == name), name.split_once('*')) {
            (Some(at), _) => vec![at],
            (None, Some(ends)) => {
                let is =
                    |family: &&Vec<usize>| parts(&header[family[0]]).is_some_and(|(b, _, a)| (b, a) == ends);
                families.iter().find(is).cloned().unwrap_or_default()
            }
            (None, None) => Vec::new(),
        };
        if found.is_empty() {
            return Err(format!("no column is called `{name}`, as --columns says"));
        }
        if let Some(twice) = found.iter().find(|at| chosen.contains(*at)) {
            return Err(format!("--columns names `{}` twice", header[*twice]));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// Names of columns, those that count up as `f0` to `f9`.
pub(super) fn runs(header: &[String], columns: &[usize]) -> String {
    let follows = |a: usize, b: usize| match (parts(&header[a]), parts(&header[b])) {
        (Some((b1, n, a1)), Some((b2, m, a2))) => (b1, a1) == (b2, a2) && n.checked_add(1) == Some(m),
        _ => false,
    };
    let mut shown = Vec::new();
    for run in columns.chunk_by(|a, b| follows(*a, *b)) {
        let (first, last) = (&header[run[0]], &header[run[run.len() - 1]]);
        shown.push(if run.len() > 2 {
            format!("`{first}` to `{last}`")
        } else {
            run.iter().map(|at| format!("`{}`", header[*at])).collect::<Vec<_>>().join(", ")
        });
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_ordered_by_number_and_told_in_runs() {
        let header: Vec<String> = ["f10", "f0", "age", "f2", "f1", "g0_mean"].map(str::to_owned).to_vec();
        let all: Vec<usize> = (0..header.len()).collect();
        assert_eq!(families(&header, &all).unwrap(), [vec![1, 4, 3, 0], vec![5]]);
        assert_eq!(named(&["f*".into(), "age".into()], &header).unwrap(), [1, 4, 3, 0, 2]);
        assert_eq!(named(&["g*_mean".into()], &header).unwrap(), [5]);
        assert_eq!(runs(&header, &[1, 4, 3, 0, 2]), "`f0` to `f2`, `f10`, `age`");
        let twice = ["f1", "f01"].map(str::to_owned);
        assert!(families(&twice, &[0, 1]).unwrap_err().contains("`f1` and `f01` have one number"));
        assert!(named(&["f*".into(), "f2".into()], &header).unwrap_err().contains("`f2` twice"));
        assert!(named(&["h*".into()], &header).is_err());
    }
}
