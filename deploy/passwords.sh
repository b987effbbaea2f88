#!/bin/sh
# Makes up the passwords that docker-compose.yml wants: sh deploy/passwords.sh > .env
set -eu
umask 077
for name in POSTGRES REGISTRY PAYMENTS FRAUD COMPLIANCE ACCOUNTS KEYS PAYMENTS_OWNER FRAUD_OWNER COMPLIANCE_OWNER ACCOUNTS_OWNER KEYS_OWNER COMPLIANCE_RETENTION KEYS_OPERATOR; do
  echo "WEIR_${name}_PASSWORD=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')"
done
# What wraps the keys in the key store.
echo "WEIR_MASTER_KEYS=installation:$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
# By which Prometheus reads the services' metrics.
echo "WEIR_METRICS_TOKEN=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')"
# By which the desk asks payments for a payment's timeline.
echo "WEIR_DESK_KEY=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')"
