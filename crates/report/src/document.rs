//! What a report consists of.

use crate::chart::Drawing;
use crate::table::Table;

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The page's title.
    pub title: String,
    /// One paragraph: what was done and what came out.
    pub summary: String,
    /// The few figures a hurried reader takes along.
    pub headlines: Vec<Headline>,
    /// The sections in reading order.
    pub sections: Vec<Section>,
    /// Where the numbers come from.
    pub provenance: Provenance,
}

/// One figure of the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// The number with its unit.
    pub value: String,
    /// What it is.
    pub label: String,
    /// What to compare it with; may be empty.
    pub detail: String,
}

/// How a report came to be. Everything is given by the caller; nothing is asked of the system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// The command as it was typed.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Seed of everything that was drawn, where there is one.
    pub seed: Option<u64>,
    /// When it was made, as text.
    pub time: String,
    /// Anything else: machine, data, model digest.
    pub facts: Vec<Fact>,
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Fact {
    /// A named value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A section with its heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What stands below it.
    pub blocks: Vec<Block>,
}

impl Section {
    /// An empty section.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: impl Into<String>) -> &mut Self {
        self.push(Block::Paragraph(text.into()))
    }

    /// Adds a block.
    pub fn push(&mut self, block: Block) -> &mut Self {
        self.blocks.push(block);
        self
    }
}

/// One piece of a section. All text is plain text.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph.
    Paragraph(String),
    /// A remark that must not be overlooked.
    Note(String),
    /// A list.
    List(Vec<String>),
    /// Named values.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// A figure.
    Figure(Box<Figure>),
}

/// A drawing with its caption and the numbers it was drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What the figure shows.
    pub caption: String,
    /// The drawing.
    pub drawing: Drawing,
    /// The numbers, for those who do not see the drawing or want to compute with it. Pictures have none.
    pub numbers: Option<Table>,
}
