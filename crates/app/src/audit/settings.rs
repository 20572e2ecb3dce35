//! What each setting of a study buys, in words for people who set it: a sentence each, with the figures of this audit.

use super::outcome::{Cell, Evidence};

/// One item a setting of which something was measured.
pub(super) fn bought(evidence: &Evidence) -> Vec<String> {
    let found = Found(evidence);
    let said = [
        found.threshold(),
        found.colluders(),
        found.cohort(),
        found.noise(),
        found.release(),
        found.precision(),
    ];
    said.into_iter().flatten().collect()
}

struct Found<'a>(&'a Evidence);

impl Found<'_> {
    fn cell(&self, key: &str) -> Option<&Cell> {
        self.0.cells.iter().find(|cell| cell.key == key)
    }

    fn mean(&self, key: &str) -> Option<f64> {
        self.cell(key).map(|cell| cell.found.mean)
    }

    fn threshold(&self) -> Option<String> {
        let (few, enough) = (self.cell("sum_parts_too_few")?, self.cell("sum_parts_enough")?);
        let verdict =
            if few.leaks { "already told something, which must be explained" } else { "told nothing" };
        Some(format!(
            "Threshold t, the holders whose openings open a sum. With one holder less than t a site's numbers {verdict} (tracing a tile: AUC \
             {:.2}, 0.50 is chance); t that put their parts together read every single site (AUC {:.2}). A larger t needs more that collude, \
             and more that have to be there.",
            few.found.mean, enough.found.mean
        ))
    }

    fn colluders(&self) -> Option<String> {
        let (two, sum, one) = (
            self.mean("sum_of_keys_two_honest")?,
            self.mean("sum_of_two_honest")?,
            self.mean("sum_of_keys_one_honest")?,
        );
        Some(format!(
            "Colluding sites z that the study withstands. All sites but two, with the published sum of keys, read none of the two (AUC {two:.2}); \
             they know the sum of both, and trace a tile in it with {sum:.2}. All but one read the last one ({one:.2}). A larger z asks for \
             more sites in every sum, two more than z."
        ))
    }

    fn cohort(&self) -> Option<String> {
        let sites = [1, 2, 3, 8];
        let at =
            |n: &usize| Some(format!("{:.2} over {n}", self.mean(&format!("membership_aggregate_{n}"))?));
        let list: Vec<String> = sites.iter().filter_map(at).collect();
        (!list.is_empty()).then(|| {
            format!(
                "Minimum cohort, the sites in an opened sum. Tracing a tile in the opened mean: AUC {}. More sites hide a tile better and never \
                 wholly.",
                list.join(", ")
            )
        })
    }

    fn noise(&self) -> Option<String> {
        let (without, with) = (self.mean("membership_ratio")?, self.mean("membership_ratio_epsilon_8")?);
        let price = self.mean("worth_of_head")? - self.mean("worth_of_head_epsilon_8")?;
        let more = self
            .mean("membership_ratio_epsilon_1")
            .map_or(String::new(), |one| format!(", {one:.2} with \u{3b5} = 1"));
        Some(format!(
            "Noise in what is opened (`[privacy]`). Who was behind a released head: AUC {without:.2} without, {with:.2} with \u{3b5} = 8{more}; \
             \u{3b5} = 8 costs {:.1} points of right answers on these few tiles. It is the only setting that bounds what is released.",
            100.0 * price
        ))
    }

    fn release(&self) -> Option<String> {
        let logits = self.mean("answer_head_opened").or(self.mean("extraction_linear"))?;
        let class = self.mean("extraction_top1_1000")?;
        Some(format!(
            "What an answer says, and how many there are. Logits give the head away in one question a feature (agreement {:.0} %), the class alone \
             in a thousand questions (to {:.0} %). Limits of tokens an hour make it slow, not impossible.",
            100.0 * logits,
            100.0 * class
        ))
    }

    fn precision(&self) -> Option<String> {
        let (exact, opened) = (self.mean("answer_membership")?, self.mean("answer_membership_opened")?);
        let with = self.mean("answer_membership_opened_epsilon_8");
        let with =
            with.map_or(String::new(), |with| format!(", {with:.2} where the head has noise of \u{3b5} = 8"));
        let token = |count: u32| Some((self.mean(&format!("answer_token_{count}_opened"))?, count));
        let leads = [1, 8, 32]
            .iter()
            .any(|n| self.cell(&format!("answer_token_{n}_opened")).is_some_and(|c| c.leaks));
        let verdict = if leads {
            "who keeps answers keeps patients' data"
        } else {
            "no more than random tokens do, here"
        };
        let tokens: Vec<String> = [1, 8, 32]
            .into_iter()
            .filter_map(token)
            .map(|(share, count)| format!("{:.0} % from {count}", 100.0 * share))
            .collect();
        Some(format!(
            "Noise in answers. It hides how an answer came about, not what it says: asked about every tile, a head tells its members with AUC \
             {opened:.2} ({exact:.2} without it{with}). The logits of a token lead to another tile of its tissue, by number of heads ({}); {verdict}.",
            tokens.join(", ")
        ))
    }
}
