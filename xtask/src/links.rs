//! Links between documents: what a page points to is there.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::sources;

/// Fails on a relative link in a Markdown file whose target does not exist.
pub(crate) fn run() -> Result<()> {
    let (mut checked, mut dead) = (0, Vec::new());
    for path in sources::listed(&["*.md"])? {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
        for target in targets(&text) {
            checked += 1;
            if !folder.join(target).exists() {
                dead.push(format!("{path}: {target}"));
            }
        }
    }
    if !dead.is_empty() {
        bail!("links: {} lead nowhere\n  {}", dead.len(), dead.join("\n  "));
    }
    println!("links: {checked} between documents, each leads somewhere");
    Ok(())
}

/// Relative targets of a page's links, without their fragments; fenced blocks are no prose.
fn targets(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let prose = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let links = prose.flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    let paths = links.filter(|link| {
        !link.contains("://") && !link.starts_with(['#', '<']) && !link.starts_with("mailto:")
    });
    paths.filter_map(|link| link.split('#').next()).filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_targets_are_found() {
        let page = "[a](b.md#c), [d](../e/)\n[f](https://g.h) [i](#j)\n```\n[k](l)\n```\n[m](n.rs)\n";
        assert_eq!(targets(page), ["b.md", "../e/", "n.rs"]);
    }
}
