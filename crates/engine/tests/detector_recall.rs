//! Detectors against public sets in a folder beside the project (`HOPLON_SHARED`, else `../shared`): recall and false positives as
//! numbers. Skipped, and said so, where the folder is not there.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use engine::observe::{Charset, DetectorSet, detect};
use serde_json::Value;

fn lines(path: &str) -> Option<Vec<Value>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("HOPLON_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let Ok(file) = std::fs::File::open(shared.join("data").join(path)) else {
        eprintln!("skipped: no {path}; set HOPLON_SHARED to the folder that holds data/");
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn detected(text: &str) -> DetectorSet {
    detect(text, Charset::of(text.as_bytes()))
}

#[test]
fn secrets_of_gitleaks_are_found() {
    let Some(samples) = lines("secrets_gitleaks/gitleaks_samples.jsonl.gz") else { return };
    let (mut found, mut secrets, mut alarms, mut others, mut missed) = (0, 0, 0, 0, Vec::new());
    for sample in &samples {
        let text = sample["text"].as_str().unwrap();
        let hit = !detected(text).is_empty();
        if sample["label"] == "secret" {
            secrets += 1;
            found += usize::from(hit);
            missed.extend((!hit).then_some(text));
        } else {
            others += 1;
            alarms += usize::from(hit);
        }
    }
    println!("gitleaks: {found} of {secrets} secrets found; {alarms} of {others} near misses flagged too");
    missed.iter().for_each(|text| println!("  missed: {:.100}", text.replace('\n', " ")));
    assert!(found * 100 >= secrets * 85, "recall fell below 85 %");
}

#[test]
fn personal_data_of_presidio_is_found() {
    let Some(sentences) = lines("pii_presidio/synth_dataset_v2.jsonl.gz") else { return };
    let kinds = [
        ("CREDIT_CARD", DetectorSet::CREDIT_CARD, 95),
        ("EMAIL_ADDRESS", DetectorSet::EMAIL, 95),
        ("IBAN_CODE", DetectorSet::IBAN, 95),
        ("PHONE_NUMBER", DetectorSet::PHONE, 85),
        ("US_SSN", DetectorSet::SSN, 85),
    ];
    let mut counts: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for sentence in &sentences {
        let text = sentence["text"].as_str().unwrap();
        let spans = sentence["spans"].as_array().unwrap();
        let found = detected(text);
        for (name, kind, _) in kinds {
            let is_there = spans.iter().any(|span| span["entity_type"] == name);
            let hit = found.has_any(kind);
            let [there, right, elsewhere, wrong] = counts.entry(name).or_default();
            *(if is_there { &mut *there } else { &mut *elsewhere }) += 1;
            *(if is_there { right } else { wrong }) += usize::from(hit);
            if is_there && !hit {
                println!("  missed {name}: {text:.120}");
            } else if !is_there && hit {
                println!("  false {name}: {text:.120}");
            }
        }
    }
    for (name, _, least) in kinds {
        let [there, right, elsewhere, wrong] = counts[name];
        println!("presidio {name}: {right} of {there} found; {wrong} of {elsewhere} other sentences flagged");
        assert!(right * 100 >= there * least, "recall of {name} fell below {least} %");
        assert!(wrong * 100 <= elsewhere * 3, "false positives of {name} rose above 3 %");
    }
}
