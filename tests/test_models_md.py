"""MODELS.md: whatever it tells to run is there, and its table of published figures is whole."""

from __future__ import annotations

import re

from densevl.core.config import config_folder, dataset_configs, find_config, model_configs

TEXT = (config_folder().parent / "MODELS.md").read_text(encoding="utf-8")


def test_every_command_names_a_config_that_is_there() -> None:
    named = re.findall(r"densevl eval ((?!masks|clips)[\w-]+) ", TEXT) + re.findall(r"--model ([\w-]+-\w+)\b", TEXT)
    assert len(named) > 8
    for name in named:
        assert find_config(name).is_file()
    for path in re.findall(r"configs/[\w/]+\.py", TEXT):
        assert (config_folder().parent / path).is_file()


def test_the_table_has_a_figure_for_each_of_its_models_on_each_data_set() -> None:
    start = next(line for line in TEXT.splitlines() if line.startswith("| model | voc21 "))
    data_sets = [cell.strip() for cell in start.strip("|").split("|")][1:-1]
    rows = TEXT.partition(start)[2].split("\n\n")[0].splitlines()[2:]
    models = set()
    for row in rows:
        first, *figures, source = [cell.strip() for cell in row.strip("|").split("|")]
        model = re.match(r"`([\w-]+)`", first)
        assert model is not None and len(figures) == len(data_sets) and source in "abcd"
        models.add(model[1])
        for data_set, figure in zip(data_sets, figures, strict=True):
            assert f"{model[1]}-{data_set}" in dataset_configs()
            assert 0 < float(figure.removesuffix(" \\*")) < 100
    without = {"maskclip-b16", "maskclip-lite", "trident-l14"}  # nothing was published that could be found
    on_data_sets = {model for model in model_configs() if f"{model}-voc21" in dataset_configs()}
    assert models == on_data_sets - without and without < on_data_sets
