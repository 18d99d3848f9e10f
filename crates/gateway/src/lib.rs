//! Hoplon's data plane: clients in, the engine's verdict, upstreams out. The only crate that does network I/O.
//!
//! [`run`] is the process; [`server::Gateway`] the same without signals, for tests and benchmarks.

#![deny(unsafe_code)]

mod acceptor;
mod alerts;
mod background;
mod body;
mod bundles;
mod calendar;
mod certificates;
mod client_io;
pub mod clock;
pub mod config;
mod connection;
mod exchange;
mod files;
mod guarded;
pub mod h1_guard;
mod h2_flood;
mod handover;
pub mod headers;
pub mod hosts;
mod instance;
mod judge;
mod keys;
pub mod limits;
mod local;
mod log;
pub mod metrics;
mod mode;
mod places;
pub mod problem;
mod proxy;
mod proxy_protocol;
pub mod quota;
pub mod records;
pub mod server;
mod services;
pub mod shared;
mod shutdown;
mod status;
mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timer;
mod tls;
pub mod token_secrets;
mod upgrade;
mod upstream;
mod worker;

pub use config::Config;
pub use shutdown::run;
