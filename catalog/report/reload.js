// While a build runs, its page is written again and again (`data-reload` says how often, in seconds).
// The page reloads itself and keeps what was chosen on it and how far it was scrolled.

const KEPT = `editmill ${location.pathname}`;
const QUIET_SECONDS = 4; // after a key or a click: whoever is at work is not interrupted

function restore(form) {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
    sessionStorage.removeItem(KEPT);
  } catch {
    // no storage for this page: it starts as it is
  }
  if (!kept) return;
  for (const [name, value] of Object.entries(kept.chosen)) {
    const field = form.elements[name];
    if (!field) continue;
    const known = !field.options || [...field.options].some((option) => option.value === value);
    if (known) field.value = value;
  }
  view.playing = kept.playing;
  history.scrollRestoration = "manual";
  requestAnimationFrame(() => window.scrollTo(0, kept.scroll));
}

function reloadWhileBuilding() {
  const seconds = Number(document.body.dataset.reload);
  if (!seconds) return;
  let touched = 0;
  for (const event of ["keydown", "pointerdown", "input"]) {
    document.addEventListener(event, () => (touched = Date.now()), { passive: true });
  }
  setInterval(() => {
    if (document.hidden || Date.now() - touched < 1000 * QUIET_SECONDS) return;
    const form = document.getElementById("filters");
    const chosen = form ? Object.fromEntries(new FormData(form)) : {};
    const kept = { chosen, playing: view.playing, scroll: window.scrollY };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // see above
    }
    location.reload();
  }, 1000 * seconds);
}
