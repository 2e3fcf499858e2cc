# Two targets do everything on a fresh machine: `make demo` and `make test`.

CARGO ?= cargo
SCALE ?= 1
FILTER ?=
# Half of a test is waiting for a server: two at a time for each core.
THREADS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
# The servers of test-matrix, and the time of soak in seconds; SEED=N repeats a soak.
VERSIONS ?= 14 15 17 18
SECONDS ?= 600
SEED ?= $(shell date +%s)

.PHONY: help demo test test-matrix soak check format bench postgres tools

help:
	@echo "make demo    a private PostgreSQL, V1 at real size, all pipelines, the result checked (SCALE=$(SCALE))"
	@echo "make test    formatting, clippy, all tests, docs"
	@echo "make test-matrix  the tests against a real server on PostgreSQL $(VERSIONS) (FILTER=$(FILTER))"
	@echo "make soak    faults drawn by a seed, for SECONDS=$(SECONDS): kills, cuts, stalls, in every mode"
	@echo "make bench   each step of the data path on one thread (FILTER=$(FILTER)), then all of it beside SQL, at scale 0.02"
	@echo "make format  rustfmt"

demo: postgres
	$(CARGO) run --release --locked -- demo --scale $(SCALE)

test: postgres tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

# Versions that are not installed are fetched.
test-matrix: tools
	@for version in $(VERSIONS); do \
		bin=$$(.ci/postgres-version $$version) || exit 1; \
		echo "PostgreSQL $$version in $$bin"; \
		XDOFLOW_PG_BIN=$$bin RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked --test it -- $(FILTER) || exit 1; \
	done

soak: postgres tools
	XDOFLOW_SOAK_SECONDS=$(SECONDS) XDOFLOW_SOAK_SEED=$(SEED) \
		$(CARGO) test --locked --test it -- --nocapture faults::soak

bench: postgres
	$(CARGO) bench --locked --bench micro -- $(FILTER)
	$(CARGO) run --release --locked -- bench --scale 0.02

format:
	$(CARGO) fmt

# The programs of PostgreSQL 14 or newer: found, or installed where that is possible.
postgres:
	@.ci/postgres

# What the tests need besides.
tools:
	@.ci/tools
