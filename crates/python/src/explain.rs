//! Why a request is judged as it is: each rule's answer and the time it took, and the value of every node of programs that are
//! handed in. And what the rule language's compiler asks of the engine before anything is in a bundle.

use std::time::Instant;

use engine::program::{Lists, ListsPart, Program, ProgramEntry, Traced, Truth, compile_regex};
use engine::{Facts, Scene, Type};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// How often a program is run for its time, after a first run that fills what facts keep.
const RUNS: u32 = 16;

/// The sentence why the engine does not take this regular expression; None when it does.
#[pyfunction]
pub fn check_regex(pattern: &str) -> Option<String> {
    compile_regex(pattern).err()
}

/// The mistake (place, message) of a program in JSON that may name the lists of a `lists` part in JSON; None when it loads.
#[pyfunction]
#[pyo3(signature = (program, lists = None))]
pub fn check_program(program: &str, lists: Option<&str>) -> PyResult<Option<(String, String)>> {
    let lists = read_lists(lists)?;
    let entry = serde_json::from_str::<ProgramEntry>(program);
    Ok(match entry {
        Err(error) => Some((String::new(), format!("cannot be read: {error}"))),
        Ok(entry) => Program::load(&entry, &lists).err(),
    })
}

fn read_lists(lists: Option<&str>) -> PyResult<Lists> {
    let Some(text) = lists else { return Ok(Lists::new()) };
    let part: ListsPart = serde_json::from_str(text).map_err(|error| PyValueError::new_err(format!("lists: {error}")))?;
    part.load().map_err(|mistakes| {
        let lines: Vec<_> = mistakes.iter().map(|(place, message)| format!("{place} {message}")).collect();
        PyValueError::new_err(lines.join("\n"))
    })
}

/// Loads programs that are in no bundle.
///
/// # Errors
/// The first that does not load.
pub fn load_programs(programs: &[String], lists: Option<&str>) -> PyResult<Vec<Program>> {
    let lists = read_lists(lists)?;
    let load = |text: &String| {
        let entry: ProgramEntry = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Program::load(&entry, &lists).map_err(|(place, message)| format!("{place} {message}"))
    };
    programs.iter().map(load).collect::<Result<_, _>>().map_err(PyValueError::new_err)
}

/// One rule's or program's answer.
pub struct Answer {
    result: &'static str,
    nanoseconds: f64,
}

impl Answer {
    fn of(program: &Program, facts: &impl Facts) -> Self {
        let truth = program.truth(facts);
        let started = Instant::now();
        for _ in 0..RUNS {
            std::hint::black_box(program.truth(facts));
        }
        Self { result: word(truth), nanoseconds: started.elapsed().as_nanos() as f64 / f64::from(RUNS) }
    }
}

fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
        Truth::Error(error) => error.as_str(),
    }
}

/// One rule, as it was asked.
pub struct Asked {
    id: String,
    stage: &'static str,
    phase: &'static str,
    answer: Answer,
}

/// One program's answer, its type and its nodes.
pub struct Explained(Answer, Type, Vec<Traced>);

impl Explained {
    /// Asks a program.
    pub fn of(program: &Program, facts: &impl Facts) -> Self {
        Self(Answer::of(program, facts), program.result(), program.trace(facts))
    }

    /// As `Engine.explain` gives it.
    pub fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Self(given, result_type, nodes) = self;
        let row = answer(py, given)?;
        row.set_item("type", result_type.to_string())?;
        row.set_item("nodes", nodes.iter().map(|node| traced(py, node)).collect::<PyResult<Vec<_>>>()?)?;
        Ok(row)
    }
}

/// Everything that is explained of one request.
pub struct Explanation {
    rules: Vec<Asked>,
    programs: Vec<Explained>,
}

impl Explanation {
    /// Asks the rules that are about the request, in their order, and these programs.
    pub fn of(scene: &Scene<'_>, programs: &[Program]) -> Self {
        let rules = scene.seen.zone().into_iter().flat_map(|zone| zone.rules().about_request(scene.seen));
        let asked = rules.map(|rule| Asked {
            id: rule.id.to_string(),
            stage: rule.stage.as_str(),
            phase: rule.phase.as_str(),
            answer: Answer::of(&rule.when, scene),
        });
        Self { rules: asked.collect(), programs: programs.iter().map(|program| Explained::of(program, scene)).collect() }
    }

    /// As `Engine.explain` gives it.
    pub fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let rules = self.rules.iter().map(|asked| {
            let row = answer(py, &asked.answer)?;
            row.set_item("id", &asked.id)?;
            row.set_item("stage", asked.stage)?;
            row.set_item("phase", asked.phase)?;
            Ok(row)
        });
        let programs = self.programs.iter().map(|program| program.to_dict(py));
        let explanation = PyDict::new(py);
        explanation.set_item("rules", rules.collect::<PyResult<Vec<_>>>()?)?;
        explanation.set_item("programs", programs.collect::<PyResult<Vec<_>>>()?)?;
        Ok(explanation)
    }
}

fn answer<'py>(py: Python<'py>, answer: &Answer) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("result", answer.result)?;
    row.set_item("nanoseconds", answer.nanoseconds)?;
    Ok(row)
}

/// `{"state": "value", "value": …}`.
fn traced<'py>(py: Python<'py>, node: &Traced) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    let state = match node {
        Traced::Missing => "missing",
        Traced::NotRecorded => "not_recorded",
        Traced::Error(_) => "error",
        Traced::Redacted(_) => "redacted",
        _ => "value",
    };
    row.set_item("state", state)?;
    row.set_item("value", plain(py, node)?)?;
    Ok(row)
}

fn plain<'py>(py: Python<'py>, node: &Traced) -> PyResult<Bound<'py, PyAny>> {
    Ok(match node {
        Traced::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Traced::Integer(value) => value.into_pyobject(py)?.into_any(),
        Traced::Text(text) => text.into_pyobject(py)?.into_any(),
        Traced::Redacted(what) => format!("<{what}>").into_pyobject(py)?.into_any(),
        Traced::Error(word) => word.into_pyobject(py)?.into_any(),
        Traced::Missing | Traced::NotRecorded => py.None().into_bound(py),
        Traced::Array(items) => {
            PyList::new(py, items.iter().map(|item| plain(py, item)).collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        Traced::Map(entries) => {
            let map = PyDict::new(py);
            for (name, value) in entries {
                map.set_item(name, plain(py, value)?)?;
            }
            map.into_any()
        }
    })
}
