# What there is to do; `make up` is the one to begin with.
.PHONY: setup setup-azure setup-dev up down test test-kubernetes test-images check bench golden

PYTHON := .venv/bin/python

setup:
	@tools/setup

# What stacks with the target azure need on top.
setup-azure:
	@tools/setup --azure

setup-dev:
	@tools/setup --dev

# A weighted, authenticated endpoint on this machine.
up: setup
	@$(PYTHON) -m tools.up

# Everything that `make up` started is ended and removed; caches stay.
down: setup
	@$(PYTHON) -m tools.down

test: setup-dev
	@$(PYTHON) -m pytest -m 'not images and not kubernetes'

# A real API server with the controllers and the scheduler, built from their Go modules the first time; no node, no cloud.
test-kubernetes: setup-dev
	@tools/kubernetes-server >/dev/null
	@tools/egctl >/dev/null
	@$(PYTHON) -m pytest -m kubernetes

# Real builds and a real registry; as root on Debian, which gets the tools that are missing.
test-images: setup-dev
	@tools/image-tools
	@$(PYTHON) -m pytest -m images

check: setup-dev
	@tools/check

bench: setup-dev
	@$(PYTHON) -m bench

# Rewrite the files that tests compare with; read the diff before you commit it.
golden: setup-dev
	@$(PYTHON) -m tidegate.schema > schema/stack.schema.json
	@$(PYTHON) -m pytest -q tests/golden --golden
