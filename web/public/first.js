// Runs before everything else.

// the theme before the first paint, so that a dark page never flashes white
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("clinai.theme");
  } catch {
    // private mode: what the system prefers
  }
  var dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();

// a script or style that did not come (a network that changed at that moment, an update) leaves an empty page: once a
// minute it is loaded anew. What comes later than the page itself is looked after in app/main.tsx.
addEventListener(
  "error",
  function (event) {
    var failed = event.target;
    if (!(failed instanceof HTMLScriptElement || (failed instanceof HTMLLinkElement && failed.rel !== "icon"))) return;
    try {
      if (Date.now() - Number(sessionStorage.getItem("clinai.reloaded")) < 60000) return;
      sessionStorage.setItem("clinai.reloaded", String(Date.now()));
      location.reload();
    } catch {
      // without storage it could go on for ever
    }
  },
  true,
);
