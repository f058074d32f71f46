//! The boosting against a plain computation, and what it promises of itself.

use super::super::metrics;
use super::*;

/// The label follows from whether feature 0 and feature 1 are on the same side (which no single
/// split sees), with noise; feature 2 says yes where it is missing; feature 3 is noise.
fn data(rows: usize) -> (Array2<f32>, Vec<bool>) {
    let mut random = SplitMix64::new(7, 0);
    let mut features = Array2::zeros((rows, 4));
    let mut labels = Vec::new();
    for mut row in features.rows_mut() {
        row.iter_mut().for_each(|cell| *cell = (random.unit() * 100.0).floor() as f32);
        let gone = random.unit() < 0.2;
        row[2] = if gone { f32::NAN } else { row[2] };
        let same = (row[0] > 40.0) == (row[1] > 60.0);
        labels.push(random.unit() < if same || gone { 0.9 } else { 0.1 });
    }
    (features, labels)
}

fn fit(config: &BoostingConfig) -> (Booster, Vec<f64>) {
    let (features, labels) = data(3_000);
    let mut losses = Vec::new();
    let model = Booster::fit(&features, &labels, config, &mut |round, loss| {
        assert_eq!(round as usize, losses.len());
        losses.push(loss);
    });
    (model.unwrap(), losses)
}

#[test]
fn interactions_and_missing_values_are_learned() {
    let config = BoostingConfig { rounds: 60, depth: 3, ..Default::default() };
    let (model, losses) = fit(&config);
    assert_eq!(losses.len(), 60);
    // The noise alone costs 0.325 nats a row.
    assert!(losses[59] < 0.36, "{}", losses[59]);
    assert!(losses.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
    let rows = [[80.0, 80.0, 50.0, 0.0], [80.0, 10.0, 50.0, 0.0], [80.0, 10.0, f32::NAN, 0.0]];
    let scores = model.predict(&Array2::from(rows.to_vec())).unwrap();
    assert!(scores[0] > 0.8 && scores[1] < 0.2 && scores[2] > 0.8, "{scores:?}");
}

#[test]
fn the_reported_loss_is_that_of_the_predictions() {
    let (features, labels) = data(3_000);
    let (model, losses) = fit(&BoostingConfig { rounds: 9, row_share: 0.5, ..Default::default() });
    let scores = model.predict(&features).unwrap();
    let loss = metrics::log_loss(&labels, &scores).unwrap();
    assert!((loss - losses[8]).abs() < 1e-9);
}

#[test]
fn the_model_does_not_depend_on_the_number_of_threads() {
    let (features, labels) = data(11_000);
    let config =
        BoostingConfig { rounds: 12, row_share: 0.7, column_share: 0.6, ..Default::default() };
    let train = |workers| {
        let model = Booster::fit_on(workers, &features, &labels, &config, &mut |_, _| {}).unwrap();
        serde_json::to_vec(&model).unwrap()
    };
    let one = train(1);
    assert!([2, 3, 4].into_iter().all(|workers| train(workers) == one));
}

#[test]
fn the_seed_decides_the_samples() {
    let sampled =
        |seed| fit(&BoostingConfig { rounds: 3, row_share: 0.5, seed, ..Default::default() }).0;
    assert_eq!(sampled(1), sampled(1));
    assert_ne!(sampled(1), sampled(2));
}

#[test]
fn a_model_survives_json_bit_for_bit() {
    let (features, _) = data(500);
    let (model, _) = fit(&BoostingConfig { rounds: 20, ..Default::default() });
    let json = serde_json::to_vec(&model).unwrap();
    let back: Booster = serde_json::from_slice(&json).unwrap();
    back.check().unwrap();
    assert_eq!(back, model);
    assert_eq!(back.predict(&features).unwrap(), model.predict(&features).unwrap());
    assert_eq!(serde_json::to_vec(&back).unwrap(), json);
}

#[test]
fn a_split_is_the_best_of_all_by_brute_force() {
    let (features, labels) = data(400);
    let config = BoostingConfig {
        rounds: 1,
        depth: 1,
        learning_rate: 1.0,
        l2: 0.5,
        min_child_weight: 1.0,
        ..Default::default()
    };
    let model = Booster::fit(&features, &labels, &config, &mut |_, _| {}).unwrap();
    let share = sigmoid(f64::from(model.base));
    let score = |g: f64, h: f64| g * g / (h + 0.5);
    let gain = |is_left: &dyn Fn(usize) -> bool| {
        let mut sums = [[0.0; 2]; 2];
        for (row, label) in labels.iter().enumerate() {
            let side = &mut sums[usize::from(is_left(row))];
            side[0] += share - f64::from(u8::from(*label));
            side[1] += share * (1.0 - share);
        }
        score(sums[0][0], sums[0][1]) + score(sums[1][0], sums[1][1])
    };
    let mut best = 0.0_f64;
    for column in features.columns() {
        for cut in column.iter().chain([&f32::MAX]).filter(|cut| !cut.is_nan()) {
            best = best.max(gain(&|row| column[row] <= *cut));
            best = best.max(gain(&|row| column[row] <= *cut || column[row].is_nan()));
        }
    }
    let left = model.trees[0].values[0];
    let rows: Vec<Vec<f32>> = features.rows().into_iter().map(|row| row.to_vec()).collect();
    let found = gain(&|row| model.trees[0].value(&rows[row]) == left);
    assert!((found - best).abs() < 1e-3, "{found} {best}");
}

#[test]
fn unusable_input_is_refused() {
    let (features, labels) = data(50);
    let fit = |labels: &[bool], config: &BoostingConfig| {
        Booster::fit(&features, labels, config, &mut |_, _| {}).map_err(|error| error.to_string())
    };
    let config = BoostingConfig::default();
    assert_eq!(fit(&labels[1..], &config).unwrap_err(), "rows=50 are not as many as labels=49");
    assert_eq!(fit(&[true; 50], &config).unwrap_err(), "labels are all alike rows=50 late=50");
    let steep = BoostingConfig { learning_rate: 1.5, ..config.clone() };
    assert!(fit(&labels, &steep).unwrap_err().contains("learning_rate=1.5"));
    let deep = BoostingConfig { depth: 13, ..config.clone() };
    assert!(fit(&labels, &deep).unwrap_err().contains("depth=13"));
    let model = fit(&labels, &config).unwrap();
    assert!(model.predict(&Array2::zeros((3, 5))).is_err());
    assert!(model.predict(&Array2::zeros((0, 4))).unwrap().is_empty());
}
