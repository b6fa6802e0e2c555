/* Surface of the occupancy map with a slider for its cut-off. The page is complete without this script. */
"use strict";

(function startShape() {
  const holder = document.getElementById("shape-data");
  if (!holder) { return; }
  const data = JSON.parse(holder.textContent);
  const stage = document.getElementById("shape-stage");
  const message = document.getElementById("shape-message");
  const say = (text) => { message.textContent = text; message.hidden = false; };
  const canvas = document.createElement("canvas");
  if (typeof $3Dmol === "undefined" || !(canvas.getContext("webgl2") || canvas.getContext("webgl"))) {
    say("This browser has no WebGL. The sections below show the same map.");
    return;
  }
  let viewer = null;
  try {
    viewer = $3Dmol.createViewer(stage, { backgroundColor: "white", antialias: true, orthographic: true });
  } catch (error) {
    viewer = null;
  }
  if (!viewer) { say("This browser has no WebGL. The sections below show the same map."); return; }
  message.hidden = true;

  /* a map is read from text in the format of Gaussian's cubes, whose lengths are in bohr */
  const bohr = 0.529177210903;
  const n = data.n, step = data.voxel / bohr, origin = data.origin / bohr;
  const lines = ["map", "map", `1 ${origin} ${origin} ${origin}`, `${n} ${step} 0 0`, `${n} 0 ${step} 0`, `${n} 0 0 ${step}`, "1 0 0 0 0"];
  const rows = [];
  for (let i = 0; i < data.values.length; i += n) {
    rows.push(data.values.slice(i, i + n).map((v) => (v / 100).toFixed(2)).join(" "));
  }
  const volume = new $3Dmol.VolumeData(lines.concat(rows).join("\n"), "cube");
  /* how far the particle reaches from the middle, at the lowest cut-off of the slider; angstrom */
  let reach = 0;
  data.values.forEach((v, i) => {
    if (v >= 5) {
      [Math.floor(i / (n * n)), Math.floor(i / n) % n, i % n].forEach((k) => { reach = Math.max(reach, Math.abs(data.origin + k * data.voxel)); });
    }
  });
  const slider = document.getElementById("shape-cutoff");
  const clear = document.getElementById("shape-clear");
  const level = document.getElementById("shape-level");

  function draw() {
    viewer.removeAllShapes();
    level.textContent = (slider.value / 100).toFixed(2);
    viewer.addIsosurface(volume, { isoval: slider.value / 100, color: "#0072B2", opacity: clear.checked ? 0.45 : 1.0, smoothness: 2 });
    const start = -reach - 1;
    [["#D55E00", 10, 0, 0], ["#009E73", 0, 10, 0], ["#0072B2", 0, 0, 10]].forEach(([color, x, y, z]) => {
      viewer.addCylinder({ start: { x: start, y: start, z: start }, end: { x: start + x, y: start + y, z: start + z }, radius: 0.35, color: color, fromCap: 2, toCap: 2 });
    });
    viewer.render();
  }
  function face() {
    viewer.zoomTo();
    viewer.zoom(1.7);
    viewer.rotate(-60, "x");
    viewer.rotate(25, "y");
    viewer.render();
  }
  slider.addEventListener("input", draw);
  clear.addEventListener("change", draw);
  document.getElementById("shape-reset").addEventListener("click", () => { viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]); face(); });
  draw();
  face();
})();
