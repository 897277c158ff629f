// The light or dark theme that the reader chose in this browser. Loaded before anything is painted, to avoid a flash.
// Only the reader changes it: it stays the same from case to case, and other windows are not affected.

(() => {
  const KEY = "discern-theme";
  const root = document.documentElement;
  try {
    if (localStorage.getItem(KEY) === "light") root.dataset.theme = "light";
  } catch {
    // A browser that stores nothing starts with the dark theme.
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
        // The choice applies to this page only.
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
