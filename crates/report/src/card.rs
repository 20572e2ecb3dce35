//! A model card (Mitchell et al., arXiv 1810.03993): what a model is, what it is for, what it is not for.

use crate::document::{Block, Fact, Section};

/// The contents of a model card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelCard {
    /// Name, architecture, parameters, digests.
    pub details: Vec<Fact>,
    /// What it may be used for.
    pub intended: Vec<String>,
    /// What it must not be used for.
    pub not_intended: Vec<String>,
    /// What it was trained on, and how that was split.
    pub training_data: String,
    /// What it was measured on.
    pub evaluation_data: String,
    /// Its figures, each with its interval.
    pub figures: Vec<Fact>,
    /// What may go wrong, and what is not known.
    pub limits: Vec<String>,
    /// Who sees what, and what is not protected.
    pub privacy: Vec<String>,
}

impl ModelCard {
    /// The card as a section.
    pub fn section(self) -> Section {
        let mut section = Section::new("Model card");
        section.push(Block::Facts(self.details));
        let lists = [("What it is for.", self.intended), ("What it is not for.", self.not_intended)];
        for (title, items) in lists {
            named_list(&mut section, title, items);
        }
        section.paragraph(format!("Trained on. {}", self.training_data));
        section.paragraph(format!("Measured on. {}", self.evaluation_data));
        section.push(Block::Facts(self.figures));
        named_list(&mut section, "Limits.", self.limits);
        named_list(&mut section, "Privacy.", self.privacy);
        section
    }
}

fn named_list(section: &mut Section, title: &str, items: Vec<String>) {
    if !items.is_empty() {
        section.paragraph(title);
        section.push(Block::List(items));
    }
}
