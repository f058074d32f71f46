//! A growing vector of JSON values whose type is only known once all of them are there.

use half::f16;

use crate::serving::tensor::{ByteStrings, Datatype, Misfit, TensorData};

/// Values in the narrowest form that holds all that came so far.
///
/// Numbers stay 64-bit integers until one comes with a fraction, an exponent or beyond 64 bits; then all are
/// floats, which no integer type takes. `"NaN"`, `"Infinity"` and `"-Infinity"` among numbers are floats.
///
/// Behind the first value that can't stand beside the others nothing is kept: all of them together are changed
/// from one form to another at most three times, however they come.
#[derive(Debug, Default)]
pub(in crate::serving) struct Loose {
    values: Values,
    misfit: Option<Misfit>,
    /// Where the first null came, which only floats take.
    null: Option<usize>,
}

#[derive(Debug, Default)]
enum Values {
    #[default]
    Empty,
    Bools(Vec<bool>),
    Ints(Vec<i64>),
    /// With at least one beyond `i64`.
    Uints(Vec<u64>),
    Floats(Vec<f64>),
    Texts(ByteStrings),
}

fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

impl Loose {
    pub(in crate::serving) fn len(&self) -> usize {
        match &self.values {
            Values::Empty => 0,
            Values::Bools(v) => v.len(),
            Values::Ints(v) => v.len(),
            Values::Uints(v) => v.len(),
            Values::Floats(v) => v.len(),
            Values::Texts(v) => v.len(),
        }
    }

    pub(in crate::serving) fn int(&mut self, value: i64) {
        if self.misfit.is_some() {
            return;
        }
        match &mut self.values {
            Values::Ints(v) => v.push(value),
            Values::Floats(v) => v.push(value as f64),
            Values::Empty => self.values = Values::Ints(vec![value]),
            Values::Uints(v) => match u64::try_from(value) {
                Ok(value) => v.push(value),
                Err(_) => self.float(value as f64),
            },
            Values::Texts(_) => self.float(value as f64),
            Values::Bools(_) => self.refuse(value),
        }
    }

    pub(in crate::serving) fn uint(&mut self, value: u64) {
        if let Ok(value) = i64::try_from(value) {
            return self.int(value);
        }
        if self.misfit.is_some() {
            return;
        }
        match &mut self.values {
            Values::Uints(v) => v.push(value),
            Values::Empty => self.values = Values::Uints(vec![value]),
            Values::Ints(v) => {
                match v.iter().map(|&v| u64::try_from(v)).collect::<Result<Vec<_>, _>>() {
                    Err(_) => self.float(value as f64),
                    Ok(mut all) => {
                        all.push(value);
                        self.values = Values::Uints(all);
                    }
                }
            }
            _ => self.float(value as f64),
        }
    }

    pub(in crate::serving) fn float(&mut self, value: f64) {
        if self.misfit.is_some() {
            return;
        }
        let floats = match &mut self.values {
            Values::Floats(v) => return v.push(value),
            Values::Empty => Some(Vec::new()),
            Values::Ints(v) => Some(v.iter().map(|&v| v as f64).collect()),
            Values::Uints(v) => Some(v.iter().map(|&v| v as f64).collect()),
            Values::Texts(v) => v.iter().map(|v| special(std::str::from_utf8(v).ok()?)).collect(),
            Values::Bools(_) => None,
        };
        match floats {
            None => self.refuse(value),
            Some(mut floats) => {
                floats.push(value);
                self.values = Values::Floats(floats);
            }
        }
    }

    pub(in crate::serving) fn bool(&mut self, value: bool) {
        if self.misfit.is_some() {
            return;
        }
        match &mut self.values {
            Values::Bools(v) => v.push(value),
            Values::Empty => self.values = Values::Bools(vec![value]),
            _ => self.refuse(value),
        }
    }

    pub(in crate::serving) fn text(&mut self, value: &str) {
        if self.misfit.is_some() {
            return;
        }
        match &mut self.values {
            Values::Texts(v) => v.push(value.as_bytes()),
            Values::Empty => self.values = Values::Texts([value].into_iter().collect()),
            Values::Bools(_) => self.refuse(format_args!("{value:?}")),
            _ => match special(value) {
                Some(float) => self.float(float),
                None => self.refuse(format_args!("{:?}", crate::serving::error::shorten(value))),
            },
        }
    }

    /// A missing value: a NaN among numbers, refused beside anything else.
    pub(in crate::serving) fn null(&mut self) {
        if self.misfit.is_some() {
            return;
        }
        match &self.values {
            Values::Bools(_) | Values::Texts(_) => self.refuse("null"),
            _ => {
                let at = self.len();
                self.null.get_or_insert(at);
                self.float(f64::NAN);
            }
        }
    }

    /// Notes the first value that can't stand beside the others.
    pub(in crate::serving) fn refuse(&mut self, value: impl std::fmt::Display) {
        let at = self.len();
        self.misfit.get_or_insert_with(|| Misfit::Value { at, got: value.to_string() });
    }

    /// The values as this type.
    ///
    /// A float is the nearest one to the decimal number; an integer, a truth value and a text are exact.
    pub(in crate::serving) fn into_data(self, datatype: Datatype) -> Result<TensorData, Misfit> {
        use TensorData as D;
        if let Some(misfit) = self.misfit {
            return Err(misfit);
        }
        let floats = [Datatype::Fp16, Datatype::Fp32, Datatype::Fp64].contains(&datatype);
        if let Some(at) = self.null.filter(|_| !floats) {
            return Err(Misfit::Value { at, got: "null".to_owned() });
        }
        match datatype {
            Datatype::Bool => match self.values {
                Values::Empty => Ok(D::Bool(Vec::new())),
                Values::Bools(v) => Ok(D::Bool(v)),
                other => Err(other.first()),
            },
            Datatype::Int64 => match self.values {
                Values::Ints(v) => Ok(D::Int64(v)),
                other => other.integers().map(D::Int64),
            },
            Datatype::Int8 => self.values.integers().map(D::Int8),
            Datatype::Int16 => self.values.integers().map(D::Int16),
            Datatype::Int32 => self.values.integers().map(D::Int32),
            Datatype::Uint8 => self.values.integers().map(D::Uint8),
            Datatype::Uint16 => self.values.integers().map(D::Uint16),
            Datatype::Uint32 => self.values.integers().map(D::Uint32),
            Datatype::Uint64 => self.values.integers().map(D::Uint64),
            Datatype::Fp64 => self.values.floats().map(D::Fp64),
            Datatype::Fp32 => {
                let all = self.values.floats()?;
                narrow(&all, |v| v as f32, |v| v.is_infinite()).map(D::Fp32)
            }
            Datatype::Fp16 => {
                let all = self.values.floats()?;
                narrow(&all, f16::from_f64, |v: f16| v.is_infinite()).map(D::Fp16)
            }
            Datatype::Bytes => match self.values {
                Values::Empty => Ok(D::Bytes(ByteStrings::default())),
                Values::Texts(v) => Ok(D::Bytes(v)),
                other => Err(other.first()),
            },
        }
    }
}

impl Values {
    /// Every value is of the wrong kind: the first one says so.
    fn first(&self) -> Misfit {
        let text = |v: &ByteStrings| v.get(0).map(|v| String::from_utf8_lossy(v).into_owned());
        let got = match self {
            Self::Empty => None,
            Self::Bools(v) => v.first().map(ToString::to_string),
            Self::Ints(v) => v.first().map(ToString::to_string),
            Self::Uints(v) => v.first().map(ToString::to_string),
            Self::Floats(v) => v.first().map(ToString::to_string),
            Self::Texts(v) => text(v).map(|v| format!("{:?}", crate::serving::error::shorten(&v))),
        };
        Misfit::Value { at: 0, got: got.unwrap_or_default() }
    }

    fn integers<T: TryFrom<i64> + TryFrom<u64>>(self) -> Result<Vec<T>, Misfit> {
        fn all<S: Copy + ToString, T: TryFrom<S>>(values: &[S]) -> Result<Vec<T>, Misfit> {
            let each = values.iter().enumerate().map(|(at, &value)| {
                T::try_from(value).map_err(|_| Misfit::Value { at, got: value.to_string() })
            });
            each.collect()
        }
        match self {
            Self::Empty => Ok(Vec::new()),
            Self::Ints(v) => all(&v),
            Self::Uints(v) => all(&v),
            Self::Floats(v) => {
                let exact = |v: &f64| v.fract() != 0.0 || v.abs() >= 9_007_199_254_740_992.0;
                let at = v.iter().position(exact).unwrap_or(0);
                Err(Misfit::Value { at, got: format!("{:?}", v[at]) })
            }
            other => Err(other.first()),
        }
    }

    fn floats(self) -> Result<Vec<f64>, Misfit> {
        match self {
            Self::Empty => Ok(Vec::new()),
            Self::Ints(v) => Ok(v.into_iter().map(|v| v as f64).collect()),
            Self::Uints(v) => Ok(v.into_iter().map(|v| v as f64).collect()),
            Self::Floats(v) => Ok(v),
            Self::Texts(v) => {
                let all = v.iter().enumerate().map(|(at, text)| {
                    let text = String::from_utf8_lossy(text);
                    special(&text).ok_or_else(|| Misfit::Value {
                        at,
                        got: format!("{:?}", crate::serving::error::shorten(&text)),
                    })
                });
                all.collect()
            }
            Self::Bools(_) => Err(self.first()),
        }
    }
}

/// A finite number must stay finite.
fn narrow<T: Copy>(
    values: &[f64],
    convert: impl Fn(f64) -> T,
    infinite: impl Fn(T) -> bool,
) -> Result<Vec<T>, Misfit> {
    let each = values.iter().enumerate().map(|(at, &value)| {
        let narrowed = convert(value);
        if infinite(narrowed) && value.is_finite() {
            return Err(Misfit::Value { at, got: format!("{value:?}") });
        }
        Ok(narrowed)
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(misfit: Result<TensorData, Misfit>) -> (usize, String) {
        match misfit {
            Err(Misfit::Value { at, got }) => (at, got),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn integers_at_the_edges_are_exact() {
        let mut loose = Loose::default();
        loose.int(i64::MIN);
        loose.uint(i64::MAX as u64);
        let want = TensorData::Int64(vec![i64::MIN, i64::MAX]);
        assert_eq!(loose.into_data(Datatype::Int64), Ok(want));
        let mut loose = Loose::default();
        loose.int(3);
        loose.uint(u64::MAX);
        loose.int(4);
        let want = TensorData::Uint64(vec![3, u64::MAX, 4]);
        assert_eq!(loose.into_data(Datatype::Uint64), Ok(want));
    }

    #[test]
    fn values_out_of_range_say_where() {
        let of = |value: i64| {
            let mut loose = Loose::default();
            loose.int(0);
            loose.int(value);
            loose
        };
        let table = [
            (Datatype::Int8, 128),
            (Datatype::Int16, -32769),
            (Datatype::Int32, 1 << 31),
            (Datatype::Uint8, 256),
            (Datatype::Uint16, -1),
            (Datatype::Uint32, 1 << 32),
            (Datatype::Uint64, -1),
        ];
        for (datatype, value) in table {
            assert_eq!(at(of(value).into_data(datatype)), (1, value.to_string()), "{datatype}");
        }
        let mut loose = Loose::default();
        loose.float(1.0);
        loose.float(1e39);
        assert_eq!(at(loose.into_data(Datatype::Fp32)), (1, "1e39".to_owned()));
        assert_eq!(at(of(70_000).into_data(Datatype::Fp16)), (1, "70000.0".to_owned()));
    }

    #[test]
    fn behind_a_value_that_fits_nowhere_nothing_is_looked_at_or_kept() {
        const MANY: usize = 200_000;
        let mut loose = Loose::default();
        // Were each number held against all the texts, this would be 40 billion comparisons.
        (0..MANY).for_each(|_| loose.text("EWR"));
        (0..MANY).for_each(|_| loose.float(0.5));
        (0..MANY).for_each(|_| loose.int(1));
        (0..MANY).for_each(|_| loose.uint(u64::MAX));
        loose.null();
        loose.bool(true);
        loose.text("JFK");
        assert_eq!(loose.len(), MANY);
        assert_eq!(at(loose.into_data(Datatype::Bytes)), (MANY, "0.5".to_owned()));
    }

    #[test]
    fn words_for_what_is_no_number_stand_among_numbers_in_any_order() {
        let mut loose = Loose::default();
        loose.text("Infinity");
        loose.int(1);
        loose.text("-Infinity");
        let want = TensorData::Fp32(vec![f32::INFINITY, 1.0, f32::NEG_INFINITY]);
        assert_eq!(loose.into_data(Datatype::Fp32), Ok(want));
        let mut loose = Loose::default();
        loose.text("NaN");
        let want = TensorData::Bytes(["NaN"].into_iter().collect());
        assert_eq!(loose.into_data(Datatype::Bytes), Ok(want));
        let mut loose = Loose::default();
        loose.int(1);
        loose.text("nan");
        assert_eq!(at(loose.into_data(Datatype::Fp32)), (1, "\"nan\"".to_owned()));
    }
}
