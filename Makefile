# Two targets do everything on a fresh machine: `make demo` and `make test`.

CARGO ?= cargo
SCALE ?= 1
FILTER ?=

.PHONY: help demo test check format bench postgres

help:
	@echo "make demo    a private PostgreSQL, V1 at real size, all pipelines, the result checked (SCALE=$(SCALE))"
	@echo "make test    formatting, clippy, all tests, docs: what CI runs"
	@echo "make bench   each step of the data path on one thread (FILTER=$(FILTER))"
	@echo "make format  rustfmt"

demo: postgres
	$(CARGO) run --release --locked -- demo --scale $(SCALE)

test: postgres
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

bench: postgres
	$(CARGO) bench --locked --bench micro -- $(FILTER)

format:
	$(CARGO) fmt

# The programs of PostgreSQL 14 or newer: found, or installed where that is possible.
postgres:
	@.ci/postgres
