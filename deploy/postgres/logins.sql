-- The logins of a production database, each with the rights that its process needs and no more.
-- Once, connected to the database that is to be the service's, as who may create roles:
--   INVOICING_MIGRATOR_PASSWORD=... INVOICING_WORKER_PASSWORD=... INVOICING_API_PASSWORD=... \
--     psql -f deploy/postgres/logins.sql postgresql://postgres@host/invoicing
--
--   login                  is                                      for
--   invoicing_migrator     owner of the database                   invoicing migrate, rebuild, recover, verify
--   invoicing_worker       invoicing_writer                        invoicing worker
--   invoicing_api          invoicing_reader, _seller_reader        invoicing api, show, history, verify
--
-- What the three NOLOGIN roles may do, the migrations say.
\set ON_ERROR_STOP on
\getenv migrator_password INVOICING_MIGRATOR_PASSWORD
\getenv worker_password INVOICING_WORKER_PASSWORD
\getenv api_password INVOICING_API_PASSWORD

BEGIN;

CREATE ROLE invoicing_writer NOLOGIN;
CREATE ROLE invoicing_reader NOLOGIN;
CREATE ROLE invoicing_seller_reader NOLOGIN;

CREATE ROLE invoicing_migrator LOGIN PASSWORD :'migrator_password'
    IN ROLE invoicing_writer, invoicing_reader, invoicing_seller_reader;
-- NOINHERIT: they have no right until they take a role on, and a seller's reader must not have the other's.
CREATE ROLE invoicing_worker LOGIN NOINHERIT PASSWORD :'worker_password' IN ROLE invoicing_writer;
CREATE ROLE invoicing_api LOGIN NOINHERIT PASSWORD :'api_password'
    IN ROLE invoicing_reader, invoicing_seller_reader;

SELECT format('ALTER DATABASE %I OWNER TO invoicing_migrator', current_database()) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO invoicing_worker, invoicing_api', current_database()) \gexec

COMMIT;
