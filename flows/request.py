"""What a build is asked for, and whether it has been done before."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import flows
from catalog.errors import EditmillError
from catalog.keys import digest, file_digest
from catalog.layout import POINTER, release_key
from catalog.releases import check_tag
from experts.edit.tasks import TASKS, expert_for
from experts.providers import Choice
from experts.providers.requirements import checkpoint_version
from flows.needs import versions_beside
from flows.recipe import Recipe, load
from flows.release.outcome import REPORT, Outcome
from flows.release.page import report_uri
from flows.runtime.context import Context
from flows.runtime.pinned import pinned
from flows.sources import listing
from flows.sources.folder import FolderSources
from flows.sources.source import Footage, Listing, RemoteSection, SourceFile

STAGE = "build"


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A build's recipe with pinned models, the catalog's folder, the tag of its release (None: the
    next of v1, v2 …), its sources on this machine as they are now, and the key of all that it
    depends on."""

    recipe: Recipe
    out: str
    tag: str | None
    sources: Listing[Footage]
    key: str


def request(
    recipe_name: str,
    out: str | Path,
    *,
    source: Path | None = None,
    tag: str | None = None,
    server: str | None = None,
) -> BuildRequest:
    """The request for a shipped recipe or a YAML file.

    `source` replaces the recipe's sources by a folder, `server` its Prefect server. Raises
    EditmillError in one line where the recipe, its sources, an expert or a checkpoint lacks.
    """
    if tag is not None:
        check_tag(tag)
    recipe = recipe_for(recipe_name, source, out)
    if server is not None:
        run = recipe.run.model_copy(update={"server": server})
        recipe = recipe.model_copy(update={"run": run})
    recipe = pinned(recipe, out)
    sources = listing(recipe.sources)
    # Before there is a catalog: a checkpoint may lack.
    return BuildRequest(recipe, str(out), tag, sources, _key(recipe, sources, tag))


def recipe_for(recipe_name: str, source: Path | None, out: str | Path) -> Recipe:
    """The recipe, built from the folder `source` where one is given, into the catalog `out`.

    Raises EditmillError where it is no recipe, where a file that it names as a filter's model is
    something else, or where its footage lies where the catalog is to be.
    """
    recipe = load(recipe_name)
    _check_models(recipe)
    if source is not None:
        own = FolderSources(kind="folder", path=source)
        recipe = recipe.model_copy(update={"sources": (own,)})
    for section in recipe.sources:
        if isinstance(section, FolderSources) and _is_same_folder(section.path, out):
            raise EditmillError(
                f"{out}: the footage lies there, and a build would take its own videos for it; "
                "name another folder with --out, below it if you like"
            )
    return recipe


def _is_same_folder(footage: Path, out: str | Path) -> bool:
    if "://" in str(out):
        return False
    try:
        return footage.expanduser().samefile(Path(out).expanduser())
    except (OSError, RuntimeError):  # one of them is not there
        return False


def _check_models(recipe: Recipe) -> None:
    if isinstance(path := recipe.filters.quality_model, Path):
        from filters.quality.model import QualityModel

        QualityModel.load(path)
    if isinstance(path := recipe.filters.style_probes, Path):
        from filters.alignment.style_probe import StyleProbes

        StyleProbes.load(path)


def finished(ctx: Context, asked: BuildRequest) -> Outcome | None:
    """What the same request came to before, if all of it is still there and is what `main` and the
    report show, and nothing can have been added elsewhere."""
    if has_remote_sources(asked.recipe):
        return None
    found = ctx.catalog.products.get(STAGE, asked.key)
    if found is None or found["shown"] != _shown(ctx):
        return None
    outcome = Outcome(**found["outcome"])
    if not ctx.catalog.storage.exists(release_key(outcome.release)):
        return None  # whoever removed it wants it back
    notes = [*outcome.notes, *asked.sources.notes]
    # The catalog may have been moved or copied.
    return dataclasses.replace(outcome, catalog=ctx.uri, report=report_uri(ctx), notes=notes)


def has_remote_sources(recipe: Recipe) -> bool:
    """Whether some of its footage is fetched, so that there may be more at any time."""
    return any(isinstance(section, RemoteSection) for section in recipe.sources)


def remember(ctx: Context, asked: BuildRequest, outcome: Outcome) -> None:
    """The same request need not be carried out again, unless some record is worth another try."""
    if not ctx.worth_retrying:
        made = {"outcome": dataclasses.asdict(outcome), "shown": _shown(ctx)}
        ctx.catalog.products.put(STAGE, asked.key, made)


def _shown(ctx: Context) -> str:
    """A digest of which selection `main` is, and of the report: the build of another recipe
    replaces both, one that is stopped the report alone."""
    both = hashlib.blake2b()
    for key in (POINTER, REPORT):
        both.update(ctx.storage.read(key) or b"")
    return both.hexdigest()


def _key(recipe: Recipe, sources: Listing[Footage], tag: str | None) -> str:
    """Of all that a build depends on: its recipe, its sources as they are now, checkpoints and
    models of the user's, and the code. Raises EditmillError where a checkpoint lacks."""
    files = [_state(file) for file in sources.files if isinstance(file, SourceFile)]
    named = (recipe.filters.quality_model, recipe.filters.style_probes)
    own = [model for model in named if isinstance(model, Path)]  # a version never changes
    models = [_checkpoints(recipe), [file_digest(model) for model in own]]
    return digest(recipe.decisions(), files, tag or "", _code_digest(), models)


def _state(file: SourceFile) -> tuple[str | int, ...]:
    if file.refusal is not None:
        return file.name, file.refusal.reason
    try:
        stat = file.path.stat()
    except OSError as error:  # gone since it was listed, or in a folder nobody may enter
        return file.name, type(error).__name__
    return file.name, file.uri, file.licence, stat.st_size, stat.st_mtime_ns


def _checkpoints(recipe: Recipe) -> dict[str, str]:
    """Version of each checkpoint that the build opens."""
    editors = (given for given in recipe.experts.values() if isinstance(given, Choice))
    choices = (*recipe.choices(), *editors)
    versions = {
        f"{c.slot}/{c.provider}/{c.options.get('checkpoint', '')}": checkpoint_version(c)
        for c in choices
    }
    if recipe.models.depth is None:  # the depth tasks' model is the environment's
        versions |= {
            task: expert_for(task).version
            for task, weight in recipe.plan.weights.items()
            if weight and TASKS[task].checkpoint
        }
    versions |= versions_beside(recipe)
    return {name: version for name, version in versions.items() if version}


def _code_digest() -> str:
    rooms = [
        Path(flows.__file__).parent.parent / room
        for room in ("catalog", "experts", "filters", "flows")
    ]
    kinds = {".py", ".toml", ".yaml", ".j2", ".safetensors"}
    files = sorted(p for room in rooms for p in room.rglob("*") if p.suffix in kinds)
    return digest([(p.name, file_digest(p)) for p in files])
