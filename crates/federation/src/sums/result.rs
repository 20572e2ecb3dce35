//! The result, as whoever relies on it computes it: from openings that name one set, one sum and one list of evaluations.

use std::io::Read;

use super::{Agreed, CommittedSet, SumOpening, SumRefusal, SumRound};
use crate::{Error, Result, SiteId};
use blindscope_aggregate::one_round::{evaluate_sum, open_sum, opens_first_chunk, recover_key};

/// How a sum was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumResult {
    /// Holders whose opening is not on the polynomial that the others share.
    pub wrong: Vec<SiteId>,
}

/// The integers of an agreed sum, in order, into `sink`. `sum` gives the sum's bytes from their beginning each time.
///
/// Of a large round it is the sum of the committed bodies, or nothing is released; of a small one every signer has added it up.
///
/// # Errors
/// [`SumRefusal::Openings`] for fewer than `t` openings of this set, sum and list; [`SumRefusal::NotTheSum`] for another sum than
/// the one that was named; [`Error::Aggregate`] where keys, noise or bytes are not those of a sum: nothing that `sink` was given
/// may be used then.
pub fn read_result(
    round: &SumRound,
    commitment: &dyn CommittedSet,
    agreed: &Agreed,
    openings: &[SumOpening],
    sum: &mut dyn FnMut() -> Result<Box<dyn Read + Send>>,
    sink: &mut dyn FnMut(&[u64]) -> blindscope_aggregate::Result<()>,
) -> Result<SumResult> {
    let plan = round.plan();
    if commitment.digest(round) != agreed.commitment() {
        return Err(SumRefusal::OtherSet { what: "result" }.into());
    }
    let list = agreed.list();
    let fits = |o: &&SumOpening| o.commitment == agreed.commitment() && o.list == list;
    let mut usable: Vec<_> = openings.iter().filter(fits).map(|o| o.parts.clone()).collect();
    usable.sort_by_key(blindscope_aggregate::one_round::PartSum::holder);
    usable.dedup_by_key(|o| o.holder());
    let (found, needed) = (usable.len() as u64, u64::from(plan.literal().threshold));
    if found < needed {
        return Err(SumRefusal::Openings { found, needed }.into());
    }
    if let Some(total) = agreed.total()? {
        let at = commitment.challenge(round);
        if evaluate_sum(plan, &at, &mut sum()?)? != total {
            return Err(SumRefusal::NotTheSum.into());
        }
    }
    let terms = commitment.sites().len() as u64;
    let mut failed = None;
    let mut probe = |key: &_| {
        let mut from = match sum() {
            Ok(from) => from,
            Err(e) => {
                failed = Some(e);
                return Err(blindscope_aggregate::Error::WrongOpenings { found, needed });
            }
        };
        opens_first_chunk(plan, round.id(), key, &mut from)
    };
    let recovered = recover_key(plan, terms, &usable, &mut probe);
    if let Some(error) = failed {
        return Err(error);
    }
    let recovered = recovered?;
    open_sum(plan, round.id(), &recovered.key, &mut sum()?, sink).map_err(Error::from)?;
    let holders = &round.epoch().literal().holders;
    let wrong = recovered.wrong.iter().filter_map(|&place| holders.get(place as usize).copied());
    Ok(SumResult { wrong: wrong.collect() })
}
