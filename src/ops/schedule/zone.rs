//! The time zone of this machine, by its name.

/// The names of all zones.
pub fn all() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}

/// The zone in which the times of a calendar are meant where none is given: that of `TZ`, else that of the machine; `UTC`
/// where it has none.
pub fn local() -> String {
    let given = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    let known = |zone: &String| zone.parse::<chrono_tz::Tz>().is_ok();
    given
        .filter(known)
        .or_else(|| iana_time_zone::get_timezone().ok().filter(known))
        .unwrap_or_else(|| "UTC".to_owned())
}
