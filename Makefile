# Canal: `make demo` shows it, `make test` proves it. Each does all its own set-up.
CONFIGURATION ?= Release
DOTNET ?= dotnet
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1
export DOTNET_CLI_UI_LANGUAGE = en
export DOTNET

.PHONY: all setup build program test test-deep soak fuzz kernel-table demo bench bundle clean

all: build

setup: ## what the machine needs: the .NET SDK (yours), libhdf5 (installed where that is allowed), packages
	@sh scripts/setup.sh

build: setup ## build everything; leaves a launcher at bin/canal
	@$(DOTNET) build Canal.sln -c $(CONFIGURATION) -v quiet --no-restore
	@sh scripts/launcher.sh $(CONFIGURATION)

program: ## the program alone, without the tests
	@sh scripts/setup.sh src/Canal.Cli
	@$(DOTNET) build src/Canal.Cli -c $(CONFIGURATION) -v quiet --no-restore
	@sh scripts/launcher.sh $(CONFIGURATION)

test: build ## all tests; the last line counts them
	@bash scripts/test.sh $(CONFIGURATION)

test-deep: build ## every emulated test again, with each load and store of the kernels checked: takes minutes
	@CANAL_EMULATOR_CHECKS=1 CANAL_TEST_FILTER='(DisplayName~Emulat|DisplayName~Cuda)&FullyQualifiedName!~Nvrtc&FullyQualifiedName!~Driver&FullyQualifiedName!~Compiler' bash scripts/test.sh $(CONFIGURATION)

KILLS ?= 200
SEED ?= $(shell date +%s)
soak: build ## kill -9 at KILLS random moments (200; SEED repeats a choice of moments): old outputs stay whole, the same command goes on to the same bits
	@CANAL_SOAK_KILLS=$(KILLS) CANAL_SOAK_SEED=$(SEED) $(DOTNET) exec tests/Canal.AllTests/bin/$(CONFIGURATION)/net10.0/canal-tests.dll --filter SoakTests

INPUTS ?= 10000
fuzz: build ## the program on 10,000 damaged and hostile files (INPUTS=N, SEED=S); what fails is kept in bin/fuzz
	@$(DOTNET) tests/Canal.Fuzz/bin/$(CONFIGURATION)/net10.0/Canal.Fuzz.dll --inputs $(INPUTS) --seed $(SEED) --keep bin/fuzz --program bin/canal

kernel-table: build ## writes the tables of kernels/README.md: what the kernels take, and their predicted times
	@CANAL_WRITE_KERNEL_TABLE=1 $(DOTNET) test tests/Canal.Engine.Tests -c $(CONFIGURATION) --no-build --nologo -v quiet --filter FullyQualifiedName~KernelTableTests

demo: program ## the whole method on simulated studies, in about two minutes
	@bash scripts/demo.sh

bench: program ## kernels and whole jobs against the limits of this machine
	@bin/canal bench

bundle: setup ## one archive for a machine with a GPU: program, tests, models, data, bench/gpu.sh (no SDK needed there)
	@bash scripts/bundle.sh

clean: ## everything that was built
	@rm -rf bin src/*/bin src/*/obj tests/*/bin tests/*/obj
