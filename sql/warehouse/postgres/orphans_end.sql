-- $1 application_name up to the attempt, with its slash, $2 attempt. Ends the sessions of older attempts; counts them.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE starts_with(application_name, $1) AND pid <> pg_backend_pid()
   AND CASE WHEN substr(application_name, length($1) + 1) ~ '^[0-9]{1,9}$'
            THEN substr(application_name, length($1) + 1)::bigint < $2::bigint ELSE false END
