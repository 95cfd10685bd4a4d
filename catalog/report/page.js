"use strict";
// Each pair is one small video that holds source and target side by side (see preview.py). A player
// decodes it off-screen and paints the two halves, so that both always show the same instant. Only
// the pairs in view have a decoder.

const GAIN_DOUBLINGS = 2; // the difference is shown × 2^2

const view = {
  mask: document.getElementById("mask")?.getAttribute("aria-pressed") === "true",
  difference: false,
  speed: 1,
  playing: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
};

class Player {
  constructor(card) {
    this.card = card;
    this.data = card.querySelector(".preview");
    this.canvases = {
      source: card.querySelector(".source canvas"),
      target: card.querySelector(".target canvas"),
    };
    this.caption = card.querySelector(".target .name");
    this.bare = "bare" in card.dataset; // the right side is masked already
    this.name = this.caption?.textContent;
    this.origin = card.querySelector(".target .origin");
    this.button = card.querySelector(".play");
    this.scrub = card.querySelector(".scrub");
    this.clock = card.querySelector(".clock");
    this.trouble = card.querySelector(".trouble");
    this.video = null;
    this.frame = 0;
    this.wanted = null; // frame to seek to once the seek under way is done
    this.playing = view.playing;
    this.button.addEventListener("click", () => this.toggle());
    card.querySelector(".back").addEventListener("click", () => this.step(-1));
    card.querySelector(".forth").addEventListener("click", () => this.step(1));
    this.scrub.addEventListener("input", () => {
      this.pause();
      this.seek(Number(this.scrub.value));
    });
    this.label();
  }

  open() {
    if (this.video) return;
    this.preview ??= JSON.parse(this.data.textContent);
    const bytes = Uint8Array.from(atob(this.preview.video), (c) => c.charCodeAt(0));
    this.url = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    const video = document.createElement("video");
    video.muted = video.loop = video.playsInline = true;
    video.preload = "auto";
    video.addEventListener("error", () => {
      if (video === this.video) this.trouble.hidden = false;
    });
    video.addEventListener("seeked", () => {
      if (video !== this.video) return;
      const next = this.wanted;
      this.wanted = null;
      if (next !== null && next !== this.frame) this.seek(next);
      else this.show(video.currentTime);
    });
    video.addEventListener("loadeddata", () => video === this.video && this.show(video.currentTime));
    this.video = video;
    video.src = this.url;
    video.playbackRate = video.defaultPlaybackRate = view.speed;
    if (this.frame) video.currentTime = this.time(this.frame);
    this.watch(video);
    if (this.playing) this.start();
  }

  close() {
    const video = this.video;
    if (!video) return;
    this.video = null;
    video.pause();
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(this.url);
  }

  // The frame callback names the very frame on screen; without it the clock has to do.
  watch(video) {
    const again = (_now, presented) => {
      if (video !== this.video) return;
      this.show(presented ? presented.mediaTime : video.currentTime);
      this.watch(video);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(again);
    else requestAnimationFrame((now) => again(now, null));
  }

  time(frame) {
    return (frame + 0.5) / this.preview.fps;
  }

  show(seconds) {
    const last = this.preview.frames - 1;
    this.frame = Math.max(0, Math.min(last, Math.floor(seconds * this.preview.fps + 0.01)));
    this.scrub.value = this.frame;
    this.clock.textContent = `${this.frame + 1} / ${last + 1}`;
    this.paint();
  }

  paint() {
    if (!this.video || this.video.readyState < 2) return;
    const { source, target, masks } = this.preview;
    const outlines = view.mask ? masks[this.frame] : null;
    this.half(this.canvases.source, source, null, outlines);
    this.half(this.canvases.target, target, view.difference ? source : null, this.bare ? null : outlines);
    this.caption.textContent = view.difference ? `difference × ${2 ** GAIN_DOUBLINGS}` : this.name;
    this.origin.hidden = view.difference;
  }

  half(canvas, rect, minus, outlines) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio) || rect[2];
    const height = Math.round((width * rect[3]) / rect[2]);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    context.globalCompositeOperation = "copy";
    context.drawImage(this.video, ...rect, 0, 0, width, height);
    if (minus) {
      context.globalCompositeOperation = "difference";
      context.drawImage(this.video, ...minus, 0, 0, width, height);
      context.globalCompositeOperation = "lighter";
      for (let k = 0; k < GAIN_DOUBLINGS; k++) context.drawImage(canvas, 0, 0);
    }
    context.globalCompositeOperation = "source-over";
    if (!outlines || !outlines.length) return;
    const [, , targetWidth, targetHeight] = this.preview.target; // what outlines are measured in
    const path = new Path2D();
    for (const points of outlines) {
      for (let k = 0; k < points.length; k += 2) {
        const x = ((points[k] + 0.5) * width) / targetWidth;
        const y = ((points[k + 1] + 0.5) * height) / targetHeight;
        if (k) path.lineTo(x, y);
        else path.moveTo(x, y);
      }
      path.closePath();
    }
    context.lineJoin = "round";
    context.fillStyle = "rgba(255, 176, 32, 0.28)";
    context.fill(path, "evenodd");
    context.strokeStyle = "rgba(0, 0, 0, 0.65)";
    context.lineWidth = 3.5 * ratio;
    context.stroke(path);
    context.strokeStyle = "#ffb020";
    context.lineWidth = 1.75 * ratio;
    context.stroke(path);
  }

  start() {
    this.video.play().catch(() => {}); // a pause before it began, or no autoplay: stays paused
  }

  play() {
    this.playing = true;
    if (this.video) this.start();
    this.label();
  }

  pause() {
    this.playing = false;
    if (this.video) this.video.pause();
    this.label();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  label() {
    this.card.classList.toggle("playing", this.playing);
    this.button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  step(by) {
    this.pause();
    if (!this.preview) return;
    const from = this.wanted ?? this.frame;
    this.seek((from + by + this.preview.frames) % this.preview.frames);
  }

  seek(frame) {
    if (!this.video) {
      this.frame = frame;
    } else if (this.video.seeking) {
      this.wanted = frame;
    } else {
      this.video.currentTime = this.time(frame);
    }
  }
}

const list = document.getElementById("cards");
if (list) main(list);

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

  setPlaying(view.playing);
  filter();
}
