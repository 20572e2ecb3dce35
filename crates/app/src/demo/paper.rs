//! Figures of the paper (Al Amin, Hasan, Hong, Ullah: arXiv 2511.20983), cited as such in reports.

/// How the report cites the source.
pub const SOURCE: &str = "arXiv 2511.20983";

/// Training accuracy of its three clients after 30 local epochs.
pub const CLIENTS: [f64; 3] = [0.9464, 0.9414, 0.9152];

/// Global accuracy in the clear.
pub const CLEAR: f64 = 0.9612;

/// Global accuracy with encrypted CLS tokens.
pub const ENCRYPTED_CLS: f64 = 0.9002;

/// Global accuracy with encrypted gradients.
pub const ENCRYPTED_GRADIENTS: f64 = 0.8535;

/// Bytes of one encrypted CLS token.
pub const TOKEN_BYTES: f64 = 326_000.0;

/// Milliseconds of one encrypted inference on a CPU.
pub const INFERENCE_MS: f64 = 66.0;
