#!/bin/bash
# Run once by Postgres' image, on an empty volume: a database for each service and one for the key store, owned by a role that can enter no other.
set -euo pipefail

for name in payments fraud compliance accounts registry keys; do
  variable="${name^^}_PASSWORD"
  psql --no-psqlrc -v ON_ERROR_STOP=1 -v name="$name" -v password="${!variable}" --username postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
-- Nothing of what tables hold: how long transactions of others have been open.
GRANT pg_read_all_stats TO :"name";
SQL
done
