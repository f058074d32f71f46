//! Tensors as requests carry them, and their way to Arrow and back.

pub(crate) mod binary;
mod bind;
mod data;
mod datatype;
mod output;
mod widen;

#[cfg(test)]
mod tests;

pub use bind::Binding;
pub use data::{ByteStrings, TensorData};
pub use datatype::Datatype;
pub use output::tensors_of;

pub(crate) use output::check_answer;

pub(crate) use widen::Misfit;

use super::error::{Result, ServeError, shorten};

/// A named tensor: values in row-major order, as many as its shape says.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    name: String,
    shape: Vec<usize>,
    data: TensorData,
}

impl Tensor {
    /// A tensor whose values fill its shape.
    ///
    /// # Errors
    /// `InvalidInput`, naming the tensor, when `shape` holds another number of values than `data`, or more
    /// than can be counted.
    pub fn new(name: impl Into<String>, shape: Vec<usize>, data: TensorData) -> Result<Self> {
        let name = name.into();
        let want = elements(&name, &shape)?;
        if want == data.len() {
            return Ok(Self { name, shape, data });
        }
        Err(wrong_count(&name, &shape, want, data.len()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sizes of its dimensions, the outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its values.
    #[must_use]
    pub fn data(&self) -> &TensorData {
        &self.data
    }

    /// The type of its values.
    #[must_use]
    pub fn datatype(&self) -> Datatype {
        self.data.datatype()
    }

    /// Its name, its shape and its values.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<usize>, TensorData) {
        (self.name, self.shape, self.data)
    }
}

/// How many values a shape holds, never wrapped around.
pub(crate) fn elements(name: &str, shape: &[usize]) -> Result<usize> {
    let product = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    product.filter(|&count| isize::try_from(count).is_ok()).ok_or_else(|| {
        let name = shorten(name);
        ServeError::invalid(format!("a shape is too large: tensor={name:?} shape={shape:?}"))
    })
}

/// Shapes come over the wire as signed numbers.
pub(crate) fn shape_from_wire(name: &str, shape: &[i64]) -> Result<Vec<usize>> {
    let wrong = |_| {
        let name = shorten(name);
        ServeError::invalid(format!(
            "a shape holds a negative size: tensor={name:?} shape={shape:?}"
        ))
    };
    shape.iter().map(|&size| usize::try_from(size).map_err(wrong)).collect()
}

/// The values do not fit their shape.
pub(crate) fn wrong_count(name: &str, shape: &[usize], want: usize, got: usize) -> ServeError {
    let name = shorten(name);
    ServeError::invalid(format!(
        "the values do not fill the shape: tensor={name:?} shape={shape:?} want={want} got={got}"
    ))
}

/// The place of the value at `at` in row-major order, as one index a dimension.
pub(crate) fn place(shape: &[usize], mut at: usize) -> Vec<usize> {
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let size = size.max(1);
            let index = at % size;
            at /= size;
            index
        })
        .collect();
    if let Some(first) = place.last_mut() {
        *first += at * shape.first().copied().unwrap_or(1).max(1);
    }
    place.reverse();
    place
}
