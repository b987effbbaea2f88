#!/bin/bash
# Run once by Postgres' image, on an empty volume: databases for the registry and the key store, and one for each service, owned by a role that migrates it and
# entered by the role that the service runs as; `migrate` says what that one may do.
set -euo pipefail

role() {
  local variable="${1^^}_PASSWORD"
  psql --no-psqlrc -v ON_ERROR_STOP=1 -v name="$1" -v password="${!variable}" --username postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
-- Nothing of what tables hold: how long transactions of others have been open.
GRANT pg_read_all_stats TO :"name";
SQL
}

database() {
  psql --no-psqlrc -v ON_ERROR_STOP=1 -v name="$1" -v owner="$2" --username postgres <<'SQL'
CREATE DATABASE :"name" OWNER :"owner";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

enter() {
  psql --no-psqlrc -v ON_ERROR_STOP=1 -v name="$1" -v role="$2" --username postgres <<'SQL'
GRANT CONNECT ON DATABASE :"name" TO :"role";
SQL
}

for name in registry keys; do
  role "$name"
  database "$name" "$name"
done
for name in payments fraud compliance accounts; do
  role "$name"
  role "${name}_owner"
  database "$name" "${name}_owner"
  enter "$name" "$name"
done
# Who deletes what has been kept for as long as the law asks.
role compliance_retention
enter compliance compliance_retention
