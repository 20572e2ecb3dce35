//! Names at the server: a study's own, so that one server serves several.

/// What a study's streams and subjects are called.
#[derive(Debug)]
pub(super) struct Names(String);

impl Names {
    /// Those of a study, by a name of letters, digits and dashes; anything else is left out.
    pub(super) fn of(name: &str) -> Self {
        Self(name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect())
    }

    pub(super) fn work_stream(&self) -> String {
        format!("blindscope-work-{}", self.0)
    }

    pub(super) fn answer_stream(&self) -> String {
        format!("blindscope-answers-{}", self.0)
    }

    pub(super) fn work(&self) -> String {
        format!("blindscope.{}.work", self.0)
    }

    pub(super) fn answer(&self, id: &str) -> String {
        format!("blindscope.{}.answer.{id}", self.0)
    }

    pub(super) fn beat(&self) -> String {
        format!("blindscope.{}.beat", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_reaches_another_subject() {
        assert_eq!(Names::of("ab.*>c d").beat(), "blindscope.abcd.beat");
    }
}
