# The front door. Everything here is a short call of CMake or of a script; `make help` lists it.

BUILD ?= build/release
JOBS ?= $(shell nproc)
# On a machine without apt: install what the script names by hand, then `make test SETUP=true`.
SETUP ?= tools/dev/setup.sh

configure = cmake --preset release -B $(BUILD)
build = cmake --build $(BUILD) --parallel $(JOBS)

.PHONY: help
help:
	@echo 'make demo           a file crosses a STOQ connection, verified by hash, with its speed'
	@echo 'make test           build everything and run all tests'
	@echo 'make bench          the benchmarks'
	@echo 'make bench-handshake  full handshakes with every kind of identity, and what of them is cryptography'
	@echo 'make congestion     congestion controllers in the simulator; writes docs/congestion/'
	@echo 'make sim            SIM_RUNS random scenarios in the simulator (default 10000), every byte checked'
	@echo 'make race           STOQ against other implementations (ROUNDS, SECONDS, PEERS, ROWS)'
	@echo 'make interop        every case of the interoperability runner, with peers that others wrote (half'
	@echo '                    an hour; INTEROP="--peers quic-go --cases handshake" chooses)'
	@echo 'make interop-short  the same against itself, and short cases with two peers'
	@echo 'make interop-smoke  transfers with peers that others wrote'
	@echo 'make interop-falcon keys, signatures, certificates and handshakes of Falcon, with implementations of others'
	@echo 'make build          the library, the program stoq and the examples'
	@echo 'make setup          install or build what STOQ is built from (the others do it by themselves)'
	@echo 'make check          formatting, layers, budgets, documents, conformance, headers, clang-tidy'
	@echo 'make format         format the sources'
	@echo 'make conformance    write docs/conformance.md anew'
	@echo 'make asan|tsan      the tests under sanitizers'
	@echo 'make coverage       the tests, and how much of src/ they reach'
	@echo 'make fuzz           every fuzz target for RUNS executions together (default 10000000)'
	@echo 'make clean          remove build/'
	@echo
	@echo 'BUILD=dir, JOBS=n; SETUP=true leaves out the set-up.'

.PHONY: setup
setup:
	$(SETUP) test bench

.PHONY: build
build:
	$(SETUP) build
	$(configure)
	$(build)

.PHONY: demo
demo:
	$(SETUP) build
	$(configure)
	$(build) --target bin/stoq
	tools/dev/demo.sh $(BUILD)

.PHONY: test
test:
	$(SETUP) test
	$(configure)
	$(build)
	@tools/dev/run-tests $(BUILD) $(JOBS)

.PHONY: bench
bench:
	$(SETUP) bench
	$(configure)
	$(build) --target bench/all bin/stoq
	bench/run $(BUILD)

.PHONY: bench-handshake
bench-handshake:
	$(SETUP) bench
	$(configure)
	$(build) --target bin/stoq
	$(BUILD)/bin/stoq perf handshake

.PHONY: congestion
congestion:
	$(SETUP) test
	$(configure)
	$(build) --target sweep
	bench/congestion/report $(BUILD)

SIM_RUNS ?= 10000
.PHONY: sim
sim:
	$(SETUP) test
	$(configure)
	$(build) --target sim_random_test
	tests/sim/many $(BUILD) $(SIM_RUNS)

.PHONY: race
race:
	$(SETUP) race
	$(configure)
	$(build) --target bench/race/all
	bench/race/race $(BUILD)

INTEROP ?=
.PHONY: interop
interop:
	$(SETUP) interop ngtcp2
	$(configure)
	$(build) --target stoq_hq stoq_link
	tests/interop/run $(BUILD) $(INTEROP)

.PHONY: interop-short
interop-short:
	$(SETUP) interop
	$(configure)
	$(build) --target stoq_hq stoq_link
	tests/interop/run $(BUILD) --short

.PHONY: interop-smoke
interop-smoke:
	$(SETUP) smoke
	$(configure)
	$(build) --target stoq_hq bin/stoq
	tests/interop/smoke $(BUILD)

.PHONY: interop-falcon
interop-falcon:
	$(SETUP) smoke
	$(configure)
	$(build) --target stoq_falcon_module
	tests/interop/falcon $(BUILD)

.PHONY: check
check:
	$(SETUP) checks
	@JOBS=$(JOBS) tools/dev/check

.PHONY: format
format:
	tools/dev/check-format --fix

.PHONY: conformance
conformance:
	tools/dev/conformance

.PHONY: asan tsan
asan tsan:
	$(SETUP) checks
	cmake --preset $@
	cmake --build --preset $@ --parallel $(JOBS)
	@tools/dev/run-tests build/$@ $(JOBS)

.PHONY: coverage
coverage:
	$(SETUP) checks
	@JOBS=$(JOBS) tools/dev/coverage

RUNS ?= 10000000
.PHONY: fuzz
fuzz:
	$(SETUP) checks
	@JOBS=$(JOBS) tools/dev/fuzz $(RUNS)

.PHONY: clean
clean:
	rm -rf build
