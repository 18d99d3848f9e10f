//! The gateway as a plain executable, for measuring without Python: `serve config.json`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), String> {
    let path = std::env::args().nth(1).ok_or("usage: serve config.json")?;
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    std::process::exit(gateway::run(gateway::Config::parse(&text)?));
}
