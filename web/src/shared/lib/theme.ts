import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";
const CHOICE = "clinai.theme";
const listeners = new Set<() => void>();

export function theme(): Theme {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

function show(next: Theme): void {
  document.documentElement.dataset.theme = next;
  for (const listener of listeners) listener();
}

export function setTheme(next: Theme): void {
  show(next);
  try {
    localStorage.setItem(CHOICE, next);
  } catch {
    // the choice lasts until the page is left
  }
}

/** As public/first.js does before the first paint: the choice, else what the system prefers, also when that changes. */
export function followTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const system = () => {
    let choice = null;
    try {
      choice = localStorage.getItem(CHOICE);
    } catch {
      // private mode: there is none
    }
    if (choice === null) show(dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", system);
  // chosen in another window
  addEventListener("storage", ({ key, newValue }) => {
    if (key === CHOICE && (newValue === "dark" || newValue === "light")) show(newValue);
  });
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, theme);
}

/** The value of a design token now, for canvases. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
