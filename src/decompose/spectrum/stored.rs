//! What a spectrum says, as a report.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::Spectrum;

impl Serialize for Spectrum {
    /// Shape and singular values, and of each rank from 0 on the share of the energy, the relative error and the bytes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<usize> = (0..=self.singular_values.len()).map(|rank| self.bytes_at(rank)).collect();
        let mut report = serializer.serialize_struct("Spectrum", 5)?;
        report.serialize_field("shape", &self.shape)?;
        report.serialize_field("singular_values", &self.singular_values.to_vec())?;
        report.serialize_field("energy_curve", &self.energy_curve().to_vec())?;
        report.serialize_field("error_curve", &self.error_curve().to_vec())?;
        report.serialize_field("bytes", &bytes)?;
        report.end()
    }
}
