//! Comma-separated values, as RFC 4180 has them.

/// The fields of a line, or of several where a quoted field has line ends in it.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) fields: Vec<String>,
}

/// All records but empty lines.
///
/// A field in quotes may contain commas, line ends and, doubled, quotes.
///
/// # Errors
/// The number of a line with a quote that is not closed, or with something behind a closed one.
pub(crate) fn records(text: &str) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let mut record = Record { line, fields: Vec::new() };
        loop {
            let (field, behind) = field(rest).map_err(|problem| format!("line {line}: {problem}"))?;
            line += field.matches('\n').count();
            record.fields.push(field);
            match behind.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix('\n')).unwrap_or(behind);
                    break;
                }
            }
        }
        line += 1;
        if record.fields != [""] {
            records.push(record);
        }
    }
    Ok(records)
}

/// The first field, and what stands behind it: nothing, a comma or a line end.
fn field(text: &str) -> Result<(String, &str), &'static str> {
    let is_end = |text: &str| text.is_empty() || text.starts_with([',', '\n']) || text.starts_with("\r\n");
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let end = if text[end..].starts_with('\n') && text[..end].ends_with('\r') { end - 1 } else { end };
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut field = String::new();
    loop {
        let quote = rest.find('"').ok_or("a quote is not closed")?;
        field.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None if is_end(rest) => return Ok((field, rest)),
            None => return Err("something stands behind a closed quote, expected a comma"),
        }
    }
}
