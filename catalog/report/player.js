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
