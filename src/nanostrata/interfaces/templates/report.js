/* Viewer, table of contents and copy buttons of the report. The report is complete without this script. */
"use strict";

function readParticle() {
  const holder = document.getElementById("particle-data");
  return holder ? JSON.parse(holder.textContent) : null;
}

function hasWebGL() {
  // 3Dmol.js neither throws nor tells when there is no WebGL, so ask before.
  const canvas = document.createElement("canvas");
  return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
}

function startViewer(data) {
  const stage = document.getElementById("viewer-stage");
  const message = document.getElementById("viewer-message");
  const say = (text) => { message.textContent = text; message.hidden = false; document.body.classList.add("no-webgl"); };
  if (typeof $3Dmol === "undefined") { say("The viewer could not be loaded. The still picture below shows the same particle."); return; }
  if (!hasWebGL()) { say("This browser has no WebGL. The still picture below shows the same particle."); return; }
  let viewer = null;
  try {
    viewer = $3Dmol.createViewer(stage, { backgroundColor: "white", antialias: true, orthographic: true });
  } catch (error) {
    viewer = null;
  }
  if (!viewer) { say("This browser has no WebGL. The still picture below shows the same particle."); return; }
  message.hidden = true;

  const count = data.element.length;
  const z = new Float64Array(count);
  let reach = 0;
  const atoms = [];
  for (let i = 0; i < count; i++) {
    const [x, y, w] = [data.xyz[3 * i] / 100, data.xyz[3 * i + 1] / 100, data.xyz[3 * i + 2] / 100];
    z[i] = w;
    reach = Math.max(reach, Math.abs(w));
    atoms.push({ elem: data.elements[data.element[i]], x: x, y: y, z: w, serial: i, bonds: [], bondOrder: [], properties: {} });
  }
  viewer.setViewStyle({ style: "outline", color: "black", width: 0.03 });
  const model = viewer.addModel();
  model.addAtoms(atoms);

  const legend = document.getElementById("viewer-legend");
  const half = document.getElementById("cut-half");
  const slider = document.getElementById("cut-depth");
  const hidden = new Set();
  let mode = Object.keys(data.modes)[0];

  function draw() {
    const now = data.modes[mode];
    const limit = half.checked ? reach * (1 - 2 * slider.value / 100) + 0.01 : reach + 1;
    slider.disabled = !half.checked;
    model.setStyle({}, {});
    now.classes.forEach((entry, k) => {
      if (hidden.has(k)) { return; }
      data.elements.forEach((name, e) => {
        const style = { sphere: { radius: data.radius[e], color: entry.colour } };
        model.setStyle({ predicate: (a) => now.of[a.serial] === k && data.element[a.serial] === e && z[a.serial] <= limit }, style);
      });
    });
    viewer.render();
  }

  function drawLegend() {
    const now = data.modes[mode];
    legend.textContent = "";
    if (now.ramp) {
      const ramp = document.createElement("div");
      ramp.className = "ramp";
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.background = "linear-gradient(to right," + now.classes.map((c) => c.colour).join(",") + ")";
      ramp.append(now.ramp[0], bar, now.ramp[1]);
      legend.append(ramp);
      return;
    }
    now.classes.forEach((entry, k) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "swatch";
      button.setAttribute("aria-pressed", String(!hidden.has(k)));
      const dot = document.createElement("span");
      dot.style.background = entry.colour;
      button.append(dot, entry.label);
      button.addEventListener("click", () => {
        if (hidden.has(k)) { hidden.delete(k); } else { hidden.add(k); }
        button.setAttribute("aria-pressed", String(!hidden.has(k)));
        draw();
      });
      legend.append(button);
    });
  }

  function resetView() {
    viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    viewer.zoomTo();
    viewer.rotate(-16, "y");
    viewer.rotate(12, "x");
    viewer.zoom(stage.clientWidth > 1.25 * stage.clientHeight ? 1.06 : 1.75);
    viewer.render();
  }

  document.querySelectorAll("input[name=colour-by]").forEach((radio) => {
    radio.addEventListener("change", () => { mode = radio.value; hidden.clear(); drawLegend(); draw(); });
  });
  half.addEventListener("change", draw);
  slider.addEventListener("input", draw);
  document.getElementById("viewer-reset").addEventListener("click", resetView);
  window.addEventListener("resize", () => { viewer.resize(); viewer.render(); });
  drawLegend();
  draw();
  resetView();
  document.body.classList.add("has-webgl");
}

function followReading() {
  const links = new Map();
  document.querySelectorAll("nav.contents a").forEach((a) => links.set(a.getAttribute("href").slice(1), a));
  if (!("IntersectionObserver" in window)) { return; }
  const observer = new IntersectionObserver((entries) => {
    entries.forEach((entry) => {
      if (!entry.isIntersecting) { return; }
      links.forEach((a) => a.removeAttribute("aria-current"));
      const here = links.get(entry.target.id);
      if (here) { here.setAttribute("aria-current", "true"); }
    });
  }, { rootMargin: "-15% 0px -70% 0px" });
  links.forEach((_, id) => { const section = document.getElementById(id); if (section) { observer.observe(section); } });
}

function copyButtons() {
  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.addEventListener("click", () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const done = () => { button.textContent = "Copied"; };
      if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(text).then(done); return; }
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      done();
    });
  });
}

document.addEventListener("DOMContentLoaded", () => {
  followReading();
  copyButtons();
  const data = readParticle();
  if (data) { startViewer(data); }
});
