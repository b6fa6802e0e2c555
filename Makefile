# Everything is done by tools/dev.py, which also works where there is no make: python tools/dev.py test
PYTHON ?= python3

.PHONY: demo test test-all bench lint format lock clean

demo test test-all bench lint format lock clean:
	@$(PYTHON) tools/dev.py $@ $(ARGS)
