//! The generated gRPC stubs.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    dead_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]

pub(crate) mod federation {
    include!(concat!(env!("OUT_DIR"), "/blindscope.v1.Federation.rs"));
}
pub(crate) mod admin {
    include!(concat!(env!("OUT_DIR"), "/blindscope.v1.Admin.rs"));
}
pub(crate) mod predict {
    include!(concat!(env!("OUT_DIR"), "/blindscope.v1.Predict.rs"));
}
pub(crate) mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.Health.rs"));
}
