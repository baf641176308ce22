//! Objects: the members of a JSON object that we know, each still the text that was sent.
//!
//! One pass over the body finds them without copying; the value of a member is looked at only when it is asked for, so
//! an error can name its field. Of a member given twice the last counts; unknown members are ignored. A member that is
//! `null` counts as absent, except where its [`raw`](Object::raw) text is asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::error::{Error, Kind};

/// The names of the members that are looked for.
pub type Names<const N: usize> = [&'static str; N];

/// The known members of one JSON object.
pub struct Object<'a, const N: usize> {
    names: &'static Names<N>,
    values: [Option<&'a RawValue>; N],
}

/// Reads one object.
struct One<const N: usize>(&'static Names<N>);

/// Reads an array of objects, of which it keeps no more than a number.
struct Many<const N: usize>(&'static Names<N>, usize);

/// Reads a member's name: its place among those known.
struct Name<const N: usize>(&'static Names<N>);

impl<'a, const N: usize> Object<'a, N> {
    /// Reads a body that is one object.
    ///
    /// # Errors
    /// 400 when it is no JSON, 422 when it is no object.
    pub fn read(body: &'a [u8], names: &'static Names<N>) -> Result<Self, Error> {
        read(body, One(names), "the body must be a JSON object")
    }

    /// Reads a body that is an array of objects, at most `limit` of them.
    ///
    /// # Errors
    /// 400 when it is no JSON, 422 when it is no array of objects or a longer one.
    pub fn read_array(body: &'a [u8], names: &'static Names<N>, limit: usize) -> Result<Vec<Self>, Error> {
        let objects = read(body, Many(names, limit), "each entry of the array must be a JSON object")?;
        if objects.len() > limit {
            return Err(Error::field(format!("the array has more than {limit} entries")));
        }
        Ok(objects)
    }

    /// The text of a member's value, `null` included, without white space around it.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        let index = self.names.iter().position(|known| *known == name)?;
        self.values[index].map(RawValue::get)
    }

    /// A member that is a string.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        let Some(value) = self.given(name) else { return Ok(None) };
        string(value).map(Some).ok_or_else(|| Error::field(format!("{name} must be a string")))
    }

    /// A member that is a string and has to be there.
    pub fn required_text(&self, name: &str) -> Result<Cow<'a, str>, Error> {
        self.text(name)?.ok_or_else(|| Error::field(format!("{name} is required")))
    }

    /// A member that is an array of strings and has to be there.
    pub fn required_texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let value = self.given(name).ok_or_else(|| Error::field(format!("{name} is required")))?;
        serde_json::from_str(value).map_err(|_| Error::field(format!("{name} must be an array of strings")))
    }

    /// A member that is `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.given(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::field(format!("{name} must be true or false"))),
        }
    }

    fn given(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|value| *value != "null")
    }
}

/// The text that a JSON string stands for; `None` for other values, and for escapes that stand for no character.
fn string(value: &str) -> Option<Cow<'_, str>> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(value).ok().map(Cow::Owned)
}

fn read<'a, S: DeserializeSeed<'a>>(body: &'a [u8], seed: S, shape: &'static str) -> Result<S::Value, Error> {
    let malformed =
        |why: &dyn fmt::Display| Error::new(Kind::MalformedJson, format!("malformed JSON: {why}"));
    // Once, for all of it: the parser does not look into strings that it skips.
    let body = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let value = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| match error.classify() {
        // The parser stopped where the shape was wrong; what follows may not even be JSON.
        Category::Data => match serde_json::from_str::<IgnoredAny>(body) {
            Ok(_) => Error::field(shape),
            Err(error) => malformed(&error),
        },
        Category::Syntax | Category::Eof | Category::Io => malformed(&error),
    })
}

impl<'a, const N: usize> DeserializeSeed<'a> for One<N> {
    type Value = Object<'a, N>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Object<'a, N>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a, const N: usize> Visitor<'a> for One<N> {
    type Value = Object<'a, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Object<'a, N>, A::Error> {
        let mut values = [None; N];
        while let Some(known) = map.next_key_seed(Name(self.0))? {
            match known {
                Some(index) => values[index] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Object { names: self.0, values })
    }
}

impl<'a, const N: usize> DeserializeSeed<'a> for Many<N> {
    type Value = Vec<Object<'a, N>>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, const N: usize> Visitor<'a> for Many<N> {
    type Value = Vec<Object<'a, N>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Self(names, limit) = self;
        let mut objects = Vec::new();
        while let Some(object) = seq.next_element_seed(One(names))? {
            // One more than allowed says that there are too many; the rest is only read past.
            if objects.len() <= limit {
                objects.push(object);
            }
        }
        Ok(objects)
    }
}

impl<'a, const N: usize> DeserializeSeed<'a> for Name<N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Name<N> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<3> = ["url", "event", "replay"];

    fn read(body: &str) -> Result<Object<'_, 3>, Error> {
        Object::read(body.as_bytes(), &NAMES)
    }

    fn message<T>(result: Result<T, Error>) -> String {
        result.err().expect("an error").to_string()
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for bad in
            ["", " ", "{", "{\"url\":}", "{} {}", "{'url':1}", "{\"url\":01}", "nul", "[", "\u{feff}{}"]
        {
            assert_eq!(read(bad).err().map(|error| error.kind()), Some(Kind::MalformedJson), "{bad}");
        }
        let not_text = Object::read(b"{\"url\":\"\xff\"}", &NAMES).err().map(|error| error.kind());
        assert_eq!(not_text, Some(Kind::MalformedJson));
    }

    #[test]
    fn json_that_is_no_object_is_told_so() {
        for bad in ["[]", "[\"https://example.com\",\"new_lead\"]", "5", "null", "\"{}\"", "true"] {
            assert_eq!(message(read(bad)), "the body must be a JSON object", "{bad}");
        }
        let error = Object::read_array(b"[{},[]]", &NAMES, 9).err();
        assert_eq!(error.map(|error| error.kind()), Some(Kind::InvalidField));
    }

    #[test]
    fn a_wrong_field_is_named() {
        let object = read(r#"{"url":5,"event":["a"],"replay":"true"}"#).unwrap();
        assert_eq!(message(object.text("url")), "url must be a string");
        assert_eq!(message(object.required_text("event")), "event must be a string");
        assert_eq!(message(object.flag("replay")), "replay must be true or false");
        assert_eq!(message(object.required_texts("url")), "url must be an array of strings");
        assert_eq!(message(read("{}").unwrap().required_text("url")), "url is required");
    }

    #[test]
    fn null_is_absent_and_unknown_members_are_ignored() {
        let object = read(r#"{"url":null,"other":{"url":1},"replay":true}"#).unwrap();
        assert_eq!(object.text("url").unwrap(), None);
        assert_eq!(object.raw("url"), Some("null"));
        assert_eq!(object.flag("replay").unwrap(), Some(true));
        assert_eq!(object.flag("event").unwrap(), None);
    }

    #[test]
    fn the_last_of_two_members_counts_and_escapes_are_read() {
        let object = read(r#"{"event":"a","\u0065vent":"\u00e9\"","url":"\ud800"}"#).unwrap();
        assert_eq!(object.text("event").unwrap().as_deref(), Some("é\""));
        assert_eq!(message(object.text("url")), "url must be a string");
    }

    #[test]
    fn an_array_has_a_limit() {
        assert_eq!(Object::read_array(b"[{},{}]", &NAMES, 2).unwrap().len(), 2);
        assert_eq!(
            message(Object::read_array(b"[{},{},{}]", &NAMES, 2)),
            "the array has more than 2 entries"
        );
        let broken = Object::read_array(b"[{},{},{},", &NAMES, 2).err().map(|error| error.kind());
        assert_eq!(broken, Some(Kind::MalformedJson));
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{{\"url\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(read(&deep).unwrap().raw("url").is_some());
        let ignored = format!("{{\"x\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(read(&ignored).is_ok());
    }
}
