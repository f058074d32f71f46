//! The model of the demo: will a flight come in late?
//!
//! ```text
//! flights   columns, slices by time, local days        table     Arrow and Parquet
//! features  names and readings to a matrix             boosting  the model
//! metrics   AUC, Brier, log-loss, F1                   logistic  the baseline
//! paired    challenger against champion, by day        random    reproducible draws
//! serving   the model behind a server
//! ```
//!
//! A [`Model`] carries its encoder, so that it scores flights, not matrices.

pub(crate) mod boosting;
pub(crate) mod features;
pub(crate) mod flights;
pub(crate) mod logistic;
pub(crate) mod metrics;
pub(crate) mod paired;
mod random;
pub(crate) mod serving;
mod table;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use self::boosting::{Booster, BoostingConfig};
use self::features::{Feature, FeatureEncoder};
use self::flights::Flights;
use self::logistic::{Logistic, LogisticConfig};

/// What a model file says it is.
const FORMAT: &str = "mlops-demo-model";
/// Raised when an older reader would misread a file.
const VERSION: u32 = 1;

/// What to train, by which features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrainConfig {
    pub(crate) features: Vec<Feature>,
    pub(crate) algorithm: Algorithm,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self { features: Feature::ALL.to_vec(), algorithm: Algorithm::default() }
    }
}

/// How to train, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    Boosting(BoostingConfig),
    Logistic(LogisticConfig),
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::Boosting(BoostingConfig::default())
    }
}

/// A trained model: flights in, probabilities out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    encoder: FeatureEncoder,
    scorer: Scorer,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scorer {
    Boosting(Booster),
    Logistic(Logistic),
}

/// The file around a model. The model is read only once format and version are known to fit.
#[derive(Serialize, Deserialize)]
struct File<M> {
    format: String,
    version: u32,
    model: M,
}

impl Model {
    /// Trains on the labelled ones of `rows`. `on_iteration` gets the iteration, from 0, and the
    /// mean log-loss over the training rows after it; a logistic regression counts as one.
    ///
    /// # Errors
    /// Settings out of range, no labelled rows, labels of one kind only, no feature.
    pub(crate) fn train(
        rows: &Flights,
        config: &TrainConfig,
        mut on_iteration: impl FnMut(u32, f64),
    ) -> Result<Self> {
        let rows = rows.labelled();
        let labels = rows.labels()?;
        let encoder = FeatureEncoder::fit(&rows, &config.features)?;
        let matrix = encoder.transform(&rows);
        let scorer = match &config.algorithm {
            Algorithm::Boosting(config) => {
                Scorer::Boosting(Booster::fit(&matrix, &labels, config, &mut on_iteration)?)
            }
            Algorithm::Logistic(config) => {
                let fitted = Logistic::fit(&matrix, &labels, config)?;
                let loss = metrics::log_loss(&labels, &fitted.predict(&matrix)?);
                on_iteration(0, loss.context("the log-loss of the fit is not defined")?);
                Scorer::Logistic(fitted)
            }
        };
        Ok(Self { encoder, scorer })
    }

    /// The probability of being late for each flight, in order.
    ///
    /// # Errors
    /// None for a model that was trained or read by this module.
    pub(crate) fn score(&self, rows: &Flights) -> Result<Vec<f64>> {
        let matrix = self.encoder.transform(rows);
        match &self.scorer {
            Scorer::Boosting(booster) => booster.predict(&matrix),
            Scorer::Logistic(logistic) => logistic.predict(&matrix),
        }
    }

    /// The model as a file. The same model gives the same bytes.
    ///
    /// # Errors
    /// None in practice: every part has a JSON form.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let file = File { format: FORMAT.to_owned(), version: VERSION, model: self };
        serde_json::to_vec(&file).context("model can't be written")
    }

    /// Reads what [`Model::to_bytes`] wrote.
    ///
    /// # Errors
    /// A file that is cut off, of another kind or version, or whose parts do not fit together;
    /// the message says which.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let file: File<serde_json::Value> = serde_json::from_slice(bytes).map_err(refuse)?;
        let format = file.format;
        ensure!(format == FORMAT, "file is not a model of the demo format={format}");
        let version = file.version;
        ensure!(version == VERSION, "model has another version={version} supported={VERSION}");
        let model: Self = serde_json::from_value(file.model).context("model is damaged")?;
        model.check().context("model is damaged")?;
        Ok(model)
    }

    fn check(&self) -> Result<()> {
        let width = match &self.scorer {
            Scorer::Boosting(booster) => booster.check().map(|()| booster.width()),
            Scorer::Logistic(logistic) => logistic.check().map(|()| logistic.width()),
        }?;
        let encoded = self.encoder.width();
        if width != encoded {
            bail!("encoder and model differ in width encoder={encoded} model={width}");
        }
        Ok(())
    }
}

fn refuse(error: serde_json::Error) -> anyhow::Error {
    let what = if error.is_eof() { "model file is cut off" } else { "file is not a model" };
    anyhow::Error::new(error).context(what)
}

#[cfg(test)]
mod tests {
    use super::flights::tests::sample;
    use super::*;

    fn configs() -> [TrainConfig; 2] {
        let boosting = BoostingConfig { rounds: 15, depth: 3, ..Default::default() };
        [Algorithm::Boosting(boosting), Algorithm::Logistic(LogisticConfig::default())]
            .map(|algorithm| TrainConfig { algorithm, ..Default::default() })
    }

    #[test]
    fn a_model_learns_and_survives_its_file() {
        let rows = sample(600);
        for config in configs() {
            let mut losses = Vec::new();
            let model = Model::train(&rows, &config, |_, loss| losses.push(loss)).unwrap();
            let labelled = rows.labelled();
            let scores = model.score(&labelled).unwrap();
            assert!(metrics::auc(&labelled.labels().unwrap(), &scores).unwrap() > 0.9);
            let loss = metrics::log_loss(&labelled.labels().unwrap(), &scores).unwrap();
            assert!((losses[losses.len() - 1] - loss).abs() < 1e-9);
            let bytes = model.to_bytes().unwrap();
            let back = Model::from_bytes(&bytes).unwrap();
            assert_eq!(back.score(&rows).unwrap(), model.score(&rows).unwrap());
            assert_eq!(back.to_bytes().unwrap(), bytes);
            let again = Model::train(&rows, &config, |_, _| {}).unwrap();
            assert_eq!(again.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn a_file_that_is_no_model_is_named() {
        let model = Model::train(&sample(300), &configs()[0], |_, _| {}).unwrap();
        let text = String::from_utf8(model.to_bytes().unwrap()).unwrap();
        let error = |text: &str| format!("{:#}", Model::from_bytes(text.as_bytes()).unwrap_err());
        assert!(error(&text[..text.len() / 2]).starts_with("model file is cut off"));
        assert!(error("").starts_with("model file is cut off"));
        assert!(error("PAR1").starts_with("file is not a model"));
        assert!(error("{\"trees\": []}").contains("missing field `format`"));
        let other = text.replace(FORMAT, "onnx");
        assert_eq!(error(&other), "file is not a model of the demo format=onnx");
        let newer = text.replace("\"version\":1", "\"version\":2");
        assert_eq!(error(&newer), "model has another version=2 supported=1");
        let narrow = text.replacen("\"width\":15", "\"width\":3", 1);
        assert!(error(&narrow).starts_with("model is damaged: "), "{}", error(&narrow));
    }

    #[test]
    fn settings_are_read_with_defaults() {
        let config: TrainConfig =
            serde_json::from_str(r#"{"algorithm": {"boosting": {"rounds": 7}}}"#).unwrap();
        let expected = BoostingConfig { rounds: 7, ..Default::default() };
        assert_eq!(config.algorithm, Algorithm::Boosting(expected));
        assert_eq!(config.features, Feature::ALL);
        assert!(serde_json::from_str::<TrainConfig>(r#"{"rounds": 7}"#).is_err());
    }
}
