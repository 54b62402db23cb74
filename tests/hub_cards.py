"""What the Hub refuses in the YAML at the head of a README.md, as far as its documentation and its error messages tell.

Lists of licences and size categories: https://huggingface.co/docs/hub/repositories-licenses and .../datasets-cards. Languages,
task names and ids of other repositories, which the Hub looks up, are checked for their form only.
"""

import re

import yaml

LICENSES = frozenset(
    """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
    artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0
    cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0
    cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
    epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research
    intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl open-mdw openrail++ osl-3.0 postgresql ofl-1.1
    ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2
    llama3.3 llama4 gemma unknown other""".split()  # noqa: SIM905
)
SIZE_CATEGORIES = [
    "n<1K",
    "1K<n<10K",
    "10K<n<100K",
    "100K<n<1M",
    "1M<n<10M",
    "10M<n<100M",
    "100M<n<1B",
    "1B<n<10B",
    "10B<n<100B",
    "100B<n<1T",
    "n>1T",
]
SDKS = ("gradio", "docker", "static", "streamlit")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")

HEAD = re.compile(r"\A\s*---[\r\n]+(.*?)[\r\n]+---(?:\r?\n|\Z)", re.DOTALL)
MODEL_ID = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*")


class _Loader(yaml.SafeLoader):
    """The Hub's parser refuses a key that stands twice; PyYAML would take the second."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"duplicated mapping key {key!r}", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def head(readme: str):
    """The parsed YAML, None where there is none; raises `yaml.YAMLError`."""
    found = HEAD.match(readme)
    return yaml.load(found[1], Loader=_Loader) if found else None


def check_card(readme: str, repo_type: str) -> tuple[list[str], list[str]]:
    """Errors, for which a commit is refused, and warnings."""
    try:
        data = head(readme)
    except yaml.YAMLError as error:
        return [f"YAML metadata error: {error}"], []
    if data is None:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(data, dict):
        return [f'"metadata" must be of type object, got {type(data).__name__}'], []
    errors = _one_of(data, "license", LICENSES)
    errors += _matching(data, "license_name", re.compile(r"[a-z0-9.-]+"))
    errors += _matching(data, "language", re.compile(r"[a-z]{2,3}(-\w+)*|code|multilingual"))
    errors += [f'"{key}" must be an array' for key in ("tags", "widget") if not isinstance(data.get(key, []), list)]
    if repo_type == "dataset":
        errors += _one_of(data, "size_categories", SIZE_CATEGORIES)
        errors += _check_configs(data)
    elif repo_type == "model":
        advice = "Use a model id from https://hf.co/models."
        errors += _matching(data, "base_model", MODEL_ID, advice)
        errors += _check_model_index(data)
    else:
        errors += _one_of(data, "sdk", SDKS) + _one_of(data, "colorFrom", COLORS) + _one_of(data, "colorTo", COLORS)
        if len(str(data.get("short_description", ""))) > 60:
            errors.append('"short_description" length must be less than or equal to 60 characters long')
    return errors, []


def _values(data: dict, key: str) -> list[tuple[str, object]]:
    """The value or values of a key that may hold one or a list, each with the name an error gives it."""
    value = data.get(key)
    if isinstance(value, list):
        return [(f"{key}[{i}]", one) for i, one in enumerate(value)]
    return [] if value is None else [(key, value)]


def _one_of(data: dict, key: str, allowed) -> list[str]:
    wrong = [name for name, value in _values(data, key) if not (isinstance(value, str) and value in allowed)]
    return [f'"{name}" must be one of [{", ".join(sorted(allowed))}]' for name in wrong]


def _matching(data: dict, key: str, pattern: re.Pattern, advice: str = "") -> list[str]:
    errors = []
    for name, value in _values(data, key):
        if not isinstance(value, str):
            errors.append(f'"{name}" must be a string')
        elif not pattern.fullmatch(value):
            errors.append(f'"{name}" with value "{value}" is not valid. {advice}'.rstrip())
    return errors


def _check_configs(data: dict) -> list[str]:
    configs = data.get("configs", [])
    if not isinstance(configs, list):
        return ['"configs" must be an array']
    errors = []
    for i, config in enumerate(configs):
        if not isinstance(config, dict):
            errors.append(f'"configs[{i}]" must be of type object')
            continue
        if not isinstance(config.get("config_name"), str):
            errors.append(f'"configs[{i}].config_name" is required')
        if not config.get("data_files") and not config.get("data_dir"):
            errors.append(f'"configs[{i}].data_files" is required')
        files = config.get("data_files")
        for j, one in enumerate(files if isinstance(files, list) else []):
            if isinstance(one, dict) and not one.get("path"):
                errors.append(f'"configs[{i}].data_files[{j}].path" is required')
    return errors


def _check_model_index(data: dict) -> list[str]:
    """`model-index` with all that a leaderboard needs of each result."""
    index = data.get("model-index", [])
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    needed = [("task", "type"), ("dataset", "type"), ("dataset", "name")]
    errors = []
    for i, entry in enumerate(index):
        entry = entry if isinstance(entry, dict) else {}
        errors += [f'"model-index[{i}].{key}" is required' for key in ("name", "results") if key not in entry]
        for j, result in enumerate(entry.get("results") or []):
            at = f"model-index[{i}].results[{j}]"
            errors += [f'"{at}.{one}.{key}" is required' for one, key in needed if not (result.get(one) or {}).get(key)]
            for k, metric in enumerate(result.get("metrics") or []):
                errors += [f'"{at}.metrics[{k}].{key}" is required' for key in ("type", "value") if key not in metric]
            if not result.get("metrics"):
                errors.append(f'"{at}.metrics" is required')
    return errors
