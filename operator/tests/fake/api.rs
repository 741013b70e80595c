//! An API server behind the real `kube::Client`: the few verbs that the operator uses, what was asked, and faults on demand.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use serde_json::{Value, json};

use crate::store::{Id, Line, Store, id, merge};

/// A request as it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) verb: &'static str,
    /// With its subresource, as in `deployments/scale`.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u16,
    pub(crate) at: Instant,
    pub(crate) body: Value,
}

impl Seen {
    /// A write that was taken, Leases and Events not counted.
    pub(crate) fn is_write(&self) -> bool {
        let reads = ["get", "list", "watch"].contains(&self.verb);
        !reads && self.code < 300 && self.resource != "leases" && self.resource != "events"
    }
}

/// What a fault does.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with code, body and Retry-After.
    Answers(u16, Vec<u8>, Option<u32>),
    /// Never answers.
    Hangs,
    /// Closes the connection.
    Breaks,
    /// Takes the write, then closes the connection before it is answered.
    WritesAndBreaks,
}

impl Does {
    /// A `Status` with a reason.
    pub(crate) fn fail(code: u16, reason: &str) -> Self {
        Self::Answers(code, status(code, reason).to_string().into_bytes(), None)
    }

    /// What API Priority and Fairness answers: plain text.
    pub(crate) fn throttle(seconds: u32) -> Self {
        Self::Answers(429, b"Too many requests, please try again later.\n".to_vec(), Some(seconds))
    }

    /// The namespace is being deleted.
    pub(crate) fn terminating() -> Self {
        let mut answer = status(403, "Forbidden");
        answer["details"] = json!({ "causes": [{ "reason": "NamespaceTerminating", "field": "metadata.namespace" }] });
        Self::Answers(403, answer.to_string().into_bytes(), None)
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "fake" })
}

struct Fault {
    verb: &'static str,
    resource: String,
    left: usize,
    does: Does,
}

#[derive(Default)]
struct State {
    store: Store,
    seen: Vec<Seen>,
    faults: Vec<Fault>,
    /// Most objects in an answer to a list, whatever was asked for.
    page: Option<usize>,
    /// How late events of a watch come, by resource.
    delays: BTreeMap<String, Duration>,
}

/// Most events of a watch that are late at the same time.
const MOST_LATE: usize = 256;

/// See the module. Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<State>>);

/// A request, taken apart.
struct Call {
    verb: &'static str,
    /// Without subresource.
    plural: String,
    /// With it.
    resource: String,
    namespace: Option<String>,
    name: String,
    query: BTreeMap<String, String>,
    apply: bool,
    body: Value,
}

impl Api {
    /// A client of this server; to be made in the runtime that uses it.
    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let serve = move |request: Request<kube::client::Body>| {
            let api = api.clone();
            async move { api.serve(request).await }
        };
        Client::new(tower::service_fn(serve), "default")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// From now on `verb` on `resource` does this.
    pub(crate) fn fault(&self, verb: &'static str, resource: &str, does: Does) {
        self.fault_times(usize::MAX, verb, resource, does);
    }

    /// The next `times` requests do this.
    pub(crate) fn fault_times(&self, times: usize, verb: &'static str, resource: &str, does: Does) {
        self.lock().faults.push(Fault { verb, resource: resource.to_owned(), left: times, does });
    }

    /// From now on lists come in pages of so many objects. A further page is of the resource `pods/next` to faults.
    pub(crate) fn page(&self, objects: usize) {
        self.lock().page = Some(objects);
    }

    /// Watches that begin from now on tell of everything so much later.
    pub(crate) fn delay(&self, resource: &str, delay: Duration) {
        self.lock().delays.insert(resource.to_owned(), delay);
    }

    /// No more faults.
    pub(crate) fn heal(&self) {
        self.lock().faults.clear();
    }

    pub(crate) fn create(&self, resource: &str, namespace: &str, name: &str, object: Value) {
        self.lock().store.create(&id(resource, namespace, name), object);
    }

    pub(crate) fn change(&self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.lock().store.change(&id(resource, "shop", name), change).unwrap();
    }

    pub(crate) fn delete(&self, resource: &str, name: &str) {
        self.lock().store.delete(&id(resource, "shop", name));
    }

    /// The object, or null.
    pub(crate) fn get(&self, resource: &str, name: &str) -> Value {
        self.lock().store.get(&id(resource, "shop", name)).cloned().unwrap_or_default()
    }

    pub(crate) fn list(&self, resource: &str) -> Vec<Value> {
        self.lock().store.list(resource, None).into_iter().cloned().collect()
    }

    /// Ends watches: without a word, or with 410 in the stream or at the next try.
    pub(crate) fn cut(&self, resource: &str) {
        self.lock().store.cut(resource, None);
    }

    pub(crate) fn expire(&self, resource: &str) {
        let line = format!("{}\n", json!({ "type": "ERROR", "object": status(410, "Expired") }));
        self.lock().store.cut(resource, Some(&line));
    }

    pub(crate) fn forget(&self, resource: &str) {
        let mut state = self.lock();
        state.store.forget();
        state.store.cut(resource, None);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// Requests so far, whatever became of them.
    pub(crate) fn count(&self, verb: &str, resource: &str) -> usize {
        self.lock().seen.iter().filter(|seen| seen.verb == verb && seen.resource == resource).count()
    }

    /// Writes that were taken, Leases and Events not counted.
    pub(crate) fn writes(&self) -> usize {
        self.lock().seen.iter().filter(|seen| seen.is_write()).count()
    }

    async fn serve(&self, request: Request<kube::client::Body>) -> Result<Response<Body>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let Some(call) = Call::of(&parts, &bytes) else {
            return Ok(discovery(parts.uri.path()));
        };
        let broken = || Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the fake broke off"));
        match self.fault_of(&call) {
            Some(Does::Hangs) => {
                self.note(&call, 0);
                std::future::pending().await
            }
            Some(Does::Breaks) => {
                self.note(&call, 0);
                broken()
            }
            Some(Does::Answers(code, body, wait)) => {
                self.note(&call, code);
                let mut response = Response::builder().status(code);
                if let Some(seconds) = wait {
                    response = response.header("Retry-After", seconds);
                }
                response.body(body.into()).map_err(std::io::Error::other)
            }
            Some(Does::WritesAndBreaks) => {
                self.answer(&call);
                broken()
            }
            None => Ok(self.answer(&call)),
        }
    }

    fn fault_of(&self, call: &Call) -> Option<Does> {
        let mut state = self.lock();
        let meant = |fault: &&mut Fault| fault.left > 0 && fault.verb == call.verb && fault.resource == call.resource;
        let fault = state.faults.iter_mut().find(meant)?;
        fault.left -= 1;
        Some(fault.does.clone())
    }

    fn note(&self, call: &Call, code: u16) {
        self.lock().note(call, code);
    }

    /// A write and the note of it are one: who sees what was written counts it too.
    fn answer(&self, call: &Call) -> Response<Body> {
        let mut state = self.lock();
        if call.verb == "watch" {
            let version = call.query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
            let watch = state.store.watch(&call.plural, call.namespace.as_deref(), version);
            state.note(call, if watch.is_some() { 200 } else { 410 });
            let delay = state.delays.get(&call.plural).copied().unwrap_or_default();
            return watch.map_or_else(|| of(410, &status(410, "Expired")), |lines| stream_of(lines, delay));
        }
        let (code, object) = state.perform(call);
        state.note(call, code);
        of(code, &object)
    }
}

impl State {
    fn note(&mut self, call: &Call, code: u16) {
        #[expect(clippy::disallowed_methods, reason = "a test of pauses looks at the clock")]
        let at = Instant::now();
        let (verb, resource, name, body) = (call.verb, call.resource.clone(), call.name.clone(), call.body.clone());
        // Watches and lists have no body; a thousand policies' statuses are not kept either.
        let body = if resource == "scalingpolicies/status" { Value::Null } else { body };
        self.seen.push(Seen { verb, resource, name, code, at, body });
    }

    fn perform(&mut self, call: &Call) -> (u16, Value) {
        if call.verb == "list" { call.list(&self.store, self.page) } else { call.perform(&mut self.store) }
    }
}

fn stream_of(lines: tokio::sync::mpsc::UnboundedReceiver<Line>, delay: Duration) -> Response<Body> {
    let lines = stream::unfold(lines, |mut lines| async move { Some((lines.recv().await?, lines)) });
    // Each is late by itself; their order stays.
    let late = lines.map(move |line| async move {
        tokio::time::sleep(delay).await;
        Ok::<_, Infallible>(bytes::Bytes::copy_from_slice(line.as_bytes()))
    });
    Response::new(Body::from_stream(late.buffered(MOST_LATE)))
}

fn of(code: u16, object: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(object.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    response
}

fn discovery(path: &str) -> Response<Body> {
    if path != "/apis/apps/v1" {
        return of(404, &status(404, "NotFound"));
    }
    let resource = |name: &str, kind: &str| json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get"] });
    let resources = [resource("deployments", "Deployment"), resource("deployments/scale", "Scale")];
    of(200, &json!({ "kind": "APIResourceList", "groupVersion": "apps/v1", "resources": resources }))
}

impl Call {
    fn of(parts: &http::request::Parts, body: &[u8]) -> Option<Self> {
        let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
        let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = &segments[..] else { return None };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, sub) = match rest {
            [plural] => (*plural, "", ""),
            [plural, name] => (*plural, *name, ""),
            [plural, name, sub] => (*plural, *name, *sub),
            _ => return None,
        };
        let pairs = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let query: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let verb = match parts.method {
            Method::GET if query.contains_key("watch") => "watch",
            Method::GET if name.is_empty() => "list",
            Method::GET => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            _ => return None,
        };
        let kind = parts.headers.get(http::header::CONTENT_TYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
        Some(Self {
            verb,
            plural: plural.to_owned(),
            resource: [plural, if query.contains_key("continue") { "next" } else { sub }]
                .join("/")
                .trim_end_matches('/')
                .to_owned(),
            namespace,
            name: name.to_owned(),
            query,
            apply: kind.starts_with(b"application/apply-patch"),
            body: serde_json::from_slice(body).unwrap_or_default(),
        })
    }

    /// A page of a list. Its token holds the version of the first page and how many objects came already: true as long as nothing
    /// of the resource comes or goes meanwhile.
    fn list(&self, store: &Store, page: Option<usize>) -> (u16, Value) {
        let all = store.list(&self.plural, self.namespace.as_deref());
        let token = self.query.get("continue").and_then(|token| token.split_once('.'));
        let begun = token.and_then(|(version, shown)| Some((version.to_owned(), shown.parse::<usize>().ok()?)));
        let (version, shown) = begun.unwrap_or_else(|| (store.version().to_string(), 0));
        let items: Vec<_> = all.iter().skip(shown).take(page.unwrap_or(usize::MAX)).collect();
        let mut metadata = json!({ "resourceVersion": version });
        if shown + items.len() < all.len() {
            metadata["continue"] = json!(format!("{version}.{}", shown + items.len()));
        }
        (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items }))
    }

    fn perform(&self, store: &mut Store) -> (u16, Value) {
        let namespace = self.namespace.as_deref();
        let name =
            if self.verb == "create" { self.body["metadata"]["name"].as_str().unwrap_or("") } else { &self.name };
        let id = id(&self.plural, namespace.unwrap_or("default"), name);
        match (self.verb, store.get(&id)) {
            ("create", Some(_)) => (409, status(409, "AlreadyExists")),
            ("create", None) => (201, store.create(&id, self.body.clone())),
            (_, None) => (404, status(404, "NotFound")),
            ("get", Some(object)) => (200, self.shown(object)),
            (_, Some(object)) if self.is_outdated(object) => (409, status(409, "Conflict")),
            _ => self.write(store, &id),
        }
    }

    fn is_outdated(&self, object: &Value) -> bool {
        let version = &self.body["metadata"]["resourceVersion"];
        version.is_string() && *version != object["metadata"]["resourceVersion"]
    }

    fn write(&self, store: &mut Store, id: &Id) -> (u16, Value) {
        let body = self.body.clone();
        let after = store.change(id, |object| match (self.resource.as_str(), self.verb) {
            ("scalingpolicies/status", "patch") if self.apply => object["status"] = body["status"].clone(),
            (_, "update") => *object = body,
            (_, _) => {
                let mut patch = body;
                patch["metadata"].as_object_mut().unwrap().remove("resourceVersion");
                merge(object, patch);
            }
        });
        (200, self.shown(&after.unwrap()))
    }

    /// The object, or its scale.
    fn shown(&self, object: &Value) -> Value {
        if self.resource != "deployments/scale" {
            return object.clone();
        }
        let replicas = &object["spec"]["replicas"];
        let selector = format!("app={}", object["metadata"]["name"].as_str().unwrap_or_default());
        json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": object["metadata"],
            "spec": { "replicas": replicas }, "status": { "replicas": replicas, "selector": selector }
        })
    }
}
