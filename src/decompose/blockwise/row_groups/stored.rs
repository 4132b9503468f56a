//! Groups of rows as they are stored, not checked yet.

use serde::Deserialize;

use super::check_groups;
use crate::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowGroups {
    group_of: Vec<u8>,
    /// As many as the largest number says, where it is not said.
    num_groups: Option<usize>,
}

impl TryFrom<RowGroups> for super::RowGroups {
    type Error = Error;

    fn try_from(stored: RowGroups) -> Result<Self> {
        let groups = Self::from_group_of(stored.group_of)?;
        let Some(num_groups) = stored.num_groups else { return Ok(groups) };
        check_groups(num_groups)?;
        let outside = groups.group_of.iter().position(|&group| usize::from(group) >= num_groups);
        match outside {
            None => Ok(Self { num_groups, ..groups }),
            Some(row) => Err(Error::GroupOutOfRange { row, group: groups.group_of[row], num_groups }),
        }
    }
}
