//! An element as its encoding has it: text, or an integer that stands for its decimal digits.

use super::DecodeError;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// The bytes of a string.
    Bytes(&'a [u8]),
    /// An integer. Clients see it as a string of decimal digits.
    Integer(i64),
}

impl<'a> Element<'a> {
    /// The string that clients see. `digits` lends it room.
    pub fn text<'b>(&self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Element::Bytes(bytes) => bytes,
            Element::Integer(integer) => digits.format(integer).as_bytes(),
        }
    }

    /// The bytes, of which the caller knows that no integer stands for them.
    pub fn bytes(self) -> Result<&'a [u8], DecodeError> {
        match self {
            Element::Bytes(bytes) => Ok(bytes),
            Element::Integer(_) => Err(DecodeError::BadFormat),
        }
    }

    /// The integer, where only an integer may stand. Redis too accepts one that is written as text.
    pub fn integer(self) -> Result<i64, DecodeError> {
        match self {
            Element::Bytes(bytes) => canonical_integer(bytes).ok_or(DecodeError::BadFormat),
            Element::Integer(integer) => Ok(integer),
        }
    }

    /// The score of a sorted set's member. Refuses NaN.
    pub fn score(self) -> Result<f64, DecodeError> {
        match self {
            Element::Bytes(bytes) => score(bytes),
            Element::Integer(integer) => Ok(integer as f64),
        }
    }
}

/// Reads a score. Refuses NaN.
pub(super) fn score(text: &[u8]) -> Result<f64, DecodeError> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan()).ok_or(DecodeError::BadFormat)
}

/// The integer whose decimal digits are `text`, if there is one: no sign but a minus, no leading zeros.
pub(super) fn canonical_integer(text: &[u8]) -> Option<i64> {
    let canonical = match text {
        [b'0'] => true,
        [b'1'..=b'9', ..] => text.len() <= 19,
        [b'-', b'1'..=b'9', ..] => text.len() <= 20,
        _ => false,
    };
    if canonical { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// Walks over the elements of an encoded container.
pub(super) trait Elements<'a> {
    /// The next element. At the end it checks that the container announced this end.
    fn next(&mut self) -> Result<Option<Element<'a>>, DecodeError>;

    /// The next element, where one must follow.
    fn expect(&mut self) -> Result<Element<'a>, DecodeError> {
        self.next()?.ok_or(DecodeError::BadFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_that_come_back_the_same_are_an_integer() {
        for text in ["0", "7", "-1", "10", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(canonical_integer(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in
            ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "9223372036854775808", "99999999999999999999"]
        {
            assert_eq!(canonical_integer(text.as_bytes()), None, "{text}");
        }
    }
}
