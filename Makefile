.PHONY: help install dev demo test quick newer lowest check fix docs mutants hostile bench loadtest soak lock clean
.PHONY: wheelhouse deb rpm package-test image sbom container-test
.DEFAULT_GOAL := help
BIN := .venv/bin
# What a target passes on: make demo ARGS="--port 3333", make test ARGS="-k metalink"
ARGS :=
# The Python of the base of the image, and the release of the tool that makes its SBOM.
PYTHON_OF_IMAGE := 3.11
CYCLONEDX := 7.5.0
# Python keeps what it compiled: pytest rewrites 250 test files otherwise, in each of its processes.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

install: .venv/installed ## .venv with the locked dependencies and the mirrorlist command
	@echo "ready: $(BIN)/mirrorlist"

dev: .venv/installed-dev ## install, and the tools for tests and checks
	@:

demo: install ## a server with an embedded database, on 127.0.0.1:3000
	@$(BIN)/mirrorlist demo $(ARGS)

test: dev ## all tests; as root on Debian, with the programs they need
	@scripts/system-packages
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

quick: dev ## the plain tests alone: nothing is installed by apt, and Python is all they need
	$(BIN)/pytest -m "not system" -n 3 --dist loadfile $(ARGS)

newer: dev ## the plain tests on a newer Python than that of .venv
	@scripts/test-newer -m "not system" -n 2 --dist loadfile $(ARGS)

lowest: dev ## the plain tests with the lowest versions that pyproject.toml allows
	@scripts/test-lowest -m "not system" -n 2 --dist loadfile $(ARGS)

check: dev ## lint, format, types, import contracts, docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(DOCS) tests/test_references.py tests/test_habits.py

fix: dev ## mend what ruff can mend: lint, then format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: dev ## write what stands in docs/ and comes from the code: settings, metrics, commands, JSON
	UPDATE_DOCS=1 $(BIN)/pytest $(DOCS)

mutants: dev ## break the code in 60 small ways, and name those that no plain test notices
	@$(BIN)/python -m tests.mutants $(ARGS)

hostile: dev ## a million mutants of heads, then 200,000 malformed requests against a live server
	$(BIN)/python -m tests.hostile $(ARGS)

bench: dev ## what a request costs, beside the floor of the machine
	@$(BIN)/python -m loadtest.bench $(ARGS)

loadtest: dev ## users as dnf makes them: a normal day, a release day, unknown repositories
	@$(BIN)/python -m loadtest.crowd $(ARGS)

soak: dev ## five minutes of faults at random while clients ask, with a table at the end
	@$(BIN)/python -m loadtest.soak $(ARGS)

lock: dev ## write new lock files: make lock ARGS=--upgrade
	@scripts/lock $(ARGS)

wheelhouse: install ## the packages of requirements.lock in wheelhouse/, each by its hash; ARGS goes to pip download
	@scripts/wheelhouse $(ARGS)

deb: install ## a Debian package in dist/, of wheelhouse/ and without network; ARGS goes to dpkg-buildpackage
	@scripts/package deb $(ARGS)

rpm: install ## an RPM in dist/, likewise; ARGS goes to rpmbuild
	@scripts/package rpm $(ARGS)

package-test: dev ## both packages built, installed, upgraded and removed in clean roots; as root on Debian 12
	@scripts/apt-install $(PACKAGE_TOOLS)
	$(BIN)/pytest tests/packages/installed.py $(ARGS)

image: install ## the container image localhost/mirrorlist, by podman; ARGS goes to podman build
	@scripts/wheelhouse --python-version $(PYTHON_OF_IMAGE)
	podman build --format docker --network none --tag localhost/mirrorlist \
	    --build-arg VERSION=$$($(BIN)/mirrorlist --version | sed 's/.* //') \
	    --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) $(ARGS) .

sbom: dev ## the packages of requirements.lock as dist/sbom.json, in CycloneDX form
	@mkdir -p dist
	$(BIN)/uv tool run --from cyclonedx-bom==$(CYCLONEDX) cyclonedx-py requirements requirements.lock \
	    --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

container-test: dev ## the image behind haproxy, without root, with dnf; ARGS=--full for 60 swaps
	@scripts/system-packages
	$(BIN)/pytest tests/container $(ARGS)

clean: ## remove .venv and caches
	rm -rf .venv .*_cache .cache .hypothesis dist wheelhouse
	find . -name __pycache__ -prune -exec rm -rf {} +

# Tests that hold what stands in docs/, and write it with UPDATE_DOCS=1.
DOCS := tests/test_docs.py tests/test_cli_page.py tests/test_json_page.py tests/test_metrics.py tests/test_chain_page.py
# What builds packages, makes a clean root and installs into it, beside scripts/system-packages.
PACKAGE_TOOLS := createrepo-c curl debhelper dnf fakeroot iproute2 mmdebstrap python3-venv rpm
PROJECT := pyproject.toml mirrorlist/__init__.py

.venv/installed: requirements.lock $(PROJECT)
	@scripts/venv requirements.lock
	@touch $@

.venv/installed-dev: requirements.lock requirements-dev.lock $(PROJECT)
	@scripts/venv requirements-dev.lock
	@touch .venv/installed $@
