//! The demo's report: the paper's figures and tables beside ours.

use super::card::model_card;
use super::figures::{clients, configurations, confusion, evaluations, percent, validation};
use super::tables;
use crate::demo::{DemoResults, Evaluation, paper};
use blindscope_report::{Block, Fact, Headline, Provenance, Report, Result, Section};

/// The page of a demo's results.
///
/// # Errors
/// [`blindscope_report::Error`] for a table whose rows do not fit, which is a defect.
pub fn demo_page(results: &DemoResults) -> Result<Report> {
    let sections = vec![
        what_happened(results)?,
        learning(results)?,
        comparison(results)?,
        exactness(results)?,
        inference(results)?,
        cost(results)?,
        model_card(results),
        sources(),
    ];
    Ok(Report {
        title: "Three hospitals, one classifier, nobody's data".into(),
        summary: summary(results),
        headlines: headlines(results),
        sections,
        provenance: provenance(results),
    })
}

fn named<'r>(results: &'r DemoResults, name: &str) -> Option<&'r Evaluation> {
    results.configurations.iter().find(|e| e.name == name)
}

fn summary(results: &DemoResults) -> String {
    let tiles = if results.synthetic { "synthetic tiles" } else { "tiles of its own" };
    let equal = results.exact.iter().filter(|e| e.equal).count();
    format!(
        "A coordinator and three sites learned a classifier together through encryption, each site with {tiles}. {equal} of {} encrypted \
         jobs ended in exactly the bytes that the same job gives with nothing encrypted. An asker then had held-out tiles classified \
         without showing them.",
        results.exact.len()
    )
}

fn headlines(results: &DemoResults) -> Vec<Headline> {
    let mut all = Vec::new();
    if let (Some(encrypted), Some(clear)) = (named(results, "encrypted, CLS"), named(results, "clear, CLS")) {
        all.push(Headline {
            value: percent(encrypted.accuracy.value),
            label: "accuracy, learned and asked through encryption".into(),
            detail: format!("in the clear: {}", percent(clear.accuracy.value)),
        });
    }
    if let Some(a) = results.agreement.first() {
        all.push(Headline {
            value: format!("{} of {}", a.same_class, a.tokens),
            label: "encrypted answers name the clear class".into(),
            detail: format!("largest error of a logit {:.1e}", a.worst_error),
        });
        all.push(Headline {
            value: tables::bytes(a.lone_token_bytes as f64),
            label: "to ask about one token".into(),
            detail: format!("{}: {}", paper::SOURCE, tables::bytes(paper::TOKEN_BYTES)),
        });
        all.push(Headline {
            value: format!("{:.1} ms", a.lone_ms),
            label: "from question to opened answer".into(),
            detail: format!(
                "{:.1} ms of processor time; {}: {:.0} ms",
                a.lone_cpu_ms,
                paper::SOURCE,
                paper::INFERENCE_MS
            ),
        });
    }
    all
}

fn what_happened(results: &DemoResults) -> Result<Section> {
    let mut section = Section::new("What happened");
    section.paragraph(
        "Each site turned its tiles into CLS tokens with a Vision Transformer that all sites share. The sites made a key together: any two \
         of the three can open a sum, no one alone can open anything, and the coordinator has no part of it. The sites then sent encrypted \
         numbers, the coordinator added them up without reading them, and two sites opened the sum.",
    );
    if results.synthetic {
        section.push(Block::Note(
            "The tiles are synthetic: three kinds of texture whose colours are distributed alike, drawn from a seed, with a stain of its own \
             at each site. The numbers below show that the system works and what it costs. They say nothing about cancer."
                .into(),
        ));
    }
    section.paragraph(
        "Tiles of one group (a patient, or one original tile with its copies) never lie on two sides of a split, neither between sites nor \
         between training and test. A random split of such data flatters every figure.",
    );
    section.push(Block::Table(tables::data(results)?));
    Ok(section)
}

fn learning(results: &DemoResults) -> Result<Section> {
    let mut section = Section::new("Learning");
    section.paragraph(
        "In federated averaging each site trains the common head on its own tokens for some epochs, and the mean of the heads, weighted by \
         the sites' numbers of tiles, becomes the next common head. Mean and deviation by which tokens are standardised come from a first \
         encrypted round, so that no site's own range is used or shown.",
    );
    if let Some(figure) = clients(results, "fedavg")? {
        section.push(figure);
    }
    if let Some(figure) = clients(results, "update")? {
        section.paragraph(
            "In the update job the backbone itself is trained at the sites, together with a head of its own.",
        );
        section.push(figure);
    }
    if let Some(figure) = validation(results) {
        section.push(figure);
    }
    Ok(section)
}

fn comparison(results: &DemoResults) -> Result<Section> {
    let mut section = Section::new("Clear and encrypted, gradients and CLS");
    section.paragraph(
        "CLS: the backbone stays as it is, only the head on its tokens is learned. Gradients: the model itself is trained at the sites and \
         what changed is averaged. Clear: the same with nothing encrypted. Encrypted: the sums went through encryption, and so did every \
         question about a held-out tile.",
    );
    section.paragraph(format!(
        "{} reports {:.2} % in the clear, {:.2} % with encrypted CLS tokens and {:.2} % with encrypted gradients, on its own data; its one figure \
         for the clear stands at both clear bars. Its data and ours differ, so heights do not compare across sources: what compares is \
         how much is lost between clear and encrypted.",
        paper::SOURCE,
        paper::CLEAR * 100.0,
        paper::ENCRYPTED_CLS * 100.0,
        paper::ENCRYPTED_GRADIENTS * 100.0
    ));
    section.push(configurations(results)?);
    if let Some(e) = named(results, "encrypted, CLS") {
        section.push(confusion(results, e));
    }
    if !results.others.is_empty() {
        section.paragraph(
            "Other heads on the same tokens. The exact statistics need one round and no training; the nearest mean CLS token is what the \
             aggregate of the paper by itself can tell.",
        );
        section
            .push(Block::Table(evaluations("Other heads, per cent with 95 % intervals", &results.others)?));
    }
    Ok(section)
}

fn exactness(results: &DemoResults) -> Result<Section> {
    let mut section = Section::new("Nothing is lost to encryption");
    section.paragraph(
        "Values become integers before they are encrypted, and the opened sum is the sum of these integers, to the last bit. An encrypted \
         job therefore ends in the very bytes of the job that adds the same integers in the clear.",
    );
    section.push(Block::Table(tables::exactness(results)?));
    Ok(section)
}

fn inference(results: &DemoResults) -> Result<Section> {
    let mut section = Section::new("Asking without showing");
    section.paragraph(
        "The asker encrypts tokens under its own key. The server evaluates the head on ciphertexts and learns neither the tokens nor the \
         answer. The head was trained with the very polynomial that is evaluated, so an encrypted answer differs from the clear one by the \
         scheme's noise alone.",
    );
    section.push(Block::Table(tables::inference(results)?));
    section.paragraph("Asked over the network, of the coordinator's process and over mutual TLS.");
    Ok(section)
}

fn cost(results: &DemoResults) -> Result<Section> {
    let mut section = Section::new("Bytes and times");
    section.paragraph(
        "A ciphertext has one size, whether full or not, and holds tens of thousands of values. Bytes a value are therefore low for large \
         updates and mean little for small sums. Times are wall clock on a machine that may have had other work.",
    );
    section.push(Block::Table(tables::traffic(results)?));
    section.push(Block::Table(tables::steps(results)?));
    let verified =
        if results.log.verified { "Every hash and signature in it holds." } else { "It did NOT verify." };
    section.paragraph(format!("The coordinator's log has {} records. {verified}", results.log.records));
    Ok(section)
}

fn sources() -> Section {
    let mut section = Section::new("Sources");
    section.push(Block::List(vec![
        format!(
            "{}: Al Amin, Hasan, Hong, Ullah, Privacy-Preserving Federated Vision Transformer Learning Leveraging Lightweight Homomorphic \
             Encryption in Medical AI. Figures named after it are quoted, not measured here.",
            paper::SOURCE
        ),
        "Federated averaging: McMahan et al., arXiv 1602.05629.".into(),
        "Threshold keys: Mouchet et al., ia.cr/2020/304 and ia.cr/2022/780.".into(),
    ]));
    section
}

fn provenance(results: &DemoResults) -> Provenance {
    let data = if results.synthetic { "synthetic, drawn from the seed" } else { "given to the command" };
    Provenance {
        command: results.command.clone(),
        version: results.version.clone(),
        seed: Some(results.seed),
        time: results.time.clone(),
        facts: vec![
            Fact::new("Machine", results.machine.clone()),
            Fact::new("Tiles", data),
            Fact::new("Backbone", results.backbone.digest.clone()),
            Fact::new("Numbers", "results.json beside this page"),
        ],
    }
}
