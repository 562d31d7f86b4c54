import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import globals from "globals";
import ts from "typescript-eslint";

/** Imports go one way: shared → features → app. */
const layer = (files, forbidden, message) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns: [{ group: forbidden, message }] }] },
});

export default ts.config(
  { ignores: ["dist", "node_modules", "screenshots", "src/shared/api/schema.gen.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  a11y.flatConfigs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "no-console": "error",
    },
  },
  { files: ["scripts/**", "e2e/**"], rules: { "no-console": "off" } },
  layer(["src/shared/**"], ["@/features/*", "@/features/**", "@/app/*", "@/app/**"], "shared knows no feature"),
  layer(["src/features/**"], ["@/app/*", "@/app/**"], "features do not know the app"),
);
