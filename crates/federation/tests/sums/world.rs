//! Sites with keys, marks and disks, and a coordinator that does what a test says.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use blindscope_aggregate::one_round::write_sum;
use blindscope_federation::sums::{
    Agreed, Agreement, Commitment, Epoch, EpochLiteral, Findings, Former, Member, Parts, Received,
    SignedUpload, SumMark, SumOpening, SumRefusal, SumRound, SumSite, Uploader, Void, bundle, open_parts,
    pairing, read_result, read_upload, sort_findings, write_upload,
};
use blindscope_federation::{Blob, Error, IdentityKey, JobId, SealingKey, SiteEntry, SiteId};
use blindscope_wire::Digest;

pub(crate) const VALUES: usize = 30;
pub(crate) const MAX: u64 = 1000;
/// What every sum here is about.
pub(crate) const ABOUT: Digest = Digest([0xab; 32]);

pub(crate) fn ids(of: impl IntoIterator<Item = u16>) -> Vec<SiteId> {
    of.into_iter().map(SiteId).collect()
}

pub(crate) fn total(values: &[Vec<u64>]) -> Vec<u64> {
    let mut sums = vec![0; values[0].len()];
    for v in values {
        sums.iter_mut().zip(v).for_each(|(s, v)| *s += v);
    }
    sums
}

/// The input of every round here, unless a test says otherwise.
pub(crate) fn input(of: u8) -> Digest {
    Digest([of; 32])
}

/// One site: its keys, what is on its disk, and its state.
pub(crate) struct Actor {
    pub(crate) me: SiteId,
    pub(crate) identity: IdentityKey,
    pub(crate) sealing: SealingKey,
    pub(crate) marks: Vec<SumMark>,
    /// Uploads by round.
    pub(crate) disk: BTreeMap<[u8; 32], Vec<u8>>,
    pub(crate) site: SumSite,
    pub(crate) rng: ChaCha20Rng,
}

impl Actor {
    /// The process ends and another begins: what is not on the disk is gone.
    pub(crate) fn restart(&mut self) {
        self.site = SumSite::default();
        for mark in &self.marks {
            self.site.apply(mark).unwrap();
        }
    }

    pub(crate) fn store(&mut self, mark: SumMark) {
        self.site.apply(&mark).unwrap();
        // Marks survive their own text.
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(serde_json::from_str::<SumMark>(&text).unwrap(), mark);
        self.marks.push(mark);
    }

    /// A copy of the disk as it is now, on another machine.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = Self {
            me: self.me,
            identity: IdentityKey::from_bytes(&self.identity.to_bytes()),
            sealing: SealingKey::from_bytes(&self.sealing.to_bytes()),
            marks: self.marks.clone(),
            disk: self.disk.clone(),
            site: SumSite::default(),
            rng: ChaCha20Rng::from_seed([99; 32]),
        };
        copy.restart();
        copy
    }

    pub(crate) fn encrypt(&mut self, round: &SumRound, values: &[u64]) -> (Vec<u8>, SignedUpload) {
        self.encrypt_for(round, values, Digest([0; 32]))
    }

    /// Encrypts for one set alone; zeros for any.
    pub(crate) fn encrypt_for(
        &mut self,
        round: &SumRound,
        values: &[u64],
        only: Digest,
    ) -> (Vec<u8>, SignedUpload) {
        let mut random = [0; 32];
        self.rng.fill_bytes(&mut random);
        let mut out = Vec::new();
        let by = Uploader { round, me: self.me, sealing: &self.sealing, signer: &self.identity, only };
        let values = || Box::new(values.iter().copied()) as Box<dyn Iterator<Item = u64> + Send + '_>;
        let upload = write_upload(&by, true, &values, &random, &mut out).unwrap();
        assert_eq!(out.len() as u64, round.upload_len(self.me, true));
        (out, upload)
    }

    /// The whole of an upload, by the rules.
    pub(crate) fn upload(
        &mut self,
        round: &SumRound,
        values: &[u64],
        input: Digest,
    ) -> Result<Vec<u8>, SumRefusal> {
        self.site.may_upload(round, &input)?;
        let (named, naming) = {
            let all = || Box::new(values.iter().copied()) as Box<dyn Iterator<Item = u64> + Send + '_>;
            self.site.name_values(&all, &self.sealing)
        };
        let mut only = self.site.bound_to(self.me, round, &input);
        let bound = self.site.bound_by_values(self.me, round, &named)?;
        if only == Digest([0; 32]) {
            only = bound;
        }
        let (bytes, upload) = self.encrypt_for(round, values, only);
        self.disk.insert(round.name().0, bytes.clone());
        if let Some(naming) = naming {
            self.store(naming);
        }
        self.store(SumSite::uploaded_values(round, &upload, (input, named)));
        Ok(bytes)
    }
}

/// A round's uploads as they came, by site.
pub(crate) type Uploads = BTreeMap<SiteId, (Received, Vec<u8>)>;

pub(crate) struct World {
    pub(crate) epoch: Epoch,
    pub(crate) actors: Vec<Actor>,
    /// What the coordinator has of each round, by site.
    pub(crate) received: BTreeMap<[u8; 32], Uploads>,
    pub(crate) sums: BTreeMap<[u8; 32], Vec<u8>>,
    /// In how many sites each site wants sets to differ at least, unless they are the same.
    pub(crate) difference: u32,
    seed: u64,
}

pub(crate) fn entry(k: usize, identity: &IdentityKey, sealing: &SealingKey) -> SiteEntry {
    SiteEntry { name: format!("site-{k}"), identity: identity.public(), sealing: sealing.public() }
}

impl World {
    pub(crate) fn new(n: usize, t: u32, z: u32, seed: u64) -> Self {
        Self::with_holders(n, t, (z, z.min(t - 1)), &ids(0..n as u16), seed)
    }

    pub(crate) fn with_holders(n: usize, t: u32, (z, f): (u32, u32), holders: &[SiteId], seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let actor = |k: usize| Actor {
            me: SiteId(k as u16),
            identity: IdentityKey::generate(&mut rng),
            sealing: SealingKey::generate(&mut rng),
            marks: Vec::new(),
            disk: BTreeMap::new(),
            site: SumSite::default(),
            rng: ChaCha20Rng::seed_from_u64(seed * 1000 + k as u64),
        };
        let actors: Vec<_> = (0..n).map(actor).collect();
        let member =
            |(k, a): (usize, &Actor)| Member { site: a.me, entry: entry(k, &a.identity, &a.sealing) };
        let literal = EpochLiteral {
            study: Digest([3; 32]),
            version: 0,
            members: actors.iter().enumerate().map(member).collect(),
            holders: holders.to_vec(),
            threshold: t,
            colluders: z,
            colluding_holders: f,
            minimum_cohort: 2,
            coins: 168,
            former: Vec::new(),
        };
        let epoch = Epoch::new(literal).unwrap();
        assert_eq!(Epoch::from_bytes(&epoch.to_bytes()).unwrap().digest(), epoch.digest());
        Self { epoch, actors, received: BTreeMap::new(), sums: BTreeMap::new(), difference: 0, seed }
    }

    pub(crate) fn round(&self, job: u8, number: u64) -> SumRound {
        SumRound::new(&self.epoch, JobId(Digest([job; 32])), number, (VALUES as u64, MAX)).unwrap()
    }

    pub(crate) fn sized_round(&self, job: u8, size: (u64, u64)) -> SumRound {
        SumRound::new(&self.epoch, JobId(Digest([job; 32])), 0, size).unwrap()
    }

    pub(crate) fn values(&self, site: SiteId, round: &SumRound) -> Vec<u64> {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed * 7919 + u64::from(site.0));
        let literal = round.plan().literal();
        (0..literal.values).map(|_| rng.next_u64() % (literal.max + 1)).collect()
    }

    /// The next version of the roster: a site goes on with new keys, over the marks that it has.
    pub(crate) fn replace(&mut self, site: SiteId, seed: u8) {
        let actor = &mut self.actors[usize::from(site.0)];
        actor.identity = IdentityKey::from_bytes(&[seed; 32]);
        actor.sealing = SealingKey::from_bytes(&[seed; 32]);
        let new = entry(usize::from(site.0), &actor.identity, &actor.sealing);
        actor.restart();
        let mut literal = self.epoch.literal().clone();
        literal.version += 1;
        let member = literal.members.iter_mut().find(|m| m.site == site).unwrap();
        literal.former.push(Former::of(member));
        member.entry = new;
        self.epoch = Epoch::new(literal).unwrap();
    }

    pub(crate) fn actor(&mut self, site: SiteId) -> &mut Actor {
        &mut self.actors[usize::from(site.0)]
    }

    pub(crate) fn receive(&mut self, round: &SumRound, site: SiteId, bytes: &[u8]) -> Result<(), Error> {
        let received = read_upload(round, site, bytes.len() as u64, &mut &bytes[..])?;
        self.received.entry(round.name().0).or_default().insert(site, (received, bytes.to_vec()));
        Ok(())
    }

    pub(crate) fn upload_all(&mut self, round: &SumRound, who: &[SiteId]) {
        self.upload_named(round, who, input(1));
    }

    /// The same data, as a coordinator calls it.
    pub(crate) fn upload_named(&mut self, round: &SumRound, who: &[SiteId], input: Digest) {
        for &site in who {
            let values = self.values(site, round);
            let bytes = self.actor(site).upload(round, &values, input).unwrap();
            self.receive(round, site, &bytes).unwrap();
        }
    }

    pub(crate) fn headers(&self, round: &SumRound) -> Vec<SignedUpload> {
        self.received[&round.name().0].values().map(|(r, _)| r.upload.clone()).collect()
    }

    /// What a holder sees of its parts.
    pub(crate) fn parts(&self, round: &SumRound, holder: SiteId) -> Result<Parts, Error> {
        let all = &self.received[&round.name().0];
        let given: Vec<_> = all.values().map(|(r, _)| (r, r.pairing.as_deref().unwrap())).collect();
        let bytes = bundle(round, holder, &given)?;
        let actor = &self.actors[usize::from(holder.0)];
        assert_eq!(
            pairing(&self.epoch, holder, (&actor.sealing, &actor.identity)).unwrap(),
            pairing(&self.epoch, holder, (&actor.sealing, &actor.identity)).unwrap()
        );
        open_parts(round, (holder, &actor.sealing), &self.headers(round), &bytes)
    }

    pub(crate) fn findings(&self, round: &SumRound, holders: &[SiteId]) -> Vec<Findings> {
        let headers = self.headers(round);
        let one = |h: &SiteId| {
            let parts = self.parts(round, *h).unwrap();
            let signer = &self.actors[usize::from(h.0)].identity;
            let bytes = Findings::sign(round, *h, &headers, &parts, signer).to_bytes(round, &headers);
            Findings::from_bytes(round, &headers, &bytes).unwrap()
        };
        holders.iter().map(one).collect()
    }

    /// Adds up bodies and names the set, whatever the rules say.
    pub(crate) fn commit(&mut self, round: &SumRound, who: &[SiteId]) -> Commitment {
        let all = &self.received[&round.name().0];
        let mut bodies: Vec<&[u8]> =
            who.iter().map(|s| &all[s].1[..round.plan().body_len() as usize]).collect();
        let mut sum = Vec::new();
        write_sum(round.plan(), &mut bodies, &mut sum).unwrap();
        let uploads = who.iter().map(|s| all[s].0.upload.clone()).collect();
        let commitment = Commitment { uploads, sum: Blob::of(&sum) };
        self.sums.insert(commitment.sum.digest.0, sum);
        commitment
    }

    /// A site's word by the rules: it judges, stores, signs.
    pub(crate) fn agree(
        &mut self,
        round: &SumRound,
        commitment: &Commitment,
        site: SiteId,
    ) -> Result<Agreement, String> {
        self.agree_with(round, commitment, site, [0; 32])
    }

    pub(crate) fn agree_with(
        &mut self,
        round: &SumRound,
        commitment: &Commitment,
        site: SiteId,
        evaluation: [u8; 32],
    ) -> Result<Agreement, String> {
        let difference = self.difference;
        let actor = self.actor(site);
        let differs = actor.site.judge_difference(round, &ABOUT, commitment, difference);
        differs.map_err(|e| e.to_string())?;
        let mark = match actor.site.judge_commitment(site, round, commitment, evaluation, (2, ABOUT)) {
            Err(Error::Sum(SumRefusal::Copied)) => {
                actor.store(SumSite::copied(site, round));
                return Err(SumRefusal::Copied.to_string());
            }
            other => other.map_err(|e| e.to_string())?,
        };
        actor.store(mark);
        let word = Agreement::sign(round, site, commitment.digest(round), evaluation, &actor.identity);
        let again = Agreement::from_bytes(round, &word.to_bytes(round)).unwrap();
        assert_eq!(again, word);
        Ok(word)
    }

    pub(crate) fn agreements(
        &mut self,
        round: &SumRound,
        commitment: &Commitment,
        who: &[SiteId],
    ) -> Vec<Agreement> {
        who.iter().filter_map(|&s| self.agree(round, commitment, s).ok()).collect()
    }

    pub(crate) fn agreed(
        &self,
        round: &SumRound,
        commitment: &Commitment,
        words: &[Agreement],
    ) -> Result<Agreed, String> {
        assert_eq!(round.epoch().digest(), self.epoch.digest());
        Agreed::new(round, commitment, words, &[]).map_err(|e| e.to_string())
    }

    pub(crate) fn agree_all(&mut self, round: &SumRound, commitment: &Commitment) -> Result<Agreed, String> {
        let all: Vec<_> = self.actors.iter().map(|a| a.me).collect();
        let words = self.agreements(round, commitment, &all);
        self.agreed(round, commitment, &words)
    }

    /// A holder's opening by the rules.
    pub(crate) fn open(
        &mut self,
        round: &SumRound,
        commitment: &Commitment,
        agreed: &Agreed,
        holder: SiteId,
    ) -> Result<SumOpening, String> {
        let parts = self.parts(round, holder).map_err(|e| e.to_string())?;
        let actor = self.actor(holder);
        let marks = actor.site.judge_opening(holder, round, commitment, agreed).map_err(|e| e.to_string())?;
        for mark in marks {
            actor.store(mark);
        }
        let opening = SumOpening::sign(round, holder, (commitment, agreed), &parts, &actor.identity);
        let opening = opening.map_err(|e| e.to_string())?;
        assert_eq!(SumOpening::from_bytes(round, &opening.to_bytes(round)).unwrap(), opening);
        Ok(opening)
    }

    pub(crate) fn open_all(
        &mut self,
        round: &SumRound,
        commitment: &Commitment,
        agreed: &Agreed,
        holders: &[SiteId],
    ) -> Vec<SumOpening> {
        holders.iter().map(|&h| self.open(round, commitment, agreed, h).unwrap()).collect()
    }

    pub(crate) fn read(
        &self,
        round: &SumRound,
        commitment: &Commitment,
        agreed: &Agreed,
        openings: &[SumOpening],
    ) -> Result<(Vec<u64>, Vec<SiteId>), String> {
        let sum = self.sums[&commitment.sum.digest.0].clone();
        let mut values = Vec::new();
        let result = read_result(
            round,
            commitment,
            agreed,
            openings,
            &mut || Ok(Box::new(std::io::Cursor::new(sum.clone()))),
            &mut |run| {
                values.extend_from_slice(run);
                Ok(())
            },
        );
        result.map(|r| (values, r.wrong)).map_err(|e| e.to_string())
    }

    /// Everything from upload to result, by the rules.
    pub(crate) fn whole(&mut self, round: &SumRound, who: &[SiteId]) -> Result<Vec<u64>, String> {
        let findings = self.findings(round, &self.epoch.literal().holders.clone());
        let sorted = sort_findings(round, &findings);
        assert!(sorted.convicted.is_empty() && sorted.left_out.is_empty());
        let commitment = self.commit(round, who);
        let agreed = self.agree_all(round, &commitment)?;
        let t = round.plan().literal().threshold as usize;
        let openings = self.open_all(round, &commitment, &agreed, &sorted.holders[..t]);
        Ok(self.read(round, &commitment, &agreed, &openings)?.0)
    }

    pub(crate) fn void(&mut self, round: &SumRound, holder: SiteId) -> Result<Void, SumRefusal> {
        let actor = self.actor(holder);
        let mark = actor.site.judge_void(round)?;
        actor.store(mark);
        let void = Void::sign(round, holder, &actor.identity);
        assert_eq!(Void::from_bytes(round, &void.to_bytes(round)).unwrap(), void);
        Ok(void)
    }

    /// A set that every site signs, whatever its rules say.
    fn agreed_lawless(&mut self, round: &SumRound, set: &[SiteId]) -> (Commitment, Agreed) {
        let commitment = self.commit(round, set);
        let sign = |a: &Actor| Agreement::sign(round, a.me, commitment.digest(round), [0; 32], &a.identity);
        let words: Vec<_> = self.actors.iter().map(sign).collect();
        let agreed = Agreed::new(round, &commitment, &words, &[]).unwrap();
        (commitment, agreed)
    }

    /// What a holder that keeps to no rule gives for a set: the sum of its parts, signed for whatever is asked.
    pub(crate) fn open_lawless(&mut self, round: &SumRound, set: &[SiteId], holder: SiteId) -> SumOpening {
        let (commitment, agreed) = self.agreed_lawless(round, set);
        self.open_lawless_of(round, &commitment, &agreed, holder)
    }

    /// A holder that opens for whatever list it is shown.
    pub(crate) fn open_lawless_of(
        &self,
        round: &SumRound,
        commitment: &Commitment,
        agreed: &Agreed,
        holder: SiteId,
    ) -> SumOpening {
        let parts = self.parts(round, holder).unwrap();
        let signer = &self.actors[usize::from(holder.0)].identity;
        SumOpening::sign(round, holder, (commitment, agreed), &parts, signer).unwrap()
    }

    /// The sum of a set as an adversary reads it from openings, agreement or not.
    pub(crate) fn read_lawless(
        &mut self,
        round: &SumRound,
        set: &[SiteId],
        openings: &[SumOpening],
    ) -> Result<Vec<u64>, String> {
        let (commitment, agreed) = self.agreed_lawless(round, set);
        Ok(self.read(round, &commitment, &agreed, openings)?.0)
    }
}
