# Every target sets up what it needs; nothing has to be installed by hand beyond Python >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.demo
# Where this is set, each of the many processes that tests start would compile all its imports again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test check pure lint types contracts docs-check generate-check unit thorough acceptance alerting retraining soak hook-crash chain large fuzz bench alarms looks coverage replays gateways demo story docs generate pictures report-check servers servers-new release-check compose-test systemd-test image-test clean

# Type checking takes long and uses one processor, so it runs in parallel with the tests.
test: lint contracts docs-check generate-check
	$(MAKE) --jobs=2 types unit

# The loop of daily work, in a minute or one and a half: without servers, programs, waiting, MLflow and coverage, and
# without tests marked `no_cover`, which only repeat what others run. `--pure` is in tests/conftest.py.
check: lint contracts docs-check generate-check
	$(MAKE) --jobs=2 types pure

pure: $(STAMP)
	$(BIN)/python -m pytest --quiet --pure --numprocesses=2 --dist=worksteal -m "not no_cover" tests

define VENV_WITH_PIP
@$(PYTHON) -c 'import sys; sys.exit("driftgauge needs Python >= 3.11: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
@echo "Installing into $(VENV): a minute or more, once"
$(PYTHON) -m venv $(VENV)
$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
endef

# The stamp is newer than what it was installed from, so a changed dependency is installed by the next make.
$(STAMP): pyproject.toml exporter/client/pyproject.toml tests/deploy/requirements.txt
	$(VENV_WITH_PIP)
	$(BIN)/python -m pip install --quiet --no-compile --group dev --editable exporter/client --editable .
	@# One of them has data sets that are only read, and would not be installed on Python 3.13 otherwise.
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --ignore-requires-python --require-hashes --requirement tests/deploy/requirements.txt
	@# What most processes import is compiled here, once, and not by each of the many that tests start at once.
	$(BIN)/python -W ignore -c 'import mlflow.pyfunc, mlflow.server.fastapi_app, mlflow.sklearn, driftgauge.service.refresher'
	touch $@

# The tests drive Debian's Prometheus and Chromium; installed here when they are missing and this user can.
servers:
	@./tests/install-servers

# Newer ones than Debian has, built in minutes where there is Go; tests that find them hold on both.
servers-new:
	@./tests/build-servers

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

docs-check: $(STAMP)
	$(BIN)/python exporter/docs/generate.py --check

# Rules, dashboards and runbooks in the repository are those that the generator renders from thresholds.yml; the Helm chart
# has the same, and the plain manifests are the chart's.
generate-check: $(STAMP)
	$(BIN)/driftgauge generate --thresholds alerting-rules/thresholds.yml --output . --check
	$(BIN)/python deploy/generate.py --check

# Coverage is that of the tests' own processes, not of what they start (the command line among it), nor of tests marked
# `no_cover`, which only repeat what others run: measured, Python takes half as long again. Three processes, since some
# tests wait. Each collects all tests; the first collection of a clone also rewrites their assertions, for which each
# process would take half a minute, so it is done once before, next to mypy. The files that take longest come first, in
# the order given; xdist would begin with those of the most tests.
unit: $(STAMP) servers
	@$(BIN)/python -m pytest --collect-only --quiet > /dev/null 2>&1 || true
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --cov --cov-report=term

# Every metric of a filled store against scipy and scikit-learn, with the table of the largest deviations; `make test`
# reads a fifth of the rows.
acceptance: $(STAMP) servers
	ACCEPTANCE_ROWS=210000 $(BIN)/python -m pytest -rP tests/e2e/test_acceptance.py

# From a batch in MLflow to the notification, through real servers, with a table of the notifications and their delays.
alerting: $(STAMP) servers
	$(BIN)/python -m pytest -rP tests/e2e/test_alerting.py

# From a batch in MLflow to the next version of its model, by one trigger, and to the end of the alerts; a minute or two.
retraining: $(STAMP) servers
	$(BIN)/python -m pytest -rP tests/e2e/retraining.py

# One hundred kills of the exporter against a real MLflow server; `make test` runs three.
soak: $(STAMP)
	$(BIN)/python -m tests.soak --kills 100

# Fifty kills of the hook that starts retraining, between what Alertmanager sends; `make test` runs two.
hook-crash: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m hook.crash --kills 50

# A hundred thousand predictions from processes that are killed, through an MLflow server that is killed; `make test` logs
# a tenth of them.
chain: $(STAMP)
	CHAIN_ROWS=100000 $(BIN)/python -m pytest -s tests/e2e/test_client_chain.py

# Requests and time for 50, 200 and 1,500 files in S3, and a run of 25,000 files with the memory it takes; minutes.
# `make test` reads fewer.
large: $(STAMP)
	LARGE_FILES="50 200 1500" LARGE_RUN=25000 $(BIN)/python -m pytest -s tests/large

# What holds for any input, tried on two hundred each; `make test` tries ten.
thorough: $(STAMP) servers
	EXAMPLES=200 $(BIN)/python -m pytest --quiet --numprocesses=2 -m hypothesis tests

# Ten minutes of damaged files; `make test` runs some seconds.
fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python -m tests.fuzz --minutes 10

# Everything against what people use instead, into exporter/docs/performance.md; some of it by `make bench ONLY="B1 B5"`.
# Forty minutes and 10 GB in .bench, where other people's libraries are installed as well.
bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

# A first pull of 60 runs behind gateways that limit requests, with time and requests of each (`make test` pulls 16), and
# MLflow's own basic-auth, of which each request takes a tenth of a second.
gateways: $(STAMP) servers
	GATEWAY_RUNS=60 $(BIN)/python -m pytest --quiet -s tests/source/test_gateways.py -k first_pull
	$(BIN)/python -m pytest --quiet tests/source/with_basic_auth.py

# The tables of false and missed alarms in exporter/docs/statistics.md: minutes on one core.
alarms: $(STAMP)
	$(BIN)/python tests/drift_shapes.py

# The table in exporter/docs/statistics.md of how often intervals hold the truth: minutes on one core.
coverage: $(STAMP)
	$(BIN)/python tests/interval_coverage.py

# The tables of rules over many looks in exporter/docs/statistics.md: twenty minutes on one core.
looks: $(STAMP)
	cd tests && ../$(BIN)/python -m benchmarks.looks

# Years of real data replayed: the table and the picture of exporter/docs/statistics.md, ten minutes on one core.
replays: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m tests.benchmarks.replays

docs: $(STAMP)
	$(BIN)/python exporter/docs/generate.py

generate: $(STAMP)
	$(BIN)/driftgauge generate --thresholds alerting-rules/thresholds.yml --output .
	$(BIN)/python deploy/generate.py

# Reports in Chromium at three widths, dark and light: no violation for axe-core, nothing on the console, and their pictures.
AXE := $(VENV)/axe-core-4.14.1
report-check: $(STAMP) servers
	@[ -e $(AXE)/package/axe.min.js ] || { mkdir -p $(AXE) && cd $(AXE) && npm pack --silent axe-core@4.14.1 >/dev/null && \
	  echo "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745  axe-core-4.14.1.tgz" | sha256sum --check --quiet && \
	  tar xzf axe-core-4.14.1.tgz package/axe.min.js; }
	PYTHONPATH=tests $(BIN)/python -m pictures.reports --draw --axe $(AXE)/package/axe.min.js

# The pictures of the dashboards in exporter/docs/pictures, from a made-up history in Prometheus.
pictures: $(STAMP) servers
	PYTHONPATH=tests $(BIN)/python -m pictures

# The demo's story to its end, as `make demo` shows it; `make test` follows it to the first alert.
story: $(STAMP) servers
	DEMO_WHOLE=1 $(BIN)/python -m pytest tests/demo/test_command.py

# What a release is made of: sdists and wheels of both distributions, twice with the same bytes, into dist/, checked and
# installed in fresh environments in both orders. Some minutes.
release-check: $(STAMP)
	$(BIN)/python -m pip install --quiet --group release
	$(BIN)/python -m tests.release --output dist

# What Compose starts, from the files that it mounts, with the demo's traffic; `make test` starts it without.
compose-test: $(STAMP) servers
	COMPOSE_WHOLE=1 $(BIN)/python -m pytest tests/deploy/test_compose.py

# The unit under a systemd of its own: a minute, as root. `make test` has systemd's checks of the file.
systemd-test: $(STAMP)
	@./tests/install-servers systemd
	PYTHONPATH=tests unshare --mount $(BIN)/python -m systemd

# The image, really built on a base of debootstrap, and started, scraped and looked at: some minutes, as root, some GB in .image.
image-test: $(STAMP)
	@./tests/install-servers image
	PYTHONPATH=tests $(BIN)/python -m image

# What only developers need is not installed for it; who has that has what the demo needs.
demo: $(or $(wildcard $(STAMP)),$(DEMO))
	$(BIN)/driftgauge demo

$(DEMO): pyproject.toml exporter/client/pyproject.toml
	$(VENV_WITH_PIP)
	$(BIN)/python -m pip install --quiet --no-compile --editable exporter/client --editable '.[demo]'
	touch $@

clean:
	rm -rf $(VENV) .bench .servers .image dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
