-- $1 boot id, $2 host, $3 lease in ms
INSERT INTO control.replica (boot_id, host, lease_until) VALUES ($1, $2, now() + $3::bigint * interval '1 millisecond')
ON CONFLICT (boot_id) DO UPDATE SET host = coalesce(nullif(excluded.host, ''), control.replica.host),
  lease_until = excluded.lease_until
