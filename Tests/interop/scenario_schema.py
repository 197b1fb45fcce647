"""scenarios/schema.json as editors use it: read by Python's jsonschema.

Every scenario of the library must be accepted, and damage of the kinds that typing makes refused.

    scenario_schema.py [FOLDER]      the folder of scenarios, by default the repository's
"""

import copy
import json
import pathlib
import sys

import jsonschema
import yaml


def damaged(scenario):
    """Copies of a scenario, each with one mistake, and what it is."""
    for path, key, value, what in [
        ([], "servces", {}, "an unknown key"),
        ([], "version", "one", "a version that is no number"),
        ([], "seed", -1, "a negative seed"),
        ([], "clock", "simulate", "an unknown clock"),
        (["run"], "repeats", 0, "no repeats"),
        (["run"], "warmup", 5, "a duration without a unit"),
        (["pipeline"], "sampller", "always_on", "an unknown key of the pipeline"),
        (["pipeline", "processor"], "queue", "large", "a queue that is no number"),
        (["traffic", 0], "arrival", "uniform", "an unknown arrival"),
        (["traffic", 0], "root", [], "a root that is a list"),
        (["traffic", 0, "stages", 0], "rate", "fast", "a rate that is no number"),
        (["traffic", 0, "stages", 0], "duration", "1 s", "a duration with a blank"),
    ]:
        mistaken = copy.deepcopy(scenario)
        place = mistaken
        for step in path:
            place = place.setdefault(step, {}) if isinstance(step, str) else place[step]
        place[key] = value
        yield what, mistaken
    for key in ["version", "name", "services", "traffic"]:
        mistaken = copy.deepcopy(scenario)
        del mistaken[key]
        yield f"no {key}", mistaken


def main(arguments):
    here = pathlib.Path(__file__).resolve()
    folder = pathlib.Path(arguments[0]) if arguments else here.parents[2] / "scenarios"
    schema = json.loads((folder / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    files = sorted(folder.glob("*.yaml"))
    wrong, refused = [], 0
    for file in files:
        scenario = yaml.safe_load(file.read_text())
        for error in validator.iter_errors(scenario):
            wrong.append(f"{file.name}: {error.json_path}: {error.message}")
        for what, mistaken in damaged(scenario):
            if validator.is_valid(mistaken):
                wrong.append(f"{file.name}: {what} is accepted")
            else:
                refused += 1
    for line in wrong:
        print(line)
    print(f"scenario schema: {len(files)} scenarios accepted, {refused} damaged ones refused"
          if not wrong else f"scenario schema: {len(wrong)} differences")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
