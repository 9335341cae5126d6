/**
 * Dark and light: as the system has it, or as the reader chooses.
 *
 * @module
 */

/** The reader's choice. */
export type Theme = "system" | "light" | "dark";

const KEY = "theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];

/** The reader's last choice. */
export function chosenTheme(): Theme {
  return THEMES.find((each) => each === localStorage.getItem(KEY)) ?? "system";
}

/** Shows the page in a theme, and remembers it. */
export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  applyTheme();
}

/** Shows the page in the reader's theme. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = chosenTheme();
  dispatchEvent(new Event("themechange"));
}

/** The theme after another, for a button that goes through all of them. */
export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
}

/**
 * Calls a function when the colours of the page have changed, until the returned function is
 * called.
 */
export function onThemeChange(changed: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  addEventListener("themechange", changed);
  system.addEventListener("change", changed);
  return () => {
    removeEventListener("themechange", changed);
    system.removeEventListener("change", changed);
  };
}

/** The present value of a colour of the style sheet, such as `--accent`, for a canvas. */
export function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
