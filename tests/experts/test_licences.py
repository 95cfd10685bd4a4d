"""What is declared about the licences of experts' outputs."""

from __future__ import annotations

import pytest

from catalog.errors import EditmillError
from experts import licences, weights
from experts.diffusion.expert import CogVideoXExpert
from experts.diffusion.specs import TRAINABLE
from experts.edit.tasks import TASKS, Task, expert_for
from experts.licences import EDITMILL, OutputLicence, combined, of_weights

OTHER = OutputLicence("LicenseRef-Other", False, "its page")
UNSURE = OutputLicence("LicenseRef-Unsure", None, "its page")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_an_embedded_expert_states_the_licences_of_all_it_opens(task: Task):
    expert = expert_for(task)
    if task.checkpoint:
        assert expert.output_licence is None
        return
    opened = {weights.entry(slot).licence for slot in getattr(expert, "slots", ())}
    assert set(expert.output_licence.name.split(" AND ")) == {"Apache-2.0", *opened}
    assert expert.output_licence.may_train is True and expert.output_licence.source


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_trained_expert_stands_under_its_bases_licence(name: str, tmp_path):
    licence = CogVideoXExpert(name, "abc", tmp_path, tmp_path).output_licence
    of_5b = TRAINABLE[name].base != "CogVideoX-2b"
    assert ("LicenseRef-CogVideoX" in licence.name) == of_5b
    assert "Apache-2.0" in licence.name and licence.may_train is True
    # a swap's first frame is made by MI-GAN as well
    assert ("ISC" in licence.name) == (name == "inpainter")


def test_what_one_part_forbids_or_leaves_open_holds_for_the_whole():
    assert combined([EDITMILL, EDITMILL]) == EDITMILL
    assert combined([EDITMILL, OTHER]).may_train is False
    assert combined([EDITMILL, UNSURE]).may_train is None
    assert combined([UNSURE, OTHER]).may_train is False
    assert combined([EDITMILL, OTHER]).name == "Apache-2.0 AND LicenseRef-Other"
    assert combined([EDITMILL, None]) is None


def test_weights_under_another_licence_are_not_guessed_about(monkeypatch):
    assert of_weights("migan").name == "Apache-2.0 AND ISC"
    monkeypatch.setattr(licences, "NO_CLAIM", frozenset({"Apache-2.0"}))
    assert of_weights("migan") is None and of_weights("multistyle26").name == "Apache-2.0"
    with pytest.raises(EditmillError, match="no such slot"):
        of_weights("nothing")
