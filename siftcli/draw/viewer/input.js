// What the pointer and the keys do.

/** Moving, zooming and pointing with a mouse, a pen or fingers. */
function setUpPointer(app) {
  const canvas = $("view"), down = new Map();
  let travelled = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    travelled = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event), before = down.get(event.pointerId);
    if (!before) { app.hover(app.at(now)); return; }
    const others = [...down.keys()].filter((id) => id !== event.pointerId).map((id) => down.get(id));
    down.set(event.pointerId, now);
    travelled += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (travelled > 4) canvas.classList.add("dragging");
    if (others.length) {
      const apart = (p) => Math.hypot(p.x - others[0].x, p.y - others[0].y);
      app.view.zoomAt(apart(now) / Math.max(1, apart(before)), (now.x + others[0].x) / 2, (now.y + others[0].y) / 2);
    } else if (travelled > 4) {
      const { zoom } = app.view.camera;
      app.view.pan((before.x - now.x) / zoom, (before.y - now.y) / zoom);
    }
  });
  const up = (event) => {
    if (!down.delete(event.pointerId)) return;
    canvas.classList.remove("dragging");
    if (event.type === "pointerup" && travelled <= 4) app.select(app.at(place(event)));
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => app.hover(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const now = place(event);
    app.view.zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), now.x, now.y);
  }, { passive: false });
}

function setUpKeys(app) {
  const step = 60;
  const middle = () => [app.view.width / 2, app.view.height / 2];
  const pan = (x, y) => () => app.view.pan((x * step) / app.view.camera.zoom, (y * step) / app.view.camera.zoom);
  const next = (id) => () => {
    const list = $(id);
    list.selectedIndex = (list.selectedIndex + 1) % list.length;
    list.dispatchEvent(new Event("change"));
  };
  const onCanvas = {
    ArrowLeft: pan(-1, 0), ArrowRight: pan(1, 0), ArrowUp: pan(0, -1), ArrowDown: pan(0, 1),
    Enter: () => app.approach(),
  };
  const anywhere = {
    "+": () => app.view.zoomAt(1.3, ...middle()), "=": () => app.view.zoomAt(1.3, ...middle()),
    "-": () => app.view.zoomAt(1 / 1.3, ...middle()),
    0: () => app.view.fit(), 1: () => app.view.zoomAt(1 / app.view.camera.zoom, ...middle()),
    n: () => app.step(1), p: () => app.step(-1), Escape: () => app.select(null),
    c: next("color"), s: next("style"), r: next("radius"), t: () => app.turnTheme(), "?": () => app.toggleHelp(),
    l: () => { $("lines").click(); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = (event.target === $("view") && onCanvas[event.key]) ||
      (event.target.tagName !== "SELECT" && anywhere[event.key]);
    if (!action) return;
    event.preventDefault();
    action();
  });
}
