-- (no parameters)
-- Chains what was written since the last seal, unless somebody writes just now: then another time.
SELECT control.audit_make_seal()
