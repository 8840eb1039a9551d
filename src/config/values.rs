//! How numbers, sizes and durations are read and shown. The error texts are those of Redis.

/// A whole number from `min` to `max`.
///
/// # Errors
/// Redis's text for a word that is not a number, or a number out of range.
pub fn parse_number(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let number: i128 = text.parse().map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    between(number, min, max)
}

/// A whole number from `min` on, which may be negative.
///
/// # Errors
/// Redis's text for a word that is not a number, or a number out of range.
pub fn parse_signed(text: &str, min: i64) -> Result<i64, String> {
    let number: i128 = text.parse().map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    let fits = i64::try_from(number).ok().filter(|number| *number >= min);
    fits.ok_or_else(|| format!("argument must be between {min} and {} inclusive", i64::MAX))
}

fn between(number: i128, min: u64, max: u64) -> Result<u64, String> {
    match u64::try_from(number) {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(format!("argument must be between {min} and {max} inclusive")),
    }
}

/// A size with one of Redis's units: `k` is 1,000 bytes, `kb` is 1,024 bytes, and so on. A plain number is bytes.
///
/// # Errors
/// Redis's text for a word that is not a size, or for a size below `min` or above `max`.
pub fn parse_bytes(text: &str, min: usize, max: usize) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: i128 = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err("argument must be a memory value".into()),
    };
    let number: i128 = text[..digits].parse().map_err(|_| "argument must be a memory value".to_owned())?;
    let bytes = number.checked_mul(unit).ok_or_else(|| "argument must be a memory value".to_owned())?;
    between(bytes, min as u64, max as u64).map(|n| n as usize)
}

/// The longest timeout: 2^31-1 seconds, as in Redis.
const TIMEOUT_MAX_S: u64 = i32::MAX as u64;

/// A duration, in milliseconds. A plain number is seconds, as in Redis; `250ms`, `90s` and `5m` work too. Zero has a
/// meaning of its own for each option, so it is allowed even if it is less than `min_ms`.
///
/// # Errors
/// Redis's text for a word that is not a duration, or for a duration that is too long. A text of ours for a duration
/// that is too short.
pub fn parse_ms(text: &str, min_ms: u64) -> Result<u64, String> {
    if let Ok(seconds) = text.parse::<i128>() {
        return between(seconds, 0, TIMEOUT_MAX_S).map(|s| s * 1_000);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    let ms = between(duration.as_millis() as i128, 0, TIMEOUT_MAX_S * 1_000)?;
    // A duration below a millisecond must not become 0, which means never.
    if !duration.is_zero() && ms < min_ms {
        return Err(format!("argument must be 0 or at least {}", show_ms(min_ms)));
    }
    Ok(ms)
}

/// A host and a port with a colon between them, or nothing. The host may be a name, an IPv4 address, or an IPv6 address in
/// brackets.
///
/// # Errors
/// A text of ours for anything else.
pub fn parse_host_and_port(text: &str) -> Result<String, String> {
    const HOST_BYTES_MAX: usize = 255;
    let is_good = |(host, port): (&str, &str)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_is_good = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        };
        host_is_good
            && !host.is_empty()
            && host.len() <= HOST_BYTES_MAX
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if text.is_empty() || text.rsplit_once(':').is_some_and(is_good) {
        return Ok(text.to_owned());
    }
    Err("argument must be host:port, with an IPv6 address in brackets".into())
}

/// Shows whole seconds as a plain number, and other durations with a unit.
pub fn show_ms(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { (ms / 1_000).to_string() } else { format!("{ms}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_units_of_redis() {
        for (text, bytes) in [("7", 7), ("2k", 2_000), ("2kb", 2_048), ("1Mb", 1 << 20), ("3GB", 3 << 30)] {
            assert_eq!(parse_bytes(text, 0, usize::MAX), Ok(bytes), "{text}");
        }
        for bad in ["", "mb", "-1", "1tb", "1.5mb", "99999999999999999999999999999999999999999gb"] {
            assert!(parse_bytes(bad, 0, usize::MAX).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["", "cache-2.example.org:6379", "10.0.0.2:1", "[::1]:65535"] {
            assert_eq!(parse_host_and_port(good), Ok(good.to_owned()));
        }
        for bad in
            ["host", "host:", ":1", "host:0", "host:65536", "::1:1", "[::1]", "a b:1", "[x]:1", "a\r\nb:1"]
        {
            assert!(parse_host_and_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_seconds_unless_they_name_a_unit() {
        for (text, ms) in [("0", 0), ("30", 30_000), ("250ms", 250), ("5m", 300_000)] {
            assert_eq!(parse_ms(text, 100), Ok(ms), "{text}");
        }
        for bad in ["", "-1", "soon", "2147483648"] {
            assert!(parse_ms(bad, 0).is_err(), "{bad}");
        }
        for short in ["1ns", "1ms", "99ms"] {
            assert_eq!(parse_ms(short, 100), Err("argument must be 0 or at least 100ms".into()), "{short}");
        }
        assert_eq!(show_ms(30_000), "30");
        assert_eq!(show_ms(250), "250ms");
    }
}
