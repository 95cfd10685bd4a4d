// Which pairs are shown, in which order, and the keyboard.

function main(list) {
  const cards = [...list.children];
  const players = new Map(
    cards.filter((card) => card.querySelector(".preview")).map((card) => [card, new Player(card)]),
  );
  const form = document.getElementById("filters");
  const count = document.getElementById("count");
  const clear = document.getElementById("clear");
  const empty = document.getElementById("empty");
  const pairs = document.getElementById("pairs");
  let current = null;

  // --- which pairs are shown ---------------------------------------------------------------------

  const facets = [...new Set([...form.querySelectorAll("[data-facet]")].map((each) => each.name))];
  const judged = facets.includes("verdict");

  const chosen = () => {
    const values = Object.fromEntries(new FormData(form));
    values.search = values.search.trim().toLowerCase();
    return values;
  };

  const passes = (card, values, but) => {
    const { dataset } = card;
    return (
      facets.every((name) => but === name || !values[name] || values[name] === dataset[name]) &&
      values.search.split(/\s+/).every((word) => dataset.search.includes(word))
    );
  };

  // What is left starts under the controls, however far down the page was.
  const toFirst = () => {
    if (pairs.getBoundingClientRect().top < 0) pairs.scrollIntoView();
  };

  const filter = () => {
    const values = chosen();
    let shown = 0;
    let kept = 0;
    for (const card of cards) {
      card.hidden = !passes(card, values);
      shown += !card.hidden;
      kept += !card.hidden && card.dataset.verdict === "kept";
    }
    count.textContent =
      `${shown} of ${cards.length} ${form.dataset.noun}` +
      (shown && judged ? ` · ${kept} kept, ${shown - kept} rejected` : "");
    empty.hidden = shown > 0;
    clear.hidden = !values.search && facets.every((name) => !values[name]);
    recount(values);
    toFirst();
  };

  // How many pairs each choice would show, the other filters staying as they are.
  const recount = (values) => {
    for (const facet of facets) {
      if (!form.elements[facet].options) continue; // radio buttons: below
      const counts = new Map();
      for (const card of cards) {
        if (passes(card, values, facet)) {
          counts.set(card.dataset[facet], (counts.get(card.dataset[facet]) ?? 0) + 1);
        }
      }
      for (const option of form.elements[facet].options) {
        if (option.value) {
          option.textContent = `${option.dataset.label} (${counts.get(option.value) ?? 0})`;
        }
      }
    }
    for (const badge of form.querySelectorAll("[data-count]")) {
      const [facet, wanted] = badge.dataset.count.split(":");
      const open = cards.filter((card) => passes(card, values, facet));
      badge.textContent = open.filter((c) => !wanted || c.dataset[facet] === wanted).length;
    }
  };

  const sort = () => {
    const [score, order] = form.elements.sort.value.split(":");
    const key = `score${score.charAt(0).toUpperCase()}${score.slice(1)}`;
    const value = (card) => (key in card.dataset ? Number(card.dataset[key]) : null);
    const sign = order === "desc" ? -1 : 1;
    const sorted = [...cards];
    if (score) {
      sorted.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === null || y === null) return (x === null) - (y === null); // unmeasured last
        return sign * (x - y);
      });
    }
    list.append(...sorted);
    toFirst();
  };

  form.elements.search.addEventListener("input", filter);
  form.addEventListener("change", (event) => {
    if (event.target.name === "sort") sort();
    else if (event.target.name) filter();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    const order = form.elements.sort.value;
    const speed = form.querySelector("#speed").value;
    setTimeout(() => {
      form.elements.sort.value = order;
      form.querySelector("#speed").value = speed;
      filter();
    });
  });
  document.getElementById("clear-empty").addEventListener("click", () => form.reset());
  for (const button of document.querySelectorAll("[data-pick-task]")) {
    const task = button.dataset.pickTask;
    const known = [...form.elements.task.options].some((option) => option.value === task);
    button.disabled = !known;
    button.addEventListener("click", () => {
      form.elements.task.value = task;
      filter();
      form.scrollIntoView({ block: "start" });
    });
  }

  // --- playing -----------------------------------------------------------------------------------

  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const player = players.get(target);
      if (!player) continue;
      if (isIntersecting) player.open();
      else player.close();
    }
  });
  for (const card of players.keys()) seen.observe(card);
  window.addEventListener("resize", () => players.forEach((player) => player.paint()));

  const all = document.getElementById("play-all");
  const setPlaying = (playing) => {
    view.playing = playing;
    all.setAttribute("aria-pressed", String(playing));
    all.textContent = playing ? "Pause all" : "Play all";
    players.forEach((player) => (playing ? player.play() : player.pause()));
  };
  all.addEventListener("click", () => setPlaying(!view.playing));

  const flip = (name) => {
    if (!document.getElementById(name)) return; // this page has no such layer
    view[name] = !view[name];
    document.getElementById(name).setAttribute("aria-pressed", String(view[name]));
    players.forEach((player) => player.paint());
  };
  document.getElementById("mask").addEventListener("click", () => flip("mask"));
  document.getElementById("difference")?.addEventListener("click", () => flip("difference"));
  document.getElementById("speed").addEventListener("change", (event) => {
    view.speed = Number(event.target.value);
    players.forEach((player) => {
      if (player.video) player.video.playbackRate = view.speed;
    });
  });

  // --- keyboard ----------------------------------------------------------------------------------

  const visible = () => [...list.children].filter((card) => !card.hidden);

  const select = (card) => {
    if (current) current.classList.remove("current");
    current = card;
    card.classList.add("current");
  };
  list.addEventListener("focusin", (event) => select(event.target.closest(".card")));
  list.addEventListener("pointerdown", (event) => {
    const card = event.target.closest(".card");
    if (card) select(card);
  });

  const move = (by) => {
    const shown = visible();
    if (!shown.length) return;
    const at = shown.indexOf(current);
    const next = shown[at < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, at + by))];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };

  const player = () => players.get(current && !current.hidden ? current : visible()[0]);
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    " ": () => player()?.toggle(),
    ",": () => player()?.step(-1),
    ".": () => player()?.step(1),
    m: () => flip("mask"),
    d: () => flip("difference"),
    "/": () => form.elements.search.focus(),
  };
  document.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at.matches("select, textarea, input:not([type=range], [type=radio])")) return;
    if (event.key === " " && at.matches("button, summary, a, input")) return; // it acts on those
    event.preventDefault();
    action();
  });

  restore(form);
  setPlaying(view.playing);
  sort();
  filter();
}

const list = document.getElementById("cards");
if (list) main(list);
reloadWhileBuilding();
