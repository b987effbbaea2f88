#!/bin/bash
# Run once by Postgres' image, on an empty volume: a database for the registry, and one for each service and the key store, owned by a role that migrates it and
# entered by the role that services run as; `migrate` says what that one may do.
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

role registry
database registry registry
for name in payments fraud compliance accounts keys; do
  role "$name"
  role "${name}_owner"
  database "$name" "${name}_owner"
  enter "$name" "$name"
done
# Who deletes what has been kept for as long as the law asks.
role compliance_retention
enter compliance compliance_retention
# Who destroys keys, and wraps them anew.
role keys_operator
enter keys keys_operator
