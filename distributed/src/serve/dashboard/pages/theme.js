// Dark or light: as the system has it, or as somebody chose.

const KEY = "quarray-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(select, changed) {
  const stored = localStorage.getItem(KEY);
  select.value = ["light", "dark"].includes(stored) ? stored : "auto";
  const apply = () => {
    const chosen = select.value === "auto" ? (system.matches ? "dark" : "light") : select.value;
    document.documentElement.dataset.theme = chosen;
    changed();
  };
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

// The value of a colour for drawings on a canvas.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// The colour of a stage: six of them, in turns.
export function stageNumber(stage) {
  return ((stage - 1) % 6 + 6) % 6 + 1;
}
