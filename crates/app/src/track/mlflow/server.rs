//! A run over `MLflow`'s REST interface.

use serde_json::{Value, json};
use ureq::Agent;

use super::super::{Error, Result, Run};
use blindscope_learn::models;

/// Longest answer that is read.
const MOST_ANSWER: u64 = 4 << 20;
/// Most numbers of one call, by the interface.
const MOST_METRICS: usize = 1000;
/// Most parameters or tags of one call.
const MOST_PARAMS: usize = 100;

/// A tracking server.
pub struct Server {
    agent: Agent,
    address: String,
    token: Option<String>,
}

/// What became of a run at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The server's name for the run.
    pub run: String,
    /// Whether it was there already, whole: nothing was sent then.
    pub already: bool,
}

impl Server {
    /// The server at an address; `https`, or `http` on this machine. `token` is sent as a bearer token.
    ///
    /// # Errors
    /// [`Error::Server`] for plain `http` to another machine, or a system without certificate authorities.
    pub fn at(address: &str, token: Option<String>) -> Result<Self> {
        let address = address.trim_end_matches('/').to_owned();
        let agent = models::agent(&address).map_err(|e| Error::Server {
            call: "connect",
            server: address.clone(),
            reason: e.to_string(),
        })?;
        Ok(Self { agent, address, token })
    }

    /// Sends a run. One that was sent whole before is left alone; one that was cut is sent again as a new run.
    ///
    /// # Errors
    /// [`Error::Server`] where the server cannot be reached or refuses.
    pub fn send(&self, run: &Run) -> Result<Sent> {
        let experiment = self.experiment(&run.study)?;
        if let Some(run) = self.whole(&experiment, &run.id)? {
            return Ok(Sent { run, already: true });
        }
        let created = self.post(
            "runs/create",
            &json!({ "experiment_id": experiment, "run_name": run.name, "start_time": run.span_ms.0 }),
        )?;
        let id = text(&created, "/run/info/run_id").ok_or_else(|| self.odd("runs/create", "no run_id"))?;
        for body in batches(run, &id) {
            self.post("runs/log-batch", &body)?;
        }
        // The state comes last: a run without one was cut.
        let status = if run.done { "FINISHED" } else { "FAILED" };
        self.post("runs/update", &json!({ "run_id": id, "status": status, "end_time": run.span_ms.1 }))?;
        Ok(Sent { run: id, already: false })
    }

    /// The experiment of a study, made where it is not there.
    fn experiment(&self, study: &str) -> Result<String> {
        let found = self.call("experiments/get-by-name", |agent, url| {
            let request = agent.get(url).query("experiment_name", study);
            match self.bearer() {
                Some(bearer) => request.header("authorization", bearer).call(),
                None => request.call(),
            }
        })?;
        if let Some(id) = text(&found.1, "/experiment/experiment_id").filter(|_| found.0 == 200) {
            return Ok(id);
        }
        if found.0 != 404 {
            return Err(self.refused("experiments/get-by-name", &found));
        }
        let made = self.post("experiments/create", &json!({ "name": study }))?;
        text(&made, "/experiment_id").ok_or_else(|| self.odd("experiments/create", "no experiment_id"))
    }

    /// The run of a job that was sent whole before.
    fn whole(&self, experiment: &str, job: &str) -> Result<Option<String>> {
        let filter = format!("tags.`blindscope.job` = '{job}'");
        let asked = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 100 });
        let found = self.post("runs/search", &asked)?;
        let runs = found.get("runs").and_then(Value::as_array).cloned().unwrap_or_default();
        let ended =
            |run: &&Value| matches!(text(run, "/info/status").as_deref(), Some("FINISHED" | "FAILED"));
        Ok(runs.iter().find(ended).and_then(|run| text(run, "/info/run_id")))
    }

    fn post(&self, call: &'static str, body: &Value) -> Result<Value> {
        let bytes = body.to_string();
        let answer = self.call(call, |agent, url| {
            let request = agent.post(url).header("content-type", "application/json");
            match self.bearer() {
                Some(bearer) => request.header("authorization", bearer).send(bytes.as_bytes()),
                None => request.send(bytes.as_bytes()),
            }
        })?;
        if answer.0 == 200 { Ok(answer.1) } else { Err(self.refused(call, &answer)) }
    }

    fn bearer(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// One call: the answer's status, and what it holds where that is JSON.
    fn call(
        &self,
        call: &'static str,
        send: impl FnOnce(&Agent, &str) -> std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(u16, Value)> {
        let url = format!("{}/api/2.0/mlflow/{call}", self.address);
        let failed = |reason: String| Error::Server { call, server: self.address.clone(), reason };
        let mut answer = send(&self.agent, &url).map_err(|e| failed(e.to_string()))?;
        let body = answer.body_mut().with_config().limit(MOST_ANSWER).read_to_vec();
        let body = body.map_err(|e| failed(e.to_string()))?;
        Ok((answer.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn refused(&self, call: &'static str, (status, body): &(u16, Value)) -> Error {
        let said = text(body, "/message").unwrap_or_default();
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        self.odd(call, &format!("status {status} {said}"))
    }

    fn odd(&self, call: &'static str, reason: &str) -> Error {
        Error::Server { call, server: self.address.clone(), reason: reason.trim().to_owned() }
    }
}

fn text(value: &Value, at: &str) -> Option<String> {
    value.pointer(at).and_then(Value::as_str).map(str::to_owned)
}

/// Numbers, parameters and tags in pieces that one call takes.
fn batches(run: &Run, id: &str) -> Vec<Value> {
    let numbers: Vec<Value> = run
        .series
        .iter()
        .flat_map(|series| {
            series.points.iter().map(|point| {
                json!({ "key": series.name, "value": point.value, "timestamp": point.at_ms, "step": point.step })
            })
        })
        .collect();
    let pairs = |map: &std::collections::BTreeMap<String, String>| -> Vec<Value> {
        map.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
    };
    let numbers = numbers.chunks(MOST_METRICS).map(|some| json!({ "run_id": id, "metrics": some }));
    let (params, tags) = (pairs(&run.params), pairs(&run.tags));
    let params = params.chunks(MOST_PARAMS).map(|some| json!({ "run_id": id, "params": some }));
    let tags = tags.chunks(MOST_PARAMS).map(|some| json!({ "run_id": id, "tags": some }));
    // Tags first, by which a run is found again.
    tags.chain(params).chain(numbers).collect()
}
