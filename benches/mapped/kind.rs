//! What the files hold.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use clap::ValueEnum;
use factorized_embedding::{
    Embedding, QuantizedEmbedding, Result,
    io::safetensors::{load_quantized, load_table},
};
use half::f16;

/// How the numbers of a table are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    F32,
    F16,
    Int8,
    Codes,
}

/// The name of the tensor.
const NAME: &str = "table";

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Int8, Self::Codes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Codes => "codes",
        }
    }

    /// The number of an entry: a whole one, which all types hold.
    pub(crate) fn number(row: usize, column: usize) -> i8 {
        ((7 * row + 3 * column) % 255) as i8
    }

    /// The mapped table as a layer.
    pub(crate) fn open(self, path: &Path) -> Result<Box<dyn Embedding>> {
        Ok(match self {
            Self::F32 | Self::F16 | Self::Int8 => Box::new(load_table(path, NAME)?),
            Self::Codes => Box::new(QuantizedEmbedding::new(load_quantized(path)?)),
        })
    }

    /// Writes a file row by row.
    pub(crate) fn write(self, path: &Path, [rows, dim]: [usize; 2]) {
        let numbers = rows * dim;
        let tensor = |name: &str, dtype: &str, shape: &[usize], [start, end]: [usize; 2]| {
            format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
        };
        let table = |dtype, size| format!("{{{}}}", tensor(NAME, dtype, &[rows, dim], [0, size * numbers]));
        let (header, before, behind) = match self {
            Self::F32 => (table("F32", 4), vec![], vec![]),
            Self::F16 => (table("F16", 2), vec![], vec![]),
            Self::Int8 => (table("I8", 1), vec![], vec![]),
            Self::Codes => {
                // One group of all rows, directions of a Hadamard transform, 8 bits for each of them.
                let before = [vec![0; 4], f16::ONE.to_le_bytes().repeat(dim), vec![0x88; dim / 2]].concat();
                let ends = [4, 4 + 2 * dim, before.len(), before.len() + numbers + 16];
                let sizes = format!(r#""vocab_size":"{rows}","rank":"{dim}","dim":"{dim}""#);
                let format = r#""format":"factorized-embedding-quantized","version":"1","level":"scalar""#;
                let rest = r#""log2_unit":"0","hadamard_seed":"1""#;
                let entries = [
                    format!(r#""__metadata__":{{{format},{sizes},{rest}}}"#),
                    tensor("groups", "U32", &[1], [0, ends[0]]),
                    tensor("scales", "F16", &[dim], [ends[0], ends[1]]),
                    tensor("widths", "U8", &[1, dim / 2], [ends[1], ends[2]]),
                    tensor("codes", "U8", &[numbers + 16], [ends[2], ends[3]]),
                ];
                (format!("{{{}}}", entries.join(",")), before, vec![0; 16])
            }
        };
        let mut file = BufWriter::new(File::create(path).expect("a writable folder"));
        let mut write = |bytes: &[u8]| file.write_all(bytes).expect("space on the disk");
        write(&(header.len() as u64).to_le_bytes());
        write(header.as_bytes());
        write(&before);
        let mut bytes = Vec::new();
        for row in 0..rows {
            bytes.clear();
            for number in (0..dim).map(|column| Self::number(row, column)) {
                match self {
                    Self::F32 => bytes.extend(f32::from(number).to_le_bytes()),
                    Self::F16 => bytes.extend(f16::from(number).to_le_bytes()),
                    Self::Int8 | Self::Codes => bytes.extend(number.to_le_bytes()),
                }
            }
            write(&bytes);
        }
        write(&behind);
        file.flush().expect("space on the disk");
    }
}
