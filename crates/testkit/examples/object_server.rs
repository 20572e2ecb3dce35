//! A bucket of an object store on this machine, for trials and measurements: `object_server FOLDER ADDRESS:PORT`, until it is killed.
//! Each folder below `FOLDER` is a bucket.
#![allow(clippy::print_stdout, reason = "an example")]

use std::path::Path;

use blindscope_testkit::s3::{KEYS, ObjectServer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, address] = arguments.as_slice() else {
        return Err("usage: object_server FOLDER ADDRESS:PORT".into());
    };
    let server = ObjectServer::start(Path::new(root), address.parse()?)?;
    println!("AWS_ENDPOINT_URL=http://{} AWS_ALLOW_HTTP=true", server.address());
    println!("AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}", KEYS.0, KEYS.1);
    loop {
        std::thread::park();
    }
}
