//! Time zones, by their names.

/// The names of all zones.
pub fn all() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}

/// The zone in which the times of a calendar are meant where none is given: that of `TZ`, else that of the machine; `UTC`
/// where it has none.
pub fn local() -> String {
    let given = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    given.filter(|name| is_known(name)).unwrap_or_else(of_machine)
}

/// The zone of the machine, whoever asks; `UTC` where it has none.
pub fn of_machine() -> String {
    iana_time_zone::get_timezone().ok().filter(|name| is_known(name)).unwrap_or_else(|| "UTC".to_owned())
}

fn is_known(name: &str) -> bool {
    name.parse::<chrono_tz::Tz>().is_ok()
}
