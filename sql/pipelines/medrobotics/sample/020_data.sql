-- Fills the source: 20 facilities, 120 surgeons, 60 robots and 20,000 procedures over the 24 months that end yesterday.
--
-- Nothing is random: each value is a hash of its row's number, a name and one seed, so a day's data is the same
-- wherever it is made. Two settings change it, for a session or by ALTER DATABASE … SET before this file runs:
--   loadstar.sample_procedures   how many procedures (20000); 2000 for a quick test, 1000000 for a large one
--   loadstar.sample_today        the day after the last procedure (the current day in UTC)
-- Up to some 50,000 procedures no robot and no surgeon is in two places at once; beyond, their days wrap around.

SET jit = off;                               -- the statements are long, the rows are few
SET work_mem = '64MB';
SET timezone = 'UTC';                        -- a day is 24 hours, wherever this runs

CREATE SCHEMA sample;
COMMENT ON SCHEMA sample IS 'How the sample data was made; not part of the source';

CREATE TABLE sample.setting AS
SELECT s.procedures, s.today AT TIME ZONE 'UTC' AS today, (s.today - interval '24 months') AT TIME ZONE 'UTC' AS first_day
  FROM (SELECT coalesce(nullif(current_setting('loadstar.sample_procedures', true), ''), '20000')::bigint AS procedures,
               coalesce(nullif(current_setting('loadstar.sample_today', true), '')::date,
                        (now() AT TIME ZONE 'UTC')::date)::timestamp AS today) s;

-- A number in [0, 1) for row n; the name keeps one use apart from the next. 20240115 is the seed.
CREATE FUNCTION sample.uniform(n bigint, name text) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (hashint8extended(n, hashtextextended(name, 20240115)) & 9007199254740991) * 1.1102230246251565e-16::double precision
$$;

-- The same, normally distributed: mean 0, deviation 1.
CREATE FUNCTION sample.normal(n bigint, name text) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sqrt(-2 * ln(1 - sample.uniform(n, name))) * cos(2 * pi() * sample.uniform(n, name || ' angle'))
$$;

-- One of several words.
CREATE FUNCTION sample.pick(words text[], n bigint, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT words[1 + floor(cardinality(words) * sample.uniform(n, name))::integer]
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Facilities, surgeons, robots: as the master data knows them, unchanged since long before the first procedure.
-- All facilities lie in Western European time, so that a working day is a working day in UTC as well.

CREATE TEMP TABLE site AS
SELECT v.no, format('FAC-%s', lpad(v.no::text, 2, '0')) AS facility_id, v.name, v.city, v.country, v.robots
  FROM (VALUES
    ( 1, 'Northgate University Hospital',  'Dublin',     'IE', 7), ( 2, 'Elm Park General',          'Leeds',     'GB', 3),
    ( 3, 'Rivermouth General Hospital',    'Porto',      'PT', 5), ( 4, 'Castle Hill Clinic',        'Galway',    'IE', 1),
    ( 5, 'Queensferry University Hospital','Glasgow',    'GB', 6), ( 6, 'Oak Lane Hospital',         'Bristol',   'GB', 3),
    ( 7, 'Harbour View Hospital',          'Cork',       'IE', 4), ( 8, 'Meadowbank Clinic',         'Coimbra',   'PT', 2),
    ( 9, 'Seven Hills University Hospital','Lisbon',     'PT', 5), (10, 'Greenfield Hospital',       'Cardiff',   'GB', 2),
    (11, 'Millstream General Hospital',    'Belfast',    'GB', 4), (12, 'Windmill Road Clinic',      'Faro',      'PT', 1),
    (13, 'Stonebridge Hospital',           'Limerick',   'IE', 2), (14, 'Eastcliff General Hospital','Brighton',  'GB', 3),
    (15, 'Lighthouse Hospital',            'Aveiro',     'PT', 2), (16, 'Kingsmead Hospital',        'Norwich',   'GB', 2),
    (17, 'Larkfield General Hospital',     'Sheffield',  'GB', 3), (18, 'Bayside Clinic',            'Waterford', 'IE', 1),
    (19, 'Sunnyside Hospital',             'Braga',      'PT', 2), (20, 'Fernhill Hospital',         'Aberdeen',  'GB', 2)
  ) v (no, name, city, country, robots);

INSERT INTO facilities
SELECT s.facility_id, s.name,
       CASE WHEN s.robots >= 5 THEN 'university hospital' WHEN s.name LIKE '%Clinic' THEN 'clinic' ELSE 'general hospital' END,
       s.city, s.country, 60 + 110 * s.robots + floor(90 * sample.uniform(s.no, 'beds'))::integer,
       2 + 3 * s.robots + floor(4 * sample.uniform(s.no, 'rooms'))::integer,
       o.opened_on, o.opened_on::timestamp AT TIME ZONE 'UTC'
  FROM site s
 CROSS JOIN sample.setting t
 CROSS JOIN LATERAL (SELECT (t.first_day AT TIME ZONE 'UTC')::date - 2000 - floor(18000 * sample.uniform(s.no, 'opened'))::integer AS opened_on) o;

-- Two surgeons a robot; who works where is shuffled.
INSERT INTO surgeons
SELECT format('SRG-%s', lpad(p.no::text, 4, '0')),
       (ARRAY['Aoife', 'Bruno', 'Carla', 'Daniel', 'Elena', 'Fergus', 'Grace', 'Hugo', 'Ines', 'Jack', 'Katherine', 'Liam',
              'Marta', 'Niall', 'Olivia', 'Pedro', 'Rosa', 'Samuel', 'Teresa', 'Una', 'Victor', 'Wendy', 'Yara', 'Zachary'])[1 + p.no * 389 % 960 % 24]
       || ' ' ||
       (ARRAY['Almeida', 'Ashdown', 'Barros', 'Brannigan', 'Cardoso', 'Carrick', 'Coldwell', 'Devane', 'Drummond', 'Esteves',
              'Fairley', 'Fonseca', 'Gallard', 'Greaves', 'Hanlon', 'Hartnoll', 'Iveson', 'Jardim', 'Kearsley', 'Kinsella',
              'Lacerda', 'Linford', 'Macken', 'Marwood', 'Mendes', 'Norbury', 'Oakley', 'Pacheco', 'Penrose', 'Quilty',
              'Ramsden', 'Redfern', 'Sampaio', 'Selwyn', 'Tavares', 'Thornby', 'Upton', 'Vasey', 'Wexley', 'Yarwood'])[1 + p.no * 389 % 960 / 24],
       CASE WHEN p.years < 5 THEN 'Fellow' WHEN p.years < 14 THEN 'Consultant' WHEN p.years < 27 THEN 'Senior Consultant' ELSE 'Head of Department' END,
       (ARRAY['Urology', 'Urology', 'Urology', 'Gynaecology', 'Gynaecology', 'General surgery', 'General surgery',
              'Colorectal surgery', 'Thoracic surgery', 'Head and neck surgery'])[1 + p.no % 10],
       p.facility_id, p.first_day - round(365.25 * p.years)::integer,
       h.hired_on, true, h.hired_on::timestamp AT TIME ZONE 'UTC'
  FROM (SELECT row_number() OVER (ORDER BY sample.uniform(s.no * 100 + k, 'surgeon')) AS no, s.facility_id,
               (t.first_day AT TIME ZONE 'UTC')::date AS first_day,
               2 + 32 * sample.uniform(s.no * 100 + k, 'years') AS years
          FROM site s CROSS JOIN sample.setting t CROSS JOIN generate_series(1, 2 * s.robots) k) p
 CROSS JOIN LATERAL (SELECT p.first_day - 180 - floor((365.25 * least(p.years, 15) - 180) * sample.uniform(p.no, 'hired'))::integer AS hired_on) h;

-- Models differ: arms, software, how often something goes wrong, how fast one works with them.
CREATE TEMP TABLE model AS
SELECT * FROM (VALUES
  (1, 'Corvid Medical', 'Corvid A2',  3, '2.8.4', 1.45, 1.08),
  (2, 'Corvid Medical', 'Corvid A4',  4, '4.1.2', 1.00, 1.00),
  (3, 'Lumen Surgical', 'Lumen One',  4, '1.6.0', 1.15, 0.97),
  (4, 'Lumen Surgical', 'Lumen Duo',  5, '3.0.3', 0.75, 0.92)) v (no, manufacturer, model, arms, software_version, risk, pace);

INSERT INTO robots
SELECT format('RBT-%s', lpad(r.no::text, 3, '0')), format('%s-%s', upper(left(m.model, 3)), 100000 + r.no * 7919 % 90000),
       m.manufacturer, m.model, m.arms, m.software_version, r.facility_id, 'active', i.installed_on, i.installed_on::timestamp AT TIME ZONE 'UTC'
  FROM (SELECT row_number() OVER (ORDER BY sample.uniform(s.no * 100 + k, 'robot')) AS no, s.facility_id
          FROM site s CROSS JOIN generate_series(1, s.robots) k) r
  JOIN model m ON m.no = (ARRAY[1, 2, 2, 3, 4])[1 + r.no % 5]
 CROSS JOIN sample.setting t
 CROSS JOIN LATERAL (SELECT (t.first_day AT TIME ZONE 'UTC')::date - 60 - floor(1800 * sample.uniform(r.no, 'installed'))::integer AS installed_on) i;

-- ---------------------------------------------------------------------------------------------------------------------
-- What happened in the meantime. The procedures below follow it; the master data hears of it late, by changes.sql.
-- An empty value means: as it was. One change a key, for the source keeps no history.

CREATE TABLE sample.surgeon_change AS
SELECT v.surgeon_id, t.today - v.ago AS at, v.title, v.specialty, v.facility_id, v.is_active
  FROM sample.setting t CROSS JOIN (VALUES
    ('SRG-0007', interval '14 months', NULL,                 NULL,                 'FAC-09', NULL::boolean),
    ('SRG-0021', interval '14 months', 'Head of Department', NULL,                 NULL,     NULL),
    ('SRG-0033', interval  '9 months', NULL,                 NULL,                 'FAC-01', NULL),
    ('SRG-0048', interval  '9 months', NULL,                 'Colorectal surgery', NULL,     NULL),
    ('SRG-0064', interval  '9 months', 'Consultant',         NULL,                 'FAC-05', NULL),
    ('SRG-0082', interval  '3 months', NULL,                 'Thoracic surgery',   NULL,     NULL),
    ('SRG-0095', interval  '3 months', 'Senior Consultant',  NULL,                 NULL,     NULL),
    ('SRG-0110', interval  '3 months', NULL,                 NULL,                 NULL,     false)
  ) v (surgeon_id, ago, title, specialty, facility_id, is_active);

CREATE TABLE sample.robot_change AS
SELECT v.robot_id, t.today - v.ago AS at, v.software_version, v.facility_id, v.status
  FROM sample.setting t CROSS JOIN (VALUES
    ('RBT-004', interval '14 months', '3.1.0', NULL,     NULL),
    ('RBT-011', interval '14 months', NULL,    'FAC-03', NULL),
    ('RBT-019', interval  '9 months', '3.1.0', NULL,     NULL),
    ('RBT-026', interval  '9 months', '4.2.0', 'FAC-11', NULL),
    ('RBT-033', interval  '9 months', '1.7.2', NULL,     NULL),
    ('RBT-040', interval  '3 months', '2.9.0', NULL,     NULL),
    ('RBT-047', interval  '3 months', NULL,    NULL,     'maintenance'),
    ('RBT-055', interval  '3 months', NULL,    NULL,     'retired')
  ) v (robot_id, ago, software_version, facility_id, status);

CREATE TABLE sample.facility_change AS
SELECT v.facility_id, t.today - v.ago AS at, v.name, v.bed_count
  FROM sample.setting t CROSS JOIN (VALUES
    ('FAC-02', interval '14 months', 'Elm Park Teaching Hospital', NULL::integer),
    ('FAC-07', interval  '9 months', NULL,                         640),
    ('FAC-15', interval  '3 months', 'Lighthouse Coast Hospital',  360)
  ) v (facility_id, ago, name, bed_count);

-- ---------------------------------------------------------------------------------------------------------------------
-- The calendar: how many procedures a day has. It grows by 20 % a year, rests at weekends, slows down in summer and at
-- the end of the year. The share of the days so far, rounded down, makes the total come out exactly.

CREATE TEMP TABLE calendar AS
WITH weighed AS (
  SELECT d.no, d.day,
         (ARRAY[1.00, 1.08, 1.10, 1.05, 0.90, 0.12, 0.08])[extract(isodow FROM d.day)::integer]
         * power(1.2, d.no / 365.25)
         * (ARRAY[1.04, 1.04, 1.05, 1.00, 1.00, 0.98, 0.86, 0.82, 1.02, 1.06, 1.06, 0.92])[extract(month FROM d.day)::integer]
         * CASE WHEN to_char(d.day, 'MMDD') IN ('0101', '1225', '1226') THEN 0.1 WHEN to_char(d.day, 'MMDD') > '1222' THEN 0.5 ELSE 1 END
         * (0.88 + 0.24 * sample.uniform(d.no, 'day')) AS weight
    FROM (SELECT row_number() OVER (ORDER BY g.day) AS no, g.day
            FROM sample.setting t
           CROSS JOIN generate_series(t.first_day AT TIME ZONE 'UTC', t.today AT TIME ZONE 'UTC' - interval '1 day', interval '1 day') g (day)) d
), shared AS (
  SELECT no, day, floor(t.procedures * (sum(weight) OVER (ORDER BY no) / sum(weight) OVER ()))::bigint AS upto, count(*) OVER () AS days, t.procedures
    FROM weighed CROSS JOIN sample.setting t
), closed AS (
  SELECT no, day, CASE WHEN no = days THEN procedures ELSE upto END AS upto FROM shared
)
SELECT no, day, day AT TIME ZONE 'UTC' AS midnight, coalesce(lag(upto) OVER (ORDER BY no), 0) AS before,
       upto - coalesce(lag(upto) OVER (ORDER BY no), 0) AS procedures
  FROM closed;

-- The roster: on each day, the robots of each facility, its surgeons, both numbered. Robot i gets surgeon i + something
-- that differs by day, so no two robots share a surgeon. Busy robots stand in the list of a day more than once.

CREATE TEMP TABLE robot_roster AS
SELECT c.no AS day_no, r.robot_id, substr(r.robot_id, 5)::integer AS robot_no, coalesce(h.facility_id, r.facility_id) AS facility_id,
       row_number() OVER (PARTITION BY c.no, coalesce(h.facility_id, r.facility_id) ORDER BY r.robot_id) - 1 AS place, m.risk, m.pace
  FROM calendar c
 CROSS JOIN robots r
  JOIN model m ON m.model = r.model
  LEFT JOIN sample.robot_change h ON h.robot_id = r.robot_id AND h.at <= c.midnight
 WHERE coalesce(h.status, r.status) = 'active';

CREATE TEMP TABLE robot_list AS
SELECT day_no, array_agg(robot_no ORDER BY robot_no) AS robots
  FROM robot_roster CROSS JOIN LATERAL generate_series(1, 2 + floor(4 * sample.uniform(robot_no, 'busy'))::integer)
 GROUP BY day_no;

CREATE TEMP TABLE surgeon_roster AS
SELECT c.no AS day_no, s.surgeon_id, coalesce(h.facility_id, s.facility_id) AS facility_id, coalesce(h.specialty, s.specialty) AS specialty,
       row_number() OVER (PARTITION BY c.no, coalesce(h.facility_id, s.facility_id) ORDER BY s.surgeon_id) - 1 AS place,
       count(*) OVER (PARTITION BY c.no, coalesce(h.facility_id, s.facility_id)) AS surgeons,
       (c.day::date - s.practising_since) / 365.25 AS experience
  FROM calendar c
 CROSS JOIN surgeons s
  LEFT JOIN sample.surgeon_change h ON h.surgeon_id = s.surgeon_id AND h.at <= c.midnight
 WHERE coalesce(h.is_active, s.is_active);

-- What a specialty does: how often (upto is cumulative), for how long, how bloody, how many days in bed, for whom.

CREATE TEMP TABLE repertoire AS
SELECT v.*, coalesce(lag(upto) OVER (PARTITION BY specialty ORDER BY upto), 0) AS above FROM (VALUES
  ('Urology',               'Radical prostatectomy',    0.55, 165, 180, 2.0, 1.00),
  ('Urology',               'Partial nephrectomy',      0.80, 150, 140, 2.5, 0.60),
  ('Urology',               'Pyeloplasty',              0.92, 135,  40, 1.5, 0.50),
  ('Urology',               'Radical cystectomy',       1.00, 300, 380, 7.0, 0.75),
  ('Gynaecology',           'Hysterectomy',             0.60, 115,  70, 1.3, 0.00),
  ('Gynaecology',           'Myomectomy',               0.80, 140, 120, 1.3, 0.00),
  ('Gynaecology',           'Sacrocolpopexy',           1.00, 160,  60, 1.6, 0.00),
  ('General surgery',       'Inguinal hernia repair',   0.40,  70,  15, 0.6, 0.85),
  ('General surgery',       'Cholecystectomy',          0.75,  75,  25, 0.8, 0.40),
  ('General surgery',       'Fundoplication',           1.00, 120,  30, 1.5, 0.50),
  ('Colorectal surgery',    'Anterior resection',       0.50, 225, 120, 5.0, 0.58),
  ('Colorectal surgery',    'Right hemicolectomy',      0.85, 180, 100, 4.5, 0.50),
  ('Colorectal surgery',    'Rectopexy',                1.00, 140,  35, 2.5, 0.15),
  ('Thoracic surgery',      'Lobectomy',                0.70, 190, 150, 4.0, 0.52),
  ('Thoracic surgery',      'Thymectomy',               1.00, 140,  60, 2.5, 0.45),
  ('Head and neck surgery', 'Transoral resection',      0.60,  95,  30, 3.0, 0.70),
  ('Head and neck surgery', 'Thyroidectomy',            1.00, 130,  35, 1.5, 0.22)
) v (specialty, procedure_type, upto, minutes, blood_ml, bed_days, male);

ANALYZE calendar, robot_roster, robot_list, surgeon_roster, repertoire;

-- ---------------------------------------------------------------------------------------------------------------------
-- The operations, step by step: on a robot, by a surgeon, of a kind, on a patient, at a time, with an outcome.
-- Materialized, so that what one step computes is not computed again by each that uses it.

CREATE TEMP TABLE operation AS
WITH booked AS MATERIALIZED (
  SELECT c.before + k AS n, c.no AS day_no, c.midnight, extract(isodow FROM c.day) > 5 AS weekend,
         l.robots[1 + floor(cardinality(l.robots) * (k - 1 + sample.uniform(c.before + k, 'robot')) / c.procedures)::integer] AS robot_no
    FROM calendar c
    JOIN robot_list l ON l.day_no = c.no
   CROSS JOIN LATERAL generate_series(1, c.procedures) k
), staffed AS MATERIALIZED (
  SELECT b.*, r.robot_id, r.facility_id, r.risk, r.pace, s.surgeon_id, s.specialty, s.experience
    FROM booked b
    JOIN robot_roster r ON r.day_no = b.day_no AND r.robot_no = b.robot_no
    JOIN surgeon_roster s ON s.day_no = b.day_no AND s.facility_id = r.facility_id
     AND s.place = (r.place + floor(1000 * sample.uniform(b.day_no * 100 + substr(r.facility_id, 5)::integer, 'block'))::integer) % s.surgeons
), chosen AS MATERIALIZED (
  SELECT s.*, p.procedure_type, p.minutes, p.blood_ml, p.bed_days,
         CASE WHEN sample.uniform(s.n, 'sex') < p.male THEN 'M' ELSE 'F' END AS sex
    FROM staffed s
    JOIN repertoire p ON p.specialty = s.specialty AND sample.uniform(s.n, 'type') >= p.above AND sample.uniform(s.n, 'type') < p.upto
), admitted AS MATERIALIZED (                             -- one in ten comes back: a patient of the same sex, some weeks or months ago
  SELECT c.*, 2 * CASE WHEN c.earlier > 0 AND sample.uniform(c.n, 'again') < 0.10 THEN c.earlier ELSE c.turn END
              + CASE c.sex WHEN 'F' THEN 1 ELSE 0 END AS patient_no
    FROM (SELECT c.*, c.turn - 1 - floor(t.procedures * (0.02 + 0.25 * sample.uniform(c.n, 'earlier')))::bigint AS earlier
            FROM (SELECT c.*, row_number() OVER (PARTITION BY c.sex ORDER BY c.n) AS turn FROM chosen c) c
           CROSS JOIN sample.setting t) c
), examined AS MATERIALIZED (
  SELECT a.*, f.birth_date, f.height_cm, f.bmi,
         (a.midnight::date - f.birth_date) / 365.25 AS age, a.n = max(a.n) OVER (PARTITION BY a.patient_no) AS last_visit,
         least(4, greatest(1, round(1.2 + ((a.midnight::date - f.birth_date) / 365.25 - 30) / 45 + (f.bmi - 27) / 15
                                    + 0.5 * sample.normal(a.n, 'asa'))))::smallint AS asa_class
    FROM admitted a
   CROSS JOIN sample.setting t
   CROSS JOIN LATERAL (
     SELECT (t.first_day AT TIME ZONE 'UTC')::date
              - round(365.25 * least(90, greatest(20, 60 + 13 * sample.normal(a.patient_no, 'age'))))::integer AS birth_date,
            round(least(205, greatest(142, CASE a.sex WHEN 'F' THEN 164 ELSE 177 END + 7 * sample.normal(a.patient_no, 'height'))))::smallint AS height_cm,
            least(48, greatest(18, 27 + 4.5 * sample.normal(a.patient_no, 'bmi'))) AS bmi) f
), operated AS MATERIALIZED (
  SELECT e.*,
         sample.uniform(e.n, 'complication') < 0.0235 * e.risk * (1 + 0.9 * exp(-e.experience / 6))
           * exp((e.age - 60) / 32) * (0.7 + 0.15 * e.asa_class) AS complicated,
         sample.uniform(e.n, 'conversion') < 0.011 * e.risk * (1 + exp(-e.experience / 6)) * exp((e.bmi - 27) / 15) AS converted
    FROM examined e
), timed AS MATERIALIZED (
  SELECT o.*,
         least(900, greatest(25, round(o.minutes * o.pace * (0.90 + 0.35 * exp(-o.experience / 8)) * (1 + (o.bmi - 27) / 110)
                            * CASE WHEN o.converted THEN 1.4 ELSE 1 END * CASE WHEN o.complicated THEN 1.15 ELSE 1 END
                            * exp(0.16 * sample.normal(o.n, 'duration')))))::integer AS duration,
         -- when the first patient of this robot's day is taken in
         CASE WHEN o.weekend THEN 360 + 840 * sample.uniform(o.day_no * 1000 + o.robot_no, 'hour')
              WHEN sample.uniform(o.day_no * 1000 + o.robot_no, 'shift') < 0.62 THEN 420 + 150 * sample.uniform(o.day_no * 1000 + o.robot_no, 'hour')
              WHEN sample.uniform(o.day_no * 1000 + o.robot_no, 'shift') < 0.86 THEN 570 + 210 * sample.uniform(o.day_no * 1000 + o.robot_no, 'hour')
              WHEN sample.uniform(o.day_no * 1000 + o.robot_no, 'shift') < 0.98 THEN 780 + 180 * sample.uniform(o.day_no * 1000 + o.robot_no, 'hour')
              ELSE 1080 + 300 * sample.uniform(o.day_no * 1000 + o.robot_no, 'hour') END AS opening
    FROM operated o
), placed AS MATERIALIZED (                               -- the next one follows when the room is ready
  SELECT d.*, floor(d.opening + coalesce(sum(d.duration + 35 + floor(30 * sample.uniform(d.n, 'turnover')))
                                         OVER (PARTITION BY d.day_no, d.robot_no ORDER BY d.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))::integer
              % 1440 AS minute
    FROM timed d
)
SELECT p.n, format('PRC-%s', lpad(p.n::text, 8, '0')) AS procedure_id, format('PAT-%s', lpad(p.patient_no::text, 8, '0')) AS patient_id, p.patient_no,
       p.surgeon_id, p.robot_id, p.facility_id, p.procedure_type, p.specialty AS category,
       CASE WHEN sample.uniform(p.n, 'priority') < CASE WHEN p.weekend OR p.minute >= 1080 OR p.minute < 360 THEN 0.45 ELSE 0.02 END THEN 'emergency'
            WHEN sample.uniform(p.n, 'priority') < CASE WHEN p.weekend OR p.minute >= 1080 OR p.minute < 360 THEN 0.85 ELSE 0.12 END THEN 'urgent'
            ELSE 'elective' END AS priority,
       p.asa_class, p.sex, p.birth_date, p.height_cm, p.bmi, p.age, p.blood_ml, p.complicated, p.converted,
       CASE WHEN NOT p.complicated THEN 0 WHEN sample.uniform(p.n, 'severity') < 0.45 THEN 1 WHEN sample.uniform(p.n, 'severity') < 0.75 THEN 2
            WHEN sample.uniform(p.n, 'severity') < 0.93 THEN 3 WHEN sample.uniform(p.n, 'severity') < 0.99 OR NOT p.last_visit THEN 4 ELSE 5 END AS severity,
       p.midnight + make_interval(mins => p.minute) AS start_time,
       p.midnight + make_interval(mins => p.minute + p.duration) AS end_time, p.duration,
       -- out of bed: the usual days, more after a complication, never at night
       date_trunc('day', p.midnight + make_interval(mins => p.minute + p.duration)
                         + make_interval(hours => ceil(24 * p.bed_days * exp(0.3 * sample.normal(p.n, 'stay'))
                                                        * CASE WHEN p.complicated THEN 1.8 ELSE 1 END)::integer), 'UTC')
         + make_interval(mins => 1440 + 540 + floor(480 * sample.uniform(p.n, 'discharge'))::integer) AS leaving
  FROM placed p;

INSERT INTO patients
SELECT DISTINCT ON (o.patient_no) o.patient_id, o.sex, o.birth_date, o.height_cm,
       round((o.bmi * o.height_cm * o.height_cm / 10000)::numeric, 1),
       sample.uniform(o.patient_no, 'smoker') < 0.19,
       CASE WHEN sample.uniform(o.patient_no, 'insurance') < 0.76 THEN 'public' WHEN sample.uniform(o.patient_no, 'insurance') < 0.96 THEN 'private' ELSE 'self-pay' END,
       o.start_time - make_interval(hours => 24 + floor(1000 * sample.uniform(o.patient_no, 'registered'))::integer)
  FROM operation o
 ORDER BY o.patient_no, o.start_time;

INSERT INTO procedures
SELECT o.procedure_id, o.patient_id, o.surgeon_id, o.robot_id, o.facility_id, o.procedure_type, o.category, o.priority, o.asa_class,
       o.start_time, o.end_time, greatest(10, round(o.duration * (0.62 + 0.15 * sample.uniform(o.n, 'console'))))::integer,
       least(o.end_time + make_interval(mins => 5 + floor(600 * sample.uniform(o.n, 'written'))::integer), greatest(o.end_time, t.today))
  FROM operation o CROSS JOIN sample.setting t;

-- What comes later is there only if it has happened by today.

INSERT INTO outcomes
SELECT o.procedure_id,
       CASE WHEN o.severity = 5 THEN 'death'
            WHEN sample.uniform(o.n, 'outcome') < 0.004 + CASE WHEN o.severity >= 3 THEN 0.25 ELSE 0 END THEN 'failure'
            WHEN sample.uniform(o.n, 'outcome') < 0.030 + 0.12 * o.severity + CASE WHEN o.converted THEN 0.1 ELSE 0 END THEN 'partial'
            ELSE 'success' END,
       least(5000, round(o.blood_ml * exp(0.45 * sample.normal(o.n, 'blood')) * CASE WHEN o.converted THEN 2.5 ELSE 1 END
                                    * CASE WHEN o.severity >= 3 THEN 1.8 ELSE 1 END))::integer,
       o.converted,
       CASE WHEN sample.uniform(o.n, 'pain asked') < 0.93
            THEN least(10, greatest(0, round(2.8 + CASE WHEN o.converted THEN 1.6 ELSE 0 END + 0.5 * o.severity + 1.5 * sample.normal(o.n, 'pain'))))::smallint END,
       CASE WHEN o.leaving < t.today AND o.severity < 5 THEN o.leaving END,
       CASE WHEN o.leaving < t.today AND o.severity < 5 THEN o.leaving ELSE greatest(o.end_time, least(o.end_time + interval '12 hours', t.today)) END
  FROM operation o CROSS JOIN sample.setting t;

-- The first complication has the operation's severity, a second or third is milder.
INSERT INTO complications
SELECT o.n * 10 + k, o.procedure_id,
       sample.pick(ARRAY['bleeding', 'infection', 'ileus', 'anastomotic leak', 'thrombosis', 'urinary retention', 'organ injury', 'arrhythmia'], o.n * 10 + k, 'kind'),
       CASE k WHEN 1 THEN o.severity ELSE greatest(1, o.severity - k + 1) END,
       d.detected_at, least(d.detected_at + make_interval(hours => floor(72 * sample.uniform(o.n * 10 + k, 'noted'))::integer), greatest(d.detected_at, t.today))
  FROM operation o
 CROSS JOIN sample.setting t
 CROSS JOIN LATERAL generate_series(1, 1 + (sample.uniform(o.n, 'second') < 0.18)::integer + (sample.uniform(o.n, 'second') < 0.04)::integer) k
 CROSS JOIN LATERAL (
   SELECT o.start_time + (o.end_time - o.start_time) * sample.uniform(o.n * 10 + k, 'during')
          + (o.leaving - o.end_time) * CASE WHEN o.severity < 5 AND sample.uniform(o.n * 10 + k, 'later') < 0.7 THEN sample.uniform(o.n * 10 + k, 'hours') ELSE 0 END AS detected_at) d
 WHERE o.complicated AND d.detected_at < greatest(o.end_time, t.today);

INSERT INTO readmissions
SELECT o.n, o.procedure_id, r.readmitted_at,
       CASE WHEN o.complicated THEN 'complication' ELSE sample.pick(ARRAY['infection', 'pain', 'bleeding', 'unrelated', 'fever'], o.n, 'reason') END,
       least(r.readmitted_at + make_interval(hours => 4 + floor(90 * sample.uniform(o.n, 'treated'))::integer), t.today)
  FROM operation o
 CROSS JOIN sample.setting t
 CROSS JOIN LATERAL (                        -- four in five within 30 days, the others within 90
   SELECT o.leaving + make_interval(hours => CASE WHEN sample.uniform(o.n, 'soon') < 0.8 THEN 24 + floor(690 * sample.uniform(o.n, 'back'))::integer
                                                  ELSE 730 + floor(1400 * sample.uniform(o.n, 'back'))::integer END) AS readmitted_at) r
 WHERE o.severity < 5 AND r.readmitted_at < t.today
   AND sample.uniform(o.n, 'readmitted') < 0.028 + 0.06 * o.severity + 0.01 * (o.asa_class - 1);

INSERT INTO satisfaction
SELECT o.n, o.procedure_id, q.sent_at, a.answered_at,
       CASE WHEN a.answered_at IS NOT NULL THEN a.score END, CASE WHEN a.answered_at IS NOT NULL THEN a.score >= 4 END,
       coalesce(a.answered_at, q.sent_at)
  FROM operation o
 CROSS JOIN sample.setting t
 CROSS JOIN LATERAL (SELECT o.leaving + interval '14 days' AS sent_at) q
 CROSS JOIN LATERAL (
   SELECT CASE WHEN sample.uniform(o.n, 'answers') < 0.62 AND q.sent_at + make_interval(hours => 3 + floor(480 * sample.uniform(o.n, 'answered'))::integer) < t.today
               THEN q.sent_at + make_interval(hours => 3 + floor(480 * sample.uniform(o.n, 'answered'))::integer) END AS answered_at,
          least(5, greatest(1, round(4.3 - 0.5 * o.severity - CASE WHEN o.converted THEN 0.5 ELSE 0 END + 0.8 * sample.normal(o.n, 'score'))))::smallint AS score) a
 WHERE o.severity < 5 AND q.sent_at < t.today AND sample.uniform(o.n, 'surveyed') < 0.88;

DROP TABLE operation, repertoire, surgeon_roster, robot_list, robot_roster, calendar, model, site;

ANALYZE facilities, surgeons, robots, patients, procedures, outcomes, complications, readmissions, satisfaction;

RESET jit;
RESET work_mem;
RESET timezone;
