# Everything here works from a fresh checkout: what is missing is installed first, into .venv* and .build.
# scripts/python chooses the Python; to choose it yourself: make PYTHON=/usr/bin/python3.12 test

export PYTHON
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin
export PYTHONPATH := $(CURDIR)/.build:$(CURDIR)/tests
export LC_ALL := C.UTF-8
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build
export ANSIBLE_HOME := $(CURDIR)/.build/ansible
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.build/hypothesis
unexport PYTHONDONTWRITEBYTECODE

# The user's ~/.ssh, ~/.ansible.cfg and the like must neither help nor harm, nor be written to.
AWAY := HOME="$(CURDIR)/.build/home"
# Lists with | between them run side by side: each of these keeps one core busy.
STEPS := "lint | test-sanity docs" test-unit test-integration test-oldest test-molecule
# What users copy first; make test-scenarios runs them all.
SCENARIOS := default conflict gateway_regenerate_wireguard
LAB ?= tests/lab/fleets/demo.yml
GATEWAYS ?= 4
PLATFORM ?= wireguard

MAKEFLAGS += --no-print-directory
.SILENT:
.NOTPARALLEL:
.PHONY: help setup demo quick test lint docs test-unit coverage test-integration test-oldest test-events test-kernel test-thorough test-molecule test-scenarios test-sanity build importer release matrix mutation bench lab lab-kernel lab-down clean

help: ## list the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' Makefile

setup: ## make .venv with all tools (the other targets do it when they must)
	scripts/setup .venv requirements-test.txt

demo: setup ## four simulated key servers made equal; as root, a new key for one of four real gateways
	scripts/gateway-packages || true
	$(AWAY) scripts/demo.sh

quick: setup ## under a minute: ruff, mypy and yamllint of what changed, and the pure unit tests with few examples
	$(AWAY) scripts/quick

# Pylint takes more than all other sanity tests together, and each Python takes its time; make test-thorough runs all.
test: export SANITY := --skip-test pylint --python default
test: setup ## all of the next ones that CI runs, and a summary
	scripts/test $(STEPS)

lint: setup ## ruff, mypy, yamllint, ansible-lint, antsibull-docs, antsibull-changelog
	$(AWAY) scripts/lint

docs: setup ## guides and descriptions of all plugins as a site in .build/docs, without a warning
	$(AWAY) scripts/docs

test-unit: setup ## the pure parts, by transcripts and properties
	$(AWAY) python -m pytest tests/unit -m "not thorough" --quiet --numprocesses auto --dist worksteal

coverage: setup ## the same, and how many of their branches that reaches
	$(AWAY) python -m pytest tests/unit -m "not thorough" --quiet --numprocesses auto --dist worksteal --cov --cov-config=tests/coverage.ini

test-integration: setup ## modules, roles and playbooks against simulated devices and real gateways (as root)
	scripts/gateway-packages
	scripts/browser-package
	$(AWAY) python -m pytest tests/integration -m "not thorough" --quiet --durations 30 --numprocesses auto --dist worksteal

# Whether it runs there is the question, not whether it is right: a handful of examples will do.
test-oldest: export EFFORT := quick
test-oldest: setup ## a quick part of both on the oldest ansible-core, Python and libraries
	scripts/gateway-packages
	scripts/matrix quick oldest

test-events: setup ## a gateway that was away calls ansible-rulebook and is told what it missed (as root)
	scripts/gateway-packages
	scripts/event-packages
	scripts/setup .venv-eda requirements-eda.txt
	$(AWAY) python -m pytest tests/events --quiet

test-kernel: setup ## gateways with kernels of their own: what a new key costs, reboots, power cuts (as root; an hour)
	scripts/gateway-packages tests/lab/kernel/packages.txt
	scripts/kernel-images
	$(AWAY) python -m pytest tests/kernel --quiet

test-thorough: export EFFORT := thorough
test-thorough: coverage importer test-events test-scenarios test-sanity ## what takes longer (as root): real gateways killed, rebooted, cut off at each step; the demo; two hours and more
	$(AWAY) python -m pytest tests/unit tests/integration -m thorough --quiet --numprocesses auto --dist worksteal

test-molecule: setup ## molecule scenarios that users copy first: a conflict, a rotation (as root; SCENARIOS="weak")
	scripts/gateway-packages
	$(AWAY) molecule test $(addprefix --scenario-name ,$(SCENARIOS)) --workers 2 --report

test-scenarios: setup ## all molecule scenarios: the sync of every row of the plan, the promises about gateways (as root)
	scripts/gateway-packages
	$(AWAY) molecule test --all --workers 2 --report

test-sanity: setup ## ansible-test sanity
	scripts/sanity $(SANITY)

build: setup ## build the tarball into dist/ and install it into an empty path
	$(AWAY) scripts/build

importer: build ## build, then galaxy-importer on that tarball
	scripts/setup .venv-importer requirements-importer.txt
	$(AWAY) scripts/importer

release: setup ## is this checkout the release that galaxy.yml names? Then all of that for its tarball
	$(AWAY) scripts/release

matrix: setup ## most tests on ansible-core 2.16, 2.18, 2.19, 2.20 and 2.21, as far as their Pythons are here (VERSIONS="2.19 2.20")
	scripts/gateway-packages
	scripts/matrix full $(VERSIONS)

mutation: setup ## change decisions and parsers in one place after the other: does a test notice? Hours (FILES=_ios/pem.py)
	scripts/setup .venv-mutation requirements-mutation.txt
	$(AWAY) nice scripts/mutation $(FILES)

bench: setup ## the same work done by other tools; results in tests/bench/results/
	scripts/setup .venv-bench requirements-bench.txt
	$(AWAY) PATH="$(CURDIR)/.venv-bench/bin:$$PATH" python -m bench

lab: setup ## start simulated key servers and (as root) real gateways, write .lab/inventory.yml (LAB=FILE.yml GATEWAYS=N)
	[ "$(GATEWAYS)" = 0 ] || scripts/gateway-packages || true
	python -m lab up "$(LAB)" --dir .lab
	python -m lab gateways up "$(GATEWAYS)" --platform "$(PLATFORM)" --dir .lab --if-possible

lab-kernel: setup ## as root, gateways with kernels of their own in .lab/inventory.yml: virtual machines (GATEWAYS=N PLATFORM=...)
	scripts/gateway-packages tests/lab/kernel/packages.txt
	scripts/kernel-images
	python -m lab gateways up "$(GATEWAYS)" --kernel --platform "$(PLATFORM)" --dir .lab

lab-down: setup ## stop them
	python -m lab down --dir .lab

clean: ## remove what was made here (stop a lab first)
	rm -rf .build .venv .venv-importer .venv-bench .venv-eda .venv-mutation dist .ansible tests/output
