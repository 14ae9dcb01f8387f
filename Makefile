# RecLens: what you can make. `make` alone lists it.
#
# Everything happens in .venv, which is made from $(PYTHON) and the exact versions in requirements/*.txt.
# A second run is quick: stamp files in .venv remember what is installed.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
VENV := .venv
RUN := $(VENV)/bin
INSTALL := -m pip --disable-pip-version-check --no-input install --quiet
PIP := $(RUN)/python $(INSTALL)
UV_VERSION := 0.13.9
# The environments apart: what needs other versions than .venv.
APART := $(patsubst requirements/%.in,%,$(filter-out %/constraints.in,$(wildcard requirements/*.in requirements/bench/*.in)))
HOME_APART := .venv-$(subst /,-,$(ENV))
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dashboard test test-slow test-torch test-stores test-airflow test-spark test-all airflow browser lint format types layers docs reference env lock bench mutants clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core  ## install, then compare six recommenders on synthetic data: a table and an HTML report
	$(RUN)/reclens demo $(ARGS)

dashboard: $(VENV)/.core  ## install what the dashboard needs, then open it on the folder workspace
	@$(PIP) --no-build-isolation --editable '.[dashboard]'
	$(RUN)/reclens dashboard $(ARGS)

# Processes that tests start find the modules compiled, in images that forbid Python to keep them too.
test test-slow: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.test browser  ## install, then run the tests in two processes (ARGS="-k ndcg" to choose, WORKERS=0 for one); says what is skipped and why
	$(RUN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" $(ARGS)

test-slow: $(VENV)/.test browser  ## the tests that take more than about ten seconds each, such as whole days of a monitor that is killed
	$(RUN)/python -m pytest -n $(WORKERS) -m slow tests $(ARGS)

test-torch:  ## tests of what needs PyTorch: the encoder of texts, with MiniLM; the deep models
	@$(MAKE) --no-print-directory env ENV=torch
	PYTHONPATH=src .venv-torch/bin/python -m pytest tests/edges/test_sentence_transformers.py $(ARGS)
	PYTHONPATH=src .venv-torch/bin/python -m pytest -m deep $(addprefix tests/models/,_deep test_contract.py test_kept.py) $(ARGS)

# The older clients are put before the newest one, in the environment of the tests.
test-stores: $(VENV)/.test  ## tests of Pinecone's clients of two older APIs, and of dbt on PostgreSQL
	@$(MAKE) --no-print-directory env ENV=pinecone-7
	@$(MAKE) --no-print-directory env ENV=pinecone-9
	@for older in 7 9; do \
		found=$$(.venv-pinecone-$$older/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
		PYTHONPATH="$$found:src" $(RUN)/python -m pytest tests/edges/test_pinecone.py $(ARGS) || exit 1; \
	done
	@$(MAKE) --no-print-directory env ENV=dbt-postgres
	RECLENS_TEST_DBT=$(CURDIR)/.venv-dbt-postgres/bin/python $(RUN)/python -m pytest tests/edges/test_dbt_postgres.py $(ARGS)

airflow: $(VENV)/.core  ## Airflow with the DAGs of the monitor in the folder workspace, at http://127.0.0.1:8080 (ARGS="dags list" for a command)
	@$(MAKE) --no-print-directory env ENV=airflow
	RECLENS_BIN=$(CURDIR)/$(RUN)/reclens AIRFLOW_BIN=.venv-airflow/bin/airflow pipelines/airflow/airflow.sh $(or $(ARGS),standalone)

test-airflow: $(VENV)/.test  ## tests of the Airflow DAGs, by Airflow: a day twice, and a scheduled run
	@$(MAKE) --no-print-directory env ENV=airflow
	AIRFLOW_BIN=$(CURDIR)/.venv-airflow/bin/airflow $(RUN)/python -m pytest tests/pipelines/test_airflow.py $(ARGS)

test-spark:  ## tests on Spark 4.3 with a JVM: 1,000 partitions, a killed task, RankingEvaluator; installs OpenJDK 17 where there is no Java
	@sh scripts/ensure_java.sh
	@$(MAKE) --no-print-directory env ENV=spark-jvm
	PYTHONPATH=$(CURDIR)/src .venv-spark-jvm/bin/python -m pytest -m jvm tests/edges/test_spark_jvm.py $(ARGS)

test-all:  ## everything that has to hold before a change lands: lint, types, layers, docs, then every test
	@bash scripts/test_all.sh

browser:
	@sh scripts/ensure_browser.sh

lint: $(VENV)/.test  ## ruff: faults and format
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

format: $(VENV)/.test  ## let ruff mend what it can
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

types: $(VENV)/.test  ## basedpyright over src
	$(RUN)/basedpyright

layers: $(VENV)/.test  ## import-linter: imports flow one way
	$(RUN)/lint-imports

docs: $(VENV)/.docs  ## build the documentation into site/
	$(RUN)/python scripts/make_metric_reference.py --check
	$(RUN)/python scripts/make_api_reference.py --check
	$(RUN)/python scripts/make_benchmark_table.py --check
	$(RUN)/python scripts/make_learning_pages.py --check
	$(RUN)/zensical build --clean --strict

reference: $(VENV)/.core  ## write anew what is generated: docs/metrics.md, docs/api.md, docs/lessons.md, docs/glossary.md, and the benchmarks in README
	$(RUN)/python scripts/make_metric_reference.py
	$(RUN)/python scripts/make_api_reference.py
	$(RUN)/python scripts/make_benchmark_table.py
	$(RUN)/python scripts/make_learning_pages.py

env: $(if $(filter $(ENV),$(APART)),$(HOME_APART)/.made)  ## make an environment apart: ENV=airflow makes .venv-airflow; without ENV, list them
	@$(if $(filter $(ENV),$(APART)),echo "make: $(HOME_APART)/bin/python",echo "make env: expected ENV to be one of: $(APART)"; exit 1)

# torch differs by platform and by index, and brings gigabytes of CUDA: it is left out of every lock, and installed in a
# step of its own. uv takes no patterns here; a house test finds a name that is missing.
UNLOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cccl cuda-cupti \
	cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink \
	nvshmem-cu13 nvtx)

# The extras of the tests' environment: all but those that bring torch, which `make test-torch` has.
EXTRAS := dashboard dbt explore fairlearn gx lance pgvector pinecone rank slack spark sql tableau wandb weaviate

# Keeps the versions that are locked unless a bound asks for another; UPGRADE=1 takes the newest of all.
lock: $(VENV)/.uv  ## write the locks in requirements/ anew, from pyproject.toml and *.in (UPGRADE=1: newest versions)
	@for name in core build test docs mutants $(APART); do \
		bounds="-c requirements/constraints.in"; \
		case $$name in \
			core) sources="pyproject.toml" ;; \
			build) sources="--group build -c requirements/core.txt" ;; \
			test) sources="pyproject.toml $(addprefix --extra ,$(EXTRAS)) --group build --group test --group lint -c requirements/core.txt -c requirements/build.txt" ;; \
			docs) sources="--group docs -c requirements/test.txt" ;; \
			mutants) sources="--group mutants -c requirements/test.txt -c requirements/docs.txt" ;; \
			torch) sources="requirements/torch.in pyproject.toml -c requirements/core.txt" ;; \
			airflow) sources="requirements/airflow.in"; bounds="" ;; \
			spark-jvm) sources="requirements/spark-jvm.in pyproject.toml -c requirements/core.txt" ;; \
			*) sources="requirements/$$name.in" ;; \
		esac; \
		echo "lock: requirements/$$name.txt"; \
		$(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --no-strip-extras --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
			$(addprefix --no-emit-package=,$(UNLOCKED)) $$sources $$bounds --output-file requirements/$$name.txt || exit 1; \
	done

bench: $(VENV)/.test  ## benchmarks that fit into ten minutes, beside the committed results: what got slower (ARGS="--minutes 5")
	$(RUN)/python benchmarks/regressions.py $(ARGS)

mutants: $(VENV)/.mutants  ## plant faults in metrics and statistics, write the share that tests find (90 minutes; goes on)
	$(RUN)/python scripts/mutants.py $(ARGS)

clean:  ## remove what make made, the environments too
	rm -rf $(VENV) .venv-* build dist site .pytest_cache .ruff_cache .import_linter_cache .hypothesis tests/artefacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --clear: an environment whose Python is gone would only break later, and less clearly.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "RecLens needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)."; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "make: creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.core: requirements/core.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	@echo "make: installing requirements/core.txt and reclens (about a minute)"
	@$(PIP) --requirement requirements/core.txt --requirement requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.core
	@echo "make: installing requirements/test.txt (a minute or two)"
	@$(PIP) --requirement requirements/test.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.test
	@echo "make: installing requirements/docs.txt"
	@$(PIP) --requirement requirements/docs.txt
	@touch $@

$(VENV)/.mutants: requirements/mutants.txt $(VENV)/.test
	@echo "make: installing requirements/mutants.txt"
	@$(PIP) --requirement requirements/mutants.txt
	@touch $@

# --no-deps: the lock is complete but for torch. --clear: what an older lock brought must not stay.
$(HOME_APART)/.made: requirements/$(ENV).txt requirements/$(ENV).in
	@echo "make: creating $(HOME_APART) from $<"
	@$(PYTHON) -m venv --clear $(HOME_APART)
	@$(HOME_APART)/bin/python $(INSTALL) --no-deps --requirement $<
	@$(foreach torch,$(filter torch==%,$(shell cat requirements/$(ENV).in)),$(HOME_APART)/bin/python $(INSTALL) $(torch))
	@touch $@

$(VENV)/.uv: | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)
	@touch $@
