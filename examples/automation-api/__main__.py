"""What the service does with a request, as a command: python __main__.py STACK < request.json."""

import argparse
import json
import logging
import sys
from dataclasses import asdict

from service import DeploymentFailed, deploy

logging.basicConfig(level=logging.INFO, format="%(message)s")  # to stderr; stdout holds the result
logging.getLogger("grpc").setLevel(logging.CRITICAL)  # it reports with tracebacks when the engine stops early

arguments = argparse.ArgumentParser(description="Forward the lines of a request read from stdin.")
arguments.add_argument("stack")
stack = arguments.parse_args().stack

try:
    answer = asdict(deploy(stack, json.load(sys.stdin), on_progress=logging.info))
except DeploymentFailed as failure:
    answer = {"errors": failure.reasons}

json.dump(answer, sys.stdout, indent=2)
sys.exit("errors" in answer)
