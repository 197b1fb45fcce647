"""Carries out the workflows of Examples/ci as far as a machine can without GitHub or GitLab.

Each runs in a small repository of its own, whose `make build` puts a built tracemill where a real build would:
every `run` and `script` step in order, by the shell that the service would take, with the variables it would set.
What is asked of each: it ends as the gate's exit code says, and leaves what it promises.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

from ruamel.yaml import YAML

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "Examples" / "ci"
# Seconds; a step that takes so long hangs.
LONGEST = 300

SCENARIO = """\
version: 1
name: small
services:
  web: {operations: {GET /: {type: http, self: 1ms, script: [{call: store/SELECT}]}}}
  store: {operations: {SELECT: {type: database, self: 1ms}}}
traffic: [{root: web/GET /, stages: [{duration: 1s, rate: 2000}]}]
run: {warmup: 0s, workers: 1}
budgets: [BUDGET]
"""

# name, budget, extra work of the head as a share of its own, variables, codes that the gate may end with. Whether the machine is
# fit is the machine's affair: where nothing regressed, 3 is as good as 0.
CASES = [
    ("unchanged", "{metric: cpuNsPerSpan, regress: 95%}", 0, {}, {0, 3}),
    ("slower", "{metric: cpuNsPerSpan, regress: 5%}", 3, {}, {1}),
    ("undecided", "{metric: spanEndNsP999, regress: 5%}", 0, {}, {3}),
    ("undecided, strict", "{metric: spanEndNsP999, regress: 5%}", 0, {"GATE_STRICT": "true"}, {3}),
]


class Broken(Exception):
    """A workflow that does not do what it is for."""


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True,
                          text=True).stdout.strip()


class Repository:
    """A base and a head commit."""

    def __init__(self, folder, tracemill, budget, extra_work):
        self.path = folder / "origin"
        (self.path / "scenarios").mkdir(parents=True)
        (self.path / ".ci").mkdir()
        git(self.path, "init", "--quiet", "--initial-branch=main")
        self.write(".ci/install", "#!/bin/sh\nexit 0\n", executable=True)
        self.write("scenarios/checkout.yaml", SCENARIO.replace("BUDGET", budget))
        self.write("Makefile", "build:\n\tmkdir -p .build/release\n\tcp program .build/release/tracemill\n")
        self.base = self.commit(tracemill, 0)
        self.head = self.commit(tracemill, extra_work)

    def commit(self, tracemill, extra_work):
        work = f'if [ "$1" = run ]; then set -- "$@" --extra-work {extra_work}; fi\n'
        self.write("program", f'#!/bin/sh\n{work}exec "{tracemill}" "$@"\n', executable=True)
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", f"extra work {extra_work}")
        return git(self.path, "rev-parse", "HEAD")

    def write(self, name, text, executable=False):
        file = self.path / name
        file.write_text(text)
        file.chmod(0o755 if executable else 0o644)

    def clone(self, target, commit):
        git(target.parent, "clone", "--quiet", str(self.path), str(target))
        git(target, "checkout", "--quiet", "--detach", commit)


def run(script, shell, folder, variables):
    """Exit code and everything it wrote."""
    file = folder / ".step.sh"
    file.write_text(script)
    try:
        ended = subprocess.run([*shell, str(file)], cwd=folder, env=variables, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise Broken(f"a step did not end within {LONGEST} s:\n{script}") from None
    finally:
        file.unlink()
    return ended.returncode, ended.stdout


def environment(folder, **more):
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "CI": "true", **more}


def github(folder, repository, overrides):
    """Exit code of the job, the gate's folder, what was said, the step summary."""
    workflow = YAML(typ="safe").load(EXAMPLES / "github-actions.yml")
    job = workflow["jobs"]["gate"]
    known = {"github.event.pull_request.base.sha": repository.base}
    work = folder / "work"
    work.mkdir()
    summary = folder / "summary.md"
    summary.touch()
    variables = environment(folder, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary),
                            GITHUB_SHA=repository.head, **{**job["env"], **overrides})
    shells = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"], "sh": ["sh", "-e"]}
    # In a container GitHub takes sh where nothing else is said.
    standard = job.get("defaults", {}).get("run", {}).get("shell", "sh")
    code, said, uploaded = 0, "", None

    def filled(text):
        def value(match):
            if match[1] not in known:
                raise Broken(f"an expression that this does not know: {match[1]}")
            return known[match[1]]
        return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", value, text)

    for step in job["steps"]:
        if code != 0 and step.get("if") != "always()":
            continue
        options = step.get("with", {})
        action = step.get("uses", "").split("@")[0]
        if action == "actions/checkout":
            repository.clone(work / options["path"],
                             filled(options["ref"]) if "ref" in options else repository.head)
        elif action == "actions/upload-artifact":
            uploaded = work / options["path"]
        elif "run" in step:
            shell = shells[step.get("shell", standard)]
            code, output = run(filled(step["run"]), shell, work, variables)
            said += output
        else:
            raise Broken(f"a step that this does not know: {step}")
    if uploaded is None:
        raise Broken("nothing was uploaded")
    return code, uploaded, said, summary.read_text()


def gitlab(folder, repository, overrides):
    """Likewise."""
    pipeline = YAML(typ="safe").load(EXAMPLES / "gitlab-ci.yml")
    job = pipeline["performance"]
    work = folder / "builds" / "project"
    work.parent.mkdir()
    repository.clone(work, repository.head)
    variables = environment(folder, GITLAB_CI="true", CI_COMMIT_SHA=repository.head,
                            CI_PIPELINE_SOURCE="merge_request_event",
                            CI_MERGE_REQUEST_DIFF_BASE_SHA=repository.base,
                            **{**job["variables"], **overrides})
    # One shell for all lines, as its runner does.
    code, said = run("\n".join(job["script"]), ["bash", "-eo", "pipefail"], work, variables)
    for pattern in job["artifacts"]["paths"] + [job["artifacts"]["reports"]["junit"]]:
        if not (work / pattern).exists():
            raise Broken(f"the artifact {pattern} is not there:\n{said}")
    return code, work / "gate", said, (work / "gate" / "summary.md").read_text()


def check(service, case, tracemill):
    name, budget, extra_work, overrides, expected = case
    with tempfile.TemporaryDirectory(prefix="tracemill-ci-") as scratch:
        folder = pathlib.Path(scratch)
        repository = Repository(folder, tracemill, budget, extra_work)
        code, artifacts, said, summary = service(
            folder, repository, {"DURATION": "200ms", **overrides})
        for file in ("result.json", "report.html", "junit.xml", "rows.csv"):
            if not (artifacts / file).is_file():
                raise Broken(f"{file} is not among the artifacts:\n{said}")
        xml.etree.ElementTree.parse(artifacts / "junit.xml")
        again = subprocess.run(
            [tracemill, "gate", "--results", str(artifacts / "result.json"), "--json"],
            capture_output=True, text=True, env=environment(folder), timeout=LONGEST)
        verdict = json.loads(again.stdout)["verdict"]
        if again.returncode not in expected:
            raise Broken(f"the gate ended with {again.returncode} ({verdict}), not {expected}:\n{said}")
        if verdict not in summary or verdict not in said:
            raise Broken(f"{verdict} stands neither in the summary nor in the log:\n{summary}\n{said}")
        lenient = service is github and overrides.get("GATE_STRICT") != "true"
        wanted = 0 if lenient and again.returncode == 3 else again.returncode
        if code != wanted:
            raise Broken(f"the job ended with {code}, not {wanted}:\n{said}")
        if service is github and again.returncode != 0:
            annotation = "::warning" if again.returncode == 3 else "::error"
            if annotation not in said:
                raise Broken(f"no {annotation} annotation:\n{said}")
    print(f"  {service.__name__:8}{name:20}{verdict:14}gate {again.returncode}, job {code}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracemill", required=True, type=pathlib.Path)
    parser.add_argument("--only", help="a service and a case, such as 'github slower'")
    options = parser.parse_args()
    os.environ.update(
        GIT_AUTHOR_NAME="example", GIT_AUTHOR_EMAIL="example@localhost", GIT_COMMITTER_NAME="example",
        GIT_COMMITTER_EMAIL="example@localhost", GIT_CONFIG_GLOBAL="/dev/null",
        GIT_CONFIG_NOSYSTEM="1")
    status = 0
    for service in (github, gitlab):
        for case in CASES:
            if service is gitlab and case[3]:
                continue
            if options.only and options.only != f"{service.__name__} {case[0]}":
                continue
            try:
                check(service, case, options.tracemill.resolve())
            except Broken as broken:
                print(f"  {service.__name__:8}{case[0]:20}BROKEN: {broken}")
                status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
