//! Generates the gRPC stubs from the method table below. The messages are written by hand in `src/message.rs`, so
//! neither `protoc` nor a parser of protocol files is needed; `proto/blindscope.proto` says the same to other languages.

use tonic_build::manual::{Builder, Method, Service};

/// How many messages go each way.
#[derive(Clone, Copy)]
enum Flow {
    /// One and one.
    Call,
    /// Many from the client, one back.
    Up,
    /// One from the client, many back.
    Down,
    /// Many both ways.
    Both,
}

/// (service, [(rust name, route, flow, request, reply)])
type Table<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str, Flow, &'a str, &'a str)]);

const SERVICES: &[Table<'_>] = &[
    (
        "Federation",
        "blindscope.v1",
        &[
            ("join", "Join", Flow::Call, "Hello", "Welcome"),
            ("next", "Next", Flow::Call, "Poll", "Polled"),
            ("fetch", "Fetch", Flow::Down, "Wanted", "Piece"),
            ("submit", "Submit", Flow::Up, "Piece", "Receipt"),
        ],
    ),
    (
        "Admin",
        "blindscope.v1",
        &[
            ("submit_job", "SubmitJob", Flow::Call, "Document", "Document"),
            ("list_jobs", "ListJobs", Flow::Call, "Document", "Document"),
            ("abort_job", "AbortJob", Flow::Call, "Document", "Document"),
            ("list_sites", "ListSites", Flow::Call, "Document", "Document"),
            ("roster", "Roster", Flow::Call, "Document", "Document"),
            ("quotas", "Quotas", Flow::Call, "Document", "Document"),
            ("watch_job", "WatchJob", Flow::Down, "Document", "Document"),
            ("log", "Log", Flow::Down, "Document", "Document"),
        ],
    ),
    (
        "Predict",
        "blindscope.v1",
        &[
            ("offer", "Offer", Flow::Call, "Document", "Document"),
            ("put_keys", "PutKeys", Flow::Up, "Piece", "Receipt"),
            ("infer", "Infer", Flow::Both, "Piece", "Piece"),
        ],
    ),
    ("Health", "grpc.health.v1", &[("check", "Check", Flow::Call, "HealthQuery", "HealthReply")]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let services: Vec<Service> = SERVICES.iter().map(service).collect();
    Builder::new().compile(&services);
}

fn service((name, package, methods): &Table<'_>) -> Service {
    methods
        .iter()
        .fold(
            Service::builder().name(name).package(package),
            |service, (name, route, flow, input, output)| {
                let method = Method::builder()
                    .name(name)
                    .route_name(route)
                    .input_type(format!("crate::message::{input}"))
                    .output_type(format!("crate::message::{output}"))
                    .codec_path("tonic_prost::ProstCodec");
                let method = match flow {
                    Flow::Call => method,
                    Flow::Up => method.client_streaming(),
                    Flow::Down => method.server_streaming(),
                    Flow::Both => method.client_streaming().server_streaming(),
                };
                service.method(method.build())
            },
        )
        .build()
}
