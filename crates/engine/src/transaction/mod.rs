//! One request and its response while they pass. Driven phase by phase; each phase answers what was decided or what is needed
//! to decide. Pins the bundle it began with. Clock, randomness, bodies and counters are handed in.

mod body;
mod end;
mod head;
mod inspected;
mod limiting;
mod message;
mod scene;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use body::InspectedBody;
pub use end::{Ended, TokenUse};
pub use inspected::Inspected;
pub use message::{
    BodyLength, HttpVersion, KnownHosts, Mode, Outcome, RequestHead, RequestId, RequestIdText, ResponseHead, Scheme, Surroundings,
};
pub use scene::Scene;

use crate::bundle::{Bundle, Zone};
use crate::fact::{BodyUse, Phase};
use crate::features::browsers;
use crate::hash::{Hash64, Keys, SessionSource};
use crate::identity;
use crate::identity::Claims;
use crate::limits::{StateAnswer, StateStep};
use crate::observe::Sample;
use crate::operations::Operation;
use crate::record::Violation;
use crate::rules::{Judging, Skips, Stage};
use crate::timestamp::Timestamp;
use crate::tokens;
use crate::verdict::{Action, Effect, Verdict};
use crate::violation::Refusal;

/// What a phase answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The phase is judged. The action may still grow in a later phase.
    Decided(Action),
    /// Give the request's body to `request_body`, piece by piece.
    NeedBody(BodyNeed),
    /// Do this step, in one atomic act, and give its answer to `resume`.
    NeedState(StateStep),
}

/// How a body is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyNeed {
    /// The driver holds every piece back until it is decided, which is at the latest when more than `limit_bytes` came.
    Whole { limit_bytes: usize },
    /// The driver may send on all but the last piece.
    Pieces,
}

/// See the module.
#[derive(Debug)]
pub struct Transaction {
    id: RequestId,
    mode: Mode,
    keys: Keys,
    inspected: Inspected,
    /// The request's headers, where a rule of a later phase asks for them.
    request_headers: Option<Box<HeaderMap>>,
    session: Option<Session>,
    verdict: Verdict,
    skips: Skips,
    limiting: limiting::Limiting,
    /// What the driver was asked for last.
    waiting: Waiting,
    /// For explanations: the body is held back and kept whatever rules ask.
    keeps_body: bool,
    sample: Option<Box<Sample>>,
    sample_probability: Option<f32>,
    response_content_type: Option<Cow<'static, str>>,
}

/// The headers at hand.
#[derive(Clone, Copy, Debug)]
struct Headers<'h> {
    request: Option<&'h HeaderMap>,
    response: Option<&'h HeaderMap>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    hash: Hash64,
    source: SessionSource,
    is_verified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Body(BodyNeed),
    State(Phase),
}

impl Transaction {
    /// Pins `bundle`. `keys` are the installation's; `id` and `now` are the driver's.
    #[must_use]
    pub fn begin(bundle: Arc<Bundle>, keys: &Keys, id: RequestId, now: Timestamp, mode: Mode) -> Self {
        Self {
            id,
            mode,
            keys: keys.clone(),
            verdict: Verdict::new(bundle.hash),
            inspected: Inspected::new(bundle, now),
            request_headers: None,
            session: None,
            skips: Skips::default(),
            limiting: limiting::Limiting::default(),
            waiting: Waiting::Nothing,
            keeps_body: false,
            sample: None,
            sample_probability: None,
            response_content_type: None,
        }
    }

    /// Keeps the request's body to the end, within the zone's limit: programs are explained that are in no bundle.
    pub fn keep_body(&mut self) {
        self.keeps_body = true;
    }

    /// What its facts are read from, with these headers of the request and of the response.
    #[must_use]
    pub fn scene<'t>(&'t self, request_headers: &'t HeaderMap, response_headers: Option<&'t HeaderMap>) -> Scene<'t> {
        Scene { seen: &self.inspected, request_headers: Some(request_headers), response_headers }
    }

    /// The request's head was read.
    pub fn request_head(&mut self, head: &RequestHead<'_>, around: &Surroundings<'_>) -> Step {
        if let Err(refusal) = self.read_head(head, around) {
            return self.refuse(refusal);
        }
        self.identify(head);
        let step = self.judge(Phase::RequestHead, Headers { request: Some(head.headers), response: None });
        if self.verdict.action.passes() {
            self.begin_sample(head, around);
        }
        step
    }

    /// The request is refused whatever the engine thinks of it: its bytes can be read in two ways. `head` is what can be told
    /// of it, for the record.
    pub fn refuse_head(&mut self, refusal: Refusal, head: &RequestHead<'_>, around: &Surroundings<'_>) {
        let _ = self.read_head(head, around);
        self.refuse(refusal);
    }

    /// The request is refused because of its body's bytes.
    pub fn refuse_body(&mut self, refusal: Refusal) {
        self.waiting = Waiting::Nothing;
        self.refuse(refusal);
    }

    fn read_head(&mut self, head: &RequestHead<'_>, around: &Surroundings<'_>) -> Result<(), Refusal> {
        let inspected = &mut self.inspected;
        inspected.scheme = head.scheme;
        inspected.version = head.version;
        inspected.client = head.client;
        inspected.body_length = head.body;
        inspected.set_method(head.method);
        head::check_method(head.method)?;
        let host = head::read_host(head)?;
        inspected.host = host.as_ref().into();
        inspected.zone = Some(inspected.bundle.zone_for(&host).ok_or(Refusal::HostUnknown)?);
        let Some(zone) = inspected.zone() else { return Err(Refusal::HostUnknown) };
        let target = head::read_target(head, zone.merge_slashes)?;
        let operation = zone.operations.find(head.method, &host, &target.path);
        let tokens = zone.tokens.iter().map(|_| OnceCell::new()).collect();
        let host_known = !zone.hosts.is_empty() || around.hosts.is_known(&zone.id, &host);
        inspected.operation = operation.map(|(index, _)| index as u32);
        inspected.host_known = host_known;
        inspected.has_method_override = browsers::has_method_override(head.headers, target.query);
        // A browser's has neither a body nor a header of the application's (Fetch standard): whatever has is not exempt from anything.
        inspected.is_preflight =
            browsers::is_preflight(head.method, head.headers) && !inspected.has_method_override && head.body == BodyLength::None;
        inspected.tokens = tokens;
        inspected.set_target(&target);
        if head.body != BodyLength::None {
            inspected.claims_json = head::claims_json(head.headers);
            inspected.is_encoded = head::is_encoded(head.headers);
        }
        inspected.request_content_type = head::media_type(head.headers);
        Ok(())
    }

    /// The session: the first identifier of the zone that is present, else the value of `Authorization`, else the client's
    /// address.
    fn identify(&mut self, head: &RequestHead<'_>) {
        let Some(zone) = self.inspected.zone() else { return };
        let session = |source, identity: &[u8], is_verified| {
            let hash = self.keys.session(&zone.id, source, identity);
            Session { hash, source, is_verified }
        };
        let identifier = zone.identifiers.find(head.headers, (&self.inspected, head.headers));
        let has_identifier = identifier.is_some();
        self.session = Some(match (identifier, head.headers.get(AUTHORIZATION)) {
            (Some(identity), _) => session(SessionSource::Identifier, &identity.bytes, identity.is_verified),
            (None, Some(value)) => {
                session(SessionSource::Authorization, &identity::one_spelling_of_authorization(value.as_bytes()), false)
            }
            (None, None) => session(SessionSource::ClientAddress, &self.keys.client(head.client).0.to_be_bytes(), false),
        });
        self.inspected.session = self.session.map(|session| session.hash);
        self.inspected.has_identifier = has_identifier;
    }

    fn begin_sample(&mut self, head: &RequestHead<'_>, around: &Surroundings<'_>) {
        let (Some(sampler), Some(zone), Some(session)) = (around.sampler, self.inspected.zone(), self.session) else { return };
        if self.mode == Mode::Off {
            return;
        }
        let operation = end::operation_key(&self.inspected);
        let probability = sampler.decide(operation, session.hash, &zone.observe, self.inspected.began, around.dice);
        if probability > 0.0 {
            self.sample = Some(Box::new(Sample::new(probability, &zone.observe, head, self.inspected.path())));
            self.sample_probability = Some(probability);
        }
    }

    /// The next piece of the request's body, when it was asked for. `last` may come with an empty piece.
    pub fn request_body(&mut self, piece: &[u8], last: bool) -> Step {
        let Waiting::Body(need) = self.waiting else { return Step::Decided(self.verdict.action) };
        let body = &mut self.inspected.body;
        body.take(piece);
        if last || body.over_limit().is_some() {
            self.waiting = Waiting::Nothing;
            let kept = self.request_headers.take();
            let step = self.judge(Phase::RequestBody, Headers { request: kept.as_deref(), response: None });
            self.request_headers = kept;
            return step;
        }
        Step::NeedBody(need)
    }

    /// The answer to the step that was asked for. `head` is the request's, when the step came from `request_head`: rules behind the
    /// limits read it.
    pub fn resume(&mut self, answer: &StateAnswer, head: Option<&HeaderMap>) -> Step {
        let Waiting::State(phase) = self.waiting else { return Step::Decided(self.verdict.action) };
        self.waiting = Waiting::Nothing;
        self.settle_limits(answer);
        if !self.verdict.action.passes() {
            return Step::Decided(self.verdict.action);
        }
        let kept = self.request_headers.take();
        let step = self.judge_features(phase, Headers { request: head.or(kept.as_deref()), response: None });
        self.request_headers = self.request_headers.take().or(kept);
        step
    }

    /// The upstream's response head was read.
    pub fn response_head(&mut self, head: &ResponseHead<'_>) -> Step {
        self.inspected.response_status = Some(head.status);
        self.response_content_type = head::media_type(head.headers);
        if let Some(sample) = &mut self.sample {
            sample.response_head(head);
        }
        self.remember_host(head.status);
        let kept = self.request_headers.take();
        self.judge(Phase::ResponseHead, Headers { request: kept.as_deref(), response: Some(head.headers) })
    }

    /// A zone that names no host learns those that answer successfully.
    fn remember_host(&mut self, status: u16) {
        let inspected = &self.inspected;
        if let Some(zone) = inspected.zone()
            && !inspected.host_known
            && (200..400).contains(&status)
        {
            self.verdict.effects.push(Effect::RememberHost { zone: zone.id.clone(), host: inspected.host.clone() });
        }
    }

    /// The next piece of the response's body. No rule asks for it: what was decided stays.
    pub fn response_body(&mut self, _piece: &[u8], _last: bool) -> Step {
        Step::Decided(self.verdict.action)
    }

    fn refuse(&mut self, refusal: Refusal) -> Step {
        let def = refusal.def();
        let (code, location) = (def.code.into(), def.location.to_owned());
        self.verdict.add(Violation { code, location, evidence: def.doc.to_owned(), rule: None, action: Action::Refuse });
        self.verdict.decide(Action::Refuse, None, None);
        Step::Decided(Action::Refuse)
    }

    /// Judges a phase stage by stage; a block that acts ends it, and then nothing is counted.
    fn judge(&mut self, phase: Phase, headers: Headers<'_>) -> Step {
        if self.mode == Mode::Off {
            return Step::Decided(self.verdict.action);
        }
        self.run(Stage::Custom, phase, headers);
        if !self.verdict.action.passes() {
            return Step::Decided(self.verdict.action);
        }
        if phase == Phase::ResponseHead {
            self.count_response(headers);
        } else if let Some(step) = self.ask_limits(phase, headers) {
            self.waiting = Waiting::State(phase);
            return Step::NeedState(step);
        }
        if !self.verdict.action.passes() {
            return Step::Decided(self.verdict.action);
        }
        self.judge_features(phase, headers)
    }

    /// What is judged behind the limits.
    fn judge_features(&mut self, phase: Phase, headers: Headers<'_>) -> Step {
        self.run(Stage::Features, phase, headers);
        match phase {
            Phase::RequestHead if self.verdict.action.passes() => self.begin_body(headers),
            Phase::RequestBody => self.end_body(),
            _ => Step::Decided(self.verdict.action),
        }
    }

    fn run(&mut self, stage: Stage, phase: Phase, headers: Headers<'_>) {
        let Some(zone) = self.inspected.zone() else { return };
        let scene = Scene { seen: &self.inspected, request_headers: headers.request, response_headers: headers.response };
        let judging = &mut Judging { mode: self.mode, verdict: &mut self.verdict, skips: &mut self.skips };
        zone.rules.judge(stage, phase, &scene, judging);
    }

    /// Keeps a copy of the request's headers where rules of a phase behind this one ask for them.
    fn keep(&mut self, phase: Phase, headers: Headers<'_>) {
        let Some(zone) = self.inspected.zone() else { return };
        if self.request_headers.is_none() && zone.rules.read_after(phase) {
            self.request_headers = headers.request.cloned().map(Box::new);
        }
    }

    /// Between head and body: asks for the body if a rule needs it, else goes on.
    fn begin_body(&mut self, headers: Headers<'_>) -> Step {
        let Some(zone) = self.inspected.zone() else { return Step::Decided(self.verdict.action) };
        let has_body = self.inspected.body_length != BodyLength::None;
        let body_use = match self.keeps_body && has_body {
            true => BodyUse::Whole,
            false => zone.rules.body_use(&self.inspected, &self.skips).max(zone.limits.body_use(&self.inspected)),
        };
        let limit_bytes = zone.inspection_limit_bytes;
        let need = match body_use {
            BodyUse::Nothing => return self.judge_at_once(headers),
            BodyUse::Pieces => BodyNeed::Pieces,
            BodyUse::Whole => BodyNeed::Whole { limit_bytes },
        };
        let body = &mut self.inspected.body;
        body.begin(body_use, limit_bytes);
        if let BodyLength::Known(bytes) = self.inspected.body_length {
            body.announce(bytes);
        }
        if body.over_limit().is_some() {
            return self.judge_at_once(headers);
        }
        self.keep(Phase::RequestHead, headers);
        self.waiting = Waiting::Body(need);
        Step::NeedBody(need)
    }

    /// The body's phase, when there is nothing to wait for: the headers are still at hand.
    fn judge_at_once(&mut self, headers: Headers<'_>) -> Step {
        self.keep(Phase::RequestBody, headers);
        self.judge(Phase::RequestBody, headers)
    }

    /// The body is judged: it is kept only where the response's rules may still ask for it.
    fn end_body(&mut self) -> Step {
        let is_done = |zone: &Zone| zone.rules.is_idle(Phase::ResponseHead) && !zone.limits.keeps_body();
        if self.inspected.zone().is_none_or(is_done) && !self.keeps_body {
            self.inspected.body.release();
        }
        Step::Decided(self.verdict.action)
    }

    /// What was decided so far.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// This transaction's id.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The mode it began under.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The bundle that it pins.
    #[must_use]
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.inspected.bundle
    }

    /// The zone whose API is called; none when the request was refused before it was known.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.inspected.zone()
    }

    /// That zone's place in the bundle.
    #[must_use]
    pub fn zone_index(&self) -> Option<crate::bundle::ZoneIndex> {
        self.inspected.zone
    }

    /// Normalised path and query, as they go upstream.
    #[must_use]
    pub fn upstream_target(&self) -> &str {
        &self.inspected.target
    }

    /// The saved operation that is called.
    #[must_use]
    pub fn operation(&self) -> Option<&Operation> {
        self.inspected.operation()
    }

    /// The client's address, as it was handed in.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.inspected.client
    }

    /// What facts are read from.
    #[must_use]
    pub fn inspected(&self) -> &Inspected {
        &self.inspected
    }

    /// Whether the bodies' pieces are wanted for Observations.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sample.is_some()
    }

    /// A piece of the request's body, when sampled.
    pub fn observe_request_piece(&mut self, piece: &[u8]) {
        if let Some(sample) = &mut self.sample {
            sample.request_piece(piece);
        }
    }

    /// A piece of the response's body, when sampled.
    pub fn observe_response_piece(&mut self, piece: &[u8]) {
        if let Some(sample) = &mut self.sample {
            sample.response_piece(piece);
        }
    }
}

/// Claims of the tokens of a request, verified when an identifier asks.
impl<'t> Claims<'t> for (&'t Inspected, &'t HeaderMap) {
    fn claim(self, configuration: usize, path: usize) -> Option<&'t str> {
        match &self.0.token(configuration, Some(self.1))?.outcome {
            tokens::Outcome::Valid(verified) => verified.selected.get(path)?.as_deref(),
            tokens::Outcome::Absent | tokens::Outcome::Refused(_) => None,
        }
    }
}
