//! What to do without a model.

use std::io::Write;

use crate::support::Result;

const GUIDE: &str = "\
This example needs the folder of a sentence encoder: a BERT with mean pooling, as sentence-transformers saves it.

1. Get all-MiniLM-L6-v2 (90 MB, Apache-2.0) into target/minilm:

     python3 scripts/minilm.py target/minilm

2. Compare sentences, with the dense token table and with compressed ones:

     cargo run --release --features candle,tokenizers --example sentence_similarity -- \\
         target/minilm \"A dog runs over the grass.\" \"A puppy is running in a meadow.\"

3. Measure what a benchmark loses. The STS benchmark (Cer et al. 2017) is not shipped, because its sentences have licences of
   their own; its 1,500 pairs for development are the file data/stsb-en-dev.csv of https://github.com/PhilipMay/stsb-multi-mt:

     cargo run --release --features candle,tokenizers --example sentence_similarity -- \\
         target/minilm --data stsb-en-dev.csv

   Any CSV file with two sentences and a score in each line will do.
";

pub(crate) fn write(out: &mut impl Write) -> Result<()> {
    Ok(out.write_all(GUIDE.as_bytes())?)
}
