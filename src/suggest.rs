//! The name that was probably meant.

/// The candidate nearest to `wanted`, when one is near enough to be worth
/// saying: at most a third of its characters would have to change.
pub(crate) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(2);
    candidates
        .into_iter()
        // The lengths alone rule most out, for a tenth of the price.
        .filter(|candidate| candidate.len().abs_diff(wanted.len()) <= limit)
        .map(|candidate| (distance(wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Case is the commonest slip and costs nothing.
fn distance(wanted: &str, candidate: &str) -> usize {
    strsim::damerau_levenshtein(&wanted.to_lowercase(), &candidate.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let ids = ["0001_users", "0002_products", "0003_orders"];
        assert_eq!(nearest("0001_user", ids), Some("0001_users"));
        assert_eq!(nearest("0003_Orders", ids), Some("0003_orders"));
        assert_eq!(nearest("something_else", ids), None);
        assert_eq!(nearest("", ids), None);
    }
}
