//! To `T[]`: each element by the rule of `T`.

use super::super::text::is_blank;
use super::Cast;

pub(super) fn value(cast: &Cast<'_>, json: &str) -> String {
    let element = cast.live.scalar;
    let list = format!(
        "(SELECT CASE WHEN coalesce(bool_and(r.value IS NOT NULL OR r.means_null), true) \
         THEN coalesce(array_agg(r.value ORDER BY r.i), '{{}}'::{element}[]) END \
         FROM (SELECT {} AS value, {} AS means_null, l.i \
         FROM jsonb_array_elements({json}) WITH ORDINALITY AS l (e, i) OFFSET 0) AS r)",
        cast.scalar_value("l.e"),
        cast.scalar_means_null("l.e"),
    );
    let one = match cast.spec.wrap_scalar {
        false => String::new(),
        true => format!(
            " WHEN 'null' THEN NULL ELSE CASE WHEN NOT {} THEN \
             (SELECT CASE WHEN w.value IS NOT NULL THEN ARRAY[w.value] END FROM (SELECT {} AS value OFFSET 0) AS w) END",
            is_blank(json),
            cast.scalar_value(json)
        ),
    };
    format!("(CASE jsonb_typeof({json}) WHEN 'array' THEN {list}{one} END)::{}", cast.live)
}

pub(super) fn means_null(cast: &Cast<'_>, json: &str) -> String {
    let absent = format!("coalesce(jsonb_typeof({json}), 'null') = 'null' OR {}", is_blank(json));
    match cast.spec.wrap_scalar {
        false => format!("({absent})"),
        // A value that means none is no array at all.
        true => {
            format!("({absent} OR (jsonb_typeof({json}) <> 'array' AND {}))", cast.scalar_means_null(json))
        }
    }
}
