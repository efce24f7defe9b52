-- (no parameters)
SELECT nextval('control.load_number')
