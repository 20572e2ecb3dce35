//! The feature-major packing: thousands of tokens, high throughput.

mod layout;
mod server;

pub use layout::FeatureLayout;
pub(crate) use server::FeatureServer;
