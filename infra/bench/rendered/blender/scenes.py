"""The scenes, for Blender 3.4 and its Cycles; `render.py` calls this file.

    blender -b --factory-startup -P infra/bench/rendered/blender/scenes.py -- SCENE FOLDER

Each scene is a function that builds a world of ours from primitives and procedural materials, films
it, and says which object is taken away. Axes: x to the right, y away from the camera, z up; m.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import nature
import places
import streets
from studio import render


def main() -> None:
    name, folder = sys.argv[sys.argv.index("--") + 1 :][:2]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for module in (streets, nature, places):
        if hasattr(module, name):  # a scene
            render(getattr(module, name)(), Path(folder))


main()
