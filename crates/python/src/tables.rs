//! The engine's own tables (facts, columns, violation codes), as Python lists: the documentation is made from them.

use engine::record::{FieldDef, OBSERVATION_FIELDS, RECORD_FIELDS, SCHEMA_VERSION, VIOLATION_FIELDS};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Every fact: name, type, phase, cost, whether records can answer it in a replay, source, doc.
#[pyfunction]
pub fn fact_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    engine::features::all_facts()
        .map(|fact| {
            let row = PyDict::new(py);
            row.set_item("name", fact.name)?;
            row.set_item("type", fact.fact_type.to_string())?;
            row.set_item("phase", fact.phase.as_str())?;
            row.set_item("cost", fact.cost.as_str())?;
            row.set_item("replay", if engine::replay::is_recorded(fact.name) { "yes" } else { "no" })?;
            row.set_item("source", fact.source)?;
            row.set_item("doc", fact.doc)?;
            Ok(row)
        })
        .collect()
}

/// Every function of the rule language that the engine runs.
#[pyfunction]
pub fn function_names() -> Vec<&'static str> {
    engine::program::Function::names().collect()
}

/// Every violation code: code, location, doc; refusals (`protocol.*`) first.
#[pyfunction]
pub fn violation_codes(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    engine::features::violation_codes()
        .map(|code| {
            let row = PyDict::new(py);
            row.set_item("code", code.code)?;
            row.set_item("location", code.location)?;
            row.set_item("doc", code.doc)?;
            Ok(row)
        })
        .collect()
}

/// The three tables of records: their version, and each table's columns.
#[pyfunction]
pub fn record_schema(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let schema = PyDict::new(py);
    schema.set_item("version", SCHEMA_VERSION)?;
    for (table, fields) in [("records", RECORD_FIELDS), ("violations", VIOLATION_FIELDS), ("observations", OBSERVATION_FIELDS)] {
        schema.set_item(table, columns(py, fields)?)?;
    }
    Ok(schema)
}

fn columns<'py>(py: Python<'py>, fields: &[FieldDef]) -> PyResult<Vec<Bound<'py, PyDict>>> {
    fields
        .iter()
        .map(|field| {
            let row = PyDict::new(py);
            row.set_item("name", field.name)?;
            row.set_item("type", field.field_type.as_str())?;
            row.set_item("nullable", field.nullable)?;
            row.set_item("doc", field.doc)?;
            Ok(row)
        })
        .collect()
}

/// Every metric of the gateway: name, kind, labels, help.
#[pyfunction]
pub fn metric_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    gateway::metrics::table::METRICS
        .iter()
        .map(|metric| {
            let row = PyDict::new(py);
            row.set_item("name", metric.sample_name())?;
            row.set_item("kind", metric.kind.as_str())?;
            row.set_item("labels", metric.labels)?;
            row.set_item("help", metric.help)?;
            Ok(row)
        })
        .collect()
}

/// A target's path as it goes upstream, and what was not normal in it.
#[pyfunction]
#[pyo3(signature = (path, merge_slashes = false))]
pub fn normalise_path(path: &str, merge_slashes: bool) -> PyResult<(String, Vec<&'static str>)> {
    let normal = engine::url::normalise_path(path, merge_slashes).map_err(|refusal| PyValueError::new_err(refusal.code()))?;
    Ok((normal.path.into_owned(), normal.anomalies.names().collect()))
}
