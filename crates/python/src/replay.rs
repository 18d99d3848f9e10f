//! `hoplon._native.Replay`: stored records under another policy. Rows come as Arrow IPC streams; counts go back as a dictionary.

use std::collections::HashMap;
use std::sync::Arc;

use engine::replay::{self, Examples, Group, RuleIndex, RulePlace, RuleTally, Tally};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::explain::{Explained, load_programs};
use crate::recorded::each_row;

/// A policy that records are judged by.
#[pyclass(module = "hoplon._native")]
pub struct Replay {
    replay: replay::Replay,
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (manifest, parts, zone, *, examples = 5))]
    fn new(py: Python<'_>, manifest: &[u8], parts: HashMap<String, Vec<u8>>, zone: &str, examples: usize) -> PyResult<Self> {
        let bundle = py.detach(|| crate::load(manifest, &parts)).map_err(crate::sentences)?;
        let replay = replay::Replay::new(Arc::new(bundle), zone, examples);
        let replay = replay.ok_or_else(|| PyValueError::new_err(format!("the bundle has no zone {zone}")))?;
        Ok(Self { replay })
    }

    /// Judges the rows of an Arrow IPC stream, in the order of time; gives their number.
    fn update(&mut self, py: Python<'_>, ipc: &[u8]) -> PyResult<u64> {
        let replay = &mut self.replay;
        let read = py.detach(|| {
            each_row(ipc, |row| {
                replay.judge(row);
            })
        });
        read.map_err(PyValueError::new_err)
    }

    /// What programs come to over the one record of a stream.
    #[pyo3(signature = (ipc, programs, lists = None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        ipc: &[u8],
        programs: Vec<String>,
        lists: Option<&str>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let programs = load_programs(&programs, lists)?;
        let mut explained = Vec::new();
        let read = each_row(ipc, |row| {
            let facts = self.replay.facts(row);
            explained = programs.iter().map(|program| Explained::of(program, &facts)).collect();
        });
        match read.map_err(PyValueError::new_err)? {
            1 => explained.iter().map(|program| program.to_dict(py)).collect(),
            rows => Err(PyValueError::new_err(format!("the stream has {rows} rows, not one"))),
        }
    }

    /// Adds the counts of another replay of the same policy.
    fn merge(&mut self, other: PyRef<'_, Self>) -> PyResult<()> {
        self.replay.merge(&other.replay).map_err(PyValueError::new_err)
    }

    /// What was found so far.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally = self.replay.tally();
        let result = PyDict::new(py);
        result.set_item("records", tally.records)?;
        result.set_item("since", tally.since)?;
        result.set_item("until", tally.until)?;
        result.set_item("skipped", counts(py, &[("refused", tally.refused), ("elsewhere", tally.elsewhere)])?)?;
        let would = &tally.would;
        let groups = [("allow", &would.allow), ("log", &would.log), ("block", &would.block), ("unknown", &would.unknown)];
        result.set_item("would", counts(py, &groups.map(|(word, group)| (word, group.records)))?)?;
        let [allow, log, block, refuse] = tally.was;
        result.set_item("was", counts(py, &[("allow", allow), ("log", log), ("block", block), ("refuse", refuse)])?)?;
        result.set_item("newly_blocked", tally.newly_blocked.records)?;
        result.set_item("no_longer_blocked", tally.no_longer_blocked)?;
        result.set_item("sessions", sessions(py, tally, &groups)?)?;
        result.set_item("sessions_exact", tally.has_exact_sessions())?;
        result.set_item("rules", self.rules(py)?)?;
        result.set_item("unknown_facts", facts(py, tally)?)?;
        result.set_item("examples", examples(py, tally, &groups)?)?;
        Ok(result)
    }
}

impl Replay {
    /// Operation × rule, the most matched first.
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut rules: Vec<_> = self.replay.tally().rules.iter().collect();
        rules.sort_by_key(|(place, tally)| (std::cmp::Reverse((tally.matched, tally.unknown)), **place));
        rules.into_iter().map(|(place, tally)| self.rule(py, place, tally)).collect()
    }

    fn rule<'py>(&self, py: Python<'py>, place: &RulePlace, tally: &RuleTally) -> PyResult<Bound<'py, PyDict>> {
        let zone = self.replay.zone();
        let operation = place.operation.and_then(|index| zone.operations().list().get(index as usize));
        let row = PyDict::new(py);
        match place.rule {
            RuleIndex::Rule(rule) => {
                let rule = zone.rules().at(rule);
                row.set_item("rule", rule.map(|rule| &*rule.id))?;
                row.set_item("stage", rule.map(|rule| rule.stage.as_str()))?;
                row.set_item("action", rule.map(|rule| rule.action_word()))?;
                row.set_item("violation", rule.map(|rule| rule.violation_code()))?;
            }
            RuleIndex::Limit(limit) => {
                let limit = zone.limits().all().get(limit as usize);
                row.set_item("rule", limit.map(|limit| &*limit.id))?;
                row.set_item("stage", "limits")?;
                row.set_item("action", limit.map(|limit| limit.action_word()))?;
                row.set_item("violation", limit.map(|limit| limit.violation_code()))?;
            }
        }
        row.set_item("operation", operation.map(|operation| &*operation.id))?;
        row.set_item("operation_path", operation.map(|operation| &*operation.path))?;
        row.set_item("method", operation.map(|operation| &*operation.method))?;
        row.set_item("matched", tally.matched)?;
        row.set_item("decided", tally.decided)?;
        row.set_item("unknown", tally.unknown)?;
        row.set_item("sessions", tally.callers.count())?;
        row.set_item("examples", ids(&tally.examples))?;
        Ok(row)
    }
}

fn counts<'py>(py: Python<'py>, counts: &[(&str, u64)]) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    counts.iter().try_for_each(|(word, count)| row.set_item(word, count))?;
    Ok(row)
}

fn sessions<'py>(py: Python<'py>, tally: &Tally, groups: &[(&str, &Group)]) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("all", tally.callers.count())?;
    groups.iter().try_for_each(|(word, group)| row.set_item(word, group.callers.count()))?;
    Ok(row)
}

/// By how many verdicts they left open.
fn facts<'py>(py: Python<'py>, tally: &Tally) -> PyResult<Bound<'py, PyDict>> {
    let mut facts: Vec<_> = tally.unknown_facts.iter().map(|(fact, count)| (*fact, *count)).collect();
    facts.sort_by_key(|(fact, count)| (std::cmp::Reverse(*count), *fact));
    counts(py, &facts)
}

fn examples<'py>(py: Python<'py>, tally: &Tally, groups: &[(&str, &Group)]) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    for (word, group) in groups.iter().filter(|(word, _)| *word != "allow") {
        row.set_item(word, ids(&group.examples))?;
    }
    row.set_item("newly_blocked", ids(&tally.newly_blocked.examples))?;
    Ok(row)
}

fn ids(examples: &Examples) -> Vec<&str> {
    examples.0.iter().map(|id| &**id).collect()
}
