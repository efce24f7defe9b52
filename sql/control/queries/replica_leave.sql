-- $1 boot id
DELETE FROM control.replica WHERE boot_id = $1
