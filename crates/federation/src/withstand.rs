//! What a study's numbers mean for its sums, in words: whom they withstand, and who may be missing.

use crate::StudyLiteral;

impl StudyLiteral {
    /// One paragraph for whoever founds the study: collusion that its sums withstand, signatures that each needs, what a sum of two tells.
    pub fn sums_in_words(&self) -> String {
        let (sites, cohort, z) = (self.sites.len() as u32, self.minimum_cohort, self.colluders());
        if sites < 2 || self.threshold < 2 {
            return "Sums: none, since one site alone could open them; take at least two sites and a threshold of 2.".to_owned();
        }
        let (holders, all) = match self.holders.len() as u32 {
            0 => (sites, format!("{sites} sites")),
            some => (some, format!("{some} sites that hold parts of keys, of {sites},")),
        };
        let signed = holders.midpoint(z) + 1;
        let withstood = match z {
            0 => "a coordinator that may do anything, as long as no site helps it".to_owned(),
            1 => "a coordinator that may do anything and any one site beside it".to_owned(),
            z => format!("a coordinator that may do anything and any {z} sites beside it"),
        };
        let absent = match holders.saturating_sub(signed) {
            0 => "so no site may be missing".to_owned(),
            1 => "so one site may be missing".to_owned(),
            more => format!("so {more} sites may be missing"),
        };
        let mut said = format!(
            "Sums: a site's values stay hidden from {withstood}; {signed} of {all} sign each set that is summed, {absent}."
        );
        if cohort.max(2) == 2 {
            said.push_str(" A sum of two sites tells each of them the other's values: take a larger minimum_cohort where that matters.");
        }
        said
    }
}
