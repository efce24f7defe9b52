-- $1 local times. When they are, in the session's time zone, one row each.
SELECT t.at::timestamptz FROM unnest($1::text[]) WITH ORDINALITY AS t(at, place) ORDER BY t.place
