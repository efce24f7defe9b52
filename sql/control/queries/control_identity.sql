-- (no parameters)
SELECT control_id, epoch FROM control.identity
