//! What leaders and workers read of one another, through the queue and in the object store: refused, or taken as something that is written again
//! as bytes that mean the same. Who reaches the queue or the bucket can put there what it likes.

use serde_json::{Value, json};

use blindscope_federation::{
    Blob, Change, IdentityKey, JobId, JobSpec, Outcome, Output, Phase, Portion, SealingKey, SignedChange,
    Signer as _, SiteEntry, SiteId, Step, Work,
};
use blindscope_node::outside::Form;
use blindscope_testkit::patched;
use blindscope_wire::Digest;

/// The study's name in messages.
const STUDY: &str = "0303030303030303030303030303030303030303030303030303030303030303";
/// Of messages and parcels.
const VERSION: u32 = 2;
const MAGIC: &[u8] = b"bswork1\n";
/// Longest message of the queue.
const LONGEST: usize = 4096;

/// A valid object of each kind, written by hand.
pub(crate) struct Toy {
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

fn object(of: &[u8]) -> Value {
    json!({ "blob": Blob::of(of), "name": "work/0a-1b" })
}

/// Text and small blobs behind a head, as `parcel.rs` of the services says.
fn parcel(what: &Value, small: &[&[u8]]) -> Vec<u8> {
    let names: Vec<Blob> = small.iter().map(|bytes| Blob::of(bytes)).collect();
    let large = [object(b"an upload")];
    let text = json!({ "version": VERSION, "study": STUDY, "what": what, "small": names, "large": large })
        .to_string();
    [MAGIC, &(text.len() as u32).to_le_bytes(), text.as_bytes(), &small.concat()].concat()
}

/// The small blobs of a parcel: what is behind its text.
fn bodies(parcel: &[u8]) -> Option<&[u8]> {
    let (len, rest) = parcel.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    rest.get(u32::from_le_bytes(*len) as usize..)
}

/// A change that somebody signed.
fn change() -> SignedChange {
    let (identity, sealing) = (IdentityKey::from_bytes(&[9; 32]), SealingKey::from_bytes(&[9; 32]));
    let late = SiteEntry { name: "late".to_owned(), identity: identity.public(), sealing: sealing.public() };
    let (study, from) = (Digest([3; 32]), Digest([4; 32]));
    let change = Change { study, from, joins: vec![late], leaves: vec![SiteId(2)], replaces: Vec::new() };
    SignedChange { change, signatures: vec![(SiteId(0), identity.sign(&from))] }
}

fn pieces() -> [Value; 3] {
    let step = Step { job: JobId(Digest([1; 32])), round: 0, attempt: 0, phase: Phase::Upload };
    let spec = JobSpec { values: 10, max: 7, ..JobSpec::named("sum") };
    let uploads = vec![(SiteId(0), Blob::of(b"an upload"))];
    let work = Work::Intake { step, spec: spec.clone(), input: None, uploads, pairs: Vec::new() };
    let (keys, seed) = (Blob::of(b"keys"), [7_u8; 32]);
    let asked = json!({
        "spec": spec, "result": keys, "batch": 4, "precision": 12, "keys": keys, "question": keys, "seed": seed,
    });
    let portion = Portion { sites: vec![SiteId(0)], made: Blob::of(b"a portion") };
    [
        json!({ "combine": { "changes": [change()], "work": work, "portions": [portion] } }),
        json!({ "go-over": { "changes": [change()], "work": work, "sites": [SiteId(0)] } }),
        json!({ "answer": asked }),
    ]
}

fn outcomes() -> [Value; 4] {
    let blob = Blob::of(b"headers");
    let output = Output { each: vec![blob; 2], pairs: vec![(SiteId(1), blob)], ..Output::shared(blob) };
    let portion = Portion { sites: vec![SiteId(0)], made: blob };
    [
        json!({ "combined": output }),
        json!({ "went-over": portion }),
        json!({ "opened": Outcome::Final(blob) }),
        json!({ "answered": blob }),
    ]
    .map(|made| json!({ "piece": blob, "made": made }))
}

impl Toy {
    /// Of a study whose name is known.
    pub(crate) fn new() -> Self {
        let (piece, at) = (Blob::of(b"a piece"), vec![Blob::of(b"a piece"); 3]);
        let message = |key: &str, value: &Value| {
            let mut all = json!({ "version": VERSION, "study": STUDY });
            all[key] = value.clone();
            all
        };
        let mut answer = message("piece", &json!(piece));
        answer["made"] = object(b"an outcome");
        let mut beat = message("at", &json!(at));
        beat["worker"] = json!("w");
        beat["pieces"] = json!(2);
        let messages = [message("piece", &object(b"a piece")), answer, beat];
        let messages = messages.map(|message| message.to_string().into_bytes());
        let pieces = pieces().map(|piece| (3, parcel(&piece, &[b"a small one", b""])));
        let outcomes = outcomes().map(|ended| (4, parcel(&ended, &[b"headers"])));
        let all = (0..).zip(messages).chain(pieces).chain(outcomes);
        Self { seeds: all.map(|(which, bytes): (u8, _)| [&[which], &bytes[..]].concat()).collect() }
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        Self::decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the form. Returns whether it was accepted.
    pub(crate) fn decode(data: &[u8]) -> bool {
        let [which, bytes @ ..] = data else { return false };
        let form = Form::ALL[usize::from(*which) % Form::ALL.len()];
        let Some(again) = form.again(bytes, STUDY) else { return false };
        assert!(form.again(&again, STUDY).as_ref() == Some(&again), "{form:?}: written as something else");
        assert!(form.again(&again, &STUDY.replace('3', "4")).is_none(), "{form:?}: taken in another study");
        match form {
            Form::Work | Form::Answer | Form::Beat => assert!(bytes.len() <= LONGEST, "{form:?}: too long"),
            Form::Piece | Form::Outcome => {
                assert!(bodies(bytes) == bodies(&again), "{form:?}: other small blobs");
            }
        }
        true
    }
}
