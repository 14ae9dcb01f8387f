#!/usr/bin/env bash
# Airflow with the DAGs of the monitor, on this computer alone: what stands after the name of this script is a command of
# Airflow, such as `standalone` or `dags test reclens_monitor_daily`. The environment may say otherwise in every line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

: "${AIRFLOW_HOME:=$PWD/.airflow}"
: "${RECLENS_AIRFLOW_PORT:=8080}"
: "${RECLENS_WORKSPACE:=$PWD/workspace}"
# A relative path would mean another folder in every task.
mkdir -p "$AIRFLOW_HOME"
AIRFLOW_HOME=$(cd "$AIRFLOW_HOME" && pwd)
case $RECLENS_WORKSPACE in /*) ;; *) RECLENS_WORKSPACE=$PWD/$RECLENS_WORKSPACE ;; esac
export AIRFLOW_HOME RECLENS_WORKSPACE

export AIRFLOW__CORE__DAGS_FOLDER="$here/dags"
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__PARALLELISM="${AIRFLOW__CORE__PARALLELISM:-2}"  # 32 workers would take gigabytes
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
export AIRFLOW__API__HOST="${AIRFLOW__API__HOST:-127.0.0.1}"
export AIRFLOW__API__PORT="$RECLENS_AIRFLOW_PORT"
export AIRFLOW__API__BASE_URL="http://127.0.0.1:$RECLENS_AIRFLOW_PORT"
# Tasks ask the server here: with another port and without this line, all of them fail before they start.
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://127.0.0.1:$RECLENS_AIRFLOW_PORT/execution/"

# Airflow 3.3.2 says that a test of a DAG with a deadline failed, when it went well (apache/airflow#73428).
case "$*" in "dags test"*) export RECLENS_DEADLINE=0 ;; esac

# `standalone` starts plain `airflow`, which has to be this one.
bin=$(dirname "$(command -v "${AIRFLOW_BIN:-airflow}")")
export PATH="$bin:$PATH"

if [ ! -e "$AIRFLOW_HOME/ready" ]; then
    airflow db migrate
    airflow pools import "$here/pools.json"
    touch "$AIRFLOW_HOME/ready"
fi
exec airflow "$@"
