// Light or dark, as the reader chose in this browser. Loaded before anything is painted, so that nothing flashes.
// Only the reader changes it: it stays as it is from case to case, and other windows are left alone.

(() => {
  const KEY = "discern-theme";
  const root = document.documentElement;
  try {
    if (localStorage.getItem(KEY) === "light") root.dataset.theme = "light";
  } catch {
    // A browser that keeps nothing begins dark.
  }

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const tell = () => button.setAttribute("aria-pressed", String(root.dataset.theme === "light"));
    const change = () => {
      if (root.dataset.theme === "light") delete root.dataset.theme;
      else root.dataset.theme = "light";
      try {
        localStorage.setItem(KEY, root.dataset.theme ?? "dark");
      } catch {
        // It holds for this page.
      }
      tell();
    };
    tell();
    button.hidden = false;
    button.addEventListener("click", change);
    addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, textarea, select");
      if (event.key.toLowerCase() !== "t" || event.repeat || event.ctrlKey || event.altKey || event.metaKey || typing) return;
      change();
    });
  });
})();
