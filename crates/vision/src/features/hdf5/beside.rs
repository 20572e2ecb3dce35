//! What lies beside a matrix: which dataset is a column of what, told by its usual names, and which are left.

use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype};

use super::{Outcome, datasets, listing, plain};
use crate::data::Role;

/// The datasets of a group but for its matrix and its coordinates.
pub(super) struct Beside {
    rows: u64,
    all: Vec<(Dataset, Option<Role>)>,
    /// Of each role, its place among them.
    taken: Vec<(Role, usize)>,
}

const TAKEN: [Role; 5] = [Role::Id, Role::Label, Role::Group, Role::Patient, Role::Site];

impl Beside {
    /// Looks at a group whose matrix has `rows` rows; `ids` names the dataset of ids where somebody did.
    ///
    /// # Errors
    /// Says which datasets may both be one thing, or that no dataset has the name.
    pub(super) fn of(group: &Group, matrix: &Dataset, rows: u64, ids: Option<&str>) -> Outcome<Self> {
        let rest = datasets(group)?.into_iter().filter(|d| plain(d) != plain(matrix) && !is_coords(plain(d)));
        let rest: Vec<Dataset> = rest.collect();
        let roles = Role::of_all(rest.iter().map(plain));
        let mut beside = Self { rows, all: rest.into_iter().zip(roles).collect(), taken: Vec::new() };
        for role in TAKEN {
            let stated = ids.filter(|_| role == Role::Id);
            let at = match stated {
                Some(name) => Some(beside.place(name).ok_or_else(|| {
                    format!("no dataset `{name}`, as --id-column says; it holds {}", listing(group))
                })?),
                None => beside.only(role)?,
            };
            beside.taken.extend(at.map(|at| (role, at)));
        }
        Ok(beside)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|(d, _)| plain(d) == name)
    }

    /// The dataset of a role: of the role's own name, or the only one of another usual name that fits.
    fn only(&self, role: Role) -> Outcome<Option<usize>> {
        let own = [format!("{}s", role.name()), role.name().to_owned()];
        if let Some(at) = own.iter().find_map(|name| self.place(name)) {
            return Ok(Some(at));
        }
        let fits = |d: &Dataset| match role {
            Role::Label => self.is_column(d) || d.shape().iter().all(|n| *n == 1) && is_name(d),
            _ => self.is_column(d) && is_name(d),
        };
        let found: Vec<usize> = (0..self.all.len())
            .filter(|at| self.all[*at].1 == Some(role) && fits(&self.all[*at].0))
            .collect();
        match found.as_slice() {
            [] => Ok(None),
            [at] => Ok(Some(*at)),
            several => {
                let names: Vec<String> =
                    several.iter().map(|at| format!("`{}`", plain(&self.all[*at].0))).collect();
                let repair = if role == Role::Id { "name one with --id-column" } else { "leave one out" };
                Err(format!("{} may all be the {}; {repair}", names.join(" and "), role.name()))
            }
        }
    }

    /// One value a row.
    fn is_column(&self, dataset: &Dataset) -> bool {
        matches!(*dataset.shape(), [n] | [n, 1] if n == self.rows)
    }

    pub(super) fn find(&self, role: Role) -> Option<&Dataset> {
        self.taken.iter().find(|(taken, _)| *taken == role).map(|(_, at)| &self.all[*at].0)
    }

    pub(super) fn ids(&self) -> Option<&Dataset> {
        self.find(Role::Id)
    }

    fn left(&self) -> impl Iterator<Item = &(Dataset, Option<Role>)> {
        let taken = |at: usize| self.taken.iter().any(|(_, taken)| *taken == at);
        self.all.iter().enumerate().filter(move |(at, _)| !taken(*at)).map(|(_, left)| left)
    }

    /// Columns that nothing was made of and that may name the rows: texts, and row numbers.
    pub(super) fn perhaps_ids(&self) -> Vec<String> {
        let perhaps = |(d, role): &&(Dataset, Option<Role>)| {
            self.is_column(d)
                && match role {
                    None => is_text(d),
                    Some(Role::Id | Role::Number) => is_name(d),
                    Some(_) => false,
                }
        };
        self.left().filter(perhaps).map(|(d, _)| plain(d).to_owned()).collect()
    }

    /// What was taken and what was not, if there is anything.
    pub(super) fn described(&self) -> Option<String> {
        let taken = self
            .taken
            .iter()
            .map(|(role, at)| format!("`{}` is the {}", plain(&self.all[*at].0), role.name()));
        let mut parts: Vec<String> = taken.collect();
        let left: Vec<String> = self.left().map(|(d, _)| format!("`{}`", plain(d))).collect();
        if !left.is_empty() {
            parts.push(format!("not taken: {}", left.join(", ")));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn is_coords(name: &str) -> bool {
    ["coords", "coordinates"].contains(&name)
}

fn is_text(dataset: &Dataset) -> bool {
    matches!(dataset.dtype(), Datatype::String { .. } | Datatype::VarLen { .. })
}

/// Whether its values can be names: texts, whole numbers, names of an enumeration.
fn is_name(dataset: &Dataset) -> bool {
    is_text(dataset) || matches!(dataset.dtype(), Datatype::FixedPoint { .. } | Datatype::Enum { .. })
}
