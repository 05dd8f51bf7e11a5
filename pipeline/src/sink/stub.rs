use super::*;
use crate::alert::Transition;
use crate::error::{Error, Result};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
#[derive(Clone, Default)]
pub struct AlertDestinations {
    pub routes: Routes,
    pub sinks: Vec<(Arc<str>, Schedule, Arc<dyn AlertSink>)>,
}
pub struct AlertSource {
    pub log: String,
    pub layout: u16,
    pub label: String,
    pub transitions: fn(&str, u64, &[u8]) -> Result<Option<(Vec<Transition>, i64)>>,
}
#[derive(Debug)]
pub enum SinkEvent {
    Attempted(Vec<DeliveryAttempt>),
    Delivered { epoch: i64 },
    Ended(Error),
}
pub struct AlertDelivery;
impl AlertDelivery {
    pub async fn claim(
        _: Arc<dyn ObjectStore>,
        _: &str,
        _: AlertDestinations,
        _: Vec<AlertSource>,
        _: UnboundedSender<SinkEvent>,
    ) -> Result<Self> {
        Ok(Self)
    }
    pub fn ingest(&self, _: &str, _: u64, _: Vec<Transition>, _: i64) {}
    pub fn outstanding(&self) -> usize {
        0
    }
    pub async fn close(self) -> Result<()> {
        Ok(())
    }
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFile {
    pub path: String,
    pub records: u64,
    pub bytes: u64,
}
pub async fn stage_records(
    _: &Arc<dyn ObjectStore>,
    _: &str,
    _: &[SinkRecord],
) -> Result<Option<RecordFile>> {
    Ok(None)
}
pub struct RecordDelivery;
impl RecordDelivery {
    pub async fn claim(
        _: Arc<dyn ObjectStore>,
        _: &str,
        _: Option<Arc<dyn RecordSink>>,
        _: UnboundedSender<SinkEvent>,
    ) -> Result<Self> {
        Ok(Self)
    }
    pub fn deliver(&self, _: i64, _: RecordFile) {}
    pub fn outstanding(&self) -> usize {
        0
    }
    pub async fn close(self) -> Result<()> {
        Ok(())
    }
}
