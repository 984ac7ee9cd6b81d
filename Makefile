# The commands of this project. `make demo` and `make test` set up what they need.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: demo test test-versions faults bench setup setup-test

# Ephemeral servers are thrown away: memory is the place for them.
SCRATCH := $(shell test -d /dev/shm -a -w /dev/shm && echo /dev/shm || echo $${TMPDIR:-/tmp})

setup:
	@.ci/setup

setup-test:
	@.ci/setup --test

# The sample project on a PostgreSQL that is started for it: plan, up, status.
# The unoptimised build will do: the work is the server's, and the tests share it.
demo: setup
	cargo build --locked --bin migraph --example demo
	target/debug/examples/demo

# Everything that CI runs.
test: setup-test
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	TMPDIR=$(SCRATCH) cargo test --locked --no-fail-fast
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# The tests that need a server, on PostgreSQL 13 and 18, which are fetched once.
test-versions: setup-test
	TMPDIR=$(SCRATCH) .ci/versions

# The long campaign against a real server, and the long simulation of the run loop.
faults: setup-test
	TMPDIR=$(SCRATCH) MIGRAPH_FAULTS=$(or $(MIGRAPH_FAULTS),600) cargo test --locked --release --test faults
	MIGRAPH_SEEDS=100000 cargo test --locked --release --test simulation

bench: setup
	TMPDIR=$(SCRATCH) cargo bench --locked
