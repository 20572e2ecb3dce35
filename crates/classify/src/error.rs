//! What encrypted inference refuses.

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What was refused, with both values and the repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An answer that opens to no logits.
    #[error(
        "open answer: its slots are off the real line by {found:.3}, an answer's by {most:.3} at most; it was made under another key, or of a wrong share: ask again"
    )]
    NotOpened {
        /// The largest part that is not real.
        found: f64,
        /// The largest that an answer's error can be.
        most: f64,
    },
    /// A head's file is not the JSON of a head.
    #[error("head or plan: {0}; write it as the documentation of HeadLiteral or PlanLiteral says")]
    Json(#[from] serde_json::Error),
    /// A head's file is not `safetensors`.
    #[error("head: {0}; write it as docs/inference.md says")]
    SafeTensors(#[from] safetensors::SafeTensorError),
    /// A tensor of a head cannot be used.
    #[error("head: {name} is {found}, expected {expected}")]
    Tensor {
        /// The tensor.
        name: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A file is too large to read.
    #[error("{what}: {found} bytes, at most {most} are read; is this the right file?")]
    TooLarge {
        /// What was to be read.
        what: &'static str,
        /// Bytes found.
        found: usize,
        /// Most bytes.
        most: usize,
    },
    /// A part of a head has the wrong length.
    #[error("{field} is {found} long or large, expected {expected}")]
    Length {
        /// The part.
        field: &'static str,
        /// Its length.
        found: usize,
        /// What it should be.
        expected: String,
    },
    /// A class of a head cannot be called that.
    #[error("head: class {index} is called `{name}`, expected a name of its own of 1 to {most} bytes")]
    ClassName {
        /// Which class.
        index: usize,
        /// Its name, cut where it is long.
        name: String,
        /// Most bytes of a name.
        most: usize,
    },
    /// What a head names as its backbone is no digest.
    #[error(
        "head: its backbone is `{found}`, expected the 64 hexadecimal digits that `blindscope model show` prints"
    )]
    Backbone {
        /// What stands there, cut where it is long.
        found: String,
    },
    /// A number in a head cannot be used.
    #[error("{field} holds {value}, expected {expected}")]
    Value {
        /// The part.
        field: &'static str,
        /// The number.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A token of another width.
    #[error("{op}: token {index} has width {found}, the head takes {expected}")]
    Width {
        /// The operation.
        op: &'static str,
        /// Which token.
        index: usize,
        /// Its width.
        found: usize,
        /// The head's width.
        expected: usize,
    },
    /// A token holds something that is not a number.
    #[error("{op}: token {index} holds {value} at place {place}; features must be finite")]
    NotFinite {
        /// The operation.
        op: &'static str,
        /// Which token.
        index: usize,
        /// Where in it.
        place: usize,
        /// The value.
        value: f64,
    },
    /// A linear head that stays encrypted under a collective key.
    #[error(
        "plan: a linear head is not kept encrypted under a collective key: an asker that encodes numbers beyond the plan reads the \
         low bits of its ciphertexts in three answers, and with them the key. Take a head with a square (a polynomial one), or publish \
         the linear one"
    )]
    LinearCollective,
    /// No plan fits.
    #[error("plan: {what} needs {needed}, {most} is the most; {hint}")]
    NoPlan {
        /// What is short.
        what: &'static str,
        /// How much of it the head needs.
        needed: usize,
        /// How much there is.
        most: usize,
        /// How to repair it.
        hint: &'static str,
    },
    /// The head's answers could overflow the smallest modulus.
    #[error(
        "plan: logits may reach {largest:.3e}, the modulus holds {room:.3e}; \
         lower the normalisation's bound or scale the head down"
    )]
    Overflow {
        /// Largest logit by the head's weights and the input bound.
        largest: f64,
        /// Largest that fits.
        room: f64,
    },
    /// Something made for another plan.
    #[error("{op}: made for plan {found}, this is plan {expected}; plan again with the same head and policy")]
    OtherPlan {
        /// The operation.
        op: &'static str,
        /// Its plan.
        found: String,
        /// This plan.
        expected: String,
    },
    /// A ciphertext of another form than the plan has in its place.
    #[error("{op}: a ciphertext of {found}, the plan has {expected} there; encrypt it anew under this plan")]
    Form {
        /// The operation.
        op: &'static str,
        /// Its components, level, scale and parameters.
        found: String,
        /// Those of its place.
        expected: String,
    },
    /// A key that the plan does not name.
    #[error("{op}: {found}, the plan names {expected}; make the keys anew for this plan")]
    OtherKey {
        /// The operation.
        op: &'static str,
        /// The key.
        found: String,
        /// The one that belongs there.
        expected: String,
    },
    /// Too many or too few of something.
    #[error("{op}: {found} {what}, expected {expected}")]
    Count {
        /// The operation.
        op: &'static str,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: String,
    },
    /// The error that was asked for cannot be promised.
    #[error("plan: logits would be off by up to {found:.3e}, at most {most:.3e} is allowed; {hint}")]
    TooCoarse {
        /// The bound that can be promised.
        found: f64,
        /// The largest that says anything.
        most: f64,
        /// How to repair it.
        hint: &'static str,
    },
    /// The asker has asked enough.
    #[error(
        "asking {asked} tokens after {used}: the release policy allows {limit} an asker; ask the model's owner for more"
    )]
    QueryLimit {
        /// Tokens answered so far.
        used: u64,
        /// Tokens asked now.
        asked: u64,
        /// Tokens allowed in all.
        limit: u64,
    },
    /// A plan that does not offer what was called.
    #[error("{op}: this plan is for {found}, the operation is for {expected}; plan with another policy")]
    OtherMode {
        /// The operation.
        op: &'static str,
        /// What the plan is for.
        found: &'static str,
        /// What the operation is for.
        expected: &'static str,
    },
    /// Reading or writing a stream failed.
    #[error("{op}: {source}")]
    Stream {
        /// The operation.
        op: &'static str,
        /// What happened.
        source: std::io::Error,
    },
    /// The key that relinearises is missing.
    #[error("{op}: this plan squares ciphertexts; send a relinearisation key")]
    MissingRelinKey {
        /// The operation.
        op: &'static str,
    },
    /// The key that switches answers to a smaller ring is missing.
    #[error("{op}: this plan answers in a smaller ring; send a ring-switching key")]
    MissingRingSwitchKey {
        /// The operation.
        op: &'static str,
    },
    /// The key for encryptions of zero is missing: without them an answer would show how it was computed.
    #[error("{op}: answers carry encryptions of zero; send a zero key")]
    MissingZeroKey {
        /// The operation.
        op: &'static str,
    },
    /// From the scheme.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::Error),
    /// From bytes.
    #[error("{object}: {source}")]
    Wire {
        /// What was read.
        object: &'static str,
        /// What is wrong with it.
        source: blindscope_wire::Error,
    },
}
