# The door for newcomers: `make demo` and `make test` install what they need, build, and do their job.
# Each target is one script in tools/ or one meson command; look there for what really happens.

BUILD  ?= build
PREFIX ?= /usr/local

# The checkout may stand in a folder with spaces in its name, so no recipe uses a path that is not quoted.
.PHONY: help demo test bench install views doctor clean

help:
	@echo 'make demo     see "start my-container" travel through the six boxes, and the four stages (start here)'
	@echo 'make test     everything that can be tested, cheap checks first'
	@echo '              STEPS="format unit" for some of it; tools/test --list names them'
	@echo 'make doctor   what this machine lacks, and how to get it'
	@echo 'make bench    how fast, and how large, beside LXC, tar and dockerd'
	@echo 'make views    each stage as one tree of its own, in $(BUILD)/view/'
	@echo 'make install  into PREFIX (now $(PREFIX)); DESTDIR works as usual'
	@echo 'make clean    removes what the build made'

demo:
	@tools/setup demo
	@tools/demo

test:
	@tools/setup test
	@tools/test $(STEPS)

bench:
	@tools/setup test
	@tools/bench

install:
	@tools/setup demo
	@tools/build '$(BUILD)' --prefix '$(PREFIX)'
	@meson install -C '$(BUILD)' --no-rebuild --quiet
	@echo 'Installed below $(DESTDIR)$(PREFIX). Try: cutaway run --rm busybox echo hello'

views:
	@tools/setup demo
	@tools/views

doctor:
	@tools/doctor

clean:
	@rm -rf '$(BUILD)' build-clang build-san build-fuzz
