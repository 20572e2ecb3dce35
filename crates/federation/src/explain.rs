//! Why a job failed, in a sentence for people: which sites, by name, which cause, what to do.

use crate::{Answer, Cause, Failure, JobStatus, JobView, Missing, Rule, SiteId, StepView, Study};

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent => f.write_str("gave no answer by the deadline"),
            Self::Policy(rule) => write!(f, "declined by its policy ({rule})"),
            Self::Contribution => f.write_str("could not contribute: its data, or the model it is to measure, does not fit the job"),
            Self::KeyEpoch => f.write_str("holds no share of this key"),
            Self::OtherKey => f.write_str("was shown another key than its peers signed"),
            Self::Spent => f.write_str("stopped after it had marked the attempt as spent"),
            Self::OtherOpening => f.write_str("remembers another set of contributions for this round"),
            Self::OtherStart => f.write_str("was shown a start that does not follow from the sum before"),
            Self::Task => f.write_str("was asked for something that does not hold together"),
            Self::Payload => f.write_str("sent what cannot be used"),
            Self::Trial => f.write_str("opened no known value under the new key"),
            Self::SpentInput => {
                f.write_str("has these values in an earlier sum, over other sites or still open")
            }
            Self::OtherCohort => f.write_str(
                "was left out: an earlier job summed the same values over other sites, and two such sums would tell a site apart",
            ),
            Self::Dealt => f.write_str("could not open what a site had dealt to it"),
            Self::Copied => f.write_str("has seen a second copy of itself at work"),
            Self::Store => f.write_str("could not keep its files"),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Payload(blob) => write!(f, "sent payload {blob}"),
            Self::Declined(cause) => write!(f, "{cause}"),
        }
    }
}

impl Cause {
    /// What to do about it.
    fn repair(self) -> &'static str {
        match self {
            Self::Silent => "start the site and submit the job under a new name",
            Self::Policy(_) => "agree on the rule with the site, which changes its local/policy.toml",
            Self::Contribution => "read the site's own log: it says what of which file does not fit",
            Self::KeyEpoch => "run a ceremony in which the site takes part",
            Self::OtherKey => {
                "do not use that key; find out what the coordinator showed, then run a new ceremony"
            }
            Self::Spent => "submit the job again over the same sites",
            Self::OtherStart => {
                "use the same release everywhere; if it stays, the coordinator shows a start of its own: ask who runs it"
            }
            Self::OtherOpening => {
                "compare the coordinator's log with the site's receipts (`log verify --site`)"
            }
            Self::Task => "use the same release and the same study.toml everywhere",
            Self::Trial => {
                "run a new ceremony; if it stays, one of these sites or a peer that gave it a part deviates"
            }
            Self::Payload => "use the same release everywhere; if it stays, ask the site",
            Self::SpentInput => {
                "start every site of the earlier sum and submit the job again: it is summed over the same sites; of newer data give it a `data_version`"
            }
            Self::OtherCohort => {
                "take the result over the earlier job's sites; a sum of newer data says so in the job's `data_version`"
            }
            Self::Dealt => {
                "read its log, which names the site whose part it was; learn the head anew under another name; if it stays, that site has to refuse the \
                 job, or leave the study by a change of the roster, which takes a new key"
            }
            Self::Copied => "find the copy, then enrol the site with new keys",
            Self::Store => "make room on the site's disk, then submit again",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MinimumCohort { found, least } => {
                write!(f, "minimum_cohort: {found} contributions, it wants {least}")
            }
            Self::MinimumDifference { found, least } => write!(
                f,
                "minimum_difference: the set differs from that of an earlier sum of this kind in {found}, it wants none or {least}; wait until \
                 the same sites are there"
            ),
            Self::Backbone => f.write_str("backbone: it allows another one"),
            Self::Refused => f.write_str("somebody there has refused this job"),
            Self::JobKind { kind } => write!(f, "jobs: it takes no part in {kind}"),
            Self::MaximumDecryptions { found, most } => {
                write!(f, "maximum_decryptions: {found} with this job, it allows {most}")
            }
            Self::MaximumRounds { found, most } => write!(f, "maximum_rounds: {found}, it allows {most}"),
            Self::NoNoise { kind } => write!(
                f,
                "max_epsilon: its data goes into no result without noise; give the job a [privacy] table, which kinds statistics, \
                 auto and cls-mean take and {kind} as it is has not"
            ),
            Self::MaxEpsilon { found, most } => {
                write!(
                    f,
                    "max_epsilon: {found}, it allows {most}; give the job's [privacy] table a smaller epsilon"
                )
            }
            Self::MaxDelta { found, most } => {
                write!(
                    f,
                    "max_delta: {found}, it allows {most}; give the job's [privacy] table a smaller delta"
                )
            }
            Self::LifetimeEpsilon { found, most } => write!(
                f,
                "lifetime_epsilon: {found} with this job, it allows {most}; ask for less, or learn no more of this data"
            ),
            Self::PrivacyUnit => f.write_str(
                "privacy_unit: the job hides single tiles, it wants patients hidden; say unit = \"patient\"",
            ),
        }
    }
}

impl Failure {
    /// One sentence: which sites by name, which cause, what to do. Each is a row of `docs/operations.md` too.
    pub fn explain(&self, study: &Study) -> String {
        match self {
            Self::TooFew { step, needed, found, missing } => format!(
                "{} needed {needed} sites in round {} and had {found}: {}",
                step.phase,
                step.round + 1,
                sites(study, missing)
            ),
            Self::Attempts { step, made, missing } => format!(
                "round {} could not be opened in {made} attempts: {}",
                step.round + 1,
                sites(study, missing)
            ),
            Self::Budget { used, asked, most } => format!(
                "{used} of the study's {most} decryptions are used and this job needs {asked} more; found a new study"
            ),
            Self::NoKey => "there is no key for it: none was made yet, the one in use is for another circuit, or a change of the roster has ended the one \
                 that was; run its ceremony first, from the same settings, with the sites that there are"
                .to_owned(),
            Self::NoStart => {
                "the job that it starts from or asks has no result of that kind; run that one first"
                    .to_owned()
            }
            Self::Spoiled { step, made } => format!(
                "the sum of round {} did not open in {made} attempts: an upload or an opening was none, and nothing was released; \
                 use the same release everywhere, then submit the job again",
                step.round + 1
            ),
            Self::Advance { round } => format!(
                "the coordinator could not make the result of round {}; read the coordinator's log, which says why",
                round + 1
            ),
            Self::Aborted => "an administrator called it off; submit it under a new name".to_owned(),
        }
    }
}

/// Most sites that are waited for by name.
const NAMED: usize = 8;

impl StepView {
    /// Which phase it is, how many have answered, and whom it waits for, by name.
    pub fn explain(&self, study: &Study) -> String {
        let (there, all) = (self.answered.len(), self.expected.len());
        let names: Vec<String> = self.awaited().take(NAMED).map(|site| name(study, site)).collect();
        let waits = match (names.len(), self.awaited().count().saturating_sub(NAMED)) {
            (0, _) => String::new(),
            (_, 0) => format!("; waits for {}", names.join(", ")),
            (_, more) => format!("; waits for {} and {more} more", names.join(", ")),
        };
        format!("{}: {there} of {all} sites have answered{waits}", self.step.phase)
    }
}

impl JobView {
    /// Why it failed, in one sentence: which sites by name, which cause, what to do. Nothing where it did not fail.
    pub fn reason(&self, study: &Study) -> Option<String> {
        match &self.status {
            JobStatus::Failed { failure } => Some(failure.explain(study)),
            _ => None,
        }
    }
}

fn name(study: &Study, site: SiteId) -> String {
    study.name_of(site)
}

/// The missing sites by name, with cause and repair.
fn sites(study: &Study, missing: &[Missing]) -> String {
    if missing.is_empty() {
        return "no site says why; read the coordinator's log".to_owned();
    }
    let name = |m: &Missing| name(study, m.site);
    let one = |(cause, sites): &(Cause, Vec<&Missing>)| match sites.as_slice() {
        [site] => format!("{} {cause}; {}", name(site), cause.repair()),
        sites => {
            let names: Vec<String> = sites.iter().map(|site| name(site)).collect();
            format!("{} (each of them) {cause}; {}", names.join(", "), cause.repair())
        }
    };
    by_cause(missing).iter().map(one).collect::<Vec<_>>().join(". ")
}

/// The sites of each cause, in the order in which causes come first: one sentence a cause, however many sites have it.
fn by_cause(missing: &[Missing]) -> Vec<(Cause, Vec<&Missing>)> {
    let mut causes: Vec<(Cause, Vec<&Missing>)> = Vec::new();
    for m in missing {
        match causes.iter_mut().find(|(cause, _)| *cause == m.cause) {
            Some((_, sites)) => sites.push(m),
            None => causes.push((m.cause, vec![m])),
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_with_one_cause_share_a_sentence() {
        let missing = [0, 1, 2].map(|site| Missing {
            site: SiteId(site),
            cause: if site == 1 { Cause::Silent } else { Cause::Store },
        });
        let sites =
            |(cause, of): &(Cause, Vec<&Missing>)| (*cause, of.iter().map(|m| m.site.0).collect::<Vec<_>>());
        let found: Vec<_> = by_cause(&missing).iter().map(sites).collect();
        assert_eq!(found, [(Cause::Store, vec![0, 2]), (Cause::Silent, vec![1])]);
    }

    #[test]
    fn the_page_on_operations_has_every_cause() {
        let page = include_str!("../../../docs/operations.md");
        let causes = [
            Cause::Silent,
            Cause::Contribution,
            Cause::KeyEpoch,
            Cause::OtherKey,
            Cause::Spent,
            Cause::OtherOpening,
            Cause::OtherStart,
            Cause::Task,
            Cause::Payload,
            Cause::Trial,
            Cause::SpentInput,
            Cause::OtherCohort,
            Cause::Dealt,
            Cause::Copied,
            Cause::Store,
        ];
        for cause in causes {
            let name = serde_json::to_string(&cause).unwrap_or_default();
            let row = format!("| `{}` |", name.trim_matches('"'));
            assert!(page.contains(&row) && !cause.repair().is_empty(), "{row}");
        }
        for other in ["policy", "no-key", "no-start", "advance", "aborted", "budget", "attempts", "too-few"] {
            assert!(page.contains(&format!("`{other}`")), "{other}");
        }
    }
}
