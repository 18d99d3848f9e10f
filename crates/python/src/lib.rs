//! `hoplon._native`: the engine and the gateway as Python sees them. Conversions only; every decision is the engine's, every
//! socket the gateway's. The classes and functions are described for Python in `src/hoplon/_native.pyi`.

mod exchange;
mod explain;
mod inspection;
mod recorded;
mod replay;
mod rows;
mod tables;
mod tokens;

use std::collections::HashMap;

use engine::Bundle;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Version of the Rust half.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Runs the gateway until a signal ends it; gives its exit code. The interpreter is left for good: no Python runs meanwhile.
#[pyfunction]
fn serve(py: Python<'_>, config_json: &str) -> PyResult<i32> {
    let config = gateway::Config::parse(config_json).map_err(PyValueError::new_err)?;
    Ok(py.detach(|| gateway::run(config)))
}

/// Every reason why the engine would not load this bundle, as (path, message); empty when it would.
#[pyfunction]
fn check_bundle(py: Python<'_>, manifest: &[u8], parts: HashMap<String, Vec<u8>>) -> Vec<(String, String)> {
    py.detach(|| match load(manifest, &parts) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.into_iter().map(|error| (error.path, error.message)).collect(),
    })
}

/// Parts are named by the SHA-256 of their bytes.
fn load(manifest: &[u8], parts: &HashMap<String, Vec<u8>>) -> Result<Bundle, engine::LoadErrors> {
    Bundle::load(manifest, &mut |hash| parts.get(hash).cloned().ok_or_else(|| "the part is missing".to_owned()))
}

/// Every reason why a bundle does not load, one a line.
fn sentences(errors: engine::LoadErrors) -> PyErr {
    let lines: Vec<_> = errors.0.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
    PyValueError::new_err(lines.join("\n"))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<inspection::Engine>()?;
    module.add_class::<replay::Replay>()?;
    module.add_class::<exchange::Exchange>()?;
    module.add_function(wrap_pyfunction!(version, module)?)?;
    module.add_function(wrap_pyfunction!(serve, module)?)?;
    module.add_function(wrap_pyfunction!(check_bundle, module)?)?;
    module.add_function(wrap_pyfunction!(explain::check_regex, module)?)?;
    module.add_function(wrap_pyfunction!(explain::check_program, module)?)?;
    module.add_function(wrap_pyfunction!(tables::fact_table, module)?)?;
    module.add_function(wrap_pyfunction!(tables::function_names, module)?)?;
    module.add_function(wrap_pyfunction!(tables::record_schema, module)?)?;
    module.add_function(wrap_pyfunction!(tables::violation_codes, module)?)?;
    module.add_function(wrap_pyfunction!(tables::metric_table, module)?)?;
    module.add_function(wrap_pyfunction!(tables::normalise_path, module)?)?;
    module.add_function(wrap_pyfunction!(tokens::check_token_key, module)?)?;
    module.add_function(wrap_pyfunction!(tokens::check_claim_path, module)?)?;
    Ok(())
}
