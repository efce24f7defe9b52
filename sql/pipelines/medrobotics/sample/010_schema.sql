-- The source of medrobotics: what a hospital group keeps about operations done with robots.
-- Current state only, no history; updated_at says since when a row is as it is. Every time is timestamptz.

CREATE TABLE facilities (
  facility_id      text PRIMARY KEY CHECK (facility_id ~ '^FAC-[0-9]{2}$'),
  name             text NOT NULL,
  facility_type    text NOT NULL CHECK (facility_type IN ('university hospital', 'general hospital', 'clinic')),
  city             text NOT NULL,
  country          text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  bed_count        integer NOT NULL CHECK (bed_count BETWEEN 20 AND 3000),
  operating_rooms  smallint NOT NULL CHECK (operating_rooms BETWEEN 1 AND 60),
  opened_on        date NOT NULL,
  updated_at       timestamptz NOT NULL
);
CREATE INDEX ON facilities (updated_at);
COMMENT ON TABLE facilities IS 'A hospital or clinic of the group';

CREATE TABLE surgeons (
  surgeon_id       text PRIMARY KEY CHECK (surgeon_id ~ '^SRG-[0-9]{4}$'),
  full_name        text NOT NULL,
  title            text NOT NULL CHECK (title IN ('Fellow', 'Consultant', 'Senior Consultant', 'Head of Department')),
  specialty        text NOT NULL,
  facility_id      text NOT NULL REFERENCES facilities,
  practising_since date NOT NULL,
  hired_on         date NOT NULL CHECK (hired_on >= practising_since),
  is_active        boolean NOT NULL DEFAULT true,
  updated_at       timestamptz NOT NULL
);
CREATE INDEX ON surgeons (updated_at);
COMMENT ON TABLE surgeons IS 'A surgeon certified for robotic surgery, and where he or she operates';

CREATE TABLE robots (
  robot_id         text PRIMARY KEY CHECK (robot_id ~ '^RBT-[0-9]{3}$'),
  serial_number    text NOT NULL UNIQUE,
  manufacturer     text NOT NULL,
  model            text NOT NULL,
  arms             smallint NOT NULL CHECK (arms BETWEEN 1 AND 8),
  software_version text NOT NULL CHECK (software_version ~ '^[0-9]+\.[0-9]+\.[0-9]+$'),
  facility_id      text NOT NULL REFERENCES facilities,
  status           text NOT NULL CHECK (status IN ('active', 'maintenance', 'retired')),
  installed_on     date NOT NULL,
  updated_at       timestamptz NOT NULL
);
CREATE INDEX ON robots (updated_at);
COMMENT ON TABLE robots IS 'A surgical robot, the software it runs and where it stands';

CREATE TABLE patients (
  patient_id       text PRIMARY KEY CHECK (patient_id ~ '^PAT-[0-9]{8,}$'),
  sex              text NOT NULL CHECK (sex IN ('F', 'M')),
  birth_date       date NOT NULL,
  height_cm        smallint NOT NULL CHECK (height_cm BETWEEN 120 AND 220),
  weight_kg        numeric(4,1) NOT NULL CHECK (weight_kg BETWEEN 35 AND 250),
  is_smoker        boolean NOT NULL,
  insurance        text NOT NULL CHECK (insurance IN ('public', 'private', 'self-pay')),
  updated_at       timestamptz NOT NULL
);
CREATE INDEX ON patients (updated_at);
COMMENT ON TABLE patients IS 'Demographics of a patient, without names';

CREATE TABLE procedures (
  procedure_id     text PRIMARY KEY CHECK (procedure_id ~ '^PRC-[0-9]{8,}$'),
  patient_id       text NOT NULL REFERENCES patients,
  surgeon_id       text NOT NULL REFERENCES surgeons,
  robot_id         text NOT NULL REFERENCES robots,
  facility_id      text NOT NULL REFERENCES facilities,
  procedure_type   text NOT NULL,
  category         text NOT NULL,
  priority         text NOT NULL CHECK (priority IN ('elective', 'urgent', 'emergency')),
  asa_class        smallint NOT NULL CHECK (asa_class BETWEEN 1 AND 5),
  start_time       timestamptz NOT NULL,
  end_time         timestamptz NOT NULL CHECK (end_time > start_time),
  console_minutes  integer NOT NULL CHECK (console_minutes > 0),
  updated_at       timestamptz NOT NULL
);
CREATE INDEX ON procedures (start_time);
CREATE INDEX ON procedures (updated_at);
COMMENT ON TABLE procedures IS 'An operation that was carried out; cancelled ones are not kept';
COMMENT ON COLUMN procedures.asa_class IS 'Physical status of the patient before the operation, 1 healthy to 5 moribund';
COMMENT ON COLUMN procedures.console_minutes IS 'How long the robot was in use';

CREATE TABLE outcomes (
  procedure_id      text PRIMARY KEY REFERENCES procedures,
  outcome           text NOT NULL CHECK (outcome IN ('success', 'partial', 'failure', 'death')),
  blood_loss_ml     integer NOT NULL CHECK (blood_loss_ml BETWEEN 0 AND 10000),
  converted_to_open boolean NOT NULL,
  pain_score        smallint CHECK (pain_score BETWEEN 0 AND 10),
  discharged_at     timestamptz,
  updated_at        timestamptz NOT NULL
);
CREATE INDEX ON outcomes (updated_at);
COMMENT ON TABLE outcomes IS 'How an operation ended; discharged_at is empty while the patient is in hospital';

CREATE TABLE complications (
  complication_id   bigint PRIMARY KEY,
  procedure_id      text NOT NULL REFERENCES procedures,
  complication_type text NOT NULL,
  severity          smallint NOT NULL CHECK (severity BETWEEN 1 AND 5),
  detected_at       timestamptz NOT NULL,
  updated_at        timestamptz NOT NULL
);
CREATE INDEX ON complications (procedure_id);
CREATE INDEX ON complications (updated_at);
COMMENT ON TABLE complications IS 'A complication of an operation; none, one or several';
COMMENT ON COLUMN complications.severity IS 'Clavien-Dindo grade, 1 minor to 5 death';

CREATE TABLE readmissions (
  readmission_id   bigint PRIMARY KEY,
  procedure_id     text NOT NULL REFERENCES procedures,
  readmitted_at    timestamptz NOT NULL,
  reason           text NOT NULL,
  updated_at       timestamptz NOT NULL
);
CREATE INDEX ON readmissions (procedure_id);
CREATE INDEX ON readmissions (updated_at);
COMMENT ON TABLE readmissions IS 'A patient who came back to hospital after the discharge';

CREATE TABLE satisfaction (
  survey_id        bigint PRIMARY KEY,
  procedure_id     text NOT NULL UNIQUE REFERENCES procedures,
  sent_at          timestamptz NOT NULL,
  answered_at      timestamptz CHECK (answered_at >= sent_at),
  score            smallint CHECK (score BETWEEN 1 AND 5),
  would_recommend  boolean,
  updated_at       timestamptz NOT NULL,
  CHECK ((answered_at IS NULL) = (score IS NULL) AND (score IS NULL) = (would_recommend IS NULL))
);
CREATE INDEX ON satisfaction (updated_at);
COMMENT ON TABLE satisfaction IS 'A survey sent to a patient; many are never answered, some never sent';
