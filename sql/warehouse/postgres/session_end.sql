-- $1 backend_pid, $2 backend_start. Asks the session to end; the count of 0 says that it is gone.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE pid = $1 AND backend_start = $2::timestamptz AND pid <> pg_backend_pid()
