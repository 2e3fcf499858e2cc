//! Writes the value of one key: clean as its recipe says, or dirty as its class does.

use crate::catalog::Class;

use super::dirt;
use super::recipe::{Amount, Items, Recipe, Shape, Target, Text};
use super::row::{Person, Row};
use super::words::{COMPANIES, DOMAINS, PROSE, STREETS, TAGS};
use super::write;

/// Half of the 65,536 that [`super::rng::RowRng::chance`] counts in.
const HALF: u16 = 1 << 15;

/// Appends the JSON value of a key; `false` where the key is missing in this row, with nothing appended.
pub(super) fn value(row: &mut Row<'_>, recipe: Recipe, class: Class, out: &mut Vec<u8>) -> bool {
    let dirty = dirt::pick(class, row.world.dirt, &mut row.rng);
    match recipe {
        Recipe::RowId => int(out, dirty, row.id),
        Recipe::Int(low, high) => int(out, dirty, row.rng.between(low, high)),
        Recipe::Created => timestamp(out, dirty, row.created_ms),
        Recipe::Later => timestamp(out, dirty, row.later_ms()),
        Recipe::Reference(target) => reference(row, target, dirty, out),
        Recipe::Text(kind) => text(row, kind, dirty, out),
        Recipe::Object(shape) => object(row, shape, dirty, out),
        Recipe::List(items) => list(row, items, dirty, out),
        Recipe::Decimal(amount) => decimal(row, amount, dirty, out),
        Recipe::Geo => geo(row, dirty, out),
        Recipe::Date => {
            let days = row.later_ms() / 86_400_000;
            match dirty {
                Some(variant) => dirt::date(out, variant, days),
                None => string(out, |out| write::date(out, days)),
            }
        }
        Recipe::Email => {
            let (person, number) = (row.person, row.rng.bits());
            match dirty {
                Some(variant) => dirt::email(out, variant, number, |out| email(person, out)),
                None => string(out, |out| email(person, out)),
            }
        }
        Recipe::Bool => match dirty {
            Some(variant) => dirt::boolean(out, variant),
            None => raw(out, if row.rng.chance(HALF) { "true" } else { "false" }),
        },
        Recipe::Password => match dirty {
            Some(variant) => dirt::password(out, variant),
            None => string(out, |out| {
                write::text(out, "$2b$12$");
                token(row, 53, out);
            }),
        },
        Recipe::Word(values) => {
            let word = row.rng.pick(values);
            match dirty {
                Some(variant) => dirt::word(out, variant, word),
                None => string(out, |out| write::text(out, word)),
            }
        }
        Recipe::Uuid(target) => {
            let (high, low) = row.uuid_bits(target);
            match dirty {
                Some(variant) => dirt::uuid(out, variant, (high, low)),
                None => string(out, |out| write::uuid(out, high, low)),
            }
        }
        Recipe::File => {
            let number = row.rng.bits();
            match dirty {
                Some(variant) => dirt::file(out, variant, number),
                None => file(out, number),
            }
        }
        Recipe::ObjectOrBool => match dirty {
            Some(variant) => {
                let agent = row.reference(Target::OtherAgent);
                dirt::object_or_bool(out, variant, agent)
            }
            None => raw(out, "false"),
        },
    }
}

fn raw(out: &mut Vec<u8>, json: &str) -> bool {
    write::text(out, json);
    true
}

fn string(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) -> bool {
    out.push(b'"');
    content(out);
    out.push(b'"');
    true
}

fn int(out: &mut Vec<u8>, dirty: Option<u8>, number: i64) -> bool {
    if let Some(variant) = dirty {
        return dirt::int(out, variant, number);
    }
    write::int(out, number);
    true
}

fn timestamp(out: &mut Vec<u8>, dirty: Option<u8>, ms: i64) -> bool {
    if let Some(variant) = dirty {
        return dirt::timestamp(out, variant, ms);
    }
    write::int(out, ms);
    true
}

fn reference(row: &mut Row<'_>, target: Target, dirty: Option<u8>, out: &mut Vec<u8>) -> bool {
    let (link, zeros) = match target {
        Target::LinkSponsor | Target::LinkDownline => (true, 0),
        Target::Transaction => (false, dirt::ZERO_TRANSACTIONS),
        _ => (false, dirt::ZERO_REFERENCES),
    };
    let clean = if row.rng.chance(zeros) { 0 } else { row.reference(target) };
    match dirty {
        Some(variant) if !(link && row.link.odd) => {
            let (dangling, uuid) = (row.dangling(target), row.uuid_bits(None));
            dirt::reference(out, variant, clean, dangling, uuid)
        }
        _ => {
            write::int(out, clean);
            true
        }
    }
}

fn decimal(row: &mut Row<'_>, amount: Amount, dirty: Option<u8>, out: &mut Vec<u8>) -> bool {
    let (units, cents) = match amount {
        Amount::Money => (row.rng.between(1_000, 989_999), row.rng.between(0, 99)),
        Amount::Cap => (row.rng.between(3_000, 24_000), 0),
        Amount::Fee => (row.rng.between(0, 499), row.rng.between(0, 99)),
        Amount::Percent => (row.rng.between(0, 49), row.rng.between(0, 99)),
        Amount::Units => (row.rng.between(0, 2), 50),
        Amount::Latitude => (row.place.latitude, row.rng.between(0, 99)),
        Amount::Longitude => (row.place.longitude, row.rng.between(0, 99)),
    };
    if let Some(variant) = dirty {
        return dirt::decimal(out, variant, units.unsigned_abs(), cents.unsigned_abs());
    }
    write::int(out, units);
    if cents > 0 {
        out.push(b'.');
        // 0.50 stays 0.50 in jsonb: a trailing zero is part of the value there.
        write::padded(out, cents.unsigned_abs(), 2);
    }
    true
}

fn geo(row: &mut Row<'_>, dirty: Option<u8>, out: &mut Vec<u8>) -> bool {
    let (latitude, longitude) = (row.place.latitude, row.place.longitude);
    if let Some(variant) = dirty {
        return dirt::geo(out, variant, (latitude, longitude));
    }
    raw(out, "{\"type\": \"point\", \"data\": {\"lng\": ");
    write::int(out, longitude);
    out.push(b'.');
    write::padded(out, row.rng.below(1_000_000), 6);
    raw(out, ", \"lat\": ");
    write::int(out, latitude);
    out.push(b'.');
    write::padded(out, row.rng.below(1_000_000), 6);
    raw(out, "}}")
}

fn file(out: &mut Vec<u8>, number: u64) -> bool {
    raw(out, "{\"access\": \"public\", \"path\": \"/vault/wZx1/");
    write::hex(out, number, 12);
    raw(out, "/photo.jpg\", \"name\": \"photo.jpg\", \"type\": \"image\", \"size\": ");
    write::padded(out, 20_000 + number % 900_000, 1);
    raw(out, ", \"mime\": \"image/jpeg\", \"meta\": {\"width\": 400, \"height\": 400}}")
}

fn object(row: &mut Row<'_>, shape: Shape, dirty: Option<u8>, out: &mut Vec<u8>) -> bool {
    match dirty {
        Some(variant) => dirt::object(out, variant, |out| clean_object(row, shape, out)),
        None => {
            clean_object(row, shape, out);
            true
        }
    }
}

fn clean_object(row: &mut Row<'_>, shape: Shape, out: &mut Vec<u8>) {
    match shape {
        Shape::Address => {
            raw(out, "{\"id\": ");
            write::padded(out, 1 + row.rng.below(120_000), 1);
            raw(out, ", \"street\": ");
            string(out, |out| content(row, Text::Street, out));
            raw(out, ", \"city\": ");
            write::quoted(out, row.place.city);
            raw(out, ", \"state\": ");
            write::quoted(out, row.place.state);
            raw(out, ", \"zip\": ");
            string(out, |out| content(row, Text::Zip, out));
            raw(out, "}");
        }
        Shape::Party => {
            raw(out, "{\"name\": ");
            string(out, |out| content(row, Text::OtherName, out));
            raw(out, ", \"company\": ");
            write::quoted(out, row.rng.pick(COMPANIES));
            raw(out, ", \"phone\": ");
            string(out, |out| content(row, Text::Phone, out));
            raw(out, ", \"fee\": ");
            write::padded(out, row.rng.below(900), 1);
            raw(out, ".50, \"verified\": true, \"notes\": null}");
        }
        Shape::Scores => {
            raw(out, "{\"score\": 0.");
            write::padded(out, row.rng.below(1000), 3);
            raw(out, ", \"steps\": [{\"name\": \"photo\", \"done\": ");
            raw(
                out,
                if row.rng.chance(HALF) { "true}], \"hours\": [9, 17]}" } else { "false}], \"hours\": []}" },
            );
        }
        Shape::Token => {
            raw(out, "{\"token\": ");
            string(out, |out| token(row, 32, out));
            raw(out, ", \"expiration\": ");
            let expiration = row.later_ms();
            write::int(out, expiration);
            raw(out, ", \"used\": false}");
        }
    }
}

fn list(row: &mut Row<'_>, items: Items, dirty: Option<u8>, out: &mut Vec<u8>) -> bool {
    if let Some(variant) = dirty {
        return dirt::list(out, variant, row.rng.bits());
    }
    for place in 0..=row.rng.below(2) {
        raw(out, if place == 0 { "[" } else { ", " });
        match items {
            Items::Numbers => write::padded(out, 1 + row.rng.below(900), 1),
            Items::Labels => write::quoted(out, row.rng.pick(TAGS)),
            Items::Splits => {
                raw(out, "{\"tier\": ");
                write::padded(out, place + 1, 1);
                raw(out, ", \"percent\": ");
                write::padded(out, row.rng.below(50), 1);
                raw(out, ".5}");
            }
        }
    }
    raw(out, "]")
}

fn text(row: &mut Row<'_>, kind: Text, dirty: Option<u8>, out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    let start = out.len();
    content(row, kind, out);
    let Some(variant) = dirty else {
        out.push(b'"');
        return true;
    };
    let clean = out.split_off(start);
    out.truncate(start - 1);
    dirt::text(out, variant, &mut row.rng, |out| out.extend_from_slice(&clean))
}

fn email(person: Person, out: &mut Vec<u8>) {
    let letters = |out: &mut Vec<u8>, name: &str| {
        out.extend(name.bytes().filter(u8::is_ascii_alphabetic).map(|byte| byte.to_ascii_lowercase()));
    };
    letters(out, person.first.get(..1).unwrap_or_default());
    letters(out, person.last);
    write::padded(out, person.number, 1);
    out.push(b'@');
    // The rest of a division by the length is an index.
    write::text(out, DOMAINS[person.number as usize % DOMAINS.len()]);
}

fn name(person: Person, out: &mut Vec<u8>) {
    write::text(out, person.first);
    out.push(b' ');
    write::text(out, person.last);
}

fn token(row: &mut Row<'_>, characters: u8, out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut bits = 0;
    for place in 0..characters {
        if place % 12 == 0 {
            bits = row.rng.bits();
        }
        out.push(ALPHABET[(bits & 31) as usize]);
        bits >>= 5;
    }
}

/// Appends a clean text without its quotes; none of it needs an escape.
fn content(row: &mut Row<'_>, kind: Text, out: &mut Vec<u8>) {
    let place = row.place;
    match kind {
        Text::FirstName => write::text(out, row.person.first),
        Text::LastName => write::text(out, row.person.last),
        Text::FullName => name(row.person, out),
        Text::OtherName => name(Person::from_bits(row.rng.bits()), out),
        Text::MiddleName => write::text(out, Person::from_bits(row.rng.bits()).first),
        Text::AgentName => name(row.world.agent_person(row.agent), out),
        Text::SponsorName => {
            let sponsor = row.link.sponsor.or_else(|| row.world.tree.sponsor(row.agent)).unwrap_or(row.agent);
            name(row.world.agent_person(sponsor), out);
        }
        Text::Email => email(row.person, out),
        Text::Phone => {
            write::padded(out, u64::from(place.area_code), 3);
            write::text(out, "-555-");
            write::padded(out, row.rng.below(10_000), 4);
        }
        Text::Address => {
            content(row, Text::Street, out);
            write::text(out, ", ");
            write::text(out, place.city);
            write::text(out, ", ");
            write::text(out, place.abbreviation);
            out.push(b' ');
            write::padded(out, u64::from(place.zip), 5);
        }
        Text::Street => {
            write::padded(out, 1 + row.rng.below(4_999), 1);
            out.push(b' ');
            write::text(out, row.rng.pick(STREETS));
        }
        Text::Unit => {
            write::text(out, "Unit ");
            write::padded(out, 1 + row.rng.below(400), 1);
        }
        Text::City => write::text(out, place.city),
        Text::State => write::text(out, place.state),
        Text::StateAbbreviation => write::text(out, place.abbreviation),
        Text::County => write::text(out, place.county),
        Text::Zip => write::padded(out, u64::from(place.zip), 5),
        Text::Country => write::text(out, "United States"),
        Text::Url => {
            write::text(out, "https://oak.example/");
            content(row, Text::Slug, out);
        }
        Text::Slug => {
            out.extend(
                row.person.last.bytes().filter(u8::is_ascii_alphabetic).map(|byte| byte.to_ascii_lowercase()),
            );
            out.push(b'-');
            write::hex(out, row.rng.bits(), 4);
        }
        Text::Birthdate => write::date(out, row.rng.between(-7_000, 12_000)),
        Text::Path => {
            let mut agent = row.link.downline.unwrap_or(row.agent);
            write::int(out, row.world.agents.id(agent));
            while let Some(sponsor) = row.world.tree.sponsor(agent) {
                out.push(b'/');
                write::int(out, row.world.agents.id(sponsor));
                agent = sponsor;
            }
        }
        Text::OneOf(values) => write::text(out, row.rng.pick(values)),
        Text::Prose(low, high) => {
            for place in 0..row.rng.between(i64::from(low), i64::from(high)) {
                if place > 0 {
                    out.push(b' ');
                }
                write::text(out, row.rng.pick(PROSE));
            }
        }
        Text::Token(prefix, characters) => {
            write::text(out, prefix);
            token(row, characters, out);
        }
    }
}
