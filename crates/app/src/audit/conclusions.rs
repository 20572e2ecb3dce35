//! Sentences for people who read no tables. Each is decided by the figures, in either direction.

use super::outcome::{Cell, Evidence, View};

/// One paragraph each on gradients, batches, tokens, aggregates, heads and ciphertexts; only those that were measured.
pub(super) fn conclude(evidence: &Evidence) -> Vec<String> {
    let cell = |key: &str| evidence.cells.iter().find(|c| c.key == key);
    let said = [
        gradient(
            cell("gradient_paper_vit_psnr").or(cell("gradient_small_vit_psnr")),
            cell("gradient_paper_vit_exact_bytes").or(cell("gradient_small_vit_exact_bytes")),
        ),
        batch(evidence),
        tokens(evidence),
        membership(evidence),
        noise(evidence),
        cell("extraction_linear").map(extraction),
        sums(evidence),
        answers(evidence),
        ciphertexts(evidence),
    ];
    said.into_iter().flatten().collect()
}

fn gradient(psnr: Option<&Cell>, bytes: Option<&Cell>) -> Option<String> {
    let (psnr, bytes) = (psnr?, bytes?);
    let share = 100.0 * bytes.found.mean;
    Some(if psnr.leaks {
        format!(
            "A gradient of one image, seen in the clear, gives the image away: {:.1} dB on average over {} images ({:.1} dB for a \
             guess), {share:.1} % of all colour values exactly. No search is needed. Whoever uploads unencrypted gradients \
             uploads the images.",
            psnr.found.mean, psnr.found.n, psnr.control.mean
        )
    } else {
        format!(
            "The closed form did not beat a guess here ({:.1} dB against {:.1} dB). That says nothing about other attacks.",
            psnr.found.mean, psnr.control.mean
        )
    })
}

fn batch(evidence: &Evidence) -> Option<String> {
    let cells: Vec<&Cell> =
        evidence.cells.iter().filter(|c| c.key.starts_with("batch_") && c.key.ends_with("_psnr")).collect();
    let list = cells.iter().map(|c| {
        format!("{}: {:.1} dB ({:.1} dB for the batch's mean)", c.attack, c.found.mean, c.control.mean)
    });
    let all = list.collect::<Vec<_>>().join("; ");
    let out = cells.iter().filter(|c| c.leaks).count();
    let nearer = cells.iter().filter(|c| c.found.mean > c.control.mean).count();
    let verdict = if out > 0 { "A batch does not hide its images" } else { "Batches were searched" };
    (!cells.is_empty()).then(|| {
        format!(
            "{verdict}: of {} attacks on batches and on updates of several local steps {nearer} came nearer than the mean of the \
             batch, {out} of them beyond what so few images leave to chance. {all}. An attack that failed may succeed with more \
             time.",
            cells.len()
        )
    })
}

fn tokens(evidence: &Evidence) -> Option<String> {
    let cell = |key: &str| evidence.cells.iter().find(|c| c.key == key);
    let (retrieval, decoder) = (cell("token_retrieval")?, cell("token_decoder_psnr")?);
    let pictures =
        if decoder.leaks { "comes nearer to the tile than" } else { "is no nearer to the tile than" };
    let search = cell("token_search_psnr").map_or(String::new(), |c| {
        format!(
            " Search in pixel space reached {:.1} dB ({:.1} dB for a guess).",
            c.found.mean, c.control.mean
        )
    });
    let judged = if retrieval.leaks || decoder.leaks {
        "CLS tokens in the clear are not safe: they must be treated as patients' data."
    } else {
        "These attacks got nothing out of CLS tokens; stronger ones may."
    };
    Some(format!(
        "A CLS token in the clear leads to another tile of the same tissue in {:.0} % of cases ({:.0} % for random tokens), and \
         a decoder's picture {pictures} the mean of other tiles ({:.1} dB against {:.1} dB).{search} {judged}",
        100.0 * retrieval.found.mean,
        100.0 * retrieval.control.mean,
        decoder.found.mean,
        decoder.control.mean
    ))
}

fn membership(evidence: &Evidence) -> Option<String> {
    let at = |sites: usize| evidence.cells.iter().find(|c| c.key == format!("membership_aggregate_{sites}"));
    at(1)?;
    let list: Vec<String> = [1, 2, 3, 8]
        .into_iter()
        .filter_map(|n| at(n).map(|c| format!("{n} site(s): {:.2}", c.found.mean)))
        .collect();
    let safe = [1, 2, 3, 8].into_iter().find(|n| at(*n).is_some_and(|c| !c.leaks));
    let verdict = match safe {
        Some(n) => format!("from {n} sites on the attack no longer beat chance"),
        None => "no cohort measured here was large enough to hide a tile".to_owned(),
    };
    let head = evidence.cells.iter().find(|c| c.key == "membership_head").map_or(String::new(), |c| {
        let verb = if c.leaks { "tells members apart" } else { "does not tell members apart" };
        format!(" A released head {verb} (AUC {:.2}).", c.found.mean)
    });
    Some(format!(
        "Whether a tile was part of a released mean can be told with an AUC of {} (0.50 is chance); {verdict}. Decryption is where \
         the protection ends: a minimum cohort and noise on releases are what helps.{head}",
        list.join(", ")
    ))
}

fn noise(evidence: &Evidence) -> Option<String> {
    let cell = |key: &str| evidence.cells.iter().find(|c| c.key == key);
    let (ratio, worth) = (cell("membership_ratio")?, cell("worth_of_head")?);
    let with = |epsilon: u32| {
        let (ratio, worth) = (
            cell(&format!("membership_ratio_epsilon_{epsilon}"))?,
            cell(&format!("worth_of_head_epsilon_{epsilon}"))?,
        );
        let told = if ratio.leaks { "which is still told from chance" } else { "no better than chance" };
        Some(format!(
            " With noise of \u{3b5} = {epsilon} by tile it is {:.2}, {told}, and the head is right on {:.0} %: whatever an attacker knows, \
             seeing this head changes its odds that a tile took part by a factor of {} at most.",
            ratio.found.mean,
            100.0 * worth.found.mean,
            if epsilon < 5 {
                format!("{:.1}", f64::from(epsilon).exp())
            } else {
                format!("{:.0}", f64::from(epsilon).exp())
            },
        ))
    };
    Some(format!(
        "An attacker who trains heads of its own tells who was behind a released head with an AUC of {:.2} without noise; the head is \
         right on {:.0} % of other tiles.{}{} A small factor is a promise; a large one rests on what attacks like this one find.",
        ratio.found.mean,
        100.0 * worth.found.mean,
        with(8).unwrap_or_default(),
        with(1).unwrap_or_default()
    ))
}

fn extraction(cell: &Cell) -> String {
    format!(
        "An asker who sees logits copies the head: {} agree with it on {:.0} % of tiles. Limits on queries, or the class \
         alone, are policy, not cryptography.",
        cell.attack,
        100.0 * cell.found.mean
    )
}

fn sums(evidence: &Evidence) -> Option<String> {
    let cell = |key: &str| evidence.cells.iter().find(|c| c.key == key);
    let held = ["sum_body", "sum_parts_too_few", "sum_of_keys", "sum_of_keys_two_honest"];
    let held: Vec<&Cell> = held.iter().filter_map(|key| cell(key)).collect();
    let (parts, sites) = (cell("sum_parts_enough")?, cell("sum_of_keys_one_honest")?);
    let list: Vec<String> = held.iter().map(|c| format!("{:.2}", c.found.mean)).collect();
    let verdict =
        if held.iter().any(|c| c.leaks) { "did tell, which must be explained" } else { "told nothing" };
    Some(format!(
        "What is held of a round of sums before and after it is opened (a site's body, its parts at one holder too few, the published sum of \
         keys, that sum less all keys but two) {verdict} of a site's tiles: AUC {}. The same attacks work where more collude than the study \
         withstands: {:.2} with one holder more, {:.2} where all other sites do.",
        list.join(", "),
        parts.found.mean,
        sites.found.mean
    ))
}

fn answers(evidence: &Evidence) -> Option<String> {
    let cell = |key: String| evidence.cells.iter().find(|c| c.key == key);
    let one = cell("answer_token_1_opened".into())?;
    let most = [32, 8].into_iter().find_map(|n| Some((n, cell(format!("answer_token_{n}_opened"))?)))?;
    let told = if most.1.leaks { "more than random tokens do" } else { "no more than random tokens do" };
    Some(format!(
        "Answers lead back to the tissue that was asked about: the likeliest token behind the logits of one head finds a tile of its own group \
         in {:.0} % of cases, behind those of {} heads in {:.0} %, {told} ({:.0} %).",
        100.0 * one.found.mean,
        most.0,
        100.0 * most.1.found.mean,
        100.0 * most.1.control.mean
    ))
}

fn ciphertexts(evidence: &Evidence) -> Option<String> {
    let sealed: Vec<&Cell> = evidence.cells.iter().filter(|c| c.view == View::Ciphertext).collect();
    let above: Vec<&str> = sealed.iter().filter(|c| c.leaks).map(|c| c.attack.as_str()).collect();
    (!sealed.is_empty()).then(|| {
        if above.is_empty() {
            format!(
                "Under encryption none of the {} figures rose above its control: the bytes that a coordinator holds served \
                 these attacks no better than random numbers. This is a check of the implementation; the security itself rests \
                 on the parameters.",
                sealed.len()
            )
        } else {
            format!("Under encryption {} figure(s) rose above their controls: {}. This must be explained before any use.", above.len(), above.join("; "))
        }
    })
}
